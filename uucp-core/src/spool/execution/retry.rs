//! What is remembered of executions that could not be done yet.

use std::path::PathBuf;
use std::time::Duration;

use super::Execution;
use crate::spool::{ObservedTime, Spool, SpoolError, durable};

/// What is remembered of an execution that could not be done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryState {
    /// How often it was tried.
    pub attempts: u32,
    /// When it was seen first.
    pub first_seen: ObservedTime,
    /// When it may be tried again.
    pub next: ObservedTime,
}

impl RetryState {
    /// How long it has been waiting.
    #[must_use]
    pub fn age(&self, now: ObservedTime) -> Duration {
        now.since(self.first_seen)
    }

    /// Whether it is not to be tried yet. Nothing rests for a day: a time that is as far ahead was said by a clock that was lost
    /// since.
    #[must_use]
    pub fn rests(&self, now: ObservedTime) -> bool {
        now < self.next && self.next.since(now) < Duration::from_hours(24)
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let mut words = text.split(' ');
        Some(Self {
            attempts: words.next()?.parse().ok()?,
            first_seen: ObservedTime(words.next()?.parse().ok()?),
            next: ObservedTime(words.next()?.parse().ok()?),
        })
    }

    fn emit(self) -> String {
        format!("{} {} {}\n", self.attempts, self.first_seen.0, self.next.0)
    }
}

impl Spool {
    pub(super) fn retry_path(&self, execution: &Execution) -> PathBuf {
        self.own_folder("retry")
            .join(execution.system.as_str())
            .join(execution.name.as_str())
    }

    /// What is remembered of an execution.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn retry_state(&self, execution: &Execution) -> Result<Option<RetryState>, SpoolError> {
        let content = durable::read_small(&self.retry_path(execution), 4096)?;
        Ok(content.and_then(|content| RetryState::parse(&content)))
    }

    /// Remembers it. Not synced: a power failure costs one early retry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_retry_state(
        &self,
        execution: &Execution,
        state: &RetryState,
    ) -> Result<(), SpoolError> {
        durable::replace(
            &self.new_path(),
            &self.retry_path(execution),
            durable::FILE_MODE,
            state.emit().as_bytes(),
            false,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_rests_until_a_time_that_a_lost_clock_has_said() {
        let state = |next| RetryState {
            attempts: 1,
            first_seen: ObservedTime(0),
            next: ObservedTime(next),
        };
        let now = ObservedTime(1000);
        for (next, rests) in [
            (999, false),
            (1000, false),
            (4600, true),
            (5_000_000, false),
        ] {
            assert_eq!(state(next).rests(now), rests, "{next}");
        }
    }
}
