//! `i` and `j` between two of ours: packets, window and errors are those of the letter, and what the packets carry is one
//! stream of the frames of [`super::mux`]. So a packet holds whatever is next, of however many files, where the bare
//! letters have at most seven requests under way and spend a packet on each command, each position and each end.

use std::mem;
use std::time::Instant;

use super::i::I;
use super::j::J;
use super::mux::Mux;
use super::parameters::Parameters;
use super::{CallRole, Channel, LineMode, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::Malformed;
use crate::wire::command::Features;

/// The usual size of a packet, in bytes, to tell how many the frames that wait will be.
const PACKET: usize = 1024;

/// A link whose packets can carry one stream of bytes, and nothing else.
pub(super) trait Carrier: Link {
    /// Takes bytes of the stream, however full the window is.
    fn carry(&mut self, now: Instant, bytes: &[u8]);
}

/// `i`, carrying frames.
pub(super) fn over_i(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    let inner = I::new(b'i', role, features, parameters).streaming();
    Carried::new(inner, parameters)
}

/// `j`, carrying frames.
pub(super) fn over_j(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    let inner = J::new(role, features, parameters).streaming();
    Carried::new(inner, parameters)
}

struct Carried<L> {
    inner: L,
    /// Makes and reads the frames; what it has to send waits here for room in the window. Its clock is not looked at.
    mux: Mux,
    /// Bytes of the peer's stream that the frames' reader has not taken yet, from `taken` on.
    arrived: Vec<u8>,
    taken: usize,
    started: bool,
}

impl<L: Carrier> Carried<L> {
    fn new(inner: L, parameters: Parameters<'_>) -> Self {
        Self {
            mux: Mux::new(inner.letter(), parameters),
            inner,
            arrived: Vec::new(),
            taken: 0,
            started: false,
        }
    }

    /// Moves at most so many bytes of frames into packets.
    fn move_on(&mut self, now: Instant, room: usize) {
        let frames = &mut self.mux.tube.output;
        let count = room.min(frames.len());
        if let Some(bytes) = frames.get(..count).filter(|bytes| !bytes.is_empty()) {
            self.inner.carry(now, bytes);
            frames.drain(..count);
        }
    }

    /// Hands on what has arrived; false when there is nothing, or no room for it.
    fn feed(&mut self) -> bool {
        let rest = self.arrived.get(self.taken..).unwrap_or_default();
        let taken = self.mux.take_in(rest);
        self.taken += taken;
        taken > 0
    }
}

impl<L: Carrier> Link for Carried<L> {
    fn letter(&self) -> u8 {
        self.inner.letter()
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::CARRIED
    }

    fn line_mode(&self) -> LineMode {
        self.inner.line_mode()
    }

    fn start(&mut self, now: Instant) {
        self.mux.start(now);
        self.inner.start(now);
    }

    fn close(&mut self, now: Instant) {
        self.move_on(now, usize::MAX);
        self.inner.close(now);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        self.mux.tube.check()?;
        self.inner.handle_input(now, input)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.mux.tube.check()?;
        self.inner.handle_timeout(now)
    }

    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]) {
        self.mux.send_command(now, channel, from_peer, command);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, size: Option<u64>) {
        self.mux.begin_file(channel, from_peer, offset, size);
    }

    fn expect_file(&mut self, _: Channel, _from_peer: bool, _offset: u64) {}

    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        self.mux.send_data(now, channel, from_peer, taken)
    }

    /// No more waits than the window holds: what is more urgent, and answers to the peer, come behind it.
    fn send_room(&self) -> usize {
        let window = self.inner.send_room();
        window.saturating_sub(self.mux.tube.output.len())
    }

    fn backlog(&self) -> usize {
        self.inner.backlog() + self.mux.tube.output.len() / PACKET
    }

    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool) {
        self.mux.end_file(now, channel, from_peer);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.move_on(now, self.inner.send_room());
        self.inner.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        loop {
            if self.started {
                let event = self.mux.poll_event();
                if event.is_some() || self.mux.tube.check().is_err() {
                    return event;
                }
            }
            if self.feed() {
                continue;
            }
            match self.inner.poll_event()? {
                LinkEvent::Started { description } => {
                    self.started = true;
                    // The frames' own beginning says nothing that this does not.
                    self.mux.poll_event();
                    let description = format!("{description}, multiplexed");
                    return Some(LinkEvent::Started { description });
                }
                LinkEvent::Data { bytes, .. } => {
                    self.arrived = bytes;
                    self.taken = 0;
                }
                LinkEvent::Acknowledged if !self.mux.tube.output.is_empty() => {}
                event @ (LinkEvent::Acknowledged | LinkEvent::Closed) => return Some(event),
                LinkEvent::Command { .. } | LinkEvent::FileEnd { .. } | LinkEvent::Again { .. } => {
                    let malformed = Malformed("a packet that is no part of the stream");
                    self.mux.tube.fail_remote(malformed);
                    return None;
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.mux.tube.check().is_err() {
            return self.mux.tube.poll_timeout();
        }
        self.inner.poll_timeout()
    }

    fn statistics(&self) -> Option<String> {
        self.inner.statistics()
    }

    fn take_rest(&mut self) -> Vec<u8> {
        mem::take(&mut self.arrived);
        self.inner.take_rest()
    }
}
