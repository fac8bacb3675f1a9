//! The receiving half of `g`: finds packets among garbage, takes them in order, and tells commands from files.

use std::time::{Duration, Instant};

use crate::link::LinkEvent;
use crate::link::arrivals::Arrivals;
use crate::link::scan::next_begun;
use crate::wire::g::{Control, DLE, DataHeader, HEADER, Header, SEAL, Sequence};
use crate::wire::{Malformed, checksum};

/// What was found in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// Nothing more; what was used is garbage.
    Incomplete,
    /// A packet without data.
    Control(Control),
    /// A packet with data, none where they are damaged.
    Data(DataHeader, Option<&'a [u8]>),
    /// The strings that follow the protocol; only looked for while it is being closed.
    Over,
}

/// Finds the next packet; gives back how many bytes it used, the packet included, or the garbage before an incomplete one.
pub(super) fn scan(input: &[u8], closing: bool, sealed: bool) -> (usize, Input<'_>) {
    let seal = if sealed { SEAL } else { 0 };
    let mut at = 0;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        let Some(skip) = rest.iter().position(|b| *b == DLE) else {
            return (input.len(), Input::Incomplete);
        };
        at += skip;
        let rest = rest.get(skip..).unwrap_or_default();
        if closing && rest.get(1) == Some(&b'O') {
            return (at, Input::Over);
        }
        let Some((bytes, body)) = rest.split_first_chunk::<HEADER>() else {
            return (at, Input::Incomplete);
        };
        let Some(header) = Header::parse(*bytes) else {
            at += 1;
            continue;
        };
        let size = match header {
            Header::Control(_) => 0,
            Header::Data(header) => header.size,
        };
        let Some((packet, after)) = body.split_at_checked(size + seal) else {
            return (at, Input::Incomplete);
        };
        let (data, crc) = packet.split_at_checked(size).unwrap_or_default();
        let is_sealed = crc.is_empty() || crc == checksum::seal(bytes, data);
        let whole = at + HEADER + size + seal;
        match header {
            Header::Control(control) if is_sealed => return (whole, Input::Control(control)),
            Header::Control(_) => at += 1,
            Header::Data(header) if is_sealed && header.is_intact(data, sealed) => {
                return (whole, Input::Data(header, Some(data)));
            }
            // Where bytes were lost, the next packet begins inside this one. But if a packet seems to begin behind it, this
            // one is only damaged, and what looks like packets inside is a file's data.
            Header::Data(header) => {
                let used = match after.first() {
                    None => whole - next_begun(packet, DLE),
                    Some(&DLE) => whole,
                    Some(_) => at + 1,
                };
                return (used, Input::Data(header, None));
            }
        }
    }
}

/// What became of a data packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was the next one.
    Good,
    /// It, or one before it, must be asked for.
    Reject,
    /// It was there before.
    Repeated,
    /// Nothing is to be done.
    Ignored,
}

#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// Bytes since the last packet that were none.
    pub(super) garbage: usize,
    pub(super) arrivals: Arrivals,
    /// The last packet that was taken.
    last: Sequence,
    received: bool,
    /// The peer does not know of `last` yet.
    owes: bool,
    /// A reject was sent and the packet has not come.
    rejected: bool,
    told_at: Option<Instant>,
}

impl Receiver {
    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    pub(super) fn has_received(&self) -> bool {
        self.received
    }

    pub(super) fn owes_acknowledgement(&self) -> bool {
        self.owes
    }

    pub(super) fn owe_acknowledgement(&mut self) {
        self.owes = true;
    }

    /// The peer is being told of `last`.
    pub(super) fn told(&mut self) {
        self.owes = false;
    }

    pub(super) fn told_at(&mut self, now: Instant) {
        self.told_at = Some(now);
    }

    /// Whether the last acknowledgement was sent so long ago.
    pub(super) fn is_quiet_since(&self, now: Instant, age: Duration) -> bool {
        self.told_at
            .is_none_or(|at| now.saturating_duration_since(at) >= age)
    }

    /// Takes a packet; `used` is what counts of its data, none where they are damaged.
    pub(super) fn handle(&mut self, header: DataHeader, used: Option<&[u8]>) -> Verdict {
        let awaited = header.sequence == self.last.next();
        match used {
            Some(data) if awaited => {
                self.last = header.sequence;
                self.received = true;
                self.owes = true;
                self.rejected = false;
                self.arrivals.deliver(data);
                Verdict::Good
            }
            Some(_) if header.sequence == self.last => Verdict::Repeated,
            // The awaited one came damaged, however often; or one before this was lost, which need be said only once.
            _ if awaited || !self.rejected => {
                self.rejected = true;
                Verdict::Reject
            }
            _ => Verdict::Ignored,
        }
    }

    /// The next command, piece of a file or end of a file.
    pub(super) fn poll(&mut self) -> Result<Option<LinkEvent>, Malformed> {
        self.arrivals.poll(append)
    }
}

/// Adds a packet to a command, which a NUL ends.
fn append(command: &mut Vec<u8>, packet: &[u8]) -> bool {
    let end = packet.iter().position(|b| *b == 0);
    let text = packet.get(..end.unwrap_or(packet.len()));
    command.extend_from_slice(text.unwrap_or_default());
    end.is_some()
}
