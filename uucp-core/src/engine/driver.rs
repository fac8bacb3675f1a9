//! The loop that joins a port and a conversation: `poll(2)`, nothing else ever waits.
//!
//! Whatever is to be sent when the line takes bytes goes out in one write. Events are worked off before anything is written,
//! so confirmations of one round of syncs, and the answers to a burst of requests, travel together.

mod buffer;
mod waiting;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use self::buffer::Buffer;
use super::desk::Desk;
use super::program::{self, Ending};
use super::signals::Signals;
use crate::config::chat::ProgramWord;
use crate::conversation::{Conversation, ConversationError, Event};
use crate::port::Port;

/// How much is read at a time, and how much may wait to be understood.
const INPUT: usize = 256 * 1024;
/// How much may wait to be written before more of a file is read.
const OUTPUT: usize = 512 * 1024;

/// How long the line may refuse to take a single byte.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// While the call lasts, and for the last words of one that went well.
    stuck: Duration,
    /// For the last words of a call that failed.
    last_words: Duration,
}

const PATIENCE: Patience = Patience {
    stuck: Duration::from_mins(2),
    last_words: Duration::from_secs(5),
};

/// One call while it runs.
pub(super) struct Driver<'a> {
    port: &'a mut dyn Port,
    conversation: Conversation,
    signals: Option<&'a Signals>,
    input: Buffer,
    output: Buffer,
    patience: Patience,
    /// Since when the line has taken nothing of what waits.
    stuck_since: Instant,
    /// Since when there is a result.
    over_since: Option<Instant>,
    hung_up: bool,
    /// Why the line went, where it is known.
    fault: Option<String>,
    result: Option<Result<(), ConversationError>>,
}

impl<'a> Driver<'a> {
    /// A call over this line.
    pub(super) fn new(
        port: &'a mut dyn Port,
        conversation: Conversation,
        signals: Option<&'a Signals>,
    ) -> Self {
        Self {
            port,
            conversation,
            signals,
            input: Buffer::with_capacity(INPUT),
            output: Buffer::with_capacity(OUTPUT),
            patience: PATIENCE,
            stuck_since: Instant::now(),
            over_since: None,
            hung_up: false,
            fault: None,
            result: None,
        }
    }

    /// Runs the call to its end and hangs up.
    ///
    /// # Errors
    /// Why the call failed.
    pub(super) fn run(self, desk: &mut Desk<'_>) -> Result<(), ConversationError> {
        let mut driver = self;
        let result = driver.converse(desk);
        tracing::debug!(target: "uucp::port", "hanging up");
        driver.port.hang_up();
        result
    }

    /// Runs the call to its end; the line stays open.
    ///
    /// # Errors
    /// Why the call failed.
    pub(super) fn talk(mut self, desk: &mut Desk<'_>) -> Result<(), ConversationError> {
        self.converse(desk)
    }

    fn converse(&mut self, desk: &mut Desk<'_>) -> Result<(), ConversationError> {
        let result = self.exchange(desk);
        if result.is_ok() && self.conversation.peer_is_done() {
            self.port.expect_nothing();
        }
        result
    }

    fn exchange(&mut self, desk: &mut Desk<'_>) -> Result<(), ConversationError> {
        let mut buffer = vec![0; INPUT];
        loop {
            self.settle(desk);
            let was_full = self.output.len() >= OUTPUT;
            self.flush();
            if self.is_over(Instant::now()) {
                break;
            }
            if was_full && self.output.len() < OUTPUT && !self.hung_up {
                // A socket can take all of it at once: then nothing but us knows that the file goes on.
                continue;
            }
            if self.hung_up && self.result.is_none() {
                self.conversation.handle_hangup(Instant::now());
                continue;
            }
            // The peer has its next request; now there is time to put the finished ones away.
            if let Err(reason) = desk.tidy() {
                let error = ConversationError::Local(reason);
                self.conversation.fail(Instant::now(), error);
                continue;
            }
            match desk.has_news() {
                Ok(true) => {
                    self.conversation.request_turn();
                    continue;
                }
                Ok(false) => {}
                Err(reason) => desk.complain(&reason),
            }
            if let Err(error) = self.wait_and_read(&mut buffer) {
                self.lose_line(&error);
            }
        }
        let tidied = desk.tidy().map_err(ConversationError::Local);
        self.result.take().unwrap_or(Ok(())).and(tidied)
    }

    fn is_over(&self, now: Instant) -> bool {
        let is_out = self.output.is_empty() && !self.port.holds().output;
        let until = self.last_words_until();
        until.is_some_and(|until| is_out || self.hung_up || until <= now)
    }

    /// When the call ends, whatever waits, however slowly the line takes it.
    fn last_words_until(&self) -> Option<Instant> {
        let patience = if matches!(self.result, Some(Ok(()))) {
            self.patience.stuck
        } else {
            self.patience.last_words
        };
        self.over_since.map(|since| since + patience)
    }

