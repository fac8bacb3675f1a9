//! Protocol `g` (Taylor UUCP manual, *g Protocol*): packets of one size class each way, a window of up to seven, check
//! sums of 16 bits. For lines that lose and damage bytes, and for peers that know nothing else.
//!
//! What the manual leaves open, and what is done here:
//! - The answerer does not speak before it has heard INITA.
//! - Acknowledgements are cumulative, sent with the next output and never delayed; a data packet carries them where one
//!   goes out anyway.
//! - Fewer than 16,384 bytes are ever under way, in either direction: Taylor's receiver, given more, hands bytes to the
//!   file that are not those whose sum it checked.
//! - After a reject one packet is sent again, then two for each that is acknowledged, as Taylor does it: a whole window
//!   would come on top of what is under way still.

mod receiver;
mod sender;
mod start;

use std::time::{Duration, Instant};

use self::receiver::{Input, Receiver, Verdict};
use self::sender::{Acknowledgement, Sender};
use self::start::{Start, Step};
use super::parameters::Parameters;
use super::{CallRole, Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::command::Features;
use crate::wire::g::{Control, DataHeader, HEADER, Sequence};

/// Bytes under way must stay below this: the ring in which Taylor receives.
const RING: usize = 16_384;

/// A repeated acknowledgement is sent for a packet that was there already, but not sooner than this after the last one:
/// some peers, Taylor among them, take a second one for a reject.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// The parameters, with the names and defaults of the configuration; but for `packet-size`, which there is 64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    letter: u8,
    window: u8,
    packet_size: usize,
    startup_retries: u32,
    init_timeout: Duration,
    init_retries: u32,
    timeout: Duration,
    retries: u32,
    garbage: usize,
    errors: u32,
    error_decay: u32,
    remote_window: u8,
    remote_packet_size: usize,
    short_packets: bool,
}

impl Settings {
    fn new(letter: u8, parameters: Parameters<'_>) -> Self {
        let number = |name, default, most| parameters.number(name, default, 0, most);
        let window = |name, default, least| {
            u8::try_from(parameters.number(name, default, least, 7)).unwrap_or(7)
        };
        let size = |name, default, least| parameters.number(name, default, least, 4096) as usize;
        Self {
            letter,
            window: window("window", 7, 1),
            // Each side announces what it wants to receive; we can take more at a time than was usual once, and a peer
            // that cannot send so much sends less.
            packet_size: size("packet-size", 2048, 32),
            startup_retries: number("startup-retries", 8, 1000),
            init_timeout: parameters.seconds("init-timeout", 10),
            init_retries: number("init-retries", 4, 1000),
            timeout: parameters.seconds("timeout", 10),
            retries: number("retries", 6, 1000),
            garbage: number("garbage", 10_000, 100_000_000) as usize,
            errors: number("errors", 100, 1_000_000),
            error_decay: number("error-decay", 10, 1_000_000),
            remote_window: window("remote-window", 0, 0),
            remote_packet_size: size("remote-packet-size", 0, 0),
            short_packets: parameters.flag("short-packets", true),
        }
    }
}

/// The largest window with packets of `size` that keeps fewer than [`RING`] bytes under way.
fn safe_window(window: u8, size: usize) -> u8 {
    let fitting = (RING - 1) / (size + HEADER);
    window.min(u8::try_from(fitting).unwrap_or(7)).max(1)
}

