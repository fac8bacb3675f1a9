//! The loop over the parts of a message: who was offered it, who has it, who is left.

use super::{Outcome, Record, Reply};
use crate::address::Address;

/// The recipients of a message, and what is known of each.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    recipients: &'a [Address],
    outcomes: Vec<Outcome>,
    /// Indices of those that were not offered yet, in order.
    open: Vec<usize>,
    /// Indices of those that have the message and are not recorded.
    unrecorded: Vec<usize>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(recipients: &'a [Address]) -> Self {
        let not_offered = Outcome::Deferred(Reply::new("4.4.0", "not offered yet"));
        Self {
            recipients,
            outcomes: vec![not_offered; recipients.len()],
            open: (0..recipients.len()).collect(),
            unrecorded: Vec::new(),
        }
    }

    /// Refuses those of whom `wrong` knows that they are no addresses.
    pub(super) fn sift(&mut self, wrong: impl Fn(&Address) -> Option<Reply>) {
        let (recipients, outcomes) = (self.recipients, &mut self.outcomes);
        self.open.retain(|index| {
            let reply = recipients.get(*index).and_then(&wrong);
            if let (Some(reply), Some(slot)) = (&reply, outcomes.get_mut(*index)) {
                *slot = Outcome::Refused(reply.clone());
            }
            reply.is_none()
        });
    }

    /// The next recipients to offer, each with its position in the envelope, at most `most`.
    pub(super) fn next(&self, most: usize) -> Vec<(usize, &'a Address)> {
        let open = self.open.iter().take(most);
        open.filter_map(|index| Some((*index, self.recipients.get(*index)?)))
            .collect()
    }

    /// Notes the outcomes of the first open recipients; `None`: to be offered again.
    pub(super) fn settle(&mut self, outcomes: Vec<Option<Outcome>>) {
        let count = outcomes.len().min(self.open.len());
        let offered: Vec<usize> = self.open.drain(..count).collect();
        let mut again = Vec::new();
        for (index, outcome) in offered.into_iter().zip(outcomes) {
            let Some(outcome) = outcome else {
                again.push(index);
                continue;
            };
            if outcome == Outcome::Delivered {
                self.unrecorded.push(index);
            }
            if let Some(slot) = self.outcomes.get_mut(index) {
                *slot = outcome;
            }
        }
        self.open.splice(0..0, again);
    }

    /// Whether somebody is left; then, before he is offered the message, records who has it by now.
    pub(super) fn go_on(&mut self, record: &mut Record<'_>) -> bool {
        if !self.open.is_empty() && !self.unrecorded.is_empty() {
            self.record(record);
        }
        !self.open.is_empty()
    }

    /// Records who has the message. Where that cannot be, nobody else is to get it.
    fn record(&mut self, record: &mut Record<'_>) {
        let have_it: Vec<&Address> = self
            .unrecorded
            .drain(..)
            .filter_map(|index| self.recipients.get(index))
            .collect();
        if !have_it.is_empty()
            && let Err(error) = record(&have_it)
        {
            let text = format!("cannot record who has the message: {error}");
            self.give_up(&Outcome::Deferred(Reply::new("4.3.0", text)));
        }
    }

    /// What was not offered will not be.
    pub(super) fn give_up(&mut self, outcome: &Outcome) {
        for index in self.open.drain(..) {
            if let Some(slot) = self.outcomes.get_mut(index) {
                *slot = outcome.clone();
            }
        }
    }

    /// The outcomes, and the positions of those who have the message and are not recorded.
    pub(super) fn end(self) -> (Vec<Outcome>, Vec<usize>) {
        (self.outcomes, self.unrecorded)
    }
}
