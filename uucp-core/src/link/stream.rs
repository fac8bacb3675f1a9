//! What `t` and `e` have in common: a reliable stream whose frames do not say what they are.
//!
//! Since only the conversation knows whether a command or a file comes next, input is parsed one item at a time, inside
//! [`Link::poll_event`]: between two events the conversation may call [`Link::expect_file`].

use std::mem;
use std::time::{Duration, Instant};

use super::reception::{EVENT_LIMIT, Reception};
use super::tube::{Phase, Tube};
use super::{Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::Malformed;

/// How much input is kept before the conversation has asked for it.
const INPUT_LIMIT: usize = EVENT_LIMIT;

/// How much may wait to be sent before [`Link::send_room`] says no: enough for one large write.
const OUTPUT_LIMIT: usize = 16 * crate::wire::t::DATA_BLOCK;

/// How the bytes of one protocol look.
pub(super) trait Framing: Send {
    /// The protocol's letter.
    const LETTER: u8;
    /// Appends a command.
    fn emit_command(&self, text: &[u8], out: &mut Vec<u8>);
    /// Appends what goes before a file's data, of which `size` bytes come, if that is known.
    fn emit_file_start(&mut self, size: Option<u64>, out: &mut Vec<u8>)
    -> Result<(), &'static str>;
    /// Appends file data.
    fn emit_data(&mut self, data: &[u8], out: &mut Vec<u8>);
    /// Appends the end of a file.
    fn emit_file_end(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str>;
    /// The command at the head of the input and the bytes it takes.
    fn parse_command<'a>(&self, input: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Malformed>;
    /// A file begins.
    fn expect_file(&mut self);
    /// Moves a file's data from the input to `data`, which takes `room` more bytes; how much input was used, and whether
    /// the file has ended.
    fn parse_file(
        &mut self,
        input: &[u8],
        room: usize,
        data: &mut Vec<u8>,
    ) -> Result<(usize, bool), Malformed>;
}

/// One of the stream protocols.
pub(super) struct Stream<F> {
    framing: F,
    tube: Tube,
    reception: Reception,
    /// Something was sent to which nothing has come back yet.
    unanswered: bool,
    acknowledged: bool,
}

impl<F: Framing> Stream<F> {
    pub(super) fn new(framing: F, timeout: Duration) -> Self {
        Self {
            framing,
            tube: Tube::new(F::LETTER, timeout, INPUT_LIMIT),
            reception: Reception::default(),
            unanswered: false,
            acknowledged: false,
        }
    }

    /// Whether data may go from the line to the file without a stop in the input buffer.
    fn is_direct(&self) -> bool {
        self.tube.waiting().is_empty() && self.reception.is_open()
    }

    /// Parses a piece of the incoming file that came straight from the line.
    fn take_direct(&mut self, input: &[u8]) -> usize {
        let taken = take_file(&mut self.framing, &mut self.reception, input);
        self.used(taken)
    }

    fn take_waiting_file(&mut self) {
        let waiting = self.tube.waiting();
        if self.reception.is_open() && !waiting.is_empty() {
            let taken = take_file(&mut self.framing, &mut self.reception, waiting);
            let used = self.used(taken);
            self.tube.consume(used);
        }
    }

    fn used(&mut self, taken: Result<usize, Malformed>) -> usize {
        taken.unwrap_or_else(|malformed| {
            self.tube.fail_remote(malformed);
            0
        })
    }

    fn poll_command(&mut self) -> Option<LinkEvent> {
        let (bytes, used) = match self.framing.parse_command(self.tube.waiting()) {
            Ok(None) => return None,
            Ok(Some((text, used))) => (text.to_vec(), used),
            Err(malformed) => {
                self.tube.fail_remote(malformed);
                return None;
            }
        };
        self.tube.consume(used);
        Some(LinkEvent::Command {
            channel: Channel(0),
            from_peer: true,
            bytes,
        })
    }

    fn sent(&mut self, now: Instant) {
        self.unanswered = true;
        self.tube.sent(now);
    }
}

/// Moves a piece of the incoming file from `input` to the reception.
fn take_file<F: Framing>(
    framing: &mut F,
    reception: &mut Reception,
    input: &[u8],
) -> Result<usize, Malformed> {
    let room = reception.room();
    let (used, ended) = framing.parse_file(input, room, reception.data())?;
    if ended {
        reception.end();
    }
    Ok(used)
}

impl<F: Framing> Link for Stream<F> {
    fn letter(&self) -> u8 {
        F::LETTER
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::STREAM
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
        self.acknowledged |= mem::take(&mut self.unanswered);
        let direct = if self.is_direct() {
            self.take_direct(input)
        } else {
            0
        };
        self.tube.check()?;
        let rest = input.get(direct..).unwrap_or_default();
        Ok(direct + self.tube.keep(rest))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        let what = if self.reception.is_pending() {
            "file data"
        } else {
            "a command"
        };
        self.tube.handle_timeout(now, what)
    }

    fn send_command(&mut self, now: Instant, _: Channel, _: bool, command: &[u8]) {
        self.framing.emit_command(command, &mut self.tube.output);
        self.sent(now);
    }

    fn begin_file(&mut self, _: Channel, _: bool, offset: u64, size: Option<u64>) {
        let size = size.map(|size| size.saturating_sub(offset));
        if let Err(reason) = self.framing.emit_file_start(size, &mut self.tube.output) {
            self.tube.fail_local(reason);
        }
    }

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.framing.expect_file();
        self.reception.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        if !taken.is_empty() {
            self.framing.emit_data(taken, &mut self.tube.output);
            self.sent(now);
        }
        taken.len()
    }

    fn send_room(&self) -> usize {
        self.tube.room(OUTPUT_LIMIT)
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        if let Err(reason) = self.framing.emit_file_end(&mut self.tube.output) {
            self.tube.fail_local(reason);
        }
        self.sent(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.tube.poll_transmit(now, out)
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        match self.tube.poll_phase("") {
            Phase::Say(event) => return Some(event),
            Phase::Silent => return None,
            Phase::Running => {}
        }
        if mem::take(&mut self.acknowledged) {
            return Some(LinkEvent::Acknowledged);
        }
        self.take_waiting_file();
        if self.reception.is_pending() {
            self.reception.poll()
        } else {
            self.poll_command()
        }
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
