//! Whether a call gets anywhere.

use std::time::Instant;

/// How many bytes of files count as a step forward.
const STEP: usize = 1024;

/// When the call last got anywhere: bytes of files, a file in its place, an answer to a request of ours.
#[derive(Debug, Clone, Copy)]
pub(in crate::conversation) struct Fruit {
    pub(in crate::conversation) since: Instant,
    bytes: usize,
}

impl Fruit {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
        }
    }

    pub(super) fn count(&mut self, now: Instant, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= STEP {
            *self = Self::new(now);
        }
    }
}
