//! Protocol `f` (Taylor UUCP manual, *f Protocol*): printable characters only, a sum over each file. For lines that carry
//! seven bits, and neither lose nor damage them, or rarely: a file whose sum is wrong is sent again from its beginning.
//!
//! As with `t`, nothing tells a command from a file, so input is parsed one item at a time inside [`Link::poll_event`].

use std::mem;
use std::time::Instant;

use super::parameters::Parameters;
use super::reception::{EVENT_LIMIT, Reception};
use super::tube::{Phase, Tube};
use super::{Channel, LineMode, Link, LinkError, LinkEvent, LinkTraits};
use crate::wire::f::{self, Decoder, Verdict};
use crate::wire::{Malformed, checksum};

/// How much may wait to be sent before [`Link::send_room`] says no.
const OUTPUT_LIMIT: usize = 128 * 1024;

/// An `f` link. Parameters: `timeout` (120 s), `retries` (2).
pub(super) fn new(parameters: Parameters<'_>) -> impl Link + use<> {
    F {
        tube: Tube::new(b'f', parameters.seconds("timeout", 120), EVENT_LIMIT),
        retries: parameters.number("retries", 2, 0, 1000),
        reception: Reception::default(),
        decoder: Decoder::default(),
        asked_again: 0,
        sum: 0,
        sending: None,
        unanswered: false,
        acknowledged: false,
    }
}

/// A file of ours that the peer has not judged yet.
#[derive(Debug, Clone, Copy)]
struct Sending {
    channel: Channel,
    from_peer: bool,
    ended: bool,
    /// How often it has begun anew.
    again: u32,
}

struct F {
    tube: Tube,
    retries: u32,
    reception: Reception,
    decoder: Decoder,
    /// How often the peer was asked to send its file again.
    asked_again: u32,
    /// Over what has been sent of our file.
    sum: u16,
    sending: Option<Sending>,
    /// Something was sent to which nothing has come back yet.
    unanswered: bool,
    acknowledged: bool,
}

impl F {
    fn fail(&mut self, reason: &'static str) {
        self.tube.fail_remote(Malformed(reason));
    }

    fn sent(&mut self, now: Instant) {
        self.unanswered = true;
        self.tube.sent(now);
    }

    /// Reads on in the file that comes; says so when it must come again.
    fn take_file(&mut self) -> Option<LinkEvent> {
        let room = self.reception.room();
        let input = self.tube.waiting();
        let (used, end) = self.decoder.read(input, room, self.reception.data());
        self.tube.consume(used);
        let verdict = match end? {
            true => Verdict::Good,
            false if self.asked_again < self.retries => Verdict::Resend,
            false => Verdict::Quit,
        };
        verdict.emit(&mut self.tube.output);
        self.decoder = Decoder::default();
        match verdict {
            Verdict::Good => {
                self.reception.end();
                None
            }
            Verdict::Resend => {
                tracing::debug!(target: "uucp::proto", "a wrong sum, asking for the file again");
                self.asked_again += 1;
                self.reception.begin_anew()
            }
            Verdict::Quit => {
                self.fail("a file came with a wrong sum each time");
                None
            }
        }
    }

    /// A command; before it perhaps what the peer thinks of our file.
    fn take_command(&mut self) -> Option<LinkEvent> {
        loop {
            let (bytes, used) = match f::parse_command(self.tube.waiting()) {
                Ok(None) => return None,
                Ok(Some((text, used))) => (text.to_vec(), used),
                Err(malformed) => {
                    self.fail(malformed.0);
                    return None;
                }
            };
            self.tube.consume(used);
            let Some(sending) = self.sending.filter(|sending| sending.ended) else {
                return Some(LinkEvent::Command {
                    channel: Channel(0),
                    from_peer: true,
                    bytes,
                });
            };
            let event = self.handle_verdict(sending, &bytes);
            if event.is_some() || self.tube.check().is_err() {
                return event;
            }
        }
    }

    fn handle_verdict(&mut self, sending: Sending, text: &[u8]) -> Option<LinkEvent> {
        match Verdict::parse(text) {
            Some(Verdict::Good) => self.sending = None,
            Some(Verdict::Resend) if sending.again < self.retries => {
                self.sum = checksum::rotating(b"");
                self.sending = Some(Sending {
                    ended: false,
                    again: sending.again + 1,
                    ..sending
                });
                return Some(LinkEvent::Again {
                    channel: sending.channel,
                    from_peer: sending.from_peer,
                });
            }
            Some(_) => self.fail("a file arrived damaged each time"),
            None => self.fail("an answer to a file that makes no sense"),
        }
        None
    }
}

impl Link for F {
    fn letter(&self) -> u8 {
        b'f'
    }

    fn traits(&self) -> LinkTraits {
        LinkTraits::F
    }

    /// None of its characters is XON or XOFF, or has an eighth bit.
    fn line_mode(&self) -> LineMode {
        LineMode {
            software_flow: true,
            seven_bit: true,
        }
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
        Ok(self.tube.keep(input))
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
        f::emit_command(command, &mut self.tube.output);
        self.sent(now);
    }

    fn begin_file(&mut self, channel: Channel, from_peer: bool, _offset: u64, _size: Option<u64>) {
        self.sum = checksum::rotating(b"");
        // One that has not ended was to begin anew.
        let begun = self.sending.filter(|sending| !sending.ended);
        self.sending = Some(Sending {
            channel,
            from_peer,
            ended: false,
            again: begun.map_or(0, |sending| sending.again),
        });
    }

    fn expect_file(&mut self, channel: Channel, from_peer: bool, _offset: u64) {
        self.asked_again = 0;
        self.decoder = Decoder::default();
        self.reception.expect(channel, from_peer);
    }

    fn send_data(&mut self, now: Instant, _: Channel, _: bool, data: &[u8]) -> usize {
        let taken = data.get(..self.send_room()).unwrap_or(data);
        if !taken.is_empty() {
            self.sum = checksum::rotating_more(self.sum, taken);
            f::emit_data(taken, &mut self.tube.output);
            self.sent(now);
        }
        taken.len()
    }

    fn send_room(&self) -> usize {
        // Each byte may become two.
        self.tube.room(OUTPUT_LIMIT) / 2
    }

    fn end_file(&mut self, now: Instant, _: Channel, _: bool) {
        f::emit_file_end(self.sum, &mut self.tube.output);
        if let Some(sending) = &mut self.sending {
            sending.ended = true;
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
        if self.reception.is_open() && !self.tube.waiting().is_empty() {
            let event = self.take_file();
            if event.is_some() || self.tube.check().is_err() {
                return event;
            }
        }
        if self.reception.is_pending() {
            self.reception.poll()
        } else {
            self.take_command()
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

#[cfg(test)]
mod tests;
