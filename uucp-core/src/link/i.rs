//! Protocol `i` (Taylor UUCP manual, *i Protocol*): packets with a CRC, a window of up to sixteen, seven channels, both
//! directions at once. The one for lines that are not TCP.
//!
//! What the manual leaves open, and what is done here:
//! - File data do not wait for the answer to their request, not even for a refusal. So it is the commands themselves that
//!   tell where a file begins ([`Link::expect_file`] need not), and a file that was refused is to be read to its end.
//! - A SYNC that comes again, before anything else came from that side, means that ours was lost; it is sent again, and all
//!   that followed it.
//! - Acknowledgements go out with every packet, else when half the window is unacknowledged (`ack-frequency`).

mod link;
mod receiver;
mod sender;
mod settings;

use std::time::{Duration, Instant};

use self::receiver::{Input, Receiver, Verdict};
use self::sender::Sender;
use self::settings::Settings;
use super::alarm::Alarm;
use super::parameters::Parameters;
use super::scan::{Scanner, Unparsed};
use super::{CallRole, Link, LinkError};
use crate::wire::command::Features;
use crate::wire::i::{Form, Header, Kind, Sequence, Sync, WINDOW};

/// Room for input that is not parsed yet.
const INPUT_LIMIT: usize = 128 * 1024;

/// Packets do not become smaller than this, however bad the line.
const SMALLEST_SIZE: u16 = 400;

/// A SYNC is not answered by another sooner than this after the last one, lest two sides answer each other for ever.
pub(super) const SYNC_AFTER: Duration = Duration::from_secs(5);

/// The channel of a stream that fills the link, of either side.
const STREAM: u8 = 1;

/// How many channels we can have open.
const CHANNELS: u8 = 7;

/// An `i` link.
pub(super) fn new(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    I::new(b'i', role, features, parameters)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Our SYNC is out, the peer's has not come.
    Starting,
    /// Started, but the event is still to be told.
    Started,
    Running,
    /// The peer has closed; we are to close too, at once.
    ClosedByPeer,
    Closing,
    /// Both have closed, but the event is still to be told.
    Ending,
    Closed,
}

/// A link of `i`, or what is inside one of `j`.
pub(super) struct I {
    settings: Settings,
    caller: bool,
    form: Form,
    state: State,
    /// What we want to receive; becomes smaller on a bad line.
    size: u16,
    remote: Option<(u16, u8)>,
    synced_at: Option<Instant>,
    /// Something other than SYNC has come: the peer has ours.
    heard: bool,
    sender: Sender,
    receiver: Receiver,
    /// Packets out of the row, to be sent before any data.
    control: Vec<u8>,
    unparsed: Unparsed,
    alarm: Alarm,
    /// Timeouts in a row.
    retries: u32,
    errors: u64,
    /// What came last was no packet.
    in_garbage: bool,
    acknowledged: bool,
}

impl I {
    pub(super) fn new(
        letter: u8,
        role: CallRole,
        features: Features,
        parameters: Parameters<'_>,
    ) -> Self {
        let settings = Settings::new(letter, role, parameters);
        let caller = role == CallRole::Caller;
        let form = Form {
            complement: features.contains(Features::COMPLEMENT),
            sealed: features.contains(Features::SEALED),
        };
        Self {
            settings,
            caller,
            form,
            state: State::New,
            size: settings.packet_size,
            remote: None,
            synced_at: None,
            heard: false,
            sender: Sender::new(caller, form),
            receiver: Receiver::new(settings.window),
            control: Vec::new(),
            unparsed: Unparsed::new(INPUT_LIMIT),
            alarm: Alarm::default(),
            retries: 0,
            errors: 0,
            in_garbage: false,
            acknowledged: false,
        }
    }

    /// The same, but that its packets carry one stream: no commands, no files.
    pub(super) fn streaming(mut self) -> Self {
        self.receiver.expect_stream(STREAM);
        self
    }

    fn letter(&self) -> char {
        char::from(self.settings.letter)
    }

    fn remote_error(&self, reason: impl Into<String>) -> LinkError {
        LinkError::Remote {
            letter: self.letter(),
            reason: reason.into(),
        }
    }

    fn is_moving(&self) -> bool {
        matches!(self.state, State::Started | State::Running | State::Closing)
    }

    fn progress(&mut self, now: Instant) {
        self.retries = 0;
        self.alarm.set(now, self.settings.timeout);
    }

    /// A packet that has no place in the row.
    fn send_control(&mut self, kind: Kind, sequence: Sequence, data: &[u8]) {
        let header = Header {
            kind,
            sequence,
            acknowledged: self.receiver.last(),
            local: 0,
            remote: 0,
            caller: self.caller,
            length: data.len(),
        };
        self.form.emit(header, data, &mut self.control);
    }

    fn send_sync(&mut self, now: Instant) {
        let sync = Sync {
            packet_size: self.size,
            window: self.settings.window,
            channels: Some(CHANNELS),
        };
        self.synced_at = Some(now);
        self.send_control(Kind::Sync, Sequence::new(0), &sync.to_bytes());
    }

    fn send_nak(&mut self, sequence: Sequence) {
        tracing::debug!(target: "uucp::proto", ?sequence, "asking for it again");
        self.send_control(Kind::Nak, sequence, &[]);
    }

