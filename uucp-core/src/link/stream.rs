//! What `t` and `e` have in common: a reliable stream whose frames do not say what they are.
//!
//! Since only the conversation knows whether a command or a file comes next, input is parsed one item at a time, inside
//! [`Link::poll_event`]: between two events the conversation may call [`Link::expect_file`].

use std::mem;
use std::time::{Duration, Instant};

use super::reception::{EVENT_LIMIT, Reception};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Starting,
    Running,
    Closing,
    Closed,
}

/// One of the stream protocols.
pub(super) struct Stream<F> {
    framing: F,
    timeout: Duration,
    state: State,
    /// Input not parsed yet: everything from `parsed` on.
    input: Vec<u8>,
    parsed: usize,
    reception: Reception,
    output: Vec<u8>,
    deadline: Option<Instant>,
    /// Something was sent to which nothing has come back yet.
    unanswered: bool,
    acknowledged: bool,
    failure: Option<LinkError>,
}

impl<F: Framing> Stream<F> {
    pub(super) fn new(framing: F, timeout: Duration) -> Self {
        Self {
            framing,
            timeout,
            state: State::New,
            input: Vec::new(),
            parsed: 0,
            reception: Reception::default(),
            output: Vec::new(),
            deadline: None,
            unanswered: false,
            acknowledged: false,
            failure: None,
        }
    }

    fn letter_char() -> char {
        char::from(F::LETTER)
    }

    fn fail_remote(&mut self, malformed: Malformed) {
        self.failure = Some(LinkError::Remote {
            letter: Self::letter_char(),
            reason: malformed.0.to_owned(),
        });
    }

    fn fail_local(&mut self, reason: &'static str) {
        self.failure = Some(LinkError::Local {
            letter: Self::letter_char(),
            reason,
        });
    }

    fn waiting(&self) -> &[u8] {
        self.input.get(self.parsed..).unwrap_or_default()
    }

    fn consume(&mut self, used: usize) {
        self.parsed += used;
        if self.parsed >= self.input.len() {
            self.input.clear();
            self.parsed = 0;
        } else if self.parsed > INPUT_LIMIT / 2 {
            self.input.drain(..self.parsed);
            self.parsed = 0;
        }
    }

    /// Whether data may go from the line to the file without a stop in the input buffer.
    fn is_direct(&self) -> bool {
        self.input.is_empty() && self.reception.is_open()
    }

    /// Parses a piece of the incoming file out of `input`.
    fn take_file(&mut self, input: &[u8]) -> usize {
        let room = self.reception.room();
        let parsed = self.framing.parse_file(input, room, self.reception.data());
        match parsed {
            Ok((used, ended)) => {
                if ended {
                    self.reception.end();
                }
                used
            }
            Err(malformed) => {
                self.fail_remote(malformed);
                0
            }
        }
    }

    fn take_waiting_file(&mut self) {
        if self.reception.is_open() && !self.waiting().is_empty() {
            let input = mem::take(&mut self.input);
            let used = self.take_file(input.get(self.parsed..).unwrap_or_default());
            self.input = input;
            self.consume(used);
        }
    }

    fn poll_command(&mut self) -> Option<LinkEvent> {
        let (bytes, used) = match self.framing.parse_command(self.waiting()) {
            Ok(None) => return None,
            Ok(Some((text, used))) => (text.to_vec(), used),
            Err(malformed) => {
                self.fail_remote(malformed);
                return None;
            }
        };
        self.consume(used);
        Some(LinkEvent::Command {
            channel: Channel(0),
            from_peer: true,
            bytes,
        })
    }

    fn sent(&mut self, now: Instant) {
        self.unanswered = true;
        self.deadline = Some(now + self.timeout);
    }
}

impl<F: Framing> Link for Stream<F> {
    fn letter(&self) -> u8 {
        F::LETTER
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::STREAM
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.deadline = Some(now + self.timeout);
    }

    fn close(&mut self, _now: Instant) {
        self.state = State::Closing;
        self.deadline = None;
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if matches!(self.state, State::Closing | State::Closed) || input.is_empty() {
            return Ok(0);
        }
        self.deadline = Some(now + self.timeout);
        self.acknowledged |= mem::take(&mut self.unanswered);
        let direct = if self.is_direct() {
            self.take_file(input)
        } else {
            0
        };
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let rest = input.get(direct..).unwrap_or_default();
        let room = INPUT_LIMIT.saturating_sub(self.waiting().len());
        let kept = rest.get(..room).unwrap_or(rest);
        self.input.extend_from_slice(kept);
        Ok(direct + kept.len())
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let what = if self.reception.is_pending() {
                "file data"
            } else {
                "a command"
            };
            return Err(LinkError::TimedOut {
                letter: Self::letter_char(),
                what,
            });
        }
        Ok(())
    }

    fn send_command(&mut self, now: Instant, _: Channel, _: bool, command: &[u8]) {
        self.framing.emit_command(command, &mut self.output);
        self.sent(now);
    }

    fn begin_file(&mut self, _: Channel, _: bool, offset: u64, size: Option<u64>) {
        let size = size.map(|size| size.saturating_sub(offset));
        if let Err(reason) = self.framing.emit_file_start(size, &mut self.output) {
            self.fail_local(reason);
        }
    }

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.framing.expect_file();
        self.reception.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        if !taken.is_empty() {
            self.framing.emit_data(taken, &mut self.output);
            self.sent(now);
        }
        taken.len()
    }

    fn send_room(&self) -> usize {
        OUTPUT_LIMIT.saturating_sub(self.output.len())
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        if let Err(reason) = self.framing.emit_file_end(&mut self.output) {
            self.fail_local(reason);
        }
        self.sent(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        if self.output.is_empty() {
            return false;
        }
        if out.is_empty() {
            mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        self.deadline = self.deadline.map(|_| now + self.timeout);
        true
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        if self.failure.is_some() {
            return None;
        }
        match self.state {
            State::New | State::Closed => return None,
            State::Starting => {
                self.state = State::Running;
                return Some(LinkEvent::Started {
                    description: String::new(),
                });
            }
            State::Closing => {
                self.state = State::Closed;
                return Some(LinkEvent::Closed);
            }
            State::Running => {}
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
        // A failure that was found while an event was looked for is told by the next handle_timeout, which is due at once.
        match (&self.failure, self.deadline) {
            (Some(_), Some(deadline)) => deadline.checked_sub(self.timeout).or(Some(deadline)),
            (_, deadline) => deadline,
        }
    }

    fn statistics(&self) -> Option<String> {
        None
    }

    fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.waiting().to_vec();
        self.input.clear();
        self.parsed = 0;
        rest
    }
}
