//! When a job that could not be done is tried again, and when it is given up.
//!
//! The peer's `uuxqt` tries at every start and never gives up. Here the waits double, and a job whose age, counted as time
//! that was seen to pass, is over the limit fails with a report.

use std::time::Duration;

/// The wait after the first temporary failure.
pub const FIRST_WAIT: Duration = Duration::from_mins(1);

/// The longest wait: an MTA that is back is found within an hour.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// How long a job rests after its `attempts`-th temporary failure.
#[must_use]
pub fn wait_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let minutes: Vec<u64> = (1..=8).map(|n| wait_after(n).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait_after(0), FIRST_WAIT);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
