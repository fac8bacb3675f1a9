//! The lines of the receipt log, each with a check sum.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::{Entry, Key, Move, Receipt, Receipts};
use crate::spool::ObservedTime;

impl Receipts {
    /// Takes in the lines; gives back where the whole ones end.
    pub(super) fn read(&mut self, mut reader: impl BufRead) -> io::Result<u64> {
        let mut whole = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 || self.take_line(&line).is_none() {
                return Ok(whole);
            }
            whole += line.len() as u64;
            self.lines += 1;
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Option<()> {
        let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (body, sum) = text.rsplit_once(' ')?;
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != sum {
            return None;
        }
        let mut words = body.split(' ');
        let verb = words.next()?;
        if verb == "A" {
            self.entries
                .values_mut()
                .for_each(|e| e.acknowledged = true);
            return Some(());
        }
        if verb == "E" {
            self.entries.values_mut().for_each(Entry::end);
            return Some(());
        }
        let key = Key::parse(words.next()?)?;
        match verb {
            "R" => {
                let time = ObservedTime(words.next()?.parse().ok()?);
                let content = match words.next()? {
                    "-" => None,
                    text => Some(Key::parse(text)?.0),
                };
                let paths: Vec<PathBuf> = words
                    .map(|word| self.unescape(word))
                    .collect::<Option<_>>()?;
                let moves = paths.chunks_exact(2).filter_map(|pair| match pair {
                    [from, to] => Some(Move {
                        from: from.clone(),
                        to: to.clone(),
                    }),
                    _ => None,
                });
                self.open.insert(key, moves.collect());
                self.remember(key, time, content);
            }
            "D" => {
                self.open.remove(&key);
            }
            "V" => {
                self.open.remove(&key);
                self.entries.remove(&key);
            }
            _ => {}
        }
        Some(())
    }

    /// The line of a receipt, without its sum.
    pub(super) fn receipt_line(&self, receipt: &Receipt, time: ObservedTime) -> String {
        let content = receipt
            .content
            .map_or_else(|| "-".to_owned(), |c| Key(c).text());
        let mut body = format!("R {} {} {content}", receipt.key.text(), time.0);
        for path in receipt.moves.iter().flat_map(|m| [&m.from, &m.to]) {
            body.push(' ');
            body.push_str(&self.escape(path));
        }
        body
    }

    /// Paths in the spool are written without its root, so that a spool can be moved.
    fn escape(&self, path: &Path) -> String {
        use std::fmt::Write;
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let mut text = String::new();
        for &byte in path.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02x}");
            }
        }
        text
    }

    fn unescape(&self, word: &str) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let mut bytes = Vec::with_capacity(word.len());
        let mut rest = word.as_bytes();
        loop {
            rest = match rest {
                [] => break,
                [b'%', high, low, tail @ ..] => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    tail
                }
                [byte, tail @ ..] => {
                    bytes.push(*byte);
                    tail
                }
            };
        }
        Some(self.root.join(std::ffi::OsString::from_vec(bytes)))
    }
}

/// Appends a line and its sum.
pub(super) fn push_line(text: &mut String, body: &str) {
    use std::fmt::Write;
    let sum = crc32fast::hash(body.as_bytes());
    let _ = writeln!(text, "{body} {sum:08x}");
}
