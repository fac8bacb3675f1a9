//! From words to a command line: which system executes, what is a file and on which system, what is redirected.

use thiserror::Error;

use super::words::{Token, WordsError, has_shell_character, tokenize};
use crate::address::word::{Obstacle, check_line_word};

/// A command as it was typed, its parts told apart. Names of systems are not looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// The systems on the way to the one that executes, and that one last. Empty: this system.
    pub(super) systems: Vec<Vec<u8>>,
    /// The command's words, the program first. Empty: a poll request.
    pub(super) words: Vec<Word>,
    /// Where standard input comes from, if it is redirected.
    pub(super) input: Option<FileName>,
    /// Where standard output goes to, if it is redirected.
    pub(super) output: Option<FileName>,
}

/// A word of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// An argument as it stands.
    Argument {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether it stood in parentheses.
        protected: bool,
    },
    /// A file, whose base name becomes the argument.
    File(FileName),
}

/// A file on some system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName {
    /// The system; empty for this one.
    pub(super) system: Vec<u8>,
    /// Its path there.
    pub(super) path: Vec<u8>,
}

/// Why a command cannot be queued as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum LineError {
    /// The words themselves.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// A redirection at the end, or before another.
    #[error("'{0}' names no file")]
    NoFile(char),
    /// Two redirections of one kind.
    #[error("'{0}' is given twice")]
    Twice(char),
    /// A file name with two systems.
    #[error("'{}' goes over more than one system; files cannot be forwarded", .0.escape_ascii())]
    Forwarded(Vec<u8>),
    /// A file name that is only a system.
    #[error("'{}' names a system, but no file on it", .0.escape_ascii())]
    NoPath(Vec<u8>),
    /// A word that would not arrive as it is.
    #[error("'{}': {}", .0.escape_ascii(), .1)]
    Word(Vec<u8>, Obstacle),
}

impl CommandLine {
    /// Takes the arguments behind the options apart.
    ///
    /// # Errors
    /// When the command cannot be understood, or would not arrive as it is.
    pub(super) fn parse(arguments: &[&[u8]]) -> Result<Self, LineError> {
        let mut tokens = tokenize(arguments)?.into_iter();
        let first = match tokens.next() {
            Some(Token::Plain(word) | Token::Protected(word)) => word,
            Some(Token::Input) => return Err(LineError::NoFile('<')),
            Some(Token::Output) => return Err(LineError::NoFile('>')),
            None => Vec::new(),
        };
        let mut systems: Vec<Vec<u8>> = first.split(|b| *b == b'!').map(<[u8]>::to_vec).collect();
        let program = systems.pop().unwrap_or_default();
        let mut line = Self {
            systems,
            words: Vec::new(),
            input: None,
            output: None,
        };
        if !program.is_empty() {
            line.push_word(program, false)?;
        }
        while let Some(token) = tokens.next() {
            match token {
                Token::Plain(word) if word.contains(&b'!') => {
                    line.words.push(Word::File(FileName::parse(&word)?));
                }
                Token::Plain(word) => line.push_word(word, false)?,
                Token::Protected(word) => line.push_word(word, true)?,
                Token::Input => redirect('<', &mut line.input, tokens.next())?,
                Token::Output => redirect('>', &mut line.output, tokens.next())?,
            }
        }
        Ok(line)
    }

    fn push_word(&mut self, bytes: Vec<u8>, protected: bool) -> Result<(), LineError> {
        if let Err(obstacle) = check_line_word(&bytes) {
            return Err(LineError::Word(bytes, obstacle));
        }
        self.words.push(Word::Argument { bytes, protected });
        Ok(())
    }

    /// Whether the job must say that a shell is needed: a word outside parentheses has a meaning to one.
    #[must_use]
    pub(super) fn wants_shell(&self) -> bool {
        self.words.iter().any(|word| match word {
            Word::Argument { bytes, protected } => !protected && has_shell_character(bytes),
            Word::File(_) => false,
        })
    }

    /// Whether the command names no program: `uux system!`.
    #[must_use]
    pub(super) fn is_poll(&self) -> bool {
        self.words.is_empty()
    }
}

