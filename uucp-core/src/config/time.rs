//! Time strings: when calls are allowed, and with what.
//!
//! Pure functions of a given local time; this module has no clock.

use std::time::Duration;

use crate::name::Grade;

/// A moment of the local week, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// Day of the week, 0 is Sunday.
    weekday: u8,
    /// Minute of the day, 0 to 1439.
    minute: u16,
}

impl LocalTime {
    /// A moment: day of the week (0 is Sunday; taken modulo 7), hour (modulo 24) and minute (modulo 60).
    #[must_use]
    pub fn new(weekday: u8, hour: u8, minute: u8) -> Self {
        Self {
            weekday: weekday % 7,
            minute: u16::from(hour % 24) * 60 + u16::from(minute % 60),
        }
    }
}

impl From<jiff::civil::DateTime> for LocalTime {
    fn from(moment: jiff::civil::DateTime) -> Self {
        let part = |number: i8| u8::try_from(number).unwrap_or_default();
        Self::new(
            part(moment.weekday().to_sunday_zero_offset()),
            part(moment.hour()),
            part(moment.minute()),
        )
    }
}

/// The times that a time string names: a set of spans of the week.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimeSet {
    spans: Vec<Span>,
}

/// A span of the week, in minutes since Sunday 00:00; `end` is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u16,
    end: u16,
}

impl TimeSet {
    /// Whether a moment is among them.
    #[must_use]
    pub fn contains(&self, _now: LocalTime) -> bool {
        let _ = self.spans.iter().map(|s| (s.start, s.end));
        todo!()
    }
}

/// One `time` or `timegrade` command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRule {
    /// The least urgent grade that may be transferred; `time` means [`Grade::LAST`].
    pub grade: Grade,
    /// When.
    pub times: TimeSet,
    /// How long to wait after a failed call; `None` for the growing default.
    pub retry: Option<Duration>,
}

/// What is allowed at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallWindow {
    /// The least urgent grade that may be transferred.
    pub grade: Grade,
    /// How long to wait after a failed call; `None` for the growing default.
    pub retry: Option<Duration>,
}

/// Whether calls are allowed at a moment, and with what; `None`: not now.
#[must_use]
pub fn call_window(_rules: &[TimeRule], _now: LocalTime) -> Option<CallWindow> {
    todo!()
}

/// One `call-timegrade` or `called-timegrade` command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GradeRule {
    /// The least urgent grade.
    pub grade: Grade,
    /// When.
    pub times: TimeSet,
}

/// The least urgent grade that may be transferred at a moment; `None`: no rule speaks of it, all may.
#[must_use]
pub fn grade_limit(_rules: &[GradeRule], _now: LocalTime) -> Option<Grade> {
    todo!()
}

/// One of the four `*-size` commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeRule {
    /// The largest file, in bytes.
    pub bytes: u64,
    /// When.
    pub times: TimeSet,
}

/// The largest file that may be transferred at a moment, in bytes; `None`: no limit.
#[must_use]
pub fn size_limit(_rules: &[SizeRule], _now: LocalTime) -> Option<u64> {
    todo!()
}
