//! Protocol `a`: headers and subpackets like those of Zmodem, each with a CRC; one message at a time, in one direction. For
//! lines that lose and damage bytes and swallow some control characters.
//!
//! There is no description of it but a paragraph in the Taylor UUCP manual; this is what two of Taylor's say to each other.
//! What is done here besides:
//! - A wish to go back to a position is heard once in a while: a peer repeats it for everything that was on its way.
//! - Taylor's receiver throws away what comes in the same moment as the acknowledgement of a command, and both then wait for
//!   20 seconds. Towards anybody who is not known to be one of ours there is a pause between the two.

mod link;
mod receiver;
mod sender;
mod settings;

use std::time::{Duration, Instant};

use self::receiver::{Answer, Receiver};
use self::sender::Sender;
use self::settings::Settings;
use super::alarm::Alarm;
use super::parameters::Parameters;
use super::scan::{Scanner, Unparsed};
use super::{Link, LinkError};
use crate::wire::a::{self, End, Escapes, Found, Header, Kind, Subpacket};
use crate::wire::command::Features;

/// Room for input that is not parsed yet.
const INPUT_LIMIT: usize = 64 * 1024;

/// Between the acknowledgement of a command and the next message: longer than it takes the peer to read the one.
const PAUSE: Duration = Duration::from_millis(50);

/// The same is not done or asked for again sooner than this.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// An `a` link.
pub(super) fn new(features: Features, parameters: Parameters<'_>) -> impl Link + use<> {
    let settings = Settings::new(parameters);
    A {
        settings,
        escapes: escapes(settings.escape_control),
        pause: !features.contains(Features::SEALED),
        state: State::New,
        start: Start::default(),
        sender: Sender::new(settings.send_window),
        receiver: Receiver::default(),
        control: Vec::new(),
        unparsed: Unparsed::new(INPUT_LIMIT),
        alarm: Alarm::default(),
        held_until: None,
        went_back: None,
        asked: None,
        retries: 0,
        garbage: 0,
        acknowledged: false,
    }
}

fn escapes(control: bool) -> Escapes {
    if control {
        Escapes::Control
    } else {
        Escapes::Few
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
    /// Our FIN goes out once everything else has gone out.
    Closing {
        fin_sent: bool,
    },
    /// Both have closed, but the event is still to be told.
    Ending,
    Closed,
}

/// What of the start has happened. Each side says INIT, sends a NUL as data and acknowledges the other's, and says that the
/// start is over.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    /// Our data have been acknowledged.
    acknowledged: bool,
    /// The peer's data come next in the input.
    data: bool,
    /// For the peer it is over.
    over: bool,
    /// When we said so last.
    told_at: Option<Instant>,
}

struct A {
    settings: Settings,
    escapes: Escapes,
    /// The peer may not be one of ours.
    pause: bool,
    state: State,
    start: Start,
    sender: Sender,
    receiver: Receiver,
    /// Headers to be sent before any data.
    control: Vec<u8>,
    unparsed: Unparsed,
    alarm: Alarm,
    /// No message begins before.
    held_until: Option<Instant>,
    /// Where we went back to last, and when.
    went_back: Option<(u32, Instant)>,
    /// What we asked for last, and when.
    asked: Option<(u32, Instant)>,
    /// Timeouts in a row.
    retries: u32,
    /// Bytes since the last header that were none.
    garbage: usize,
    acknowledged: bool,
}

fn is_recent(last: Option<(u32, Instant)>, position: u32, now: Instant) -> bool {
    last.is_some_and(|(at, when)| {
        at == position && now.saturating_duration_since(when) < AGAIN_AFTER
    })
}

impl A {
    fn remote(reason: impl Into<String>) -> LinkError {
        LinkError::Remote {
            letter: 'a',
            reason: reason.into(),
        }
    }

    fn is_moving(&self) -> bool {
        matches!(
            self.state,
            State::Started | State::Running | State::Closing { .. }
        )
    }

