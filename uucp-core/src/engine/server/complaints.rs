//! Lines of the log about calls that are not taken: a flood of calls is not to become a flood of lines.

use std::time::{Duration, Instant};

/// So many lines in this time; what is more is counted.
const LINES: u32 = 20;
const TIME: Duration = Duration::from_mins(1);

/// Who was told what lately.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Complaints {
    pub(super) fn tell(&mut self, now: Instant, text: &str, log: &mut dyn FnMut(&str)) {
        self.go_on(now, log);
        if self.since.is_none() {
            self.since = Some(now);
        }
        if self.lines < LINES {
            self.lines += 1;
            log(text);
        } else {
            self.left_out += 1;
        }
    }

    /// Tells how many were left out, when it is time.
    pub(super) fn go_on(&mut self, now: Instant, log: &mut dyn FnMut(&str)) {
        if self.since.is_none_or(|since| now < since + TIME) {
            return;
        }
        if self.left_out > 0 {
            log(&format!("{} more calls dropped", self.left_out));
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_twenty_lines_and_a_number() {
        let mut complaints = Complaints::default();
        let mut lines = Vec::new();
        let now = Instant::now();
        for _ in 0..1000 {
            complaints.tell(now, "dropped", &mut |text| lines.push(text.to_owned()));
        }
        assert_eq!(lines.len(), 20);
        complaints.go_on(now + TIME, &mut |text| lines.push(text.to_owned()));
        assert_eq!(lines.pop().unwrap(), "980 more calls dropped");
        complaints.tell(now + TIME, "again", &mut |text| lines.push(text.to_owned()));
        assert_eq!(lines.pop().unwrap(), "again");
    }
}
