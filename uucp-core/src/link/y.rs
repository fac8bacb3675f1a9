//! Protocol `y` (Taylor UUCP manual, *y Protocol*): a stream of numbered packets with sums, for lines that are reliable
//! and flow-controlled, or nearly. What is wrong ends the call; nothing is sent twice.
//!
//! Nothing tells a command from a file, so packets are parsed one at a time inside [`Link::poll_event`], as with `t`.

use std::mem;
use std::time::Instant;

use super::parameters::Parameters;
use super::reception::{EVENT_LIMIT, Reception};
use super::tube::{Phase, Tube};
use super::{Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::Malformed;
use crate::wire::command::COMMAND_LIMIT;
use crate::wire::y::{self, Control, HEADER, Header, Kind, LARGEST, UNIT};

/// How much may wait to be sent before [`Link::send_room`] says no.
const OUTPUT_LIMIT: usize = 128 * 1024;

/// A `y` link. Parameters: `timeout` (60 s; silence is borne for twice as long, since much may be on its way still),
/// `packet-size` (1024, which is also the most).
pub(super) fn new(parameters: Parameters<'_>) -> impl Link + use<> {
    let most = u32::try_from(LARGEST).unwrap_or(1024);
    let size = parameters.number("packet-size", most, 256, most) as usize;
    Y {
        tube: Tube::new(b'y', 2 * parameters.seconds("timeout", 60), EVENT_LIMIT),
        synced: false,
        size: size - size % UNIT,
        sent: 0,
        received: 0,
        reception: Reception::default(),
        command: Vec::new(),
        partial: Vec::new(),
        unanswered: false,
        acknowledged: false,
    }
}

struct Y {
    tube: Tube,
    /// The peer's first packet has come.
    synced: bool,
    /// The most data in a packet: what both sides can do, once both have said it.
    size: usize,
    /// The numbers of the next packets.
    sent: u16,
    received: u16,
    reception: Reception,
    /// A command as far as it has come.
    command: Vec<u8>,
    /// File data that do not fill a packet yet.
    partial: Vec<u8>,
    /// Something was sent to which nothing has come back yet.
    unanswered: bool,
    acknowledged: bool,
}

/// What is wrong with the input, and what the peer is told of it.
struct Fault(Control, &'static str);

impl Y {
    fn emit(&mut self, data: &[u8]) {
        y::emit_data(self.sent, data, &mut self.tube.output);
        self.sent = self.sent.wrapping_add(1);
    }

    fn emit_control(&mut self, control: Control) {
        y::emit_control(self.sent, control, &mut self.tube.output);
        self.sent = self.sent.wrapping_add(1);
    }

    fn fail(&mut self, reason: &'static str) {
        self.tube.fail_remote(Malformed(reason));
    }

    fn sent(&mut self, now: Instant) {
        self.unanswered = true;
        self.tube.sent(now);
    }

    /// Takes the next packet off the input: its data, or its meaning. `None` while it is not all there.
    fn take_packet(&mut self) -> Result<Option<Packet>, Fault> {
        let Some((head, rest)) = self.tube.waiting().split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let header = Header::parse(*head).map_err(|bad| Fault(Control::Bad, bad.0))?;
        if header.sequence != self.received {
            return Err(Fault(Control::Bad, "a packet out of its turn"));
        }
        let length = match header.kind {
            Kind::Control(_) => 0,
            Kind::Data(length) if length > self.size => {
                return Err(Fault(Control::Bad, "a packet that is too long"));
            }
            Kind::Data(length) => length,
        };
        let Some(data) = rest.get(..length) else {
            return Ok(None);
        };
        if !header.is_intact(data) {
            return Err(Fault(Control::Error, "a wrong sum"));
        }
        let packet = match header.kind {
            Kind::Control(control) => Packet::Control(control),
            Kind::Data(_) => Packet::Data(data.to_vec()),
        };
        self.tube.consume(HEADER + length);
        self.received = self.received.wrapping_add(1);
        Ok(Some(packet))
    }

    fn handle_packet(&mut self, packet: Packet) -> Result<Option<LinkEvent>, Fault> {
        let data = match packet {
            Packet::Control(Control::Ack) => return Ok(None),
            Packet::Control(Control::Error) => {
                self.fail("the other system has received a wrong sum");
                return Ok(None);
            }
            Packet::Control(Control::Bad) => {
                self.fail("the other system has received a bad packet");
                return Ok(None);
            }
            Packet::Data(data) => data,
        };
        if !self.synced {
            let size = y::parse_sync(&data).map_err(|bad| Fault(Control::Bad, bad.0))?;
            self.size = self.size.min(size);
            self.synced = true;
            return Ok(None);
        }
        if !self.reception.is_open() {
            return self.take_command(&data);
        }
        if data.is_empty() {
            self.emit_control(Control::Ack);
            self.reception.end();
        } else {
            self.reception.data().extend_from_slice(&data);
        }
        Ok(None)
    }

    fn take_command(&mut self, data: &[u8]) -> Result<Option<LinkEvent>, Fault> {
        let end = data.iter().position(|b| *b == 0);
        let text = data.get(..end.unwrap_or(data.len())).unwrap_or_default();
        self.command.extend_from_slice(text);
        if self.command.len() > COMMAND_LIMIT {
            return Err(Fault(Control::Bad, "a command without an end"));
        }
        Ok(end.map(|_| LinkEvent::Command {
            channel: Channel(0),
            from_peer: true,
            bytes: mem::take(&mut self.command),
        }))
    }

    /// Takes a packet off the input and does what it says; false: there is none, or something is wrong.
    fn step(&mut self) -> Result<Option<LinkEvent>, Stop> {
        let result = match self.take_packet() {
            Ok(None) => return Err(Stop),
            Ok(Some(packet)) => self.handle_packet(packet),
            Err(fault) => Err(fault),
        };
        match result {
            Ok(_) if self.tube.check().is_err() => Err(Stop),
            Ok(event) => Ok(event),
            Err(Fault(control, reason)) => {
                self.emit_control(control);
                self.fail(reason);
                Err(Stop)
            }
        }
    }

    /// Goes through the input until there is something to tell.
    fn next_event(&mut self) -> Option<LinkEvent> {
        loop {
            let full = self.reception.room() < LARGEST;
            if self.reception.is_pending() && (full || !self.reception.is_open()) {
                return self.reception.poll();
            }
            match self.step() {
                Ok(None) => {}
                Ok(event) => return event,
                Err(Stop) if self.tube.check().is_err() => return None,
                Err(Stop) => return self.reception.poll(),
            }
        }
    }
}

/// There is no packet, or something is wrong.
struct Stop;

enum Packet {
    Data(Vec<u8>),
    Control(Control),
}

impl Link for Y {
    fn letter(&self) -> u8 {
        b'y'
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::Y
    }

    fn start(&mut self, now: Instant) {
        self.tube.start(now);
        self.emit(&y::sync(self.size));
    }

    fn close(&mut self, _now: Instant) {
        self.tube.close();
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        if !self.tube.hears(now, input)? {
            return Ok(0);
        }
        self.acknowledged |= mem::take(&mut self.unanswered);
        Ok(self.tube.keep(input))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        let what = if !self.synced {
            "the start of the protocol"
        } else if self.reception.is_pending() {
            "file data"
        } else {
            "a command"
        };
        self.tube.handle_timeout(now, what)
    }

    fn send_command(&mut self, now: Instant, _: Channel, _: bool, command: &[u8]) {
        let bytes = [command, &[0]].concat();
        for piece in bytes.chunks(self.size) {
            self.emit(piece);
        }
        self.sent(now);
    }

    fn begin_file(&mut self, _: Channel, _: bool, _offset: u64, _size: Option<u64>) {}

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.reception.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        let mut rest = taken;
        if !self.partial.is_empty() {
            let missing = self.size.saturating_sub(self.partial.len());
            let (piece, tail) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.partial.extend_from_slice(piece);
            rest = tail;
            if self.partial.len() == self.size {
                let full = mem::take(&mut self.partial);
                self.emit(&full);
            }
        }
        let mut pieces = rest.chunks_exact(self.size);
        for piece in &mut pieces {
            self.emit(piece);
        }
        self.partial.extend_from_slice(pieces.remainder());
        if !taken.is_empty() {
            self.sent(now);
        }
        taken.len()
    }

    fn send_room(&self) -> usize {
        self.tube.room(OUTPUT_LIMIT)
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        let partial = mem::take(&mut self.partial);
        if !partial.is_empty() {
            self.emit(&partial);
        }
        self.emit(&[]);
        self.sent(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.tube.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        if !self.synced {
            let _ = self.step();
        }
        if !self.synced {
            return None;
        }
        match self.tube.poll_phase(&format!("packet {}", self.size)) {
            Phase::Say(event) => return Some(event),
            Phase::Silent => return None,
            Phase::Running => {}
        }
        if mem::take(&mut self.acknowledged) {
            return Some(LinkEvent::Acknowledged);
        }
        self.next_event()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.tube.poll_timeout()
    }

    fn statistics(&self) -> Option<String> {
        None
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.tube.take_rest()
    }
}

#[cfg(test)]
mod tests;
