//! One command of a configuration file: a keyword and its arguments, with the errors that name the wrong one.

use std::path::PathBuf;

use super::error::ConfigError;
use super::lines::{Line, Word, display};
use crate::name::{Grade, SystemName};

/// A keyword and its arguments, in a line.
#[derive(Clone, Copy)]
pub(super) struct Command<'a> {
    line: &'a Line,
    /// Never empty.
    words: &'a [Word],
}

impl<'a> Command<'a> {
    /// The command that these words of a line are; there must be at least one.
    pub(super) fn new(line: &'a Line, words: &'a [Word]) -> Self {
        Self { line, words }
    }

    /// The keyword, in lower case.
    pub(super) fn key(self) -> String {
        self.words
            .first()
            .map(|word| String::from_utf8_lossy(&word.bytes).to_ascii_lowercase())
            .unwrap_or_default()
    }

    /// The arguments.
    pub(super) fn arguments(self) -> &'a [Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The arguments as a command of their own: `port type tcp`, `unknown time any`.
    pub(super) fn inner(self) -> Result<Self, ConfigError> {
        if self.arguments().is_empty() {
            return Err(self.wrong(
                0,
                format!("'{}' needs a command after it", self.key()),
                None,
            ));
        }
        Ok(Self::new(self.line, self.arguments()))
    }

    /// Where it stands: file and line.
    pub(super) fn place(self) -> String {
        self.line.place()
    }

    /// Whether no message may show the line.
    pub(super) fn holds_secret(self) -> bool {
        self.words
            .iter()
            .take(2)
            .any(|word| word.bytes.eq_ignore_ascii_case(b"call-password"))
    }

    /// An error of one word: 0 is the keyword, 1 the first argument.
    pub(super) fn wrong(
        self,
        index: usize,
        message: impl Into<String>,
        mend: Option<String>,
    ) -> ConfigError {
        let word = self.words.get(index).or_else(|| self.words.last());
        let nowhere = Word::default();
        self.line
            .fault(word.unwrap_or(&nowhere), message.into(), mend)
    }

    /// The error of a keyword that its file does not know.
    pub(super) fn unknown(self, file: &str, known: &[&str]) -> ConfigError {
        let key = self.key();
        let mend = closest(&key, known).map(|word| format!("did you mean '{word}'?"));
        let mend = mend.or_else(|| {
            Some(format!(
                "see bangpath-config(5) for the commands of a {file} file"
            ))
        });
        self.wrong(
            0,
            format!(
                "'{}' is not a command of a {file} file",
                display(key.as_bytes())
            ),
            mend,
        )
    }

