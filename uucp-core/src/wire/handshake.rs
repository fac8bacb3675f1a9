//! The strings before and after the link protocol: `Shere`, the caller's `S` line, `ROKN`, `P`, `U`, `OOOOOO` (Taylor UUCP
//! manual, *UUCP Protocol*, "The initial handshake" and "Final handshake").
//!
//! Every string is byte 020, text, byte 0. [`StringReader`] finds them in what comes over the line; the types turn the
//! text into values and back.

mod answer;
mod caller;
mod reader;

use thiserror::Error;

use crate::name::SystemName;

pub use answer::{Accepted, Answer};
pub use caller::{Announced, CallerLine};
pub use reader::{JUNK_LIMIT, STRING_LIMIT, StringReader};

/// Why the handshake cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Another string than the one that is due.
    #[error("expected {expected}, got '{}'", .got.escape_ascii())]
    Unexpected {
        /// What is due.
        expected: &'static str,
        /// The text that came, shortened.
        got: Vec<u8>,
    },
    /// A string without an end.
    #[error("a handshake string longer than {STRING_LIMIT} bytes")]
    TooLong,
    /// No string within many bytes.
    #[error("no handshake string within {JUNK_LIMIT} bytes")]
    TooMuchJunk,
}

fn unexpected(expected: &'static str, got: &[u8]) -> HandshakeError {
    let got = got.get(..80).unwrap_or(got).to_vec();
    HandshakeError::Unexpected { expected, got }
}

/// Appends a string with its frame: byte 020, text, byte 0.
pub fn emit_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(0o20);
    out.extend_from_slice(text);
    out.push(0);
}

/// `Shere=NAME`, the first word of the called system; old ones say `Shere` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The name it gives, if any.
    pub name: Option<Vec<u8>>,
}

impl Greeting {
    /// Parses the text of the string.
    ///
    /// # Errors
    /// When it is another string.
    pub fn parse(text: &[u8]) -> Result<Self, HandshakeError> {
        let name = match text.strip_prefix(b"Shere") {
            Some([b'=', name @ ..]) => Some(name.to_vec()),
            // Nothing, or something else: an implementation that greets in its own way.
            Some(_) => None,
            None => return Err(unexpected("Shere", text)),
        };
        Ok(Self { name })
    }

    /// Appends the framed string.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let text = match &self.name {
            Some(name) => [b"Shere=", name.as_slice()].concat(),
            None => b"Shere".to_vec(),
        };
        emit_string(&text, out);
    }

    /// Whether this may be the system that goes by `name`. Old systems cut their names to 7 or 14 characters, so a name of
    /// exactly that length is compared over that length only; a greeting without a name fits everybody.
    #[must_use]
    pub fn fits(&self, name: &SystemName) -> bool {
        let Some(greeted) = &self.name else {
            return true;
        };
        let ours = name.as_bytes();
        match greeted.len() {
            cut @ (7 | 14) => ours.get(..cut).unwrap_or(ours) == greeted,
            _ => ours == greeted,
        }
    }
}

/// The protocols that the called system offers: `PLIST`, one letter each.
///
/// # Errors
/// When the text is another string.
pub fn parse_offer(text: &[u8]) -> Result<&[u8], HandshakeError> {
    text.strip_prefix(b"P")
        .ok_or_else(|| unexpected("the list of protocols", text))
}

/// Appends the framed `P` string.
pub fn emit_offer(letters: &[u8], out: &mut Vec<u8>) {
    emit_string(&[b"P", letters].concat(), out);
}

/// The caller's choice: the first of its own letters that is offered.
#[must_use]
pub fn choose(own: &[u8], offered: &[u8]) -> Option<u8> {
    own.iter().copied().find(|letter| offered.contains(letter))
}

/// The choice that the caller tells: `Ux`, or `UN` when nothing fits.
///
/// # Errors
/// When the text is another string.
pub fn parse_choice(text: &[u8]) -> Result<Option<u8>, HandshakeError> {
    match text {
        b"UN" => Ok(None),
        [b'U', letter, ..] => Ok(Some(*letter)),
        _ => Err(unexpected("the choice of a protocol", text)),
    }
}

/// Appends the framed `U` string.
pub fn emit_choice(letter: Option<u8>, out: &mut Vec<u8>) {
    emit_string(&[b'U', letter.unwrap_or(b'N')], out);
}

/// Whether a string is the end of a call: six `O` of the caller, seven of the called system, with whatever the line adds.
#[must_use]
pub fn is_over(text: &[u8]) -> bool {
    text.windows(6).any(|window| window == b"OOOOOO")
}

/// Appends the end of a call: two strings, so that one may be lost.
pub fn emit_over(caller: bool, out: &mut Vec<u8>) {
    let text: &[u8] = if caller { b"OOOOOO" } else { b"OOOOOOO" };
    emit_string(text, out);
    emit_string(text, out);
}

#[cfg(test)]
mod tests;
