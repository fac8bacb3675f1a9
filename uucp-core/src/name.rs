//! Names of the field, parsed once at the edge and valid ever after.
//!
//! Every name here can stand in a file name of the spool, in a command of the wire and in a line of the log: no slash, no
//! blank, no control character, never empty, never `.` or `..`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Why some bytes are not the name they were taken for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// A system or user name was empty.
    #[error("an empty {0}")]
    Empty(&'static str),
    /// A name was longer than any peer, log or directory could carry.
    #[error("a {what} of {length} bytes is longer than {limit}")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The longest one allowed, in bytes.
        limit: usize,
    },
    /// A byte that such a name cannot hold.
    #[error("'{}' cannot stand in a {what}", .byte.escape_ascii())]
    BadByte {
        /// Which kind of name.
        what: &'static str,
        /// The offending byte.
        byte: u8,
    },
    /// The whole word has the wrong shape.
    #[error("'{word}' is not a {what}")]
    Malformed {
        /// Which kind of name.
        what: &'static str,
        /// The word, escaped for display.
        word: String,
    },
}

fn malformed(what: &'static str, word: &[u8]) -> NameError {
    let shown = word.get(..80).unwrap_or(word);
    NameError::Malformed {
        what,
        word: shown.escape_ascii().to_string(),
    }
}

/// Checks a word that is to stand in file names, wire commands and log lines.
fn check_word<'a>(
    what: &'static str,
    word: &'a [u8],
    limit: usize,
    refused: &[u8],
) -> Result<&'a str, NameError> {
    if word.is_empty() {
        return Err(NameError::Empty(what));
    }
    if word.len() > limit {
        return Err(NameError::TooLong {
            what,
            length: word.len(),
            limit,
        });
    }
    if let Some(&byte) = word
        .iter()
        .find(|b| !b.is_ascii_graphic() || **b == b'/' || refused.contains(b))
    {
        return Err(NameError::BadByte { what, byte });
    }
    std::str::from_utf8(word).map_err(|_| malformed(what, word))
}

macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text; always ASCII.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text.as_bytes())
            }
        }
    };
}

/// The name of a UUCP system: 1 to 64 printable ASCII characters, no `/`, no `!`, no leading `.` or `-`.
///
/// Taylor's parity stripping (`strip-proto`) makes anything but ASCII impossible.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemName(Box<str>);

impl SystemName {
    /// Longest name taken, in bytes.
    pub const LIMIT: usize = 64;

    /// Parses a system name.
    ///
    /// # Errors
    /// When the name is empty, too long, or holds a byte that a system name cannot.
    pub fn parse(word: &[u8]) -> Result<Self, NameError> {
        let text = check_word("system name", word, Self::LIMIT, b"!\"\\()'*?<>|;&$`")?;
        if text.starts_with(['.', '-']) {
            return Err(malformed("system name", word));
        }
        Ok(Self(text.into()))
    }

    /// The first seven characters: what names of spool files handed to a peer begin with.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

text_name!(SystemName);

/// The name of a user, as it stands in a request: 1 to 128 printable ASCII characters without `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Box<str>);

impl UserName {
    /// Parses a user name.
    ///
    /// # Errors
    /// When the name is empty, too long, or holds a blank, a control character or a slash.
    pub fn parse(word: &[u8]) -> Result<Self, NameError> {
        check_word("user name", word, 128, b"").map(|text| Self(text.into()))
    }
}

text_name!(UserName);

/// A grade: one of `0`-`9`, `A`-`Z`, `a`-`z`; `0` goes first, `z` last. The order is the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grade(u8);

impl Grade {
    /// What `uux` and `uucp` use when no grade is named.
    pub const DEFAULT: Self = Self(b'N');
    /// The most urgent grade.
    pub const FIRST: Self = Self(b'0');
    /// The least urgent grade; "work of every grade may pass".
    pub const LAST: Self = Self(b'z');

    /// Parses one grade character.
    ///
    /// # Errors
    /// When the byte is not a letter or digit of ASCII.
    pub fn parse(byte: u8) -> Result<Self, NameError> {
        if byte.is_ascii_alphanumeric() {
            Ok(Self(byte))
        } else {
            Err(malformed("grade", &[byte]))
        }
    }

    /// The grade's character.
    #[must_use]
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

impl FromStr for Grade {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.as_bytes() {
            [byte] => Self::parse(*byte),
            other => Err(malformed("grade", other)),
        }
    }
}

/// What a file of the spool is for: its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpoolKind {
    /// `C.`: a work file, the list of requests of one job.
    Work,
    /// `D.`: data of a job.
    Data,
    /// `X.`: an execute file.
    Execute,
}

