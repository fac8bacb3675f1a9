//! `i` as a link: what the conversation asks of it.

use std::time::{Duration, Instant};

use super::{I, STREAM, State};
use crate::link::carried::Carrier;
use crate::link::scan::Scanner;
use crate::link::{Channel, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::i::{HEADER, Kind, Sequence};

impl Link for I {
    fn letter(&self) -> u8 {
        self.settings.letter
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::I
    }

    fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.send_sync(now);
        self.alarm.set(now, self.settings.sync_timeout);
    }

    fn close(&mut self, now: Instant) {
        self.sender.close();
        self.state = match self.state {
            State::ClosedByPeer | State::New | State::Ending | State::Closed => State::Ending,
            _ => State::Closing,
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
        self.retries += 1;
        match self.state {
            State::Starting if self.retries > self.settings.sync_retries => Err(self.timed_out()),
            State::Starting => {
                self.send_sync(now);
                self.alarm.set(now, self.settings.sync_timeout);
                Ok(())
            }
            State::Started | State::Running if self.retries > self.settings.retries => {
                Err(self.timed_out())
            }
            State::Started | State::Running => self.handle_running_timeout(now),
            State::ClosedByPeer => Err(self.remote_error("closed by the other system")),
            State::Closing => {
                self.state = State::Ending;
                Ok(())
            }
            State::New | State::Ending | State::Closed => {
                self.alarm.stop();
                Ok(())
            }
        }
    }

    fn send_command(&mut self, now: Instant, channel: Channel, from_peer: bool, command: &[u8]) {
        self.sender.command(channel.0, from_peer, command);
        self.alarm.set(now, self.settings.timeout);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, offset: u64, _size: Option<u64>) {
        self.sender.seek(channel.0, from_peer, offset);
    }

    fn expect_file(&mut self, _: Channel, _from_peer: bool, _offset: u64) {}

    fn send_data(&mut self, now: Instant, channel: Channel, from_peer: bool, data: &[u8]) -> usize {
        match self.sender.data(channel.0, from_peer, data) {
            Ok(0) => 0,
            Ok(taken) => {
                self.alarm.set(now, self.settings.timeout);
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

    fn backlog(&self) -> usize {
        self.sender.waiting()
    }

    fn end_file(&mut self, now: Instant, channel: Channel, from_peer: bool) {
        let result = self.sender.end_file(channel.0, from_peer);
        self.take_failure(result);
        self.alarm.set(now, self.settings.timeout);
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
        if self.alarm.has_failed() {
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
                self.alarm.fail(self.remote_error(malformed.0));
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
            self.receiver.received
        ))
    }

    fn take_rest(&mut self) -> Vec<u8> {
        self.unparsed.take()
    }
}

impl Carrier for I {
    fn carry(&mut self, now: Instant, bytes: &[u8]) {
        self.sender.stream(STREAM, bytes);
        self.alarm.set(now, self.settings.timeout);
    }
}

/// What `j` asks of the `i` inside it.
impl I {
    /// The protocol has been closed by both sides, or must be.
    pub(in crate::link) fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::ClosedByPeer | State::Ending | State::Closed
        )
    }

    pub(in crate::link) fn is_closing(&self) -> bool {
        self.state == State::Closing
    }

    pub(in crate::link) fn sync_timeout(&self) -> Duration {
        self.settings.sync_timeout
    }

    pub(in crate::link) fn sync_retries(&self) -> u32 {
        self.settings.sync_retries
    }

    /// Takes a packet that is whole or damaged: what follows is not part of it.
    pub(in crate::link) fn handle_whole(
        &mut self,
        now: Instant,
        packet: &[u8],
    ) -> Result<(), LinkError> {
        self.handle_input(now, packet)?;
        self.unparsed.take();
        Ok(())
    }

    /// The first of the packets that were to be sent, and the others.
    pub(in crate::link) fn split_packet<'a>(
        &self,
        packets: &'a [u8],
    ) -> Option<(&'a [u8], &'a [u8])> {
        let header = self.form.parse(*packets.first_chunk()?)?;
        packets.split_at_checked(HEADER + header.length + self.form.tail(header.length))
    }
}
