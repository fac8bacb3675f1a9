//! The loop that joins a port and a conversation: `poll(2)`, nothing else ever waits.
//!
//! Whatever is to be sent when the line takes bytes goes out in one write. Events are worked off before anything is written,
//! so confirmations of one round of syncs, and the answers to a burst of requests, travel together.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::program::{self, Ending};
use super::signals::Signals;
use crate::config::chat::ProgramWord;
use crate::conversation::{Conversation, ConversationError, Event};
use crate::port::{Port, PortRead, TlsFault, wait};

/// How much is read at a time, and how much may wait to be understood.
const INPUT: usize = 256 * 1024;
/// How much may wait to be written before more of a file is read.
const OUTPUT: usize = 512 * 1024;
/// How long the line may refuse to take a single byte.
const STUCK: Duration = Duration::from_mins(2);
/// How long the last words of a call that failed may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One call while it runs.
pub(super) struct Driver<'a> {
    port: &'a mut dyn Port,
    conversation: Conversation,
    signals: Option<&'a Signals>,
    input: Buffer,
    output: Buffer,
    /// Since when the line has taken nothing of what waits.
    stuck_since: Instant,
    hung_up: bool,
    /// Why the line went, where it is known.
    fault: Option<String>,
    result: Option<Result<(), ConversationError>>,
}

/// Bytes in the order they came, taken from the front.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            start: 0,
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }
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
            stuck_since: Instant::now(),
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
            if self.is_over() {
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

    fn is_over(&self) -> bool {
        let patience = if matches!(self.result, Some(Ok(()))) {
            STUCK
        } else {
            LAST_WORDS
        };
        let is_out = self.output.is_empty() && !self.port.holds().output;
        self.result.is_some() && (is_out || self.hung_up || self.stuck_since.elapsed() >= patience)
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
            Event::Finished(result) => self.result = Some(self.explained(result)),
            Event::Break => {
                if let Err(error) = self.port.send_break() {
                    self.lose_line(&error);
                }
            }
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
            (Err(ConversationError::Disconnected), Some(fault)) => {
                Err(ConversationError::Line(fault.clone()))
            }
            (result, _) => result,
        }
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

    fn drain_input(&mut self) {
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

    fn lose_line(&mut self, error: &io::Error) {
        tracing::debug!(target: "uucp::port", %error, "line lost");
        if let Some(fault) = TlsFault::in_line(error) {
            self.fault = Some(fault.to_string());
        }
        self.hung_up = true;
    }

    fn wait_and_read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let held = self.port.holds();
        if held.input && !self.hung_up {
            return self.read(buffer);
        }
        let writing = !self.output.is_empty() || held.output;
        let stuck = (!self.output.is_empty()).then(|| self.stuck_since + STUCK);
        let timeout = self.conversation.poll_timeout();
        let last_words = self.result.is_some().then(|| self.stuck_since + LAST_WORDS);
        let deadline = [stuck, timeout, last_words].into_iter().flatten().min();
        let interrupt = self.signals.map(AsFd::as_fd);
        let ready = wait(self.port.descriptors(), writing, interrupt, deadline)?;
        if ready.interrupted && self.signals.is_some_and(Signals::ends_call) {
            self.conversation.fail(Instant::now(), interrupted());
            return Ok(());
        }
        let now = Instant::now();
        if stuck.is_some_and(|at| at <= now) && !ready.writable {
            let error = ConversationError::TimedOut("the other system to take our data");
            self.conversation.fail(now, error);
            return Ok(());
        }
        if ready.readable {
            self.read(buffer)?;
        } else if timeout.is_some_and(|at| at <= now) {
            self.conversation.handle_timeout(now);
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if self.input.len() >= INPUT {
            // The conversation takes nothing and wants nothing: the peer talks out of turn.
            let error = ConversationError::Remote("too much data out of turn".into());
            self.conversation.fail(Instant::now(), error);
            return Ok(());
        }
        match self.port.read(buffer)? {
            PortRead::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                tracing::trace!(target: "uucp::incoming", count, bytes = %bytes.escape_ascii(), "received");
                if self.input.is_empty() {
                    // The common case: straight into the conversation, without a copy kept here.
                    let used = self.conversation.handle_input(Instant::now(), bytes);
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

/// A signal has ended the call.
fn interrupted() -> ConversationError {
    ConversationError::Local("Got termination signal".into())
}
