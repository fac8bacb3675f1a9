//! When a link wants to be woken, and why it cannot go on.

use std::time::{Duration, Instant};

use super::LinkError;

/// A deadline, and a failure that was found where there was nobody to tell.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    deadline: Option<Instant>,
    failure: Option<LinkError>,
}

impl Alarm {
    pub(super) fn set(&mut self, now: Instant, after: Duration) {
        self.deadline = Some(now + after);
    }

    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    /// There is no going on; told by the next [`Alarm::check`].
    pub(super) fn fail(&mut self, error: LinkError) {
        self.failure = Some(error);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The failure, if there was one.
    pub(super) fn check(&self) -> Result<(), LinkError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When to be woken; `timeout` is the longest wait. A failure is due at once.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Instant> {
        match (&self.failure, self.deadline) {
            (Some(_), Some(deadline)) => deadline.checked_sub(timeout).or(Some(deadline)),
            (_, deadline) => deadline,
        }
    }
}