    fn progress(&mut self, now: Instant) {
        self.retries = 0;
        self.alarm.set(now, self.settings.timeout);
    }

    fn say(&mut self, kind: Kind, position: u32) {
        Header::new(kind, position).emit_hex(&mut self.control);
    }

    fn say_init(&mut self) {
        Header::init(self.settings.escape_control).emit_hex(&mut self.control);
    }

    /// The NUL that shows whether data pass.
    fn say_data(&mut self) {
        Header::new(Kind::Data, 0).emit_binary(self.escapes, &mut self.control);
        self.escapes
            .emit_data(&[0], End::Message, &mut self.control);
    }

    fn answer(&mut self, now: Instant, answer: Answer) {
        match answer {
            Answer::None => {}
            Answer::Ack(position) => self.say(Kind::Ack, position),
            Answer::Back(position) if is_recent(self.asked, position, now) => {}
            Answer::Back(position) => {
                tracing::debug!(target: "uucp::proto", position, "asking for it again");
                self.asked = Some((position, now));
                self.say(Kind::Back, position);
            }
        }
    }

    fn handle_header(&mut self, now: Instant, header: Header) {
        tracing::trace!(target: "uucp::proto", ?header, "received");
        self.garbage = 0;
        let position = header.position;
        let has_begun = self.receiver.has_received() || self.sender.last_end().is_some();
        match header.kind {
            Kind::Init if !has_begun => self.handle_init(header),
            Kind::Data if position == 0 && !has_begun => self.start.data = true,
            Kind::Ack if position == 0 && !has_begun => {
                self.start.acknowledged = true;
                self.retries = 0;
                self.tell_start_is_over(now);
                self.check_start(now);
            }
            Kind::InitEnd if !has_begun => {
                self.start.over = true;
                if self.state == State::Starting {
                    self.check_start(now);
                } else {
                    // It has not heard the same of us.
                    self.tell_start_is_over(now);
                }
            }
            // The peer is further than we have heard.
            Kind::Data if self.state == State::Starting && self.start.acknowledged => {
                self.start.over = true;
                self.check_start(now);
                let answer = self.receiver.handle_header(position);
                self.answer(now, answer);
            }
            Kind::Fin => self.handle_fin(now),
            _ if !self.is_moving() => {}
            Kind::Data => {
                let answer = self.receiver.handle_header(position);
                self.answer(now, answer);
            }
            Kind::Ack => {
                if self.sender.acknowledge(position) {
                    self.progress(now);
                    self.acknowledged |= self.sender.is_idle();
                }
            }
            Kind::Back => self.go_back(now, position),
            Kind::Nak => {
                let base = self.sender.base();
                self.go_back(now, base);
            }
            Kind::Init | Kind::InitEnd => {}
        }
    }

    fn handle_init(&mut self, header: Header) {
        let control = self.settings.escape_control || header.wants_escapes();
        self.escapes = escapes(control);
        self.retries = 0;
        if !self.start.acknowledged {
            self.say_data();
        }
    }

    fn tell_start_is_over(&mut self, now: Instant) {
        let recent = |at: Instant| now.saturating_duration_since(at) < AGAIN_AFTER;
        if !self.start.told_at.is_some_and(recent) {
            self.start.told_at = Some(now);
            self.say(Kind::InitEnd, 0);
        }
    }

    fn check_start(&mut self, now: Instant) {
        if self.state == State::Starting && self.start.acknowledged && self.start.over {
            self.state = State::Started;
            self.progress(now);
        }
    }

    /// The peer wants what begins at the position. It says so for everything that was on its way, too.
    fn go_back(&mut self, now: Instant, position: u32) {
        if is_recent(self.went_back, position, now) {
            return;
        }
        if self.sender.go_back(position) {
            self.went_back = Some((position, now));
        }
    }

