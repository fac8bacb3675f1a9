//! What a message is called in its outbox: its grade, when it came, and something unique.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::names;
use crate::name::Grade;

/// The name of a message in its outbox: a grade and thirteen characters, eight for the time and five that are unique.
/// Ordered as messages are packed: the most urgent first, within a grade the oldest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryName {
    grade: Grade,
    unique: Box<str>,
}

impl EntryName {
    pub(super) fn new(grade: Grade, unique: &str) -> Self {
        Self {
            grade,
            unique: unique.into(),
        }
    }

    /// Understands a name, as a list shows it or a person types it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, unique) = text.split_at_checked(1)?;
        let grade = first.parse().ok()?;
        let fits = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        (unique.len() == names::UNIQUE_LENGTH && unique.bytes().all(fits))
            .then(|| Self::new(grade, unique))
    }

    /// The message's grade.
    #[must_use]
    pub fn grade(&self) -> Grade {
        self.grade
    }

    /// What no other message of this spool is called, whatever its grade.
    #[must_use]
    pub fn unique(&self) -> &str {
        &self.unique
    }

    /// When the message was queued, by the wall clock of then.
    #[must_use]
    pub fn queued(&self) -> SystemTime {
        let digits = self.unique.get(..8).unwrap_or_default();
        let milliseconds = u64::from_str_radix(digits, 36).unwrap_or_default();
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.grade, self.unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_grade_and_time_and_sorts_by_them() {
        let before = SystemTime::now();
        let urgent = EntryName::new(Grade::FIRST, &names::unique());
        let plain = EntryName::new(Grade::DEFAULT, &names::unique());
        let later = EntryName::new(Grade::DEFAULT, &names::unique());
        assert!(urgent < plain && plain < later);
        let age = urgent
            .queued()
            .duration_since(before - Duration::from_millis(1));
        assert!(age.unwrap() < Duration::from_mins(1));
        assert_eq!(EntryName::parse(&plain.to_string()), Some(plain));
    }

    #[test]
    fn what_is_no_name_is_none() {
        let name = EntryName::new(Grade::DEFAULT, &names::unique()).to_string();
        for bad in [
            "",
            "N",
            "../../../../etc",
            &name[1..],
            &format!("{name}0"),
            &name.to_lowercase(),
            "\u{e9}123456789ABC",
        ] {
            assert_eq!(EntryName::parse(bad), None, "{bad}");
        }
    }
}