    /// Checks the number of arguments.
    pub(super) fn expect_arguments(self, least: usize, most: usize) -> Result<(), ConfigError> {
        let count = self.arguments().len();
        if (least..=most).contains(&count) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (1, 1) => "one word".to_owned(),
            (least, most) if least == most => format!("{least} words"),
            (least, usize::MAX) => format!("at least {least} words"),
            (least, most) => format!("{least} to {most} words"),
        };
        let index = if count > most { most + 1 } else { 0 };
        Err(self.wrong(
            index,
            format!("'{}' takes {wanted} after it, not {count}", self.key()),
            (count > most).then(|| "words cannot be quoted; '#' begins a comment".to_owned()),
        ))
    }

    /// An argument's bytes; 1 is the first. Empty if it is not there.
    pub(super) fn bytes(self, index: usize) -> &'a [u8] {
        self.words.get(index).map_or(&[], |word| &word.bytes)
    }

    /// An argument as text.
    pub(super) fn text(self, index: usize) -> Result<String, ConfigError> {
        String::from_utf8(self.bytes(index).to_vec()).map_err(|_| {
            self.wrong(
                index,
                "this word is not text",
                Some("write it in ASCII or UTF-8".to_owned()),
            )
        })
    }

    /// All arguments as text.
    pub(super) fn texts(self) -> Result<Vec<String>, ConfigError> {
        (1..self.words.len())
            .map(|index| self.text(index))
            .collect()
    }

    /// The only argument as text, empty if there is none.
    pub(super) fn optional_text(self) -> Result<String, ConfigError> {
        self.expect_arguments(0, 1)?;
        self.text(1)
    }

    /// The only argument as text.
    pub(super) fn one_text(self) -> Result<String, ConfigError> {
        self.expect_arguments(1, 1)?;
        self.text(1)
    }

    /// The only argument as a path.
    pub(super) fn one_path(self) -> Result<PathBuf, ConfigError> {
        self.expect_arguments(1, 1)?;
        Ok(path(self.bytes(1)))
    }

    /// The only argument as a path; nothing, as in Taylor, unsets it.
    pub(super) fn optional_path(self) -> Result<Option<PathBuf>, ConfigError> {
        self.expect_arguments(0, 1)?;
        Ok(Some(path(self.bytes(1))).filter(|path| !path.as_os_str().is_empty()))
    }

    /// The only argument as a system's name.
    pub(super) fn one_system(self) -> Result<SystemName, ConfigError> {
        self.expect_arguments(1, 1)?;
        self.system(1)
    }

    /// An argument as a system's name.
    pub(super) fn system(self, index: usize) -> Result<SystemName, ConfigError> {
        SystemName::parse(self.bytes(index))
            .map_err(|error| self.wrong(index, error.to_string(), None))
    }

    /// The only argument as a truth value.
    pub(super) fn one_boolean(self) -> Result<bool, ConfigError> {
        self.expect_arguments(1, 1)?;
        self.boolean(1)
    }

    /// An argument as a truth value: told by its first letter.
    pub(super) fn boolean(self, index: usize) -> Result<bool, ConfigError> {
        match self.bytes(index).first() {
            Some(b'y' | b'Y' | b't' | b'T') => Ok(true),
            Some(b'n' | b'N' | b'f' | b'F') => Ok(false),
            _ => Err(self.wrong(
                index,
                format!("'{}' is neither true nor false", self.shown(index)),
                Some("write true or false, yes or no".to_owned()),
            )),
        }
    }

    /// The only argument as a number.
    pub(super) fn one_number<N: std::str::FromStr>(self) -> Result<N, ConfigError> {
        self.expect_arguments(1, 1)?;
        self.number(1)
    }

    /// An argument as a decimal number.
    pub(super) fn number<N: std::str::FromStr>(self, index: usize) -> Result<N, ConfigError> {
        let digits = std::str::from_utf8(self.bytes(index)).ok();
        digits
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                self.wrong(
                    index,
                    format!(
                        "'{}' is not a number that can stand here",
                        self.shown(index)
                    ),
                    Some("write decimal digits only, without sign or unit".to_owned()),
                )
            })
    }

    /// An argument as a grade.
    pub(super) fn grade(self, index: usize) -> Result<Grade, ConfigError> {
        match self.bytes(index) {
            [byte] => Grade::parse(*byte).ok(),
            _ => None,
        }
        .ok_or_else(|| {
            self.wrong(
                index,
                format!("'{}' is not a grade", self.shown(index)),
                Some("a grade is one of 0-9, A-Z, a-z".to_owned()),
            )
        })
    }

    /// An argument as messages show it.
    pub(super) fn shown(self, index: usize) -> String {
        display(self.bytes(index))
    }
}

/// Bytes as a path.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The word that was probably meant.
pub(super) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let most = if word.len() < 5 { 1 } else { 2 };
    known
        .iter()
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), *candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or changed to make one word the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    if from.len().abs_diff(to.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, byte) in from.iter().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (wanted, above) in to.iter().zip(row.iter().skip(1)) {
            let change = diagonal + usize::from(wanted != byte);
            left = change.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_keyword_is_offered() {
        let known = ["phone", "port", "protocol", "call-login", "called-login"];
        assert_eq!(closest("phnoe", &known), Some("phone"));
        assert_eq!(closest("calllogin", &known), Some("call-login"));
        assert_eq!(closest("bananas", &known), None);
    }

    #[test]
    fn distances_count_edits() {
        for (a, b, wanted) in [
            ("", "", 0),
            ("a", "", 1),
            ("abc", "abd", 1),
            ("abc", "acb", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), wanted, "{a} {b}");
        }
    }
}
