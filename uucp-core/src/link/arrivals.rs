//! Pieces in the order in which they came, over a link without channels: which belong to commands and which to a file.

use std::collections::VecDeque;

use super::reception::Reception;
use super::{Channel, LinkEvent};
use crate::wire::Malformed;
use crate::wire::command::COMMAND_LIMIT;

/// Pieces that nobody has asked for yet wait: whether they belong to a command or a file is not known before. An empty one
/// ends a file.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    reception: Reception,
    waiting: VecDeque<Vec<u8>>,
    command: Vec<u8>,
}

impl Arrivals {
    /// A file comes next.
    pub(super) fn expect(&mut self, channel: Channel, from_peer: bool) {
        self.reception.expect(channel, from_peer);
    }

    /// Whether a file is on its way or not handed over yet.
    pub(super) fn has_file(&self) -> bool {
        self.reception.is_pending()
    }

    /// The next piece has come.
    pub(super) fn deliver(&mut self, data: &[u8]) {
        if self.reception.is_open() && self.waiting.is_empty() {
            self.take_file(data);
        } else {
            self.waiting.push_back(data.to_vec());
        }
    }

    fn take_file(&mut self, data: &[u8]) {
        if data.is_empty() {
            self.reception.end();
        } else {
            self.reception.data().extend_from_slice(data);
        }
    }

    /// The next command, piece of a file or end of a file. `append` adds a piece to what has come of a command, and says
    /// whether it is whole.
    pub(super) fn poll(
        &mut self,
        append: fn(&mut Vec<u8>, &[u8]) -> bool,
    ) -> Result<Option<LinkEvent>, Malformed> {
        while self.reception.is_open() && self.reception.room() > 0 {
            let Some(data) = self.waiting.pop_front() else {
                break;
            };
            self.take_file(&data);
        }
        if self.reception.is_pending() {
            return Ok(self.reception.poll());
        }
        while let Some(data) = self.waiting.pop_front() {
            let is_whole = append(&mut self.command, &data);
            if self.command.len() > COMMAND_LIMIT {
                return Err(Malformed("a command without an end"));
            }
            if is_whole {
                return Ok(Some(LinkEvent::Command {
                    channel: Channel(0),
                    from_peer: true,
                    bytes: std::mem::take(&mut self.command),
                }));
            }
        }
        Ok(None)
    }
}
