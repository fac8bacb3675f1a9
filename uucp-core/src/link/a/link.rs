//! `a` as a link: what the conversation asks of it.

use std::time::Instant;

use super::{A, State};
use crate::link::scan::Scanner;
use crate::link::{Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::a::Kind;

impl A {
    /// Whether a message may begin.
    fn may_begin(&mut self, now: Instant) -> bool {
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
        }
        self.held_until.is_none()
    }
}

impl Link for A {
    fn letter(&self) -> u8 {
        b'a'
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::A
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.say_init();
        self.alarm.set(now, self.settings.timeout);
    }

    fn close(&mut self, now: Instant) {
        self.state = match self.state {
            State::ClosedByPeer => {
                self.say(Kind::Fin, 0);
                State::Ending
            }
            State::New | State::Ending | State::Closed => State::Ending,
            _ => State::Closing { fin_sent: false },
        };
        self.sender.keep_first();
        self.alarm.set(now, self.settings.timeout);
    }

    fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<usize, LinkError> {
        self.alarm.check()?;
        if matches!(self.state, State::New | State::Ending | State::Closed) {
            return Ok(0);
        }
        self.take_in(now, input)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), LinkError> {
        self.alarm.check()?;
        if !self.alarm.is_due(now) {
            return Ok(());
        }
        match self.state {
            State::Starting => self.handle_start_timeout(now),
            State::Started | State::Running => self.handle_running_timeout(now),
            State::ClosedByPeer => Err(Self::remote("closed by the other system")),
            State::Closing { .. } => {
                self.state = State::Ending;
                Ok(())
            }
            State::New | State::Ending | State::Closed => {
                self.alarm.stop();
                Ok(())
            }
        }
    }

    fn send_command(&mut self, now: Instant, _: Channel, _: bool, command: &[u8]) {
        self.sender.command(command);
        self.alarm.set(now, self.settings.timeout);
    }

    fn begin_file(&mut self, _: Channel, _: bool, _offset: u64, _size: Option<u64>) {
        self.sender.begin_file();
    }

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.receiver.arrivals.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = self.sender.data(data);
        if taken > 0 {
            self.alarm.set(now, self.settings.timeout);
        }
        taken
    }

    fn send_room(&self) -> usize {
        self.sender.room()
    }

    fn backlog(&self) -> usize {
        self.sender.waiting()
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        self.sender.end_file();
        self.alarm.set(now, self.settings.timeout);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.append(&mut self.control);
        if self.is_moving() || self.state == State::ClosedByPeer {
            let may = self.may_begin(now);
            self.sender.emit(self.escapes, may, out);
        }
        if self.state == (State::Closing { fin_sent: false }) && self.sender.all_sent() {
            self.say(Kind::Fin, 0);
            out.append(&mut self.control);
            self.state = State::Closing { fin_sent: true };
        }
        out.len() > before
    }

    fn poll_event(&mut self) -> Option<LinkEvent> {
        if self.alarm.has_failed() {
            return None;
        }
        match self.state {
            State::Started => {
                self.state = State::Running;
                return Some(LinkEvent::Started {
                    description: format!("window {}", self.settings.send_window),
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
                self.alarm.fail(Self::remote(malformed.0));
                return None;
            }
        }
        if self.state == State::Ending {
            self.state = State::Closed;
            self.alarm.stop();
            return Some(LinkEvent::Closed);
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let alarm = self.alarm.poll(self.settings.timeout);
        let held = self.held_until.filter(|_| self.sender.is_held());
        match (alarm, held) {
            (Some(alarm), Some(held)) => Some(alarm.min(held)),
            (alarm, held) => alarm.or(held),
        }
    }

    fn statistics(&self) -> Option<String> {
        Some(format!(
            "bytes: sent {}, resent {}, received {}",
            self.sender.total, self.sender.resent, self.receiver.total
        ))
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.unparsed.take()
    }
}
