//! Waiting for the line and the clock, and reading.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use super::{Driver, INPUT, OUTPUT, interrupted};
use crate::conversation::ConversationError;
use crate::engine::signals::Signals;
use crate::port::{PortRead, Ready, TlsFault, wait_for};

/// How much may wait to be written before nothing more is read from the peer, who asks and does not take the answers.
///
/// Of files no more than [`OUTPUT`] and what a link holds waits, so what goes beyond are commands. Those that honest peers have
/// under way, some 64 of at most 8 KiB, are less than the rest: two of them never wait for each other to read.
pub(super) const FULL: usize = 4 * OUTPUT;

impl Driver<'_> {
    pub(super) fn drain_input(&mut self) {
        let mut buffer = vec![0; INPUT];
        loop {
            match self.port.read(&mut buffer) {
                Ok(PortRead::Bytes(count)) => {
                    let room = INPUT.saturating_sub(self.input.len());
                    let bytes = buffer.get(..count.min(room)).unwrap_or_default();
                    self.input.bytes.extend_from_slice(bytes);
                    if bytes.is_empty() {
                        return;
                    }
                }
                Ok(_) => return,
                Err(error) => return self.lose_line(&error),
            }
        }
    }

    pub(super) fn lose_line(&mut self, error: &io::Error) {
        tracing::debug!(target: "uucp::port", %error, "line lost");
        if let Some(fault) = TlsFault::in_line(error) {
            self.fault = Some(fault.to_string());
        }
        self.hung_up = true;
    }

    pub(super) fn wait_and_read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let held = self.port.holds();
        let listens = self.has_room();
        let readable = held.input && listens;
        let writing = !self.output.is_empty() || held.output;
        let deadline = if readable {
            // What poll(2) does not see is there already.
            Some(Instant::now())
        } else {
            let timeout = self.conversation.poll_timeout();
            let deadlines = [self.stuck_at(), timeout, self.last_words_until()];
            deadlines.into_iter().flatten().min()
        };
        let (input, output) = self.port.descriptors();
        let line = (listens.then_some(input), writing.then_some(output));
        let interrupt = self.signals.map(AsFd::as_fd);
        let mut ready = wait_for(line, interrupt, deadline)?;
        ready.readable |= readable;
        self.go_on(Instant::now(), ready, buffer)
    }

    /// Whether the peer may say more: it takes our answers.
    pub(super) fn has_room(&self) -> bool {
        self.output.len() < FULL
    }

    /// When the line has refused to take anything for too long.
    pub(super) fn stuck_at(&self) -> Option<Instant> {
        (!self.output.is_empty()).then(|| self.stuck_since + self.patience.stuck)
    }

    /// What follows from what the line can do now, and from the time.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        ready: Ready,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if ready.interrupted && self.signals.is_some_and(Signals::ends_call) {
            self.conversation.fail(now, interrupted());
            return Ok(());
        }
        if self.stuck_at().is_some_and(|at| at <= now) && !ready.writable {
            let error = ConversationError::TimedOut("the other system to take our data");
            self.conversation.fail(now, error);
            return Ok(());
        }
        if ready.readable {
            self.read(now, buffer)?;
        }
        // However busily the other side talks. What it has said by now counts: perhaps it was us who had no time.
        let timeout = self.conversation.poll_timeout();
        if timeout.is_some_and(|at| at <= now) && !self.hung_up {
            self.conversation.handle_timeout(now);
        }
        Ok(())
    }

    fn read(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<()> {
        if self.input.len() >= INPUT {
            // The conversation takes nothing and wants nothing: the peer talks out of turn.
            let error = ConversationError::Remote("too much data out of turn".into());
            self.conversation.fail(now, error);
            return Ok(());
        }
        match self.port.read(buffer)? {
            PortRead::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                tracing::trace!(target: "uucp::incoming", count, bytes = %bytes.escape_ascii(), "received");
                if self.input.is_empty() {
                    // The common case: straight into the conversation, without a copy kept here.
                    let used = self.conversation.handle_input(now, bytes);
                    let rest = bytes.get(used..).unwrap_or_default();
                    self.input.bytes.extend_from_slice(rest);
                } else {
                    self.input.bytes.extend_from_slice(bytes);
                }
            }
            PortRead::Nothing => {}
            PortRead::HangUp => {
                tracing::debug!(target: "uucp::port", "the other side has hung up");
                self.hung_up = true;
            }
        }
        Ok(())
    }
}
