//! The receiving half of `i`: finds packets among garbage, puts them in order, and tells for each channel what is a
//! command and what belongs to a file.

use std::collections::VecDeque;
use std::mem;

use crate::link::reception::EVENT_LIMIT;
use crate::link::scan::next_begun;
use crate::link::{Channel, LinkEvent};
use crate::wire::Malformed;
use crate::wire::command::COMMAND_LIMIT;
use crate::wire::i::{Form, HEADER, Header, INTRODUCTION, Kind, Sequence};

/// What was found in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// Nothing more.
    Incomplete,
    /// A packet; its data, if they are what their CRC says.
    Packet(Header, Option<&'a [u8]>),
    /// The strings that follow the protocol; only looked for while it is being closed.
    Over,
}

/// Finds the next packet of the peer, who is the caller or not; gives back how many bytes it used, the packet included, or
/// the garbage before an incomplete one, and how much of that was garbage.
pub(super) fn scan(
    input: &[u8],
    form: Form,
    from_caller: bool,
    closing: bool,
) -> (usize, usize, Input<'_>) {
    let mut at = 0;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        if closing && matches!(rest, [0o20, b'O', ..]) {
            return (at, at, Input::Over);
        }
        if rest.first().is_some_and(|b| *b != INTRODUCTION) {
            at += 1;
            continue;
        }
        let Some((bytes, body)) = rest.split_first_chunk::<HEADER>() else {
            return (at, at, Input::Incomplete);
        };
        // Our own packets, come back as an echo, are no packets.
        let header = form.parse(*bytes).filter(|h| h.caller == from_caller);
        let Some(header) = header else {
            at += 1;
            continue;
        };
        let tail = form.tail(header.length);
        let Some((packet, after)) = body.split_at_checked(header.length + tail) else {
            return (at, at, Input::Incomplete);
        };
        let (data, crc) = packet.split_at_checked(header.length).unwrap_or_default();
        let whole = at + HEADER + header.length + tail;
        if form.is_intact(bytes, data, crc) {
            return (whole, at, Input::Packet(header, Some(data)));
        }
        // Where bytes were lost, the next packet begins inside this one. But if a packet seems to begin behind it, this one
        // is only damaged, and what looks like packets inside is a file's data.
        let used = match after.first() {
            None => whole - next_begun(packet, INTRODUCTION),
            Some(&INTRODUCTION) => whole,
            Some(_) => at + 1,
        };
        return (used, at, Input::Packet(header, None));
    }
}

/// A packet that has arrived in its turn, or is waiting for it.
#[derive(Debug)]
struct Arrival {
    kind: Kind,
    local: u8,
    remote: u8,
    data: Vec<u8>,
}

impl Arrival {
    /// The exchange it belongs to: ours, if the peer names our channel.
    fn route(&self) -> (u8, bool) {
        if self.remote != 0 {
            (self.remote, false)
        } else {
            (self.local, true)
        }
    }
}

/// What one channel is in the middle of.
#[derive(Debug, Default)]
struct Exchange {
    /// A file is open; what comes is data.
    file: bool,
    /// A command as far as it has come.
    command: Vec<u8>,
}

