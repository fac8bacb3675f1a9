//! `g`, `G` or `v` as a link: what the conversation asks of it.

use std::time::Instant;

use super::{G, State};
use crate::link::scan::Scanner;
use crate::link::{Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::g::Control;

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
        self.alarm.set(now, self.settings.init_timeout);
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
            State::ClosedByPeer => Err(self.remote("closed by the other system")),
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

    fn begin_file(&mut self, _: Channel, _: bool, _offset: u64, _size: Option<u64>) {}

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
        if self.alarm.has_failed() {
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
                self.alarm.fail(self.remote(malformed.0));
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
        self.alarm.poll(self.settings.timeout)
    }

    fn statistics(&self) -> Option<String> {
        let (sent, resent) = self.sender.counts();
        Some(format!(
            "packets: sent {sent}, resent {resent}, received {}",
            self.good_packets
        ))
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.unparsed.take()
    }
}
