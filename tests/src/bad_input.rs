//! Inputs on which some receiver has lost mail, doubled it, cut it, or taken a part of it for a command; each a row, with what
//! shall become of it.
//!
//! A row says what arrives, who is told, and what becomes of the input: it is done, it stays until it comes whole, or it is
//! set aside.

mod content;
mod envelope;
mod frame;

use crate::letters::{FROM_HOME, Fate, Letter};

/// What becomes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Done,
    /// It was cut, and is waited for: 75.
    Stays,
    /// It is set aside whole, after what is whole in it was handed over.
    Aside,
}

/// One input for rsmtp.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is about.
    pub name: &'static str,
    /// Its bytes.
    pub input: Vec<u8>,
    /// What is in it, as it shall arrive.
    pub letters: Vec<Letter>,
    /// What becomes of it.
    pub end: End,
}

/// Every row, its lines ended by LF. The numbers of its letters begin with `tag` and its name.
pub fn rows(tag: &str) -> Vec<Row> {
    let mut rows = frame::rows(tag);
    rows.extend(envelope::rows(tag));
    rows.extend(content::rows(tag));
    rows
}

impl Row {
    /// The same with CRLF for every LF, where the row is not about its very bytes.
    #[must_use]
    pub fn in_crlf(mut self) -> Self {
        let is_free = |byte: &u8| byte.is_ascii() && *byte != b'\r';
        if self.name != "chunks" && self.input.iter().all(is_free) {
            let mut lines = Vec::with_capacity(self.input.len());
            for byte in self.input {
                lines.extend_from_slice(if byte == b'\n' {
                    b"\r\n"
                } else {
                    std::slice::from_ref(&byte)
                });
            }
            self.input = lines;
        }
        self
    }
}

/// A letter of a row, for one whom nothing is the matter with.
fn letter(tag: &str, row: &str, which: &str, body: &[u8]) -> Letter {
    let number = format!("{tag}-{row}-{which}");
    Letter::new(&number, FROM_HOME, "ann", &[("bob", Fate::Arrives)], body)
}

/// A letter's content as it stands behind DATA, with its dot.
fn dotted(letter: &Letter) -> Vec<u8> {
    let text = letter.in_batch();
    let data = b"\nDATA\n";
    let start = text.windows(data.len()).position(|part| part == data);
    text[start.expect("DATA") + data.len()..].to_vec()
}
