//! Bytes of files that go out: whose turn it is, and for how many there is room.

use std::time::Instant;

use super::{Flow, Session};
use crate::conversation::event::{TransferKey, Wanted};

impl Session {
    /// The next bytes of a file that there is room for.
    pub(in crate::conversation) fn poll_wanted(&mut self) -> Option<Wanted> {
        if self.is_ending() {
            return None;
        }
        let room = self.link.send_room();
        if room == 0 {
            return None;
        }
        let flow = self.turns.next(self.flows())?;
        let left = usize::try_from(flow.size - flow.position).unwrap_or(usize::MAX);
        Some(Wanted {
            key: flow.key,
            position: flow.position,
            room: room.min(left),
        })
    }

    /// Takes bytes that [`poll_wanted`](Self::poll_wanted) asked for; gives back how many.
    pub(in crate::conversation) fn supply(
        &mut self,
        now: Instant,
        key: TransferKey,
        bytes: &[u8],
    ) -> usize {
        let Some(flow) = self.flows().find(|flow| flow.key == key) else {
            return 0;
        };
        let (channel, from_peer) = (flow.channel, flow.from_peer);
        let taken = self.link.send_data(now, channel, from_peer, bytes);
        tracing::trace!(target: "uucp::proto", ?channel, position = flow.position, count = taken, "file data sent");
        self.turns.took(now, key);
        self.fruit.count(now, taken);
        let done = if from_peer {
            self.theirs.get_mut(&channel).map(|one| one.advance(taken))
        } else {
            self.ours.get_mut(&channel).map(|one| one.advance(taken))
        };
        if done == Some(true) {
            self.link.end_file(now, channel, from_peer);
        }
        taken
    }

    /// Everything that flows from us.
    fn flows(&self) -> impl Iterator<Item = Flow> + Clone {
        let ours = self.ours.iter();
        let theirs = self.theirs.iter();
        ours.filter_map(|(channel, one)| one.flow(*channel))
            .chain(theirs.filter_map(|(channel, one)| one.flow(*channel)))
    }
}