/// A `g` link.
pub(super) fn new(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    let settings = Settings::new(b'g', parameters);
    let sealed = features.contains(Features::SEALED);
    G {
        settings,
        sealed,
        state: State::New,
        start: Start::new(role, sealed, &settings),
        sender: Sender::default(),
        receiver: Receiver::default(),
        control: Vec::new(),
        deadline: None,
        retries: 0,
        errors: 0,
        good_packets: 0,
        seen_rj: false,
        acknowledged: false,
        failure: None,
        rejects_sent: 0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Starting,
    /// Started, but the event is still to be told.
    Started,
    Running,
    /// The peer has closed; we are to close too, at once.
    ClosedByPeer,
    /// Our CLOSE goes out once every packet has gone out.
    Closing {
        close_sent: bool,
    },
    /// Both have closed, but the event is still to be told.
    Ending,
    Closed,
}

struct G {
    settings: Settings,
    /// Every packet ends in a CRC.
    sealed: bool,
    state: State,
    start: Start,
    sender: Sender,
    receiver: Receiver,
    /// Control packets to be sent before any data.
    control: Vec<u8>,
    deadline: Option<Instant>,
    /// Timeouts in a row.
    retries: u32,
    errors: u32,
    good_packets: u32,
    /// Peers that never send RJ say the same by repeating RR.
    seen_rj: bool,
    acknowledged: bool,
    failure: Option<LinkError>,
    rejects_sent: u64,
}

impl G {
    fn remote(&self, reason: impl Into<String>) -> LinkError {
        LinkError::Remote {
            letter: char::from(self.settings.letter),
            reason: reason.into(),
        }
    }

    fn is_moving(&self) -> bool {
        matches!(
            self.state,
            State::Started | State::Running | State::Closing { .. }
        )
    }

    /// Something came of it: the time and the retries begin anew.
    fn progress(&mut self, now: Instant) {
        self.retries = 0;
        self.deadline = Some(now + self.settings.timeout);
    }

    fn handle_control(&mut self, now: Instant, control: Control) {
        tracing::trace!(target: "uucp::proto", ?control, "received");
        match control {
            Control::InitA(_) | Control::InitB(_) | Control::InitC(_) => {
                self.handle_init(now, control);
            }
            Control::Close => self.handle_close(now),
            _ if !self.is_moving() => {}
            Control::Rr(number) => {
                let repeated = self.acknowledge(now, number) == Acknowledgement::Repeated;
                if repeated && !self.seen_rj {
                    self.sender.reject_once();
                }
            }
            Control::Rj(number) => {
                self.seen_rj = true;
                self.acknowledge(now, number);
                if self.sender.is_idle() {
                    // The peer waits for something that we have not got: at least it learns that we are here.
                    self.receiver.owe_acknowledgement();
                } else {
                    self.sender.reject();
                }
            }
            Control::Srj(number) => self.sender.resend(number),
        }
    }

    fn handle_init(&mut self, now: Instant, control: Control) {
        let begun = self.receiver.has_received() || self.sender.has_sent();
        if matches!(self.state, State::Running | State::Started) && begun {
            return;
        }
        if !matches!(
            self.state,
            State::Starting | State::Started | State::Running
        ) {
            return;
        }
        let advanced = self.start.handle(control, &mut self.control);
        if advanced && self.state == State::Starting {
            self.deadline = Some(now + self.settings.init_timeout);
        }
        self.sender.set_limits(
            self.start.send_size(),
            self.start.send_window(),
            self.settings.short_packets,
        );
        if self.start.step() == Step::Done && self.state == State::Starting {
            self.state = State::Started;
            self.progress(now);
        }
    }

    fn handle_close(&mut self, now: Instant) {
        match self.state {
            State::Closing { .. } => self.state = State::Ending,
            State::Started | State::Running => {
                // The end of the call may be among the commands that nobody has asked for yet. If the conversation does
                // not close soon, this was the peer's mistake.
                self.state = State::ClosedByPeer;
                self.deadline = Some(now + Duration::from_secs(1));
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, now: Instant, number: Sequence) -> Acknowledgement {
        let result = self.sender.acknowledge(number);
        if result == Acknowledgement::New {
            self.progress(now);
            self.acknowledged |= self.sender.is_idle();
        }
        result
    }

    fn handle_data(
        &mut self,
        now: Instant,
        header: DataHeader,
        data: Option<&[u8]>,
    ) -> Result<(), LinkError> {
        tracing::trace!(target: "uucp::proto", ?header, damaged = data.is_none(), "received");
        if !self.is_moving() {
            return Ok(());
        }
        let used = data.and_then(|data| header.used(data));
        match self.receiver.handle(header, used) {
            Verdict::Good => {
                self.good_packets += 1;
                if self.settings.error_decay > 0
                    && self.good_packets.is_multiple_of(self.settings.error_decay)
                {
                    self.errors = self.errors.saturating_sub(1);
                }
                self.progress(now);
            }
            Verdict::Reject => self.send_reject(),
            Verdict::Repeated => {
                if self.receiver.is_quiet_since(now, REPEAT_AFTER) {
                    self.receiver.owe_acknowledgement();
                }
            }
            Verdict::Ignored => {}
        }
        if data.is_some() {
            self.acknowledge(now, header.acknowledged);
            return Ok(());
        }
        self.count_error()
    }

    fn count_error(&mut self) -> Result<(), LinkError> {
        self.errors += 1;
        if self.errors > self.settings.errors {
            return Err(self.remote("too many errors"));
        }
        Ok(())
    }

    fn send_reject(&mut self) {
        tracing::debug!(target: "uucp::proto", last = ?self.receiver.last(), "rejecting");
        self.rejects_sent += 1;
        Control::Rj(self.receiver.last()).emit(self.sealed, &mut self.control);
        self.receiver.told();
    }

    /// Parses what is in the buffer until more is needed or the protocol has ended.
    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let mut rest = input;
        while !matches!(
            self.state,
            State::ClosedByPeer | State::Ending | State::Closed
        ) {
            let closing = matches!(self.state, State::Closing { .. });
            let (used, found) = receiver::scan(rest, closing, self.sealed);
            rest = rest.get(used..).unwrap_or_default();
            match found {
                Input::Incomplete => {
                    self.receiver.garbage += used;
                    if self.receiver.garbage > self.settings.garbage && !closing {
                        return Err(self.remote("too much unrecognizable data"));
                    }
                    break;
                }
                Input::Over => self.state = State::Ending,
                Input::Control(control) => {
                    self.receiver.garbage = 0;
                    self.handle_control(now, control);
                }
                Input::Data(header, data) => {
                    self.receiver.garbage = 0;
                    self.handle_data(now, header, data)?;
                }
            }
        }
        Ok(input.len() - rest.len())
    }

    fn handle_start_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        if !self.start.handle_timeout(&mut self.control) {
            return Err(LinkError::TimedOut {
                letter: char::from(self.settings.letter),
                what: "the start of the protocol",
            });
        }
        self.deadline = Some(now + self.settings.init_timeout);
        Ok(())
    }

    fn handle_running_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.retries += 1;
        if self.retries > self.settings.retries {
            return Err(LinkError::TimedOut {
                letter: char::from(self.settings.letter),
                what: if self.sender.is_idle() {
                    "a packet"
                } else {
                    "an acknowledgement"
                },
            });
        }
        self.deadline = Some(now + self.settings.timeout);
        // The rest of a packet that was announced may never come; what did come may hold another one.
        self.receiver.skip_byte();
        let input = self.receiver.take_input();
        let used = self.parse(now, &input)?;
        self.receiver.keep_input(input, used);
        if self.sender.is_idle() {
            self.send_reject();
        } else {
            self.sender.resend_oldest();
        }
        Ok(())
    }
}

