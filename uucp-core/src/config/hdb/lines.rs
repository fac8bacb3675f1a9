//! Lines of HDB files: `#` begins a comment at the beginning of a line only, a backslash at its end joins the next.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::error::{ConfigError, Fault};
use crate::config::trust;

/// The largest file: far beyond any list of systems.
const LIMIT: u64 = 16 << 20;

/// A line with its continuations: at least one word.
#[derive(Debug)]
pub(super) struct Line {
    path: PathBuf,
    number: usize,
    text: String,
    secret: bool,
}

/// The lines of a file; none if it is not there. Of a `secret` file no message shows a line.
pub(super) fn read(path: &Path, secret: bool) -> Result<Vec<Line>, ConfigError> {
    let Some(file) = trust::open(path)? else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::new();
    file.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Option<Line> = None;
    for (number, piece) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let piece = String::from_utf8_lossy(piece);
        let piece = piece.trim_end_matches('\r');
        let joins = piece.ends_with('\\');
        let piece = piece.strip_suffix('\\').unwrap_or(piece);
        let mut line = open.take().unwrap_or_else(|| Line {
            path: path.to_owned(),
            number,
            text: String::new(),
            secret,
        });
        line.text.push_str(piece);
        if joins {
            open = Some(line);
        } else {
            lines.push(line);
        }
    }
    lines.extend(open);
    lines.retain(|line| {
        let text = line.text.trim_start();
        !text.is_empty() && !text.starts_with('#')
    });
    Ok(lines)
}

impl Line {
    /// Its words.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split_ascii_whitespace()
    }

    /// A word, counted from 0; empty if it is not there.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words().nth(index).unwrap_or_default()
    }

    /// The error of one of its words.
    pub(super) fn wrong(&self, word: &str, message: &str) -> ConfigError {
        let at = self.text.find(word).unwrap_or_default();
        let before = self.text.get(..at).unwrap_or_default();
        Box::new(Fault {
            path: self.path.clone(),
            line: self.number,
            column: before.chars().count() + 1,
            width: word.chars().count(),
            text: if self.secret {
                String::new()
            } else {
                self.text.replace('\t', " ")
            },
            message: message.to_owned(),
            mend: None,
        })
        .into()
    }
}
