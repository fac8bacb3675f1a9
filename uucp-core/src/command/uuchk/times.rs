//! Rules of times as the spans of a week in which they hold.

use crate::config::LocalTime;

const DAY: usize = 24 * 60;
const WEEK: usize = 7 * DAY;
const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A part of the week, in minutes from the beginning of Sunday, in which something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span<T> {
    start: usize,
    end: usize,
    pub(super) what: T,
}

/// What holds in the course of a week.
pub(super) fn spans<T: PartialEq>(rule: impl Fn(LocalTime) -> Option<T>) -> Vec<Span<T>> {
    let mut spans: Vec<Span<T>> = Vec::new();
    for minute in 0..WEEK {
        let part = |number: usize| u8::try_from(number).unwrap_or_default();
        let now = LocalTime::new(
            part(minute / DAY),
            part(minute % DAY / 60),
            part(minute % 60),
        );
        let Some(what) = rule(now) else {
            continue;
        };
        match spans.last_mut() {
            Some(last) if last.end == minute && last.what == what => last.end += 1,
            _ => spans.push(Span {
                start: minute,
                end: minute + 1,
                what,
            }),
        }
    }
    spans
}

/// Whether something holds all the time.
pub(super) fn whole_week<T>(spans: &[Span<T>]) -> bool {
    spans
        .iter()
        .map(|span| span.end - span.start)
        .sum::<usize>()
        == WEEK
}

impl<T> Span<T> {
    /// The span in words: `At any time`, `Mon from 09:00 to 10:00`, `From Mon 17:00 to Tue 08:00`.
    pub(super) fn words(&self) -> String {
        let (from, to) = self.ends();
        if self.end - self.start == WEEK {
            "At any time".to_owned()
        } else if self.start / DAY == self.end / DAY {
            format!("{} from {} to {}", from.0, from.1, to.1)
        } else {
            format!("From {} {} to {} {}", from.0, from.1, to.0, to.1)
        }
    }

    /// Day and time of its beginning and its end.
    pub(super) fn ends(&self) -> ((&'static str, String), (&'static str, String)) {
        (moment(self.start), moment(self.end))
    }
}

fn moment(minute: usize) -> (&'static str, String) {
    let day = NAMES.iter().cycle().nth(minute / DAY).copied();
    let clock = format!("{:02}:{:02}", minute % DAY / 60, minute % 60);
    (day.unwrap_or_default(), clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::time::Timetables;

    fn words(text: &str) -> Vec<String> {
        let times = Timetables::default().parse(text).unwrap();
        let spans = spans(|now| times.contains(now).then_some(()));
        spans.iter().map(Span::words).collect()
    }

    #[test]
    fn spans_are_told_as_the_peer_tells_them() {
        assert_eq!(words("Any"), ["At any time"]);
        assert!(words("Never").is_empty());
        assert_eq!(words("Mo0900-1000"), ["Mon from 09:00 to 10:00"]);
        assert_eq!(words("Tu"), ["From Tue 00:00 to Wed 00:00"]);
        assert_eq!(words("Sa"), ["From Sat 00:00 to Sun 00:00"]);
        assert_eq!(
            words("Sa,Su1000-1100,Mo2200-2400,Tu0000-0100"),
            [
                "Sun from 10:00 to 11:00",
                "From Mon 22:00 to Tue 01:00",
                "From Sat 00:00 to Sun 00:00"
            ]
        );
    }
}
