//! What links over a line that TCP keeps whole have in common: input until the conversation asks for it, output until the line
//! takes it, how the protocol begins and ends, and how long the peer may be silent.

use std::mem;
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::{LinkError, LinkEvent};
use crate::wire::Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Starting,
    Running,
    Closing,
    Closed,
}

/// What there is to tell before any input is looked at.
pub(super) enum Phase {
    /// The protocol begins or ends.
    Say(LinkEvent),
    /// It has not begun, is over, or cannot go on.
    Silent,
    /// Input is to be parsed.
    Running,
}

/// The bytes of one link, both ways.
#[derive(Debug)]
pub(super) struct Tube {
    letter: u8,
    timeout: Duration,
    /// How much input is kept before the conversation has asked for it.
    limit: usize,
    state: State,
    /// Input not parsed yet: everything from `parsed` on.
    input: Vec<u8>,
    parsed: usize,
    pub(super) output: Vec<u8>,
    alarm: Alarm,
}

impl Tube {
    pub(super) fn new(letter: u8, timeout: Duration, limit: usize) -> Self {
        Self {
            letter,
            timeout,
            limit,
            state: State::New,
            input: Vec::new(),
            parsed: 0,
            output: Vec::new(),
            alarm: Alarm::default(),
        }
    }

    pub(super) fn letter(&self) -> u8 {
        self.letter
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.state = State::Starting;
        self.alarm.set(now, self.timeout);
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closing;
        self.alarm.stop();
    }

    pub(super) fn fail_remote(&mut self, malformed: Malformed) {
        self.alarm.fail(LinkError::Remote {
            letter: char::from(self.letter),
            reason: malformed.0.to_owned(),
        });
    }

    pub(super) fn fail_local(&mut self, reason: &'static str) {
        self.alarm.fail(LinkError::Local {
            letter: char::from(self.letter),
            reason,
        });
    }

    /// The failure, if there was one.
    pub(super) fn check(&self) -> Result<(), LinkError> {
        self.alarm.check()
    }

    /// Whether this input is for the link; if so, the peer is not silent.
    pub(super) fn hears(&mut self, now: Instant, input: &[u8]) -> Result<bool, LinkError> {
        self.check()?;
        if matches!(self.state, State::Closing | State::Closed) || input.is_empty() {
            return Ok(false);
        }
        self.alarm.set(now, self.timeout);
        Ok(true)
    }

    /// Keeps input until it is asked for; how much of it.
    pub(super) fn keep(&mut self, input: &[u8]) -> usize {
        let room = self.limit.saturating_sub(self.waiting().len());
        let kept = input.get(..room).unwrap_or(input);
        self.input.extend_from_slice(kept);
        kept.len()
    }

    /// Input that is not parsed yet.
    pub(super) fn waiting(&self) -> &[u8] {
        self.input.get(self.parsed..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, used: usize) {
        self.parsed += used;
        if self.parsed >= self.input.len() {
            self.input.clear();
            self.parsed = 0;
        } else if self.parsed > self.limit / 2 {
            self.input.drain(..self.parsed);
            self.parsed = 0;
        }
    }

    /// Something is on its way to the peer.
    pub(super) fn sent(&mut self, now: Instant) {
        self.alarm.set(now, self.timeout);
    }

    /// How much more may wait to be sent, if no more than `limit` shall.
    pub(super) fn room(&self, limit: usize) -> usize {
        limit.saturating_sub(self.output.len())
    }

    pub(super) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        if self.output.is_empty() {
            return false;
        }
        if out.is_empty() {
            mem::swap(out, &mut self.output);
        } else {
            out.append(&mut self.output);
        }
        if self.poll_timeout().is_some() {
            self.alarm.set(now, self.timeout);
        }
        true
    }

    /// Where the protocol stands; `description` is for its start.
    pub(super) fn poll_phase(&mut self, description: &str) -> Phase {
        if self.alarm.has_failed() {
            return Phase::Silent;
        }
        match self.state {
            State::New | State::Closed => Phase::Silent,
            State::Starting => {
                self.state = State::Running;
                Phase::Say(LinkEvent::Started {
                    description: description.to_owned(),
                })
            }
            State::Closing => {
                self.state = State::Closed;
                Phase::Say(LinkEvent::Closed)
            }
            State::Running => Phase::Running,
        }
    }

    /// `what` is what the peer should have sent by now.
    pub(super) fn handle_timeout(&self, now: Instant, what: &'static str) -> Result<(), LinkError> {
        self.check()?;
        if self.alarm.is_due(now) {
            return Err(LinkError::TimedOut {
                letter: char::from(self.letter),
                what,
            });
        }
        Ok(())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.alarm.poll(self.timeout)
    }

    /// What was taken too early.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.waiting().to_vec();
        self.input.clear();
        self.parsed = 0;
        rest
    }
}