/// The name of a file in the spool: `C.`, `D.` or `X.` and 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// It never leaves its directory, whoever supplied it. Taylor's own names all fit; so do ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpoolName(Box<str>);

impl SpoolName {
    /// Parses a spool name.
    ///
    /// # Errors
    /// When the word is not a spool file's name.
    pub fn parse(word: &[u8]) -> Result<Self, NameError> {
        let what = "spool file name";
        let [b'C' | b'D' | b'X', b'.', tail @ ..] = word else {
            return Err(malformed(what, word));
        };
        let clean = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if tail.is_empty() || tail.len() > 64 || !tail.iter().all(clean) {
            return Err(malformed(what, word));
        }
        std::str::from_utf8(word)
            .map(|text| Self(text.into()))
            .map_err(|_| malformed(what, word))
    }

    /// What kind of file the name says it is.
    #[must_use]
    pub fn kind(&self) -> SpoolKind {
        match self.0.as_bytes().first() {
            Some(b'C') => SpoolKind::Work,
            Some(b'D') => SpoolKind::Data,
            _ => SpoolKind::Execute,
        }
    }
}

text_name!(SpoolName);

/// The temporary name that a request carries: the identity of a file for restart and for telling a repetition.
///
/// Taylor's receiver uses whatever stands there in a path, unchecked; here it is a data file's name other than `D.0` or
/// it is no name at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TempName(SpoolName);

impl TempName {
    /// The temporary name in a request's field, `None` where the field names none that can be used.
    #[must_use]
    pub fn parse(field: &[u8]) -> Option<Self> {
        let name = SpoolName::parse(field).ok()?;
        (name.kind() == SpoolKind::Data && name.as_bytes() != b"D.0").then_some(Self(name))
    }

    /// The name as a spool file's name.
    #[must_use]
    pub fn as_spool_name(&self) -> &SpoolName {
        &self.0
    }
}

impl fmt::Display for TempName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job as people name it: `SYSTEM.gTTTMMMPPPPP`, the system and the work file's name without its `C.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// The system that the job is queued for.
    pub system: SystemName,
    /// Its work file.
    pub work: SpoolName,
}

impl JobId {
    /// Its grade; the least urgent one where the work file's name has none.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let letter = self.work.as_bytes().get(2);
        let grade = letter.and_then(|letter| Grade::parse(*letter).ok());
        grade.unwrap_or(Grade::LAST)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}",
            self.system,
            self.work.as_str().get(2..).unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_name_cannot_leave_its_directory() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a!b",
            "-x",
            "a\0",
            "\u{e9}t\u{e9}",
        ] {
            assert!(
                SystemName::parse(bad.as_bytes()).is_err(),
                "{bad:?} was taken for a system name"
            );
        }
        assert!(SystemName::parse(&[b'a'; 65]).is_err());
        for good in ["alpha", "mail.imarketingplatform.com", "x-1_y"] {
            assert_eq!(good.parse::<SystemName>().unwrap().as_str(), good);
        }
        assert_eq!(
            "station12".parse::<SystemName>().unwrap().short(),
            "station"
        );
    }

    #[test]
    fn grades_order_by_urgency() {
        let mut grades: Vec<Grade> = b"aZz0N9A"
            .iter()
            .map(|b| Grade::parse(*b).unwrap())
            .collect();
        grades.sort();
        let text: String = grades.iter().map(Grade::to_string).collect();
        assert_eq!(text, "09ANZaz");
        assert!(Grade::parse(b'!').is_err());
    }

    #[test]
    fn spool_names_are_single_path_components() {
        for bad in [
            "D.",
            "E.x",
            "D/x",
            "D.a/b",
            "D.a b",
            "D.../../x",
            "D.a\0",
            "x",
            "",
        ] {
            assert!(
                SpoolName::parse(bad.as_bytes()).is_err(),
                "{bad:?} was taken for a spool name"
            );
        }
        assert_eq!(
            SpoolName::parse(b"X.alphaN0001").unwrap().kind(),
            SpoolKind::Execute
        );
    }

    #[test]
    fn temporary_names_are_data_files_or_nothing() {
        assert!(TempName::parse(b"D.0001").is_some());
        assert!(TempName::parse(b"D.X0002").is_some());
        for none in [&b"D.0"[..], b"D/../../x", b"X.0001", b"", b"\"\""] {
            assert!(TempName::parse(none).is_none());
        }
    }
}
