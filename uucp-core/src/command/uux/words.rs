//! The words of a `uux` command: what is protected by parentheses, what is a redirection, what is neither.
//!
//! Taylor UUCP manual, *Invoking uux*. A word that stands in parentheses as a whole loses them and is carried as it is; it
//! names no file. Where Taylor's `uux` garbles what it was given (it puts blanks around `*`, `;`, `|` and `&`, cuts a
//! protected word at a blank, prints "Mismatched parentheses" and queues the rest), this one carries the word exactly or
//! refuses the whole command.

use thiserror::Error;

/// One word of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word as it stands; a `!` in it names a file.
    Plain(Vec<u8>),
    /// A word that stood in parentheses: nothing in it has a meaning here.
    Protected(Vec<u8>),
    /// `<`
    Input,
    /// `>`
    Output,
}

/// Why a command cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum WordsError {
    /// An opening parenthesis without its end, or the reverse.
    #[error("mismatched parentheses in '{}'", .0.escape_ascii())]
    Parentheses(Vec<u8>),
    /// A word of its own, or a quoted one, with a blank inside.
    #[error(
        "'{}' holds a blank, which no command line of UUCP can carry within a word",
        .0.escape_ascii()
    )]
    Blank(Vec<u8>),
    /// `>>`
    #[error("'>>' cannot be carried: a file elsewhere is made anew, never appended to")]
    Append,
}

/// Splits the command into words.
///
/// The first argument may hold a whole command (`uux 'diff a!x b!y >!z'`) and is split at blanks. A later one is a word of
/// its own unless it begins with a redirection.
///
/// # Errors
/// When parentheses or quotes show that a word would not arrive as it was meant.
pub(super) fn tokenize(arguments: &[&[u8]]) -> Result<Vec<Token>, WordsError> {
    let mut tokens = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let may_split = index == 0 || argument.starts_with(b"<") || argument.starts_with(b">");
        if !may_split && argument.iter().any(|b| is_blank(*b)) {
            return Err(WordsError::Blank(argument.to_vec()));
        }
        let pieces = argument.split(|b| is_blank(*b)).filter(|p| !p.is_empty());
        let mut split = false;
        for piece in pieces {
            // Half of a quoted string: the blank between the halves was meant.
            split |= piece.len() != argument.len();
            if split && has_half_a_quote(piece) {
                return Err(WordsError::Blank(argument.to_vec()));
            }
            push_piece(piece, &mut tokens)?;
        }
    }
    Ok(tokens)
}

fn push_piece(piece: &[u8], tokens: &mut Vec<Token>) -> Result<(), WordsError> {
    if let Some(opened) = piece.strip_prefix(b"(") {
        let Some(inner) = opened.strip_suffix(b")") else {
            return Err(WordsError::Parentheses(piece.to_vec()));
        };
        tokens.push(Token::Protected(inner.to_vec()));
        return Ok(());
    }
    if !is_balanced(piece) {
        return Err(WordsError::Parentheses(piece.to_vec()));
    }
    let mut rest = piece;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'<' | b'>')) {
        let (before, sign, after) = match (rest.get(..at), rest.get(at), rest.get(at + 1..)) {
            (Some(before), Some(sign), Some(after)) => (before, *sign, after),
            _ => break,
        };
        if sign == b'>' && after.starts_with(b">") {
            return Err(WordsError::Append);
        }
        if !before.is_empty() {
            tokens.push(Token::Plain(before.to_vec()));
        }
        tokens.push(if sign == b'<' {
            Token::Input
        } else {
            Token::Output
        });
        rest = after;
    }
    if !rest.is_empty() {
        tokens.push(Token::Plain(rest.to_vec()));
    }
    Ok(())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether the number of `"` is odd.
fn has_half_a_quote(piece: &[u8]) -> bool {
    piece.split(|b| *b == b'"').count() % 2 == 0
}

fn is_balanced(word: &[u8]) -> bool {
    let mut depth = 0_i32;
    for byte in word {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// Whether a word, carried outside parentheses, has a meaning to a shell: the job then says so (`e`), as Taylor's does.
#[must_use]
pub(super) fn has_shell_character(word: &[u8]) -> bool {
    word.iter().any(|b| b"\"'`*?[;&()|<>\\$".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(words: &[&str]) -> Vec<Token> {
        let bytes = words.iter().map(|w| w.as_bytes().to_vec());
        bytes.map(Token::Plain).collect()
    }

    fn split(arguments: &[&str]) -> Result<Vec<Token>, WordsError> {
        let bytes: Vec<&[u8]> = arguments.iter().map(|a| a.as_bytes()).collect();
        tokenize(&bytes)
    }

    #[test]
    fn a_whole_command_is_split_and_single_words_are_not() {
        assert_eq!(
            split(&["beta!rmail  a\tb"]).unwrap(),
            plain(&["beta!rmail", "a", "b"])
        );
        assert_eq!(
            split(&["beta!rmail", "a*b;c|d&e"]).unwrap(),
            plain(&["beta!rmail", "a*b;c|d&e"])
        );
        assert_eq!(split(&["beta!rmail", ""]).unwrap(), plain(&["beta!rmail"]));
    }

    #[test]
    fn parentheses_protect_the_whole_word() {
        for (word, inner) in [
            ("(b!a@x)", "b!a@x"),
            ("((a))", "(a)"),
            ("(a(b)", "a(b"),
            ("(\"x)y\"@z)", "\"x)y\"@z"),
            ("(b!a)(c!d)", "b!a)(c!d"),
            ("(>x)", ">x"),
            ("()", ""),
        ] {
            let expected = vec![
                Token::Plain(b"beta!rmail".to_vec()),
                Token::Protected(inner.as_bytes().to_vec()),
            ];
            assert_eq!(split(&["beta!rmail", word]).unwrap(), expected, "{word}");
        }
    }

    #[test]
    fn mismatched_parentheses_and_inner_blanks_are_refused() {
        for (arguments, error) in [
            (&["beta!rmail", "(a"][..], "mismatched"),
            (&["beta!rmail", "a)"], "mismatched"),
            (&["beta!rmail", "(a)b"], "mismatched"),
            (&["beta!rmail (a b)"], "mismatched"),
            (&["beta!rmail", "(a b)"], "blank"),
            (&["beta!rmail", "a b@x"], "blank"),
            (&["beta!rmail \"a b\"@x"], "blank"),
            (&["beta!cat >>x"], "appended"),
        ] {
            let said = split(arguments).unwrap_err().to_string();
            assert!(said.contains(error), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn redirections_stand_alone_or_glued() {
        let expected = vec![
            Token::Plain(b"beta!cat".to_vec()),
            Token::Input,
            Token::Plain(b"!f1".to_vec()),
            Token::Output,
            Token::Plain(b"!out".to_vec()),
        ];
        for form in [
            &["beta!cat <!f1 >!out"][..],
            &["beta!cat", "<", "!f1", ">", "!out"],
            &["beta!cat<!f1>!out"],
            &["beta!cat", "< !f1", "> !out"],
        ] {
            assert_eq!(split(form).unwrap(), expected, "{form:?}");
        }
    }
}