    fn handle_sync(&mut self, now: Instant, data: &[u8]) -> Result<(), LinkError> {
        let Some(sync) = Sync::parse(data) else {
            return Ok(());
        };
        if sync.packet_size == 0 || sync.window == 0 {
            return Err(self.remote_error("a packet size or window of 0"));
        }
        let size = match self.settings.remote_packet_size {
            0 => sync.packet_size,
            forced => forced,
        };
        let size = size.min(self.settings.most_sent);
        let window = sync.window.min(WINDOW);
        self.remote = Some((size, window));
        self.sender.set_limits(size.into(), window);
        match self.state {
            State::Starting => {
                self.state = State::Started;
                self.progress(now);
            }
            State::Started | State::Running if !self.heard => {
                let long_ago = self
                    .synced_at
                    .is_none_or(|at| now.saturating_duration_since(at) >= SYNC_AFTER);
                if long_ago {
                    self.send_sync(now);
                    self.sender.resend_all();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        header: Header,
        data: Option<&[u8]>,
    ) -> Result<(), LinkError> {
        tracing::trace!(target: "uucp::proto", ?header, damaged = data.is_none(), "received");
        let Some(data) = data else {
            return self.handle_damaged(now, header);
        };
        if header.kind == Kind::Sync {
            return self.handle_sync(now, data);
        }
        if !self.is_moving() {
            return Ok(());
        }
        match self.sender.acknowledge(header.acknowledged) {
            // The check of a header is weak; this one cannot be right.
            None => return self.count_error(now),
            Some(true) => {
                self.progress(now);
                self.acknowledged |= self.sender.is_idle();
            }
            Some(false) => {}
        }
        self.heard = true;
        match header.kind {
            Kind::Ack | Kind::Sync => {}
            Kind::Nak => {
                if !self.sender.resend(header.sequence) {
                    // Nothing of that number is under way: it is our acknowledgement that was lost.
                    self.receiver.owe_acknowledgement();
                }
            }
            Kind::Data | Kind::Spos | Kind::Close => self.handle_row(now, header, data),
        }
        Ok(())
    }

    fn handle_row(&mut self, now: Instant, header: Header, data: &[u8]) {
        match self.receiver.handle(header, data) {
            Verdict::InTurn => self.progress(now),
            Verdict::Early => {}
            Verdict::Repeated => return,
        }
        if self.state == State::Closing && header.kind == Kind::Close {
            self.state = State::Ending;
            return;
        }
        if self.receiver.closed {
            // The end of the call may be among the commands that nobody has asked for yet. If the conversation does not
            // close soon, this was the peer's mistake.
            self.state = if self.state == State::Closing {
                State::Ending
            } else {
                self.alarm.set(now, Duration::from_secs(1));
                State::ClosedByPeer
            };
            return;
        }
        for sequence in self.receiver.missing() {
            self.send_nak(sequence);
        }
    }

    fn handle_damaged(&mut self, now: Instant, header: Header) -> Result<(), LinkError> {
        if matches!(header.kind, Kind::Data | Kind::Spos)
            && self.is_moving()
            && self.receiver.wants_again(header.sequence)
        {
            self.send_nak(header.sequence);
        }
        self.count_error(now)
    }

    /// Too many errors make the packets that we ask for smaller, and end the call when they cannot be.
    fn count_error(&mut self, now: Instant) -> Result<(), LinkError> {
        self.errors += 1;
        let forgiven = self
            .receiver
            .received
            .checked_div(self.settings.error_decay)
            .unwrap_or(0);
        if self.errors <= self.settings.errors + forgiven {
            return Ok(());
        }
        if self.size / 2 < SMALLEST_SIZE {
            return Err(self.remote_error("too many errors"));
        }
        self.size /= 2;
        self.errors = 0;
        self.send_sync(now);
        Ok(())
    }

    fn timed_out(&self) -> LinkError {
        LinkError::TimedOut {
            letter: self.letter(),
            what: match self.state {
                State::Starting => "the start of the protocol",
                _ if self.sender.is_idle() => "a packet",
                _ => "an acknowledgement",
            },
        }
    }

    fn handle_running_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.alarm.set(now, self.settings.timeout);
        self.give_up_first(now)?;
        self.send_nak(self.receiver.last().next());
        self.sender.resend_oldest();
        Ok(())
    }

    fn take_failure(&mut self, result: Result<(), &'static str>) {
        if let Err(reason) = result {
            self.alarm.fail(LinkError::Local {
                letter: self.letter(),
                reason,
            });
        }
    }
}

impl Scanner for I {
    fn unparsed(&mut self) -> &mut Unparsed {
        &mut self.unparsed
    }

    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let mut rest = input;
        while !matches!(
            self.state,
            State::ClosedByPeer | State::Ending | State::Closed
        ) {
            let closing = self.state == State::Closing;
            let (used, garbage, found) = receiver::scan(rest, self.form, !self.caller, closing);
            rest = rest.get(used..).unwrap_or_default();
            // What is left of one damaged packet may come in many pieces: a slow line brings a few bytes at a time.
            if garbage > 0 && !closing && !std::mem::replace(&mut self.in_garbage, true) {
                self.count_error(now)?;
            }
            match found {
                Input::Incomplete => break,
                Input::Over => self.state = State::Ending,
                Input::Packet(header, data) => {
                    self.in_garbage = false;
                    self.handle_packet(now, header, data)?;
                }
            }
        }
        Ok(input.len() - rest.len())
    }
}

#[cfg(test)]
mod tests;