impl FileName {
    /// `path`, `!path` or `system!path`.
    ///
    /// # Errors
    /// When there is no path, or more than one system.
    pub(super) fn parse(word: &[u8]) -> Result<Self, LineError> {
        let (system, path) = match word.iter().position(|b| *b == b'!') {
            Some(at) => (
                word.get(..at).unwrap_or_default(),
                word.get(at + 1..).unwrap_or_default(),
            ),
            None => (&b""[..], word),
        };
        if path.contains(&b'!') {
            return Err(LineError::Forwarded(word.to_vec()));
        }
        if path.is_empty() {
            return Err(LineError::NoPath(word.to_vec()));
        }
        if let Err(obstacle) = check_line_word(path) {
            return Err(LineError::Word(word.to_vec(), obstacle));
        }
        Ok(Self {
            system: system.to_vec(),
            path: path.to_vec(),
        })
    }

    /// The last component of the path: what the file is called while the command runs.
    #[must_use]
    pub(super) fn base_name(&self) -> &[u8] {
        self.path.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }
}

fn redirect(
    sign: char,
    place: &mut Option<FileName>,
    next: Option<Token>,
) -> Result<(), LineError> {
    if place.is_some() {
        return Err(LineError::Twice(sign));
    }
    let Some(Token::Plain(word) | Token::Protected(word)) = next else {
        return Err(LineError::NoFile(sign));
    };
    *place = Some(FileName::parse(&word)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<CommandLine, LineError> {
        let bytes: Vec<&[u8]> = arguments.iter().map(|a| a.as_bytes()).collect();
        CommandLine::parse(&bytes)
    }

    fn name(system: &str, path: &str) -> FileName {
        FileName {
            system: system.into(),
            path: path.into(),
        }
    }

    fn argument(text: &str, protected: bool) -> Word {
        Word::Argument {
            bytes: text.into(),
            protected,
        }
    }

    #[test]
    fn a_mail_command() {
        let line = parse(&["leaf!rmail", "(b!alice@leaf.lab)", "bob"]).unwrap();
        assert_eq!(line.systems, [b"leaf".to_vec()]);
        assert_eq!(
            line.words,
            [
                argument("rmail", false),
                argument("b!alice@leaf.lab", true),
                argument("bob", false)
            ]
        );
        assert!(!line.wants_shell() && !line.is_poll());
    }

    #[test]
    fn files_and_redirections() {
        let line = parse(&["!diff sys1!~u/foo !b <sys2!/i >out"]).unwrap();
        assert_eq!(line.systems, [b"".to_vec()]);
        assert_eq!(
            line.words,
            [
                argument("diff", false),
                Word::File(name("sys1", "~u/foo")),
                Word::File(name("", "b"))
            ]
        );
        assert_eq!(line.input, Some(name("sys2", "/i")));
        assert_eq!(line.output, Some(name("", "out")));
        assert_eq!(name("", "~u/foo").base_name(), b"foo");
    }

    #[test]
    fn a_way_over_systems_and_a_poll() {
        let line = parse(&["a!b!rmail", "x"]).unwrap();
        assert_eq!(line.systems, [b"a".to_vec(), b"b".to_vec()]);
        assert!(parse(&["beta!"]).unwrap().is_poll());
        let late = parse(&["beta!", "rmail", "x"]).unwrap();
        assert_eq!(late.words.len(), 2);
    }

    #[test]
    fn only_words_outside_parentheses_want_a_shell() {
        assert!(parse(&["beta!cat", "$x"]).unwrap().wants_shell());
        assert!(!parse(&["beta!cat", "($x;`y`)"]).unwrap().wants_shell());
        assert!(!parse(&["beta!cat", "a]{}#~=^%,:+"]).unwrap().wants_shell());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (arguments, said) in [
            (&["beta!cat <"][..], "names no file"),
            (&["beta!cat < > x"], "names no file"),
            (&["beta!cat <!a <!b"], "twice"),
            (&["beta!cat", "a!b!/x"], "forwarded"),
            (&["beta!cat", "gamma!"], "no file on it"),
            (&["beta!cat", "a\nb"], "control character"),
            (&["beta!cat", "a\rb"], "control character"),
            (&["beta!cat", "()"], "empty word"),
        ] {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }
}
