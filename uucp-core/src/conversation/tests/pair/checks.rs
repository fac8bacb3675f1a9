//! What is to be at which side after a call.

use super::super::side::SpoolState;
use super::Pair;
use crate::wire::command::{Refusal, Request};

impl Pair {
    /// Everything that was queued (and not refused) is at the other side, unharmed, and queued no more.
    pub(in crate::conversation::tests) fn assert_complete(&self) {
        let protocol = char::from(self.options.protocol);
        let results = [&self.caller.result, &self.called.result];
        assert_eq!(results, [&Some(Ok(())); 2], "{protocol}");
        let before = self.before.as_ref().unwrap();
        for (queued, from, to) in [
            (&before.0, &self.caller, &self.called),
            (&before.1, &self.called, &self.caller),
        ] {
            for (id, job) in &queued.queue {
                if from
                    .refused
                    .get(id)
                    .is_some_and(|r| *r != Refusal::AlreadyReceived)
                {
                    continue;
                }
                assert!(
                    !from.queue.contains_key(id),
                    "{protocol}: {id} is still queued"
                );
                let arrived = match &job.request {
                    Request::Receive(request) => {
                        assert!(from.asked_for.get(id) == to.offered.get(&request.from));
                        continue;
                    }
                    _ => to.received.get(id),
                };
                assert!(arrived == Some(&job.content), "{protocol}: {id}");
            }
        }
    }

    /// Every job is still queued, or its file is at the other side as it was.
    pub(in crate::conversation::tests) fn assert_nothing_lost(
        &self,
        caller: &SpoolState,
        called: &SpoolState,
    ) {
        for (before, from, to) in [
            (caller, &self.caller, &self.called),
            (called, &self.called, &self.caller),
        ] {
            for (id, job) in &before.queue {
                if let Some(arrived) = to.received.get(id) {
                    assert!(arrived == &job.content, "{id} is not as it was");
                } else {
                    assert!(from.queue.contains_key(id), "{id} is lost");
                }
            }
        }
    }

    /// As [`assert_nothing_lost`](Self::assert_nothing_lost), and there is nothing else.
    pub(in crate::conversation::tests) fn assert_once(
        &self,
        caller: &SpoolState,
        called: &SpoolState,
    ) {
        self.assert_nothing_lost(caller, called);
        assert!(self.caller.queue.is_empty() && self.called.queue.is_empty());
        assert_eq!(self.called.received.len(), caller.queue.len());
        assert_eq!(self.caller.received.len(), called.queue.len());
    }
}
