//! Chat scripts: expect and send until the other side's `uucico` runs (Taylor UUCP manual, *Chat Scripts*).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::Secret;
use crate::config::chat::{Chat, Exchange, ProgramWord, SendItem};

/// How long `\d` waits.
const DELAY: Duration = Duration::from_secs(1);
/// How long `\p` waits.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the timeout of one expected string a chat program may take: it stands for a whole script.
const PROGRAM_TIMEOUTS: u32 = 10;
/// How long the echo of one byte may take.
const ECHO: Duration = Duration::from_secs(5);
/// What a `uucico` says that asks for no login.
const GREETING: &[u8] = b"\x10Shere";

/// The words that escapes of a script stand for.
#[derive(Debug, Clone, Default)]
pub struct ChatWords {
    /// `\L`
    pub login: Vec<u8>,
    /// `\P`
    pub password: Secret,
    /// `\D`
    pub phone: Vec<u8>,
    /// `\T`
    pub translated_phone: Vec<u8>,
}

/// What a script wants done, apart from bytes sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChatStep {
    /// Run this program, for so long at most, and tell how it ended.
    Run(Vec<ProgramWord>, Duration),
    /// Send a break, after what was to be sent before it; and tell when it is sent.
    Break,
    /// Wait for carrier and end the call with it from here on, or no longer; and tell whether it came.
    Carrier(bool),
    /// The script is through.
    Done,
    /// It failed, for this reason.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Starting,
    Program,
    /// The line is asked for carrier, or for a break.
    Line,
    /// The queue of things to send is being worked off.
    Sending,
    Paused(Instant),
    Echo(u8, Instant),
    Expecting(Instant),
    Over,
}

/// A running chat script.
pub(super) struct ChatRunner {
    chat: Chat,
    words: ChatWords,
    state: State,
    /// Which exchange of the script, and which alternative of its expect.
    exchange: usize,
    alternative: usize,
    sending: VecDeque<SendItem>,
    /// What follows once the queue is empty: the next expect of the same exchange (after a subsend), or the next exchange.
    after_subsend: bool,
    echo: bool,
    /// The last bytes that came in, as many as the longest pattern needs.
    tail: VecDeque<u8>,
    tail_limit: usize,
    /// How much of the greeting came last; all of it, once it was seen whole.
    greeting: usize,
    steps: VecDeque<ChatStep>,
}

impl ChatRunner {
    pub(super) fn new(chat: Chat, words: ChatWords) -> Self {
        let expects = chat.script.iter().flat_map(|exchange| &exchange.expect);
        let patterns = expects.map(|expect| expect.pattern.len());
        let tail_limit = patterns
            .chain(chat.fail.iter().map(Vec::len))
            .max()
            .unwrap_or(0);
        Self {
            chat,
            words,
            state: State::Starting,
            exchange: 0,
            alternative: 0,
            sending: VecDeque::new(),
            after_subsend: false,
            echo: false,
            tail: VecDeque::new(),
            tail_limit,
            greeting: 0,
            steps: VecDeque::new(),
        }
    }

    pub(super) fn start(&mut self, now: Instant, out: &mut Vec<u8>) {
        match self.chat.program.take() {
            Some(program) if !program.is_empty() => {
                self.state = State::Program;
                let limit = self.chat.timeout.saturating_mul(PROGRAM_TIMEOUTS);
                self.steps.push_back(ChatStep::Run(program, limit));
            }
            _ => self.expect(now, out),
        }
    }

    /// What was asked for with [`ChatStep::Run`], [`ChatStep::Break`] or [`ChatStep::Carrier`] is done, or why it is not.
    pub(super) fn done(&mut self, now: Instant, ended: Result<(), String>, out: &mut Vec<u8>) {
        match (&self.state, ended) {
            (State::Program | State::Line, Err(reason)) => self.fail(reason),
            (State::Program, Ok(())) => self.expect(now, out),
            (State::Line, Ok(())) => {
                self.state = State::Sending;
                self.send(now, out);
            }
            _ => {}
        }
    }

    pub(super) fn poll_step(&mut self) -> Option<ChatStep> {
        self.steps.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Paused(at) | State::Echo(_, at) | State::Expecting(at) => Some(at),
            _ => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<u8>) {
        match self.state {
            State::Paused(at) if at <= now => {
                self.state = State::Sending;
                self.send(now, out);
            }
            State::Echo(_, at) if at <= now => self.fail("Echo did not come in chat script".into()),
            State::Expecting(at) if at <= now => self.expect_failed(now, out),
            _ => {}
        }
    }

    /// Takes bytes one by one, and not one more than the script needs: what follows belongs to the handshake.
    pub(super) fn handle_input(&mut self, now: Instant, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut used = 0;
        for &byte in input {
            match self.state {
                State::Expecting(_) => {
                    used += 1;
                    self.take(now, byte, out);
                }
                State::Echo(wanted, _) => {
                    used += 1;
                    if self.strip(byte) == wanted {
                        self.state = State::Sending;
                        self.send(now, out);
                    }
                }
                _ => break,
            }
        }
        used
    }

    fn strip(&self, byte: u8) -> u8 {
        if self.chat.seven_bit {
            byte & 0x7f
        } else {
            byte
        }
    }

