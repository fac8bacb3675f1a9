//! Time strings: when calls are allowed, and with what.
//!
//! Taylor UUCP manual, *Time Strings*. Pure functions of a given local time; this module has no clock.

use std::collections::HashMap;
use std::fmt;
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

impl LocalTime {
    /// How many minutes after another it comes, in a week that has no end.
    #[must_use]
    pub fn minutes_after(self, other: Self) -> u32 {
        let minute = |at: Self| u32::from(at.weekday) * u32::from(DAY) + u32::from(at.minute);
        let week = 7 * u32::from(DAY);
        (minute(self) + week - minute(other)) % week
    }

    /// The minutes of a week, from this one on.
    fn week(self) -> impl Iterator<Item = Self> {
        let rest = (self.minute..DAY).map(move |minute| (self.weekday, minute));
        let days = (1..7)
            .flat_map(move |days| (0..DAY).map(move |minute| ((self.weekday + days) % 7, minute)));
        let last = (0..self.minute).map(move |minute| (self.weekday, minute));
        let minutes = rest.chain(days).chain(last);
        minutes.map(|(weekday, minute)| Self { weekday, minute })
    }
}

/// `Mon 08:00`.
impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        let day = NAMES.get(usize::from(self.weekday)).unwrap_or(&"");
        write!(f, "{day} {:02}:{:02}", self.minute / 60, self.minute % 60)
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

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// The times that a time string names: spans of days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimeSet {
    spans: Vec<Span>,
}

/// A part of some days; `end` is not in it. A span that crosses midnight is two parts of the *same* days, as in Taylor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Bit 0 is Sunday.
    days: u8,
    start: u16,
    end: u16,
}

impl TimeSet {
    /// Whether a moment is among them.
    #[must_use]
    pub fn contains(&self, now: LocalTime) -> bool {
        self.spans.iter().any(|span| {
            span.days & (1 << now.weekday) != 0 && (span.start..span.end).contains(&now.minute)
        })
    }

    /// Whether no moment is among them (`Never`).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// Named time strings: the predefined ones and those of `timetable` commands.
#[derive(Debug, Clone)]
pub struct Timetables(HashMap<String, TimeSet>);

impl Default for Timetables {
    fn default() -> Self {
        let mut tables = Self(HashMap::new());
        for (name, text) in [
            ("evening", "Wk1705-0755,Sa,Su"),
            ("night", "Wk2305-0755,Sa,Su2305-1655"),
            ("nonpeak", "Wk1805-0655,Sa,Su"),
        ] {
            tables.define(name, parse_spans(text).unwrap_or_default());
        }
        tables
    }
}

impl Timetables {
    /// Gives a name to times; a later definition replaces an earlier one. Case does not matter.
    pub fn define(&mut self, name: &str, times: TimeSet) {
        self.0.insert(name.to_ascii_lowercase(), times);
    }