    fn handle_fin(&mut self, now: Instant) {
        match self.state {
            State::Closing { fin_sent: true } => self.state = State::Ending,
            State::Closing { fin_sent: false } => {
                self.say(Kind::Fin, 0);
                self.state = State::Ending;
            }
            State::Started | State::Running => {
                // The end of the call may be among the commands that nobody has asked for yet. If the conversation does
                // not close soon, this was the peer's mistake.
                self.state = State::ClosedByPeer;
                self.alarm.set(now, Duration::from_secs(1));
            }
            _ => {}
        }
    }

    /// A subpacket of the start, or of a message.
    fn handle_data(&mut self, now: Instant, data: &[u8], end: End) {
        if std::mem::take(&mut self.start.data) {
            if data == [0] {
                self.say(Kind::Ack, 0);
            }
            return;
        }
        let (answer, ends) = self.receiver.handle_data(data, end);
        let is_command = ends && !self.receiver.arrivals.has_file();
        if is_command && self.pause {
            self.held_until = Some(now + PAUSE);
        }
        self.progress(now);
        self.answer(now, answer);
    }

    fn handle_damage(&mut self, now: Instant) {
        if std::mem::take(&mut self.start.data) || !self.is_moving() {
            return;
        }
        let answer = self.receiver.handle_damage();
        self.answer(now, answer);
    }

    fn handle_start_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.retries += 1;
        if self.retries > self.settings.startup_retries {
            return Err(self.timed_out());
        }
        self.alarm.set(now, self.settings.timeout);
        if self.start.acknowledged {
            self.say(Kind::InitEnd, 0);
        } else {
            // The other side's INIT may be lost, and it may have heard ours: it is not waited for.
            self.say_init();
            self.say_data();
        }
        Ok(())
    }

    fn handle_running_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.retries += 1;
        if self.retries > self.settings.retries {
            return Err(self.timed_out());
        }
        self.alarm.set(now, self.settings.timeout);
        self.give_up_first(now)?;
        if self.sender.is_waiting() {
            self.sender.go_back_to_base();
        } else if self.receiver.has_received() {
            let answer = self.receiver.ask();
            self.answer(now, answer);
        }
        Ok(())
    }

    fn timed_out(&self) -> LinkError {
        LinkError::TimedOut {
            letter: 'a',
            what: match self.state {
                State::Starting => "the start of the protocol",
                _ if self.receiver.is_amid_message() => "the rest of a message",
                _ if self.sender.is_idle() => "a message",
                _ => "an acknowledgement",
            },
        }
    }
}

impl Scanner for A {
    fn unparsed(&mut self) -> &mut Unparsed {
        &mut self.unparsed
    }

    fn parse(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        let mut rest = input;
        while !matches!(
            self.state,
            State::ClosedByPeer | State::Ending | State::Closed
        ) {
            if self.start.data || self.receiver.takes_data() {
                let used = match a::parse_data(rest) {
                    Subpacket::Incomplete => break,
                    Subpacket::Whole(data, end, used) => {
                        self.handle_data(now, &data, end);
                        used
                    }
                    Subpacket::Damaged(used) => {
                        self.handle_damage(now);
                        used
                    }
                };
                rest = rest.get(used..).unwrap_or_default();
                continue;
            }
            let closing = matches!(self.state, State::Closing { .. });
            let (used, garbage, found) = a::scan_header(rest, closing);
            rest = rest.get(used..).unwrap_or_default();
            self.garbage += garbage;
            if self.garbage > self.settings.garbage + self.settings.send_window && !closing {
                return Err(Self::remote("too much unrecognizable data"));
            }
            match found {
                Found::Incomplete => break,
                Found::Over => self.state = State::Ending,
                Found::Header(header) => self.handle_header(now, header),
                Found::Damaged => self.handle_damage(now),
            }
        }
        Ok(input.len() - rest.len())
    }
}

#[cfg(test)]
mod tests;
