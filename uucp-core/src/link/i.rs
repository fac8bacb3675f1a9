//! Protocol `i` (Taylor UUCP manual, *i Protocol*): packets with a CRC, a window of up to sixteen, seven channels, both
//! directions at once. The one for lines that are not TCP.
//!
//! What the manual leaves open, and what is done here:
//! - File data do not wait for the answer to their request, not even for a refusal. So it is the commands themselves that
//!   tell where a file begins ([`Link::expect_file`] need not), and a file that was refused is to be read to its end.
//! - A SYNC that comes again, before anything else came from that side, means that ours was lost; it is sent again, and all
//!   that followed it.
//! - Acknowledgements go out with every packet, else when half the window is unacknowledged (`ack-frequency`).

mod receiver;
mod sender;

use std::time::{Duration, Instant};

use self::receiver::{Input, Receiver, Verdict};
use self::sender::Sender;
use super::parameters::Parameters;
use super::{CallRole, Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::command::Features;
use crate::wire::i::{Form, Header, Kind, LARGEST, Sequence, Sync, WINDOW};

/// Packets do not become smaller than this, however bad the line.
const SMALLEST_SIZE: u16 = 400;

/// A SYNC is not answered by another sooner than this after the last one, lest two sides answer each other for ever.
const SYNC_AFTER: Duration = Duration::from_secs(5);

/// How many channels we can have open.
const CHANNELS: u8 = 7;

/// The parameters, with the names and defaults of the configuration; but for `packet-size`, which there is 1024.
#[derive(Debug, Clone, Copy)]
struct Settings {
    packet_size: u16,
    window: u8,
    remote_packet_size: u16,
    sync_timeout: Duration,
    sync_retries: u32,
    timeout: Duration,
    retries: u32,
    errors: u64,
    error_decay: u64,
    ack_frequency: usize,
}

impl Settings {
    fn new(role: CallRole, parameters: Parameters<'_>) -> Self {
        let number = |name, default, most| parameters.number(name, default, 0, most);
        let size = |name, default, least| {
            let most = u32::try_from(LARGEST).unwrap_or(4095);
            u16::try_from(parameters.number(name, default, least, most)).unwrap_or(1024)
        };
        let window =
            u8::try_from(parameters.number("window", 16, 1, WINDOW.into())).unwrap_or(WINDOW);
        let frequency = match number("ack-frequency", 0, 16) {
            0 => u32::from(window / 2).max(1),
            frequency => frequency.min(window.into()),
        };
        // The two sides should not resend at the same moment.
        let later = Duration::from_secs(u64::from(role == CallRole::Called));
        Self {
            // What we want to receive: as much as there can be, since each packet costs the same.
            packet_size: size("packet-size", 4095, 1),
            window,
            remote_packet_size: size("remote-packet-size", 0, 0),
            sync_timeout: parameters.seconds("sync-timeout", 10),
            sync_retries: number("sync-retries", 6, 1000),
            timeout: parameters.seconds("timeout", 10) + later,
            retries: number("retries", 6, 1000),
            errors: number("errors", 100, 1_000_000).into(),
            error_decay: number("error-decay", 10, 1_000_000).into(),
            ack_frequency: frequency as usize,
        }
    }
}

/// An `i` link.
pub(super) fn new(
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    let settings = Settings::new(role, parameters);
    let caller = role == CallRole::Caller;
    let form = Form {
        complement: features.contains(Features::COMPLEMENT),
        sealed: features.contains(Features::SEALED),
    };
    I {
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
        deadline: None,
        retries: 0,
        errors: 0,
        acknowledged: false,
        failure: None,
    }
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

struct I {
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
    deadline: Option<Instant>,
    /// Timeouts in a row.
    retries: u32,
    errors: u64,
    acknowledged: bool,
    failure: Option<LinkError>,
}

impl I {
    fn remote_error(reason: impl Into<String>) -> LinkError {
        LinkError::Remote {
            letter: 'i',
            reason: reason.into(),
        }
    }

    fn is_moving(&self) -> bool {
        matches!(self.state, State::Started | State::Running | State::Closing)
    }

    fn progress(&mut self, now: Instant) {
        self.retries = 0;
        self.deadline = Some(now + self.settings.timeout);
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
            return Err(Self::remote_error("a packet size or window of 0"));
        }
        let size = match self.settings.remote_packet_size {
            0 => sync.packet_size.min(4095),
            forced => forced,
        };
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
                self.deadline = Some(now + Duration::from_secs(1));
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
            return Err(Self::remote_error("too many errors"));
        }
        self.size /= 2;
        self.errors = 0;
        self.send_sync(now);
        Ok(())
    }

    /// Parses what is in the buffer until more is needed or the protocol has ended.
    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let mut rest = input;
        while !matches!(
            self.state,
            State::ClosedByPeer | State::Ending | State::Closed
        ) {
            let closing = self.state == State::Closing;
            let (used, garbage, found) = receiver::scan(rest, self.form, !self.caller, closing);
            rest = rest.get(used..).unwrap_or_default();
            if garbage > 0 && !closing {
                self.count_error(now)?;
            }
            match found {
                Input::Incomplete => break,
                Input::Over => self.state = State::Ending,
                Input::Packet(header, data) => self.handle_packet(now, header, data)?,
            }
        }
        Ok(input.len() - rest.len())
    }

    fn timed_out(&self) -> LinkError {
        LinkError::TimedOut {
            letter: 'i',
            what: match self.state {
                State::Starting => "the start of the protocol",
                _ if self.sender.is_idle() => "a packet",
                _ => "an acknowledgement",
            },
        }
    }

    fn handle_running_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.deadline = Some(now + self.settings.timeout);
        // The rest of a packet that was announced may never come; what did come may hold another one.
        self.receiver.skip_byte();
        let input = self.receiver.take_input();
        let used = self.parse(now, &input)?;
        self.receiver.keep_input(input, used);
        self.send_nak(self.receiver.last().next());
        self.sender.resend_oldest();
        Ok(())
    }

    fn take_failure(&mut self, result: Result<(), &'static str>) {
        if let Err(reason) = result {
            self.failure = Some(LinkError::Local {
                letter: 'i',
                reason,
            });
        }
    }
}

