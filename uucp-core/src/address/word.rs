//! What a word of a remote command line can carry, judged before anything is queued.
//!
//! The command of an `E` request and the `C` line of an execute file are one string of words with blanks between them. The
//! receiver splits at blanks, tabs and most other white space and knows no quoting; Taylor's loses the rest of the line
//! behind a backslash in an `E` (and with it the later recipients of a mail), and expands a leading `~`. So a word either
//! arrives as it is, or it is refused here.

use thiserror::Error;

/// The longest command line that is put into one request: well below what any receiver takes (ours: 8 KiB for the whole
/// request).
pub const COMMAND_LINE_LIMIT: usize = 4096;

/// Why a word cannot stand in a remote command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// Between two blanks there is no word.
    #[error("an empty word cannot be carried")]
    Empty,
    /// The receiver would make two words of it.
    #[error("a blank cannot be carried within a word")]
    Blank,
    /// White space of some kind to the receiver, or the end of the line.
    #[error("the control character '{}' cannot be carried", .0.escape_ascii())]
    Control(u8),
    /// Taylor's receiver loses the rest of the command line.
    #[error("a backslash cannot be carried")]
    Backslash,
    /// Longer than any command line.
    #[error("a word of {0} bytes is too long for a command line")]
    TooLong(usize),
}

/// Checks a word for the `C` line of an execute file, where a backslash is a byte like any other.
///
/// # Errors
/// What stands in the way.
pub fn check_line_word(word: &[u8]) -> Result<(), Obstacle> {
    match word.iter().find(|b| **b <= b' ' || **b == 0x7f) {
        _ if word.is_empty() => Err(Obstacle::Empty),
        Some(b' ' | b'\t') => Err(Obstacle::Blank),
        Some(byte) => Err(Obstacle::Control(*byte)),
        None if word.len() > COMMAND_LINE_LIMIT => Err(Obstacle::TooLong(word.len())),
        None => Ok(()),
    }
}

/// Checks a word for the command line of an `E` request.
///
/// # Errors
/// What stands in the way.
pub fn check_request_word(word: &[u8]) -> Result<(), Obstacle> {
    check_line_word(word)?;
    if word.contains(&b'\\') {
        return Err(Obstacle::Backslash);
    }
    Ok(())
}

/// A word whose leading `~` is meant: the receiver makes one of two and expands nothing.
#[must_use]
pub fn shield_tilde(word: &[u8]) -> Vec<u8> {
    let mut shielded = Vec::with_capacity(word.len() + 1);
    if word.starts_with(b"~") {
        shielded.push(b'~');
    }
    shielded.extend_from_slice(word);
    shielded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_would_take_apart_is_refused() {
        for (word, obstacle) in [
            (&b""[..], Obstacle::Empty),
            (b"a b", Obstacle::Blank),
            (b"a\tb", Obstacle::Blank),
            (b"a\nb", Obstacle::Control(b'\n')),
            (b"a\rb", Obstacle::Control(b'\r')),
            (b"a\x0bb", Obstacle::Control(0x0b)),
            (b"a\0b", Obstacle::Control(0)),
            (b"a\x7f", Obstacle::Control(0x7f)),
            (b"a\\b", Obstacle::Backslash),
            (&[b'a'; 5000], Obstacle::TooLong(5000)),
        ] {
            assert_eq!(check_request_word(word), Err(obstacle));
        }
        assert_eq!(check_line_word(b"a\\b"), Ok(()));
        for good in [
            "a@b",
            "\"p(q)\"@x",
            "\u{17e}ofie@x",
            "a;b|c`d`$e",
            "o'brien",
        ] {
            assert_eq!(check_request_word(good.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn a_tilde_that_is_meant_is_doubled() {
        assert_eq!(shield_tilde(b"~x@y"), b"~~x@y");
        assert_eq!(shield_tilde(b"x~y"), b"x~y");
    }
}
