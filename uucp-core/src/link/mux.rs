//! `t` and `e` between two of ours (and what `i` and `j` carry then): the same letters, the same line that TCP keeps whole, but every frame says what it is and
//! whose. So many requests are under way at once and their confirmations share one round of syncs, where a bare `t` waits for
//! the disk and the line after each file. The frames: [`crate::wire::mux`].
//!
//! Input is parsed one frame at a time, inside [`Link::poll_event`]: after the command that ends the call come bytes that are no
//! frames.

use std::collections::HashMap;
use std::mem;
use std::time::Instant;

use super::reception::EVENT_LIMIT;
use super::tube::{Phase, Tube};
use super::{Channel, Link, LinkError, LinkEvent, LinkTraits, parameters::Parameters};
use crate::wire::Malformed;
use crate::wire::mux::{CHANNELS, DATA_LIMIT, HEADER, Header, Kind};

/// How much input is kept before the conversation has asked for it; more than any frame that is taken whole.
const INPUT_LIMIT: usize = EVENT_LIMIT;

/// How much may wait to be sent before [`Link::send_room`] says no.
const OUTPUT_LIMIT: usize = EVENT_LIMIT;

/// How many commands went which way, modulo 2^32.
#[derive(Debug, Default)]
struct Commands {
    sent: u32,
    received: u32,
    /// Those of `received` that the peer was told of.
    told: u32,
}

/// A link of tagged frames.
pub(super) struct Mux {
    pub(super) tube: Tube,
    /// The frame of data whose bytes are coming in, and how many are still to come.
    file: Option<(Header, usize)>,
    /// Bytes of it that came straight from the line.
    data: Vec<u8>,
    /// Where the next data of an exchange belongs; nothing: at the beginning.
    positions: HashMap<(u8, bool), u64>,
    commands: Commands,
}

impl Mux {
    /// A link of this letter. Parameter: `timeout` (120 s).
    pub(super) fn new(letter: u8, parameters: Parameters<'_>) -> Self {
        Self {
            tube: Tube::new(letter, parameters.seconds("timeout", 120), INPUT_LIMIT),
            file: None,
            data: Vec::new(),
            positions: HashMap::new(),
            commands: Commands::default(),
        }
    }

    /// Takes input as far as there is room for it; how much.
    pub(super) fn take_in(&mut self, input: &[u8]) -> usize {
        let direct = self.take_direct(input);
        let rest = input.get(direct..).unwrap_or_default();
        direct + self.tube.keep(rest)
    }

    fn emit(&mut self, kind: Kind, channel: Channel, from_peer: bool, bytes: &[u8]) {
        let header = Header {
            kind,
            channel: channel.0 % CHANNELS,
            by_sender: !from_peer,
            length: bytes.len(),
        };
        header.emit(&mut self.tube.output);
        self.tube.output.extend_from_slice(bytes);
    }

    /// Moves data from the line to the event that will carry it, without a stop in the input buffer.
    fn take_direct(&mut self, input: &[u8]) -> usize {
        let Some((_, left)) = self
            .file
            .as_mut()
            .filter(|_| self.tube.waiting().is_empty())
        else {
            return 0;
        };
        let room = EVENT_LIMIT.saturating_sub(self.data.len());
        let taken = input.get(..room.min(*left)).unwrap_or(input);
        *left -= taken.len();
        self.data.extend_from_slice(taken);
        taken.len()
    }

    /// The data that has come of the current frame.
    fn poll_data(&mut self) -> Option<LinkEvent> {
        let (header, left) = self.file?;
        let mut bytes = mem::take(&mut self.data);
        if bytes.is_empty() {
            let waiting = self.tube.waiting();
            bytes = waiting.get(..left).unwrap_or(waiting).to_vec();
            self.tube.consume(bytes.len());
            self.file = Some((header, left - bytes.len()));
        }
        if self.file.is_some_and(|(_, left)| left == 0) {
            self.file = None;
        }
        if bytes.is_empty() {
            return None;
        }
        let at = self.positions.entry((header.channel, header.by_sender));
        let next = at.or_insert(0);
        let position = *next;
        *next = next.saturating_add(bytes.len() as u64);
        Some(LinkEvent::Data {
            channel: Channel(header.channel),
            from_peer: header.by_sender,
            position: Some(position),
            bytes,
        })
    }

