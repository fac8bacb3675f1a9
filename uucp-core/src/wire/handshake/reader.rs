//! Finds handshake strings in the bytes of a line.

use super::HandshakeError;

/// Longest string taken, in bytes. The longest real one is a caller's line with every option, below 200.
pub const STRING_LIMIT: usize = 4096;

/// How many bytes may come between two strings: the banner of a login, noise of a modem.
pub const JUNK_LIMIT: usize = 65_536;

/// Reads strings of the form 020, text, 0 out of pieces of any size.
///
/// A CR or LF ends a string too; a second 020 begins it anew; what comes between strings is skipped.
#[derive(Debug, Clone)]
pub struct StringReader {
    strip_parity: bool,
    skipped: usize,
    text: Option<Vec<u8>>,
}

impl StringReader {
    /// A reader; `strip_parity` clears the eighth bit of every byte first (`strip-proto`, on by default in the
    /// configuration).
    #[must_use]
    pub fn new(strip_parity: bool) -> Self {
        Self {
            strip_parity,
            skipped: 0,
            text: None,
        }
    }

    /// Takes bytes up to the end of the next string; gives back how many it used, and the text if one ended. What it did
    /// not use may belong to another layer already.
    ///
    /// # Errors
    /// When a string or the junk before it is longer than any that makes sense.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<Vec<u8>>), HandshakeError> {
        for (at, &byte) in input.iter().enumerate() {
            let byte = if self.strip_parity { byte & 0x7f } else { byte };
            match (byte, &mut self.text) {
                (0o20, text) => *text = Some(Vec::new()),
                (0 | b'\r' | b'\n', Some(_)) => {
                    self.skipped = 0;
                    return Ok((at.saturating_add(1), self.text.take()));
                }
                (byte, Some(text)) => {
                    if text.len() >= STRING_LIMIT {
                        return Err(HandshakeError::TooLong);
                    }
                    text.push(byte);
                }
                (_, None) => {
                    self.skipped = self.skipped.saturating_add(1);
                    if self.skipped > JUNK_LIMIT {
                        return Err(HandshakeError::TooMuchJunk);
                    }
                }
            }
        }
        Ok((input.len(), None))
    }
}
