//! Protocol `g` (Taylor UUCP manual, *g Protocol*): packets of one size class each way, a window of up to seven, check
//! sums of 16 bits. For lines that lose and damage bytes, and for peers that know nothing else. `G` and `v` are the same
//! with other defaults: `G` never sends a packet smaller than its peer wants them, `v` always knows how to.
//!
//! What the manual leaves open, and what is done here:
//! - The answerer does not speak before it has heard INITA.
//! - Acknowledgements are cumulative, sent with the next output and never delayed; a data packet carries them where one
//!   goes out anyway.
//! - Fewer than 16,384 bytes are ever under way, in either direction: Taylor's receiver, given more, hands bytes to the
//!   file that are not those whose sum it checked.
//! - After a reject one packet is sent again, then two for each that is acknowledged, as Taylor does it: a whole window
//!   would come on top of what is under way still.

mod link;
mod receiver;
mod sender;
mod settings;
mod start;

use std::time::{Duration, Instant};

use self::receiver::{Input, Receiver, Verdict};
use self::sender::{Acknowledgement, Sender};
use self::settings::Settings;
use self::start::{Start, Step};
use super::alarm::Alarm;
use super::parameters::Parameters;
use super::scan::{Scanner, Unparsed};
use super::{CallRole, Link, LinkError};
use crate::wire::command::Features;
use crate::wire::g::{Control, DataHeader, Sequence};

/// Room for input that is not parsed yet: a packet of the largest size, and what comes with it in one read.
const INPUT_LIMIT: usize = 64 * 1024;

/// A repeated acknowledgement is sent for a packet that was there already, but not sooner than this after the last one:
/// some peers, Taylor among them, take a second one for a reject.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// A link of `g`, `G` or `v`.
pub(super) fn new(
    letter: u8,
    role: CallRole,
    features: Features,
    parameters: Parameters<'_>,
) -> impl Link + use<> {
    let settings = Settings::new(letter, parameters);
    let sealed = features.contains(Features::SEALED);
    G {
        settings,
        sealed,
        state: State::New,
        start: Start::new(role, sealed, &settings),
        sender: Sender::default(),
        receiver: Receiver::default(),
        control: Vec::new(),
        unparsed: Unparsed::new(INPUT_LIMIT),
        alarm: Alarm::default(),
        retries: 0,
        errors: 0,
        good_packets: 0,
        seen_rj: false,
        acknowledged: false,
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
    unparsed: Unparsed,
    alarm: Alarm,
    /// Timeouts in a row.
    retries: u32,
    errors: u32,
    good_packets: u32,
    /// Peers that never send RJ say the same by repeating RR.
    seen_rj: bool,
    acknowledged: bool,
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
        self.alarm.set(now, self.settings.timeout);
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
            self.alarm.set(now, self.settings.init_timeout);
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
                self.alarm.set(now, Duration::from_secs(1));
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

    fn handle_start_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        if !self.start.handle_timeout(&mut self.control) {
            return Err(LinkError::TimedOut {
                letter: char::from(self.settings.letter),
                what: "the start of the protocol",
            });
        }
        self.alarm.set(now, self.settings.init_timeout);
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
        self.alarm.set(now, self.settings.timeout);
        self.give_up_first(now)?;
        if self.sender.is_idle() {
            self.send_reject();
        } else {
            self.sender.resend_oldest();
        }
        Ok(())
    }
}

impl Scanner for G {
    fn unparsed(&mut self) -> &mut Unparsed {
        &mut self.unparsed
    }

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
}

#[cfg(test)]
mod tests;
