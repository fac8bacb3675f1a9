//! Bytes of files that come in, until they are to be committed.

use std::time::Instant;

use super::Session;
use crate::conversation::ConversationError;
use crate::conversation::event::{Event, TransferKey};
use crate::conversation::incoming::Incoming;
use crate::conversation::outgoing::Outgoing;
use crate::link::Channel;

/// A complete reception that waits for its commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) channel: Channel,
    pub(super) ours: bool,
    pub(super) key: TransferKey,
}

impl Session {
    pub(super) fn handle_data(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
        position: Option<u64>,
        bytes: Vec<u8>,
    ) -> Result<(), ConversationError> {
        match self.receiving(channel, from_peer) {
            Some(Some(key)) => {
                self.fruit.count(now, bytes.len());
                self.events.push_back(Event::Data {
                    key,
                    position,
                    bytes,
                });
                Ok(())
            }
            // A file that was refused: its data has overtaken the refusal.
            Some(None) => Ok(()),
            None => self.out_of_turn("file data that nobody asked for"),
        }
    }

    /// A file was damaged on its way, and begins anew: one that comes, or one that was sent.
    pub(super) fn handle_again(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
    ) -> Result<(), ConversationError> {
        let ours = !self.is_theirs(channel, from_peer);
        match self.receiving(channel, from_peer) {
            Some(Some(key)) => self.events.push_back(Event::Void(key)),
            Some(None) => {}
            None if ours => return self.send_again(now, channel),
            None => return self.serve_again(now, channel),
        }
        Ok(())
    }

    pub(super) fn handle_file_end(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
    ) -> Result<(), ConversationError> {
        let ours = !self.is_theirs(channel, from_peer);
        let key = if ours {
            self.ours.get_mut(&channel).map(Outgoing::complete)
        } else {
            self.theirs.get_mut(&channel).map(Incoming::complete)
        };
        match key.flatten() {
            Some(Some(key)) => self.arrived.push(Arrived { channel, ours, key }),
            Some(None) if ours => self.end_discarded(now, channel),
            Some(None) => {
                self.theirs.remove(&channel);
            }
            None => return self.out_of_turn("the end of a file that nobody asked for"),
        }
        Ok(())
    }

    /// The file that comes on a channel: `Some(None)` if it was refused.
    #[expect(clippy::option_option, reason = "as for one direction")]
    fn receiving(&mut self, channel: Channel, from_peer: bool) -> Option<Option<TransferKey>> {
        if self.is_theirs(channel, from_peer) {
            self.theirs.get_mut(&channel)?.receiving()
        } else {
            self.ours.get_mut(&channel)?.receiving()
        }
    }

    fn is_theirs(&self, channel: Channel, from_peer: bool) -> bool {
        if self.duplex {
            from_peer
        } else {
            self.theirs.contains_key(&channel)
        }
    }
}
