//! The command line that an MTA gives: options with their values glued on, then words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// One piece of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// `--NAME=VALUE`, or `-I VALUE`, whose name is `I`.
    Option(&'a [u8], &'a OsStr),
    /// A word before a `--`.
    Word(&'a OsString),
    /// All words behind a `--`.
    Rest(&'a [OsString]),
}

/// Cuts a command line, without the program's name, into pieces.
///
/// `None` if there is anything else in it: an option without a value, or one whose value is the next word. clap knows what
/// to make of that.
#[must_use]
pub fn pieces(mut words: &[OsString]) -> Option<Vec<Piece<'_>>> {
    let mut found = Vec::with_capacity(words.len());
    while let [word, rest @ ..] = words {
        words = rest;
        let bytes = word.as_bytes();
        if bytes == b"--" {
            found.push(Piece::Rest(rest));
            break;
        } else if bytes == b"-I" {
            let (value, rest) = words.split_first()?;
            if value.is_empty() || value.as_bytes().starts_with(b"-") {
                return None;
            }
            found.push(Piece::Option(b"I", value));
            words = rest;
        } else if let Some(option) = bytes.strip_prefix(b"--") {
            let at = option.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (option.get(..at)?, option.get(at + 1..)?);
            found.push(Piece::Option(name, OsStr::from_bytes(value)));
        } else if bytes.is_empty() || bytes.starts_with(b"-") {
            return None;
        } else {
            found.push(Piece::Word(word));
        }
    }
    Some(found)
}

/// Sets an option that may be given once; `None` the second time.
#[must_use]
pub fn once<T>(slot: &mut Option<T>, value: impl Into<T>) -> Option<()> {
    slot.replace(value.into()).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_glued_and_what_is_not() {
        let words = |line: &[&str]| line.iter().map(OsString::from).collect::<Vec<_>>();
        let line = words(&["--a=", "-I", "f", "w", "--b==x", "--", "--c", ""]);
        assert_eq!(
            pieces(&line).unwrap(),
            [
                Piece::Option(b"a", OsStr::new("")),
                Piece::Option(b"I", OsStr::new("f")),
                Piece::Word(&line[3]),
                Piece::Option(b"b", OsStr::new("=x")),
                Piece::Rest(&line[6..]),
            ]
        );
        for other in [&["--a"][..], &["-I"], &["-I", "-x"], &["-q"], &["-"], &[""]] {
            assert_eq!(pieces(&words(other)), None, "{other:?}");
        }
        let mut slot: Option<OsString> = None;
        assert!(once(&mut slot, "x").is_some() && once(&mut slot, "y").is_none());
    }
}