/// Whether file data follow a command on its channel. They do not wait for the answer, not even for a refusal: the sender
/// of a file ends it in any case.
fn announces_file(from_peer: bool, command: &[u8]) -> bool {
    match command {
        [b'S' | b'E', b' ' | b'\t', ..] => from_peer,
        [b'R', b'Y', ..] => !from_peer,
        _ => false,
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was the next one.
    InTurn,
    /// It came early and is kept.
    Early,
    /// It was there before.
    Repeated,
}

#[derive(Debug)]
pub(super) struct Receiver {
    window: usize,
    /// The last packet that was taken in its turn.
    last: Sequence,
    /// Packets taken since the peer was told of one.
    unacknowledged: usize,
    /// The peer must be told, even if there is nothing new.
    owes: bool,
    /// Early packets, the first place for the one after the next.
    early: VecDeque<Option<Arrival>>,
    /// Missing packets that were asked for; the first place for the next one.
    asked: VecDeque<bool>,
    /// Packets in their turn that nobody has asked for yet.
    arrived: VecDeque<Arrival>,
    /// How far the peer's count stands.
    position: u64,
    exchanges: [[Exchange; 8]; 2],
    pub(super) received: u64,
    /// CLOSE has come in its turn.
    pub(super) closed: bool,
}

impl Receiver {
    pub(super) fn new(window: u8) -> Self {
        Self {
            window: window.into(),
            last: Sequence::new(0),
            unacknowledged: 0,
            owes: false,
            early: VecDeque::new(),
            asked: VecDeque::new(),
            arrived: VecDeque::new(),
            position: 0,
            exchanges: Default::default(),
            received: 0,
            closed: false,
        }
    }

    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    pub(super) fn owes_acknowledgement(&self, frequency: usize) -> bool {
        self.owes || self.unacknowledged >= frequency
    }

    pub(super) fn owe_acknowledgement(&mut self) {
        self.owes = true;
    }

    /// The peer is being told of `last`.
    pub(super) fn told(&mut self) {
        self.owes = false;
        self.unacknowledged = 0;
    }

    /// How far ahead of the last one a packet is, if that is within the window.
    fn steps(&self, sequence: Sequence) -> Option<usize> {
        let steps = sequence.since(self.last);
        (1..=self.window).contains(&steps).then_some(steps)
    }

    /// Takes a packet that has a place in the row.
    pub(super) fn handle(&mut self, header: Header, data: &[u8]) -> Verdict {
        let arrival = Arrival {
            kind: header.kind,
            local: header.local,
            remote: header.remote,
            data: data.to_vec(),
        };
        match self.steps(header.sequence) {
            Some(1) => {
                self.take(arrival);
                while let Some(Some(next)) = self.early.pop_front() {
                    self.take(next);
                }
                Verdict::InTurn
            }
            Some(steps) => {
                let place = steps - 2;
                if self.early.len() <= place {
                    self.early.resize_with(place + 1, || None);
                }
                if let Some(slot) = self.early.get_mut(place) {
                    *slot = Some(arrival);
                }
                Verdict::Early
            }
            None => {
                self.owes = true;
                Verdict::Repeated
            }
        }
    }

    fn take(&mut self, arrival: Arrival) {
        self.last = self.last.next();
        self.unacknowledged += 1;
        self.received += 1;
        self.asked.pop_front();
        if arrival.kind == Kind::Close {
            self.closed = true;
        } else {
            self.arrived.push_back(arrival);
        }
    }

    /// Packets that are missing before one that came early, and were not asked for yet.
    pub(super) fn missing(&mut self) -> Vec<Sequence> {
        let mut missing = Vec::new();
        let gaps = self.early.len();
        if gaps == 0 {
            return missing;
        }
        for steps in 1..=gaps {
            let there = steps > 1 && self.early.get(steps - 2).is_some_and(Option::is_some);
            if !there && self.ask(steps) {
                missing.push(self.last.after(steps));
            }
        }
        missing
    }

    /// Remembers that a packet is asked for; false if it was before.
    fn ask(&mut self, steps: usize) -> bool {
        if self.asked.len() < steps {
            self.asked.resize(steps, false);
        }
        self.asked
            .get_mut(steps - 1)
            .is_some_and(|asked| !mem::replace(asked, true))
    }

    /// Whether a damaged packet is one that is still wanted; it is then asked for, again if need be.
    pub(super) fn wants_again(&mut self, sequence: Sequence) -> bool {
        let Some(steps) = self.steps(sequence) else {
            return false;
        };
        let there = steps > 1 && self.early.get(steps - 2).is_some_and(Option::is_some);
        if !there {
            self.ask(steps);
        }
        !there
    }

    fn exchange(&mut self, (channel, from_peer): (u8, bool)) -> Option<&mut Exchange> {
        self.exchanges
            .get_mut(usize::from(from_peer))?
            .get_mut(usize::from(channel))
    }

    /// The peer's channel carries data from the beginning, without a command before them.
    pub(super) fn expect_stream(&mut self, channel: u8) {
        if let Some(exchange) = self.exchange((channel, true)) {
            exchange.file = true;
        }
    }

    /// The next command, piece of a file or end of a file.
    pub(super) fn poll(&mut self) -> Result<Option<LinkEvent>, Malformed> {
        while let Some(arrival) = self.arrived.pop_front() {
            if arrival.kind == Kind::Spos {
                if let Some(bytes) = arrival.data.first_chunk() {
                    self.position = u32::from_be_bytes(*bytes).into();
                }
                continue;
            }
            let route = arrival.route();
            let position = self.position;
            self.position += arrival.data.len() as u64;
            let Some(exchange) = self.exchange(route) else {
                continue;
            };
            let (channel, from_peer) = (Channel(route.0), route.1);
            if exchange.file && arrival.data.is_empty() {
                exchange.file = false;
                return Ok(Some(LinkEvent::FileEnd { channel, from_peer }));
            }
            if exchange.file {
                return Ok(Some(LinkEvent::Data {
                    channel,
                    from_peer,
                    position: Some(position),
                    bytes: self.collect(route, arrival.data),
                }));
            }
            let end = arrival.data.iter().position(|b| *b == 0);
            let length = end.unwrap_or(arrival.data.len());
            let text = arrival.data.get(..length).unwrap_or_default();
            exchange.command.extend_from_slice(text);
            if exchange.command.len() > COMMAND_LIMIT {
                return Err(Malformed("a command without an end"));
            }
            if end.is_some() {
                let bytes = mem::take(&mut exchange.command);
                exchange.file = announces_file(from_peer, &bytes);
                return Ok(Some(LinkEvent::Command {
                    channel,
                    from_peer,
                    bytes,
                }));
            }
        }
        Ok(None)
    }

    /// Joins the data that follow on the same channel to those that are there, so that a file is written in large pieces.
    fn collect(&mut self, route: (u8, bool), mut data: Vec<u8>) -> Vec<u8> {
        while let Some(next) = self.arrived.front() {
            let joins = next.kind == Kind::Data && !next.data.is_empty() && next.route() == route;
            if !joins || data.len() + next.data.len() > EVENT_LIMIT {
                break;
            }
            data.extend_from_slice(&next.data);
            self.position += next.data.len() as u64;
            self.arrived.pop_front();
        }
        data
    }
}