impl Link for G {
    fn letter(&self) -> u8 {
        self.settings.letter
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::G
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.start.begin(&mut self.control);
        self.deadline = Some(now + self.settings.init_timeout);
    }

    fn close(&mut self, now: Instant) {
        self.state = match self.state {
            State::ClosedByPeer => {
                // It wants to hear the same of us before it goes on.
                Control::Close.emit(self.sealed, &mut self.control);
                Control::Close.emit(self.sealed, &mut self.control);
                State::Ending
            }
            State::New | State::Ending | State::Closed => State::Ending,
            _ => State::Closing { close_sent: false },
        };
        self.deadline = Some(now + self.settings.timeout);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if matches!(self.state, State::New | State::Ending | State::Closed) {
            return Ok(0);
        }
        if self.receiver.has_input() {
            let room = self.receiver.input_room();
            let kept = input.get(..room).unwrap_or(input);
            let mut buffer = self.receiver.take_input();
            buffer.extend_from_slice(kept);
            let used = self.parse(now, &buffer)?;
            self.receiver.keep_input(buffer, used);
            return Ok(kept.len());
        }
        let used = self.parse(now, input)?;
        let rest = input.get(used..).unwrap_or_default();
        let kept = rest.get(..self.receiver.input_room()).unwrap_or(rest);
        self.receiver.keep_input(kept.to_vec(), 0);
        Ok(used + kept.len())
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        match self.state {
            State::Starting => self.handle_start_timeout(now),
            State::Started | State::Running => self.handle_running_timeout(now),
            State::ClosedByPeer => Err(self.remote("closed by the other system")),
            State::Closing { .. } => {
                self.state = State::Ending;
                Ok(())
            }
            State::New | State::Ending | State::Closed => {
                self.deadline = None;
                Ok(())
            }
        }
    }