impl Link for I {
    fn letter(&self) -> u8 {
        b'i'
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::I
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.send_sync(now);
        self.deadline = Some(now + self.settings.sync_timeout);
    }

    fn close(&mut self, now: Instant) {
        self.sender.close();
        self.state = match self.state {
            State::ClosedByPeer | State::New | State::Ending | State::Closed => State::Ending,
            _ => State::Closing,
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
        self.retries += 1;
        match self.state {
            State::Starting if self.retries > self.settings.sync_retries => Err(self.timed_out()),
            State::Starting => {
                self.send_sync(now);
                self.deadline = Some(now + self.settings.sync_timeout);
                Ok(())
            }
            State::Started | State::Running if self.retries > self.settings.retries => {
                Err(self.timed_out())
            }
            State::Started | State::Running => self.handle_running_timeout(now),
            State::ClosedByPeer => Err(Self::remote_error("closed by the other system")),
            State::Closing => {
                self.state = State::Ending;
                Ok(())
            }
            State::New | State::Ending | State::Closed => {
                self.deadline = None;
                Ok(())
            }
        }
    }

    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]) {
        self.sender.command(channel.0, from_peer, command);
        self.deadline = Some(now + self.settings.timeout);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, _size: Option<u64>) {
        self.sender.seek(channel.0, from_peer, offset);
    }

    fn expect_file(&mut self, _: Channel, _from_peer: bool, _offset: u64) {}

    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize {
        match self.sender.data(channel.0, from_peer, data) {
            Ok(0) => 0,
            Ok(taken) => {
                self.deadline = Some(now + self.settings.timeout);
                taken
            }
            Err(reason) => {
                self.take_failure(Err(reason));
                0
            }
        }
    }

    fn send_room(&self) -> usize {
        self.sender.room()
    }

    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool) {
        let result = self.sender.end_file(channel.0, from_peer);
        self.take_failure(result);
        self.deadline = Some(now + self.settings.timeout);
    }

    fn poll_transmit(&mut self, _now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.append(&mut self.control);
        if !matches!(self.state, State::New | State::Starting | State::Closed) {
            let last = self.receiver.last();
            if self.sender.emit(last, out) {
                self.receiver.told();
            } else if self
                .receiver
                .owes_acknowledgement(self.settings.ack_frequency)
            {
                self.receiver.told();
                self.send_control(Kind::Ack, Sequence::new(0), &[]);
                out.append(&mut self.control);
            }
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
                let (size, window) = self.remote.unwrap_or_default();
                return Some(LinkEvent::Started {
                    description: format!(
                        "sending packet/window {size}/{window} receiving {}/{}",
                        self.size, self.settings.window
                    ),
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
                self.failure = Some(Self::remote_error(malformed.0));
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
            self.receiver.received
        ))
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.receiver.take_input()
    }
}