    /// Parses a time string: the name of a timetable, or days and hours. What follows a `;` is ignored.
    ///
    /// # Errors
    /// One line that says which part is wrong and how to write it.
    pub fn parse(&self, text: &str) -> Result<TimeSet, String> {
        let text = text.split(';').next().unwrap_or_default();
        if let Some(times) = self.0.get(&text.to_ascii_lowercase()) {
            return Ok(times.clone());
        }
        parse_spans(text)
    }
}

/// The days of the week by name, Sunday first, then the sets.
const DAYS: [(&str, u8); 11] = [
    ("su", 1),
    ("mo", 1 << 1),
    ("tu", 1 << 2),
    ("we", 1 << 3),
    ("th", 1 << 4),
    ("fr", 1 << 5),
    ("sa", 1 << 6),
    ("wk", 0b011_1110),
    ("any", 0b111_1111),
    ("never", 0),
    ("none", 0),
];

fn parse_spans(text: &str) -> Result<TimeSet, String> {
    let mut times = TimeSet::default();
    if text.is_empty() {
        return Err("an empty time string; write Any or Never".to_owned());
    }
    for part in text.split([',', '|']).filter(|part| !part.is_empty()) {
        let (days, hours) = parse_days(part)?;
        for (start, end) in parse_hours(hours, part)?.into_iter().flatten() {
            if days != 0 && start < end {
                times.spans.push(Span { days, start, end });
            }
        }
    }
    Ok(times)
}

/// The days at the beginning of a part, and what follows them.
fn parse_days(part: &str) -> Result<(u8, &str), String> {
    let mut days = 0;
    let mut rest = part;
    let mut named = false;
    while !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit()) {
        let known = DAYS.iter().find_map(|(name, bits)| {
            let (head, tail) = rest.split_at_checked(name.len())?;
            head.eq_ignore_ascii_case(name).then_some((*bits, tail))
        });
        let Some((bits, tail)) = known else {
            return Err(format!(
                "'{}' is neither a day nor a timetable; days are Any Wk Su Mo Tu We Th Fr Sa Never",
                rest.escape_debug()
            ));
        };
        days |= bits;
        rest = tail;
        named = true;
    }
    if named {
        Ok((days, rest))
    } else {
        Err(format!(
            "'{part}' names no day; write for example Any{part}"
        ))
    }
}

/// The one or two parts of a day that `HHMM-HHMM` names; the whole day without it.
fn parse_hours(hours: &str, part: &str) -> Result<[Option<(u16, u16)>; 2], String> {
    if hours.is_empty() {
        return Ok([Some((0, DAY)), None]);
    }
    let minutes = hours
        .split_once('-')
        .and_then(|(from, to)| parse_clock(from).zip(parse_clock(to)));
    match minutes {
        Some((from, to)) if from < to => Ok([Some((from, to)), None]),
        Some((from, to)) => Ok([Some((from, DAY)), Some((0, to))]),
        None => Err(format!(
            "'{}' in '{}' is not HHMM-HHMM, between 0000 and 2400",
            hours.escape_debug(),
            part.escape_debug()
        )),
    }
}

/// `HHMM` or `HMM` as minutes of the day, up to 2400.
fn parse_clock(text: &str) -> Option<u16> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u16 = text.parse().ok()?;
    let minutes = number / 100 * 60 + number % 100;
    (number % 100 < 60 && minutes <= DAY).then_some(minutes)
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
///
/// Where rules overlap, the one of the most urgent grade holds, as in Taylor: `time Any` does not open what
/// `timegrade C Wk0800-1700` closes.
#[must_use]
pub fn call_window(rules: &[TimeRule], now: LocalTime) -> Option<CallWindow> {
    rules
        .iter()
        .filter(|rule| rule.times.contains(now))
        .min_by_key(|rule| rule.grade)
        .map(|rule| CallWindow {
            grade: rule.grade,
            retry: rule.retry,
        })
}

/// When calls are allowed again, seen from a moment at which they are not; `None`: never.
#[must_use]
pub fn next_window(rules: &[TimeRule], now: LocalTime) -> Option<LocalTime> {
    now.week().find(|at| call_window(rules, *at).is_some())
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
pub fn grade_limit(rules: &[GradeRule], now: LocalTime) -> Option<Grade> {
    rules
        .iter()
        .filter(|rule| rule.times.contains(now))
        .map(|rule| rule.grade)
        .min()
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
pub fn size_limit(rules: &[SizeRule], now: LocalTime) -> Option<u64> {
    rules
        .iter()
        .filter(|rule| rule.times.contains(now))
        .map(|rule| rule.bytes)
        .min()
}

/// The largest file that may be transferred at the best moment of the week, in bytes; `None`: any, at some moment.
#[must_use]
pub fn largest_ever(rules: &[SizeRule]) -> Option<u64> {
    if rules.is_empty() {
        return None;
    }
    // The first moment without a limit ends the search.
    LocalTime::new(0, 0, 0)
        .week()
        .map(|at| size_limit(rules, at))
        .try_fold(0, |largest, limit| limit.map(|limit| largest.max(limit)))
}

#[cfg(test)]
mod tests;