    /// Takes the next frame from the input, `None` while it is not all there. Of data, only what stands before it.
    fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some((head, rest)) = self.tube.waiting().split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let header = Header::parse(*head)?;
        if header.kind == Kind::Data {
            self.tube.consume(HEADER);
            return Ok(Some(Frame::Data(header)));
        }
        let Some(bytes) = rest.get(..header.length) else {
            return Ok(None);
        };
        let frame = match header.kind {
            Kind::Command => Frame::Command(header, bytes.to_vec()),
            Kind::Offset => Frame::Offset(header, number(bytes)),
            Kind::Received => Frame::Received(number(bytes)),
            Kind::Data | Kind::FileEnd => Frame::FileEnd(header),
        };
        self.tube.consume(HEADER + header.length);
        Ok(Some(frame))
    }

    /// The event of a frame, if it makes one.
    fn handle_frame(&mut self, frame: Frame) -> Option<LinkEvent> {
        match frame {
            Frame::Command(header, bytes) => {
                self.commands.received = self.commands.received.wrapping_add(1);
                Some(LinkEvent::Command {
                    channel: Channel(header.channel),
                    from_peer: header.by_sender,
                    bytes,
                })
            }
            Frame::Data(header) => {
                self.file = Some((header, header.length));
                self.poll_data()
            }
            Frame::Offset(header, position) => {
                let exchange = (header.channel, header.by_sender);
                self.positions.insert(exchange, position);
                None
            }
            Frame::FileEnd(header) => {
                self.positions.remove(&(header.channel, header.by_sender));
                Some(LinkEvent::FileEnd {
                    channel: Channel(header.channel),
                    from_peer: header.by_sender,
                })
            }
            Frame::Received(count) => {
                let all = u64::from(self.commands.sent);
                (count == all).then_some(LinkEvent::Acknowledged)
            }
        }
    }
}

/// A frame as it comes in.
enum Frame {
    Command(Header, Vec<u8>),
    Data(Header),
    Offset(Header, u64),
    FileEnd(Header),
    Received(u64),
}

fn number(bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
    bytes.iter().fold(0, add)
}

impl Link for Mux {
    fn letter(&self) -> u8 {
        self.tube.letter()
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::MUX
    }

    fn start(&mut self, now: Instant) {
        self.tube.start(now);
    }

    fn close(&mut self, _now: Instant) {
        self.tube.close();
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        if !self.tube.hears(now, input)? {
            return Ok(0);
        }
        Ok(self.take_in(input))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.tube.handle_timeout(now, "a frame")
    }

    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]) {
        if self.commands.told != self.commands.received {
            self.commands.told = self.commands.received;
            let count = self.commands.received.to_be_bytes();
            self.emit(Kind::Received, Channel(0), false, &count);
        }
        self.commands.sent = self.commands.sent.wrapping_add(1);
        self.emit(Kind::Command, channel, from_peer, command);
        self.tube.sent(now);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, _size: Option<u64>) {
        if offset > 0 {
            self.emit(Kind::Offset, channel, from_peer, &offset.to_be_bytes());
        }
    }

    fn expect_file(&mut self, _: Channel, _from_peer: bool, _offset: u64) {}

    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        for piece in taken.chunks(DATA_LIMIT) {
            self.emit(Kind::Data, channel, from_peer, piece);
        }
        if !taken.is_empty() {
            self.tube.sent(now);
        }
        taken.len()
    }

    fn send_room(&self) -> usize {
        self.tube.room(OUTPUT_LIMIT)
    }

    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool) {
        self.emit(Kind::FileEnd, channel, from_peer, &[]);
        self.tube.sent(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.tube.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        match self.tube.poll_phase("multiplexed") {
            Phase::Say(event) => return Some(event),
            Phase::Silent => return None,
            Phase::Running => {}
        }
        if let Some(event) = self.poll_data() {
            return Some(event);
        }
        while self.file.is_none() {
            match self.next_frame() {
                Ok(None) => return None,
                Ok(Some(frame)) => {
                    if let Some(event) = self.handle_frame(frame) {
                        return Some(event);
                    }
                }
                Err(malformed) => {
                    self.tube.fail_remote(malformed);
                    return None;
                }
            }
        }
        None
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
