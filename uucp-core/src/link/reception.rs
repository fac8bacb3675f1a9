//! A file that comes in over a link without channels: collects its data until an event carries it away.

use std::mem;

use super::{Channel, LinkEvent};

/// How much data one event carries at most, and how much is kept before the conversation asks for it.
pub(super) const EVENT_LIMIT: usize = 256 * 1024;

#[derive(Debug, Clone, Copy)]
struct Incoming {
    channel: Channel,
    from_peer: bool,
    ended: bool,
}

/// The file that is being received, if any.
#[derive(Debug, Default)]
pub(super) struct Reception {
    incoming: Option<Incoming>,
    data: Vec<u8>,
}

impl Reception {
    /// A file comes next.
    pub(super) fn expect(&mut self, channel: Channel, from_peer: bool) {
        self.incoming = Some(Incoming {
            channel,
            from_peer,
            ended: false,
        });
    }

    /// Whether a file is on its way or not handed over yet.
    pub(super) fn is_pending(&self) -> bool {
        self.incoming.is_some()
    }

    /// Whether more of the file is to come.
    pub(super) fn is_open(&self) -> bool {
        self.incoming.is_some_and(|file| !file.ended)
    }

    /// Where the file's data go.
    pub(super) fn data(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// How many more bytes may be collected.
    pub(super) fn room(&self) -> usize {
        EVENT_LIMIT.saturating_sub(self.data.len())
    }

    /// The file is complete.
    pub(super) fn end(&mut self) {
        if let Some(file) = &mut self.incoming {
            file.ended = true;
        }
    }

    /// What has come of the file is void; it comes again, from its beginning.
    pub(super) fn begin_anew(&mut self) -> Option<LinkEvent> {
        self.data.clear();
        self.incoming.map(|file| LinkEvent::Again {
            channel: file.channel,
            from_peer: file.from_peer,
        })
    }

    /// What there is to tell.
    pub(super) fn poll(&mut self) -> Option<LinkEvent> {
        let Incoming {
            channel,
            from_peer,
            ended,
        } = self.incoming?;
        if !self.data.is_empty() {
            return Some(LinkEvent::Data {
                channel,
                from_peer,
                position: None,
                bytes: mem::take(&mut self.data),
            });
        }
        if ended {
            self.incoming = None;
            return Some(LinkEvent::FileEnd { channel, from_peer });
        }
        None
    }
}