    fn send_command(&mut self, now: Instant, _: Channel, _: bool, command: &[u8]) {
        self.sender.command(command);
        self.deadline = Some(now + self.settings.timeout);
    }

    fn begin_file(&mut self, _: Channel, _: bool, _offset: u64, _size: Option<u64>) {}

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.receiver.reception.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = self.sender.data(data);
        if taken > 0 {
            self.deadline = Some(now + self.settings.timeout);
        }
        taken
    }

    fn send_room(&self) -> usize {
        self.sender.room()
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        self.sender.end_file();
        self.deadline = Some(now + self.settings.timeout);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.append(&mut self.control);
        if self.is_moving() || self.state == State::ClosedByPeer {
            if self.sender.emit(self.receiver.last(), self.sealed, out) {
                self.receiver.told();
            }
            if self.receiver.owes_acknowledgement() {
                Control::Rr(self.receiver.last()).emit(self.sealed, out);
                self.receiver.told();
                self.receiver.told_at(now);
            }
        }
        if self.state == (State::Closing { close_sent: false }) && self.sender.all_sent() {
            Control::Close.emit(self.sealed, out);
            Control::Close.emit(self.sealed, out);
            self.state = State::Closing { close_sent: true };
        }
        out.len() > before
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        if self.failure.is_some() {
            return None;
        }
        match self.state {
            State::Started => {
                self.state = State::Running;
                return Some(LinkEvent::Started {
                    description: self.start.describe(),
                });
            }
            State::New | State::Starting | State::Closed => return None,
            _ => {}
        }
        if std::mem::take(&mut self.acknowledged) {
            return Some(LinkEvent::Acknowledged);
        }
        match self.receiver.poll() {
            Ok(Some(event)) => return Some(event),
            Ok(None) => {}
            Err(malformed) => {
                self.failure = Some(self.remote(malformed.0));
                return None;
            }
        }
        if self.state == State::Ending {
            self.state = State::Closed;
            self.deadline = None;
            return Some(LinkEvent::Closed);
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // A failure that was found while an event was looked for is told by the next handle_timeout, which is due at once.
        match (&self.failure, self.deadline) {
            (Some(_), Some(deadline)) => deadline
                .checked_sub(self.settings.timeout)
                .or(Some(deadline)),
            (_, deadline) => deadline,
        }
    }

    fn statistics(&self) -> Option<String> {
        let (sent, resent) = self.sender.counts();
        Some(format!(
            "packets: sent {sent}, resent {resent}, received {}",
            self.good_packets
        ))
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.receiver.take_input()
    }
}
