//! Time that was observed to pass: ages and limits that no step of the wall clock can stretch or shrink.

use std::time::Duration;

use super::{Spool, SpoolError};

/// Seconds that this spool has been seen to live through. Comparable with others of the same spool only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ObservedTime(pub u64);

impl ObservedTime {
    /// How much time was observed between `earlier` and this.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait.as_secs()))
    }
}

impl Spool {
    /// The observed time now.
    ///
    /// # Errors
    /// When the clock file cannot be read or written.
    pub fn observed_now(&self) -> Result<ObservedTime, SpoolError> {
        todo!()
    }
}
