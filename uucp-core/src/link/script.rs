//! What a script does with any link: it is told bytes and waited for, and what happened is kept.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::{Link, LinkError, LinkEvent};

/// A link of the protocol `L`, a clock that only the script moves, and what happened. What the protocol's packets are
/// called, its own tests say.
pub(super) struct Script<L> {
    pub(super) link: Box<dyn Link>,
    pub(super) now: Instant,
    pub(super) events: Vec<LinkEvent>,
    protocol: PhantomData<L>,
}

impl<L> Script<L> {
    /// A link that starts now.
    pub(super) fn of(mut link: Box<dyn Link>) -> Self {
        let now = Instant::now();
        link.start(now);
        Self {
            link,
            now,
            events: Vec::new(),
            protocol: PhantomData,
        }
    }

    /// The start has come to its end.
    pub(super) fn assert_started(&mut self) {
        assert!(matches!(self.events.pop(), Some(LinkEvent::Started { .. })));
    }

    pub(super) fn hears(&mut self, bytes: &[u8]) {
        self.try_hears(bytes).unwrap();
    }

    pub(super) fn try_hears(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        assert_eq!(self.link.handle_input(self.now, bytes)?, bytes.len());
        self.events
            .extend(std::iter::from_fn(|| self.link.poll_event()));
        Ok(())
    }

    /// All that goes out now.
    pub(super) fn sent(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.link.poll_transmit(self.now, &mut out) {}
        out
    }

    /// Waits until the link wants to be woken; how long that was.
    pub(super) fn waits(&mut self) -> Result<Duration, LinkError> {
        let until = self.link.poll_timeout().expect("a deadline");
        let waited = until.saturating_duration_since(self.now);
        self.now = until;
        self.link.handle_timeout(self.now)?;
        Ok(waited)
    }
}
