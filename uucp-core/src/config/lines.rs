//! Lines of a configuration file, cut into words that know where they stand.
//!
//! Taylor UUCP manual, *Configuration File Format*. One line is held at a time, however long the file is.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::command::Command;
use super::error::{ConfigError, Fault};
use super::trust;

/// The longest line, all its continuations together, in bytes: far beyond anything useful, far below what would hurt.
const LIMIT: usize = 64 * 1024;

/// A reader of lines that are not empty.
pub(super) struct Lines {
    path: Arc<Path>,
    reader: Box<dyn BufRead>,
    number: usize,
    style: Style,
}

/// How the lines of a file are to be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A backslash at the end of a line continues it: config, sys, port, dial.
    Joined,
    /// Every line is for itself: dialcode.
    Single,
    /// The same, and a line may hold a password, which no message shows: call, passwd.
    Secret,
}

/// One line, with its continuations: at least one word.
#[derive(Clone)]
pub(super) struct Line {
    path: Arc<Path>,
    pieces: Vec<Piece>,
    words: Vec<Word>,
    secret: bool,
}

/// One line of the file.
#[derive(Clone)]
struct Piece {
    number: usize,
    /// Where it begins in the joined line.
    start: usize,
    text: Vec<u8>,
}

/// A word and where it begins in the joined line.
#[derive(Clone, Default)]
pub(super) struct Word {
    pub(super) bytes: Vec<u8>,
    start: usize,
    width: usize,
}

impl Lines {
    /// Opens a file; `None` if it is not there.
    pub(super) fn open(path: &Path, style: Style) -> Result<Option<Self>, ConfigError> {
        let file = match style {
            Style::Secret => trust::open_secret(path)?,
            Style::Joined | Style::Single => trust::open(path)?,
        };
        Ok(file.map(|file: File| Self::new(path, style, Box::new(BufReader::new(file)))))
    }

    /// Reads lines from anywhere; `path` is what messages call it.
    pub(super) fn new(path: &Path, style: Style, reader: Box<dyn BufRead>) -> Self {
        Self {
            path: path.into(),
            reader,
            number: 0,
            style,
        }
    }

    /// The next line that holds a word.
    pub(super) fn next_line(&mut self) -> Result<Option<Line>, ConfigError> {
        while let Some(pieces) = self.next_joined()? {
            let joined: Vec<u8> = pieces.iter().flat_map(|p| p.text.iter().copied()).collect();
            let words = split(&joined);
            if !words.is_empty() {
                return Ok(Some(Line {
                    path: Arc::clone(&self.path),
                    pieces,
                    words,
                    secret: self.style == Style::Secret,
                }));
            }
        }
        Ok(None)
    }

    fn next_joined(&mut self) -> Result<Option<Vec<Piece>>, ConfigError> {
        let mut pieces = Vec::new();
        let mut start = 0;
        loop {
            let Some(mut text) = self.next_physical()? else {
                return Ok((!pieces.is_empty()).then_some(pieces));
            };
            let goes_on = self.style == Style::Joined && text.last() == Some(&b'\\');
            if goes_on {
                text.pop();
            }
            let length = text.len();
            let piece = Piece {
                number: self.number,
                start,
                text,
            };
            start += length;
            if start > LIMIT {
                return Err(self.too_long());
            }
            pieces.push(piece);
            if !goes_on {
                return Ok(Some(pieces));
            }
        }
    }

    fn next_physical(&mut self) -> Result<Option<Vec<u8>>, ConfigError> {
        let mut text = Vec::new();
        let mut limited = (&mut self.reader).take(LIMIT as u64 + 2);
        let count = limited
            .read_until(b'\n', &mut text)
            .map_err(|source| ConfigError::Read {
                path: self.path.to_path_buf(),
                source,
            })?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        if text.len() > LIMIT {
            return Err(self.too_long());
        }
        Ok(Some(text))
    }

    fn too_long(&self) -> ConfigError {
        Box::new(Fault {
            path: self.path.to_path_buf(),
            line: self.number,
            column: 1,
            width: 1,
            text: String::new(),
            message: format!("this line is longer than {LIMIT} bytes"),
            mend: Some("use several lines, or check that this is a configuration file".to_owned()),
        })
        .into()
    }
}