    /// Lets conversation and spool talk until both wait for the line.
    fn settle(&mut self, desk: &mut Desk<'_>) {
        loop {
            let now = Instant::now();
            let used = self.conversation.handle_input(now, self.input.rest());
            self.input.consume(used);
            let mut busy = used > 0;
            while let Some(event) = self.conversation.poll_event(now) {
                busy = true;
                self.handle_event(desk, event);
            }
            busy |= self.send_files(desk);
            self.transmit();
            if !busy {
                return;
            }
        }
    }

    /// Moves what the link has to send on to the line; whether there was anything.
    fn transmit(&mut self) -> bool {
        if self.output.is_empty() {
            self.stuck_since = Instant::now();
        }
        let now = Instant::now();
        self.conversation.poll_transmit(now, &mut self.output.bytes)
    }

    fn handle_event(&mut self, desk: &mut Desk<'_>, event: Event) {
        match event {
            Event::Finished(result) => {
                if result.is_ok() {
                    desk.ended_in_order();
                }
                self.result = Some(self.explained(result));
                self.over_since = Some(Instant::now());
            }
            Event::Break => self.send_break(),
            Event::SetLine(mode) => {
                // What was said before was said to the line as it was; the handshake is the same for both.
                if let Err(error) = self.port.set_mode(mode) {
                    self.lose_line(&error);
                }
            }
            Event::Carrier(required) => self.require_carrier(required),
            Event::RunProgram { words, limit } => self.run_program(desk, &words, limit),
            Event::Commit(keys) => {
                // The peer can send on while the disk writes: what it waits for, acknowledgements, goes out before.
                self.transmit();
                self.flush();
                desk.handle(Event::Commit(keys), &mut self.conversation);
            }
            event => desk.handle(event, &mut self.conversation),
        }
    }

    /// A line that was lost, in the words of whoever knows why.
    fn explained(&self, result: Result<(), ConversationError>) -> Result<(), ConversationError> {
        match (result, &self.fault) {
            (
                Err(
                    ConversationError::Disconnected
                    | ConversationError::InChat(_)
                    | ConversationError::NoGreeting,
                ),
                Some(fault),
            ) => Err(ConversationError::Line(fault.clone())),
            (result, _) => result,
        }
    }

    fn send_break(&mut self) {
        // What was said before the break belongs before it.
        self.transmit();
        self.flush();
        if let Err(error) = self.port.send_break() {
            self.lose_line(&error);
        }
        self.conversation.answer_program(Instant::now(), Ok(()));
    }

    fn require_carrier(&mut self, required: bool) {
        // A modem dials before it has carrier.
        self.transmit();
        self.flush();
        let interrupt = self.signals.map(AsFd::as_fd);
        let ended = self.port.require_carrier(required, interrupt);
        let ended = ended.map_err(|error| error.to_string());
        self.conversation.answer_program(Instant::now(), ended);
    }

    fn run_program(&mut self, desk: &mut Desk<'_>, words: &[ProgramWord], limit: Duration) {
        // What was said before the program belongs before it.
        self.transmit();
        self.flush();
        let (ending, left) = program::run(self.port, words, limit, desk, self.signals);
        self.input.bytes.extend_from_slice(&left.unread);
        if let Some(error) = left.fault {
            self.lose_line(&error);
        }
        let now = Instant::now();
        match ending {
            Ending::Good => self.conversation.answer_program(now, Ok(())),
            Ending::Bad(reason) => self.conversation.answer_program(now, Err(reason)),
            Ending::Interrupted => self.conversation.fail(now, interrupted()),
        }
    }

    /// Moves bytes of files into the link while it has room and not too much waits for the line.
    fn send_files(&mut self, desk: &mut Desk<'_>) -> bool {
        let mut any = false;
        while self.output.len() < OUTPUT {
            let Some(wanted) = self.conversation.poll_wanted() else {
                // Moving on what the link has may make room for more; doing so for each file would waste packets.
                if self.transmit() {
                    continue;
                }
                break;
            };
            any = true;
            let now = Instant::now();
            match desk.read(&wanted) {
                Ok(bytes) => {
                    if self.conversation.supply(now, wanted.key, bytes) == 0 {
                        break;
                    }
                }
                Err(reason) => {
                    self.conversation
                        .fail(now, ConversationError::Local(reason));
                    break;
                }
            }
        }
        any
    }

    /// Writes what the line takes.
    fn flush(&mut self) {
        // An empty write moves what an earlier one has left in the port.
        while !self.output.is_empty() || (self.port.holds().output && !self.hung_up) {
            match self.port.write(self.output.rest()) {
                Ok(0) => break,
                Ok(count) => {
                    let written = self.output.rest().get(..count).unwrap_or_default();
                    tracing::trace!(target: "uucp::outgoing", count, bytes = %written.escape_ascii(), "sent");
                    self.output.consume(count);
                    self.stuck_since = Instant::now();
                }
                Err(error) => {
                    self.output.clear();
                    // What the peer said before it went may still be there to be read.
                    self.drain_input();
                    self.lose_line(&error);
                    return;
                }
            }
        }
    }
}

/// A signal has ended the call.
fn interrupted() -> ConversationError {
    ConversationError::Local("Got termination signal".into())
}

#[cfg(test)]
mod tests;