    fn take(&mut self, now: Instant, byte: u8, out: &mut Vec<u8>) {
        self.greeting = match GREETING.get(self.greeting) {
            None => self.greeting,
            Some(&wanted) if wanted == byte => self.greeting + 1,
            // Its first byte is nowhere else in it.
            Some(_) => usize::from(GREETING.first() == Some(&byte)),
        };
        self.tail.push_back(self.strip(byte));
        while self.tail.len() > self.tail_limit {
            self.tail.pop_front();
        }
        let failed = self.chat.fail.iter().find(|text| self.ends_with(text));
        if let Some(text) = failed {
            let text = text.escape_ascii().to_string();
            return self.fail(format!("Chat script failed: Got \"{text}\""));
        }
        let seen = self
            .current()
            .and_then(|exchange| exchange.expect.get(self.alternative))
            .is_some_and(|expect| self.ends_with(&expect.pattern));
        if seen {
            self.expectation_met(now, out);
        }
    }

    fn ends_with(&self, pattern: &[u8]) -> bool {
        !pattern.is_empty()
            && self.tail.len() >= pattern.len()
            && self
                .tail
                .iter()
                .rev()
                .zip(pattern.iter().rev())
                .all(|(a, b)| a == b)
    }

    fn current(&self) -> Option<&Exchange> {
        self.chat.script.get(self.exchange)
    }

    /// Begins the expect of the current exchange, or ends the script.
    fn expect(&mut self, now: Instant, out: &mut Vec<u8>) {
        let Some(exchange) = self.current() else {
            self.state = State::Over;
            self.steps.push_back(ChatStep::Done);
            return;
        };
        match exchange.expect.get(self.alternative) {
            Some(expect) if !expect.pattern.is_empty() => {
                let timeout = expect.timeout.unwrap_or(self.chat.timeout);
                tracing::debug!(target: "uucp::chat", looking_for = %expect.pattern.escape_ascii(), "expect");
                self.tail.clear();
                self.state = State::Expecting(now + timeout);
            }
            _ => self.expectation_met(now, out),
        }
    }

    fn expectation_met(&mut self, now: Instant, out: &mut Vec<u8>) {
        let send = self.current().map(|exchange| exchange.send.clone());
        self.queue(send.unwrap_or_default());
        self.after_subsend = false;
        self.send(now, out);
    }

    /// The expected string did not come: subsend, or the end.
    fn expect_failed(&mut self, now: Instant, out: &mut Vec<u8>) {
        let expect = self
            .current()
            .and_then(|exchange| exchange.expect.get(self.alternative));
        match expect.and_then(|expect| expect.subsend.clone()) {
            Some(subsend) => {
                self.queue(subsend);
                self.after_subsend = true;
                self.send(now, out);
            }
            None => self.fail(format!("Timed out in chat script{}", self.looking_for())),
        }
    }

    /// What is waited for, and why it will not come, as the end of a sentence.
    pub(super) fn looking_for(&self) -> String {
        let expect = self
            .current()
            .and_then(|exchange| exchange.expect.get(self.alternative));
        let expect = expect.filter(|expect| !expect.pattern.is_empty());
        let pattern = expect.map_or_else(String::new, |expect| {
            format!(", looking for \"{}\"", expect.pattern.escape_ascii())
        });
        if self.greeting < GREETING.len() {
            return pattern;
        }
        format!(
            "{pattern}; the other side asks for no login: start 'uucico -l' there, or say 'chat \"\"' here"
        )
    }

    fn queue(&mut self, items: Vec<SendItem>) {
        self.sending = items.into();
        self.echo = false;
        self.state = State::Sending;
    }

    /// Works the queue off as far as it goes without waiting, then goes on with the next expect.
    fn send(&mut self, now: Instant, out: &mut Vec<u8>) {
        while let Some(item) = self.sending.pop_front() {
            match item {
                SendItem::Bytes(bytes) => self.put(now, &bytes, out),
                SendItem::Login => self.put(now, &self.words.login.clone(), out),
                SendItem::Password => self.put(now, self.words.password.clone().expose(), out),
                SendItem::Phone => self.put(now, &self.words.phone.clone(), out),
                SendItem::TranslatedPhone => {
                    self.put(now, &self.words.translated_phone.clone(), out);
                }
                SendItem::Eot => out.push(0o4),
                SendItem::Break => {
                    self.state = State::Line;
                    self.steps.push_back(ChatStep::Break);
                }
                SendItem::Delay => self.state = State::Paused(now + DELAY),
                SendItem::Pause => self.state = State::Paused(now + PAUSE),
                SendItem::EchoCheck(on) => self.echo = on,
                SendItem::RequireCarrier(on) => {
                    self.state = State::Line;
                    self.steps.push_back(ChatStep::Carrier(on));
                }
            }
            if self.state != State::Sending {
                return;
            }
        }
        if self.after_subsend {
            self.alternative += 1;
        } else {
            self.exchange += 1;
            self.alternative = 0;
        }
        self.expect(now, out);
    }

    /// Sends bytes; one at a time while echoes are checked.
    fn put(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.echo {
            out.extend_from_slice(bytes);
            return;
        }
        let Some((&first, rest)) = bytes.split_first() else {
            return;
        };
        out.push(first);
        if !rest.is_empty() {
            self.sending.push_front(SendItem::Bytes(rest.to_vec()));
        }
        // A carriage return is echoed as whatever the terminal makes of it.
        if first != b'\r' {
            self.state = State::Echo(self.strip(first), now + ECHO);
        }
    }

    fn fail(&mut self, reason: String) {
        self.state = State::Over;
        self.steps.push_back(ChatStep::Failed(reason));
    }
}

#[cfg(test)]
mod tests;