/// Only where it stands: its words may be a password.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl Line {
    /// The command on the line.
    pub(super) fn command(&self) -> Command<'_> {
        Command::new(self, &self.words)
    }

    /// Where it stands: file and line.
    pub(super) fn place(&self) -> String {
        let number = self.pieces.first().map_or(0, |piece| piece.number);
        format!("{}:{number}", self.path.display())
    }

    /// The line as it is once comments are gone, its words separated by single blanks.
    pub(super) fn joined_words(&self) -> Vec<u8> {
        let words: Vec<&[u8]> = self.words.iter().map(|w| w.bytes.as_slice()).collect();
        words.join(&b' ')
    }

    /// A fault of one word of this line.
    pub(super) fn fault(&self, word: &Word, message: String, mend: Option<String>) -> ConfigError {
        let fallback = Piece {
            number: 0,
            start: 0,
            text: Vec::new(),
        };
        let piece = self
            .pieces
            .iter()
            .rev()
            .find(|piece| piece.start <= word.start)
            .unwrap_or(&fallback);
        let offset = word.start - piece.start;
        let (before, rest) = piece.text.split_at_checked(offset).unwrap_or_default();
        let shown = rest.get(..word.width).unwrap_or(rest);
        let hidden = self.secret || self.command().holds_secret();
        Box::new(Fault {
            path: PathBuf::from(&*self.path),
            line: piece.number,
            column: display(before).chars().count() + 1,
            width: display(shown).chars().count(),
            text: if hidden {
                String::new()
            } else {
                display(&piece.text)
            },
            message,
            mend,
        })
        .into()
    }
}

/// Bytes as they can stand on a terminal: one blank for a tab, everything odd escaped.
pub(super) fn display(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => text.push(' '),
                '\r' => {}
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

/// Cuts a line into words at white space, and ends it at `#`. `\#` is a `#`.
fn split(line: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut position = 0;
    while let Some(rest) = line.get(position..) {
        let (byte, taken) = match rest {
            [] | [b'#', ..] => break,
            [b'\\', b'#', ..] => (b'#', 2),
            [byte, ..] => (*byte, 1),
        };
        if taken == 1 && (byte.is_ascii_whitespace() || byte == 0x0b) {
            words.extend(word.take());
        } else {
            let word = word.get_or_insert_with(|| Word {
                bytes: Vec::new(),
                start: position,
                width: 0,
            });
            word.bytes.push(byte);
            word.width += taken;
        }
        position += taken;
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let reader = Box::new(std::io::Cursor::new(text.to_owned()));
        let mut lines = Lines::new(Path::new("sys"), Style::Joined, reader);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line.words.iter().map(|w| display(&w.bytes)).collect());
        }
        all
    }

    #[test]
    fn lines_are_words_without_comments() {
        assert_eq!(
            words("# comment\n\n  time\tany # now\r\n phone 1\\#2#3\n"),
            [vec!["time", "any"], vec!["phone", "1#2"]]
        );
        assert_eq!(words("phone \\\\#12"), [["phone", "\\#12"]]);
        assert_eq!(words("phone 1\\2"), [["phone", "1\\2"]]);
    }

    #[test]
    fn a_backslash_continues_a_line_even_in_a_comment() {
        assert_eq!(words("phone 1\\\n23\n"), [["phone", "123"]]);
        assert_eq!(
            words("phone 1#2\\\n3\nspeed 5"),
            [["phone", "1"], ["speed", "5"]]
        );
        assert_eq!(words("phone 1\\\n"), [["phone", "1"]]);
    }

    #[test]
    fn a_word_knows_its_place_on_a_continued_line() {
        let reader = Box::new(std::io::Cursor::new("protocol-parameter \\\n  g x\n"));
        let mut lines = Lines::new(Path::new("sys"), Style::Joined, reader);
        let line = lines.next_line().unwrap().unwrap();
        let error = line.fault(&line.words[2], "odd".to_owned(), None);
        assert_eq!(error.to_one_line(), "sys:2:5: odd");
        assert_eq!(
            error.to_string(),
            "sys: line 2, column 5: odd\n      g x\n        ^"
        );
    }

    #[test]
    fn an_endless_line_is_an_error_and_not_a_full_memory() {
        let reader = Box::new(BufReader::new(std::io::repeat(b'x')));
        let mut lines = Lines::new(Path::new("sys"), Style::Joined, reader);
        let error = lines.next_line().unwrap_err().to_one_line();
        assert!(error.contains("longer than 65536 bytes"), "{error}");
        let reader = Box::new(BufReader::new(std::io::Cursor::new(
            b"xxxxxxxx\\\n".repeat(9000),
        )));
        let mut lines = Lines::new(Path::new("sys"), Style::Joined, reader);
        assert!(lines.next_line().is_err());
    }
}
