//! Protocol `j` (Taylor UUCP manual, *j Protocol*): the packets of `i`, wrapped so that certain characters never go over
//! the line: those that either side names at the start.
//!
//! What the manual leaves open, and what is done here:
//! - What each side wants avoided is said again when nothing comes back; a peer that says it again has not heard ours.
//! - A packet that comes first means that our list has arrived, and the other one was lost.

use std::time::Instant;

use super::alarm::Alarm;
use super::carried::Carrier;
use super::i::I;
use super::parameters::Parameters;
use super::scan::{Scanner, Unparsed};
use super::{CallRole, Channel, LineMode, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::command::Features;
use crate::wire::j::{self, Avoid, Found};

/// Room for input that is not parsed yet.
const INPUT_LIMIT: usize = 128 * 1024;

/// What is avoided unless the configuration says otherwise: XON and XOFF.
const USUAL: &[u8] = br"\021\023";
const XON: u8 = 0o21;
const XOFF: u8 = 0o23;

/// A `j` link. Parameters: those of `i`, and `avoid`.
pub(super) fn new(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    J::new(role, features, parameters)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Our list is out, the peer's has not come.
    Starting,
    /// The rest is `i`.
    Running,
}

/// A link of `j`.
pub(super) struct J {
    inner: I,
    /// First what we want avoided, then what both sides do.
    avoid: Avoid,
    state: State,
    tries: u32,
    said_at: Option<Instant>,
    /// Our list, to be sent.
    said: Vec<u8>,
    unparsed: Unparsed,
    alarm: Alarm,
}

impl J {
    pub(super) fn new(role: CallRole, features: Features, parameters: Parameters<'_>) -> Self {
        let configured = parameters.text("avoid").map(str::as_bytes);
        let avoid = configured
            .into_iter()
            .chain([USUAL])
            .find_map(|text| Avoid::parse(text).filter(|_| !text.is_empty()));
        Self {
            inner: I::new(b'j', role, features, parameters),
            avoid: avoid.unwrap_or_else(Avoid::nothing),
            state: State::New,
            tries: 0,
            said_at: None,
            said: Vec::new(),
            unparsed: Unparsed::new(INPUT_LIMIT),
            alarm: Alarm::default(),
        }
    }

    /// The same, for [`Carrier`].
    pub(super) fn streaming(mut self) -> Self {
        self.inner = self.inner.streaming();
        self
    }

    fn say(&mut self, now: Instant) {
        self.avoid.emit(&mut self.said);
        self.said_at = Some(now);
    }

    fn begin(&mut self, now: Instant) {
        if self.state == State::Starting {
            self.state = State::Running;
            self.alarm.stop();
            self.inner.start(now);
        }
    }

    fn handle_list(&mut self, now: Instant, theirs: &Avoid) {
        let long_ago = self
            .said_at
            .is_none_or(|at| now.saturating_duration_since(at) >= super::i::SYNC_AFTER);
        self.avoid = self.avoid.and(theirs);
        if self.state == State::Running && long_ago {
            self.say(now);
        }
        self.begin(now);
    }
}

impl Scanner for J {
    fn unparsed(&mut self) -> &mut Unparsed {
        &mut self.unparsed
    }

    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let mut rest = input;
        while !self.inner.is_over() {
            let (used, found) = j::scan(rest, self.inner.is_closing());
            rest = rest.get(used..).unwrap_or_default();
            match found {
                Found::Incomplete => break,
                Found::Avoid(theirs) => self.handle_list(now, &theirs),
                Found::Packet(packet) => {
                    self.begin(now);
                    self.inner.handle_whole(now, &packet)?;
                }
                Found::Over => {
                    let used = self.inner.handle_input(now, rest)?;
                    rest = rest.get(used..).unwrap_or_default();
                }
            }
        }
        Ok(input.len() - rest.len())
    }
}

impl Carrier for J {
    fn carry(&mut self, now: Instant, bytes: &[u8]) {
        self.inner.carry(now, bytes);
    }
}

impl Link for J {
    fn letter(&self) -> u8 {
        b'j'
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::I
    }

    /// A line that takes them for itself is what the letter is for.
    fn line_mode(&self) -> LineMode {
        LineMode {
            software_flow: [XON, XOFF].iter().all(|byte| self.avoid.contains(*byte)),
            seven_bit: false,
        }
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.say(now);
        self.alarm.set(now, self.inner.sync_timeout());
    }

    fn close(&mut self, now: Instant) {
        self.inner.close(now);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        if self.state == State::New || self.inner.is_over() {
            return Ok(0);
        }
        self.take_in(now, input)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        if self.state == State::Running {
            if self.inner.poll_timeout().is_some_and(|at| at <= now) {
                self.give_up_first(now)?;
            }
            return self.inner.handle_timeout(now);
        }
        if self.alarm.is_due(now) {
            self.tries += 1;
            if self.tries > self.inner.sync_retries() {
                return Err(LinkError::TimedOut {
                    letter: 'j',
                    what: "the start of the protocol",
                });
            }
            self.say(now);
            self.alarm.set(now, self.inner.sync_timeout());
        }
        Ok(())
    }

    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]) {
        self.inner.send_command(now, channel, from_peer, command);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, size: Option<u64>) {
        self.inner.begin_file(channel, from_peer, offset, size);
    }

    fn expect_file(&mut self, channel: Channel, from_peer: bool, offset: u64) {
        self.inner.expect_file(channel, from_peer, offset);
    }

    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize {
        self.inner.send_data(now, channel, from_peer, data)
    }

    fn send_room(&self) -> usize {
        self.inner.send_room()
    }

    fn backlog(&self) -> usize {
        self.inner.backlog()
    }

    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool) {
        self.inner.end_file(now, channel, from_peer);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.append(&mut self.said);
        let mut packets = Vec::new();
        self.inner.poll_transmit(now, &mut packets);
        let mut rest = &packets[..];
        while let Some((packet, tail)) = self.inner.split_packet(rest) {
            j::emit(packet, &self.avoid, out);
            rest = tail;
        }
        out.len() > before
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        self.inner.poll_event()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::New => None,
            State::Starting => self.alarm.poll(self.inner.sync_timeout()),
            State::Running => self.inner.poll_timeout(),
        }
    }

    fn statistics(&self) -> Option<String> {
        self.inner.statistics()
    }

    fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = self.inner.take_rest();
        rest.append(&mut self.unparsed.take());
        rest
    }
}

#[cfg(test)]
mod tests;
