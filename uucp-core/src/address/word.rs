//! Whether a word can cross a UUCP command line unharmed.
//!
//! A command travels as one line of blank-separated words through `uux`, `uucico` and `uuxqt`, each with its own idea of
//! quoting. A recipient with a blank arrives as two, one with a backslash makes Taylor's receiver drop the rest of the
//! command and all later recipients, without a word anywhere. So senders ask here first.

use thiserror::Error;

/// Why a word cannot be carried in a UUCP command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CannotCarry {
    /// It would vanish.
    #[error("an empty word cannot be carried in a UUCP command")]
    Empty,
    /// The far side would take it for an option.
    #[error("a word with a leading '-' would be taken for an option at the far side")]
    LeadingHyphen,
    /// The far side would put a home directory in its place.
    #[error("a word with a leading '~' would be taken for a directory at the far side")]
    LeadingTilde,
    /// A byte that some program on the way splits at, unquotes, or reads as a redirection.
    #[error("'{}' cannot be carried in a UUCP command", .0.escape_ascii())]
    Byte(u8),
    /// Longer than a command of the peer may be.
    #[error("a word of {0} bytes is too long for a UUCP command")]
    TooLong(usize),
}

/// Longest word: leaves room for more in a command that older peers cut at 1,000 bytes or so.
const LIMIT: usize = 800;

/// Checks that `word`, given as an argument of a remote command, arrives as it is.
///
/// Refused are blanks and control characters; quotes, backslash and parentheses, which `uux` or `uuxqt` interpret; `<`, `>`
/// and `;`, which some `uux` take for redirections and the end of a command; a leading `-` or `~`; and the empty word. Everything
/// else of an address passes, bytes of UTF-8 too.
///
/// # Errors
/// Says which byte or shape it is.
pub fn check_command_word(word: &[u8]) -> Result<(), CannotCarry> {
    if word.is_empty() {
        return Err(CannotCarry::Empty);
    }
    if word.len() > LIMIT {
        return Err(CannotCarry::TooLong(word.len()));
    }
    match word.first() {
        Some(b'-') => return Err(CannotCarry::LeadingHyphen),
        Some(b'~') => return Err(CannotCarry::LeadingTilde),
        _ => {}
    }
    match word.iter().find(|b| is_mangled(**b)) {
        Some(byte) => Err(CannotCarry::Byte(*byte)),
        None => Ok(()),
    }
}

/// Bytes that do not survive the way. `#`, `$`, `&`, `*`, `?`, `^`, `` ` ``, `{`, `|`, `}`, `~` are atext of RFC 5322 and
/// used in addresses (`$` and `=` in VERP and SRS); no program we hand to runs a shell, so they pass.
fn is_mangled(byte: u8) -> bool {
    byte <= b' '
        || byte == 0x7f
        || matches!(
            byte,
            b'"' | b'\\' | b'(' | b')' | b'\'' | b'<' | b'>' | b';'
        )
}
