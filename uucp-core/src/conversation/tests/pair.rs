//! Two sides and the line between them.

mod checks;
mod options;
mod profile;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::config::Secret;
use crate::conversation::*;
use crate::link::testline::BadLine;

use self::options::{HANDSHAKE, parameters};
pub(super) use self::options::{LineOptions, PairOptions};
pub(super) use self::profile::answer_profile;
use self::profile::{chat, name};
use super::side::{Side, SpoolState};

/// Two sides and what is on its way between them.
pub(super) struct Pair {
    pub(super) caller: Side,
    pub(super) called: Side,
    now: Instant,
    options: PairOptions,
    carried: usize,
    from_caller: usize,
    from_called: usize,
    /// The beginning of what the caller has said.
    caller_said: Vec<u8>,
    /// From the caller, and back.
    lines: Option<[BadLine; 2]>,
    before: Option<(SpoolState, SpoolState)>,
}

impl Pair {
    pub(super) fn new(options: PairOptions) -> Self {
        let offered = options.offered.clone();
        let caller = Side::new(vec![options.protocol]);
        let mut called = Side::new(offered.unwrap_or_else(|| vec![options.protocol]));
        called.order = Rc::clone(&caller.order);
        called.half_duplex = options.half_duplex;
        called.max_file_time = options.max_file_time;
        called.parameters = parameters(&options);
        Self {
            caller,
            called,
            now: Instant::now(),
            lines: options.line.map(LineOptions::lines),
            options,
            carried: 0,
            from_caller: 0,
            from_called: 0,
            caller_said: Vec::new(),
            before: None,
        }
    }

    fn start(&mut self) {
        self.before = Some((self.caller.clone_spool(), self.called.clone_spool()));
        let profile = CallProfile {
            local: name("alpha"),
            system: name("beta"),
            aliases: Vec::new(),
            dial: Vec::new(),
            chat: chat(self.options.login),
            words: ChatWords {
                login: b"Ualpha".to_vec(),
                password: Secret::new(self.options.password.clone()),
                ..ChatWords::default()
            },
            sequence: None,
            grade: None,
            protocols: Protocols {
                letters: self.caller.protocols.clone(),
                parameters: parameters(&self.options),
                half_duplex: self.options.half_duplex,
                max_file_time: self.options.max_file_time,
            },
            strip_parity: true,
            features: self.options.features,
        };
        let login = if self.options.login {
            LoginMode::Prompt
        } else {
            LoginMode::Done
        };
        let answer = AnswerProfile {
            features: self.options.called_features,
            ..answer_profile(login)
        };
        self.caller.conversation = Some(Conversation::caller(self.now, profile));
        self.called.conversation = Some(Conversation::called(self.now, answer));
    }

    pub(super) fn carried(&self) -> usize {
        self.carried
    }

    /// What the caller said after these words of its handshake, of which only the first few hundred bytes are kept.
    pub(super) fn said_after(&self, words: &[u8]) -> &[u8] {
        let said = &self.caller_said;
        let at = said.windows(words.len()).position(|window| window == words);
        &said[at.unwrap() + words.len()..]
    }

    /// Runs the call to its end on both sides; how long it took on the pair's own clock.
    pub(super) fn run(&mut self) -> Duration {
        self.start();
        let start = self.now;
        let (mut to_called, mut to_caller) = (VecDeque::new(), VecDeque::new());
        for _ in 0..2_000_000 {
            let mut busy = self.turn(true, &mut to_caller, &mut to_called);
            busy |= self.turn(false, &mut to_called, &mut to_caller);
            if self.caller.result.is_some() && self.called.result.is_some() {
                return self.now.duration_since(start);
            }
            if !busy {
                self.wait();
            }
        }
        panic!("the call does not end");
    }

    /// One side takes what has come, works, and sends.
    fn turn(&mut self, caller: bool, from: &mut VecDeque<u8>, to: &mut VecDeque<u8>) -> bool {
        let hung_up = self
            .options
            .hang_up_at
            .is_some_and(|limit| self.carried >= limit);
        let (side, other) = if caller {
            (&mut self.caller, &self.called)
        } else {
            (&mut self.called, &self.caller)
        };
        let mut other_gone = other.result.is_some();
        if let Some(lines) = &mut self.lines {
            let line = &mut lines[usize::from(caller)];
            while let Some(bytes) = line.receive(self.now) {
                from.extend(bytes);
            }
            other_gone &= line.next_arrival().is_none();
        }
        if side.result.is_some() {
            from.clear();
            return false;
        }
        let mut piece: Vec<u8> = from.iter().take(self.options.chunk).copied().collect();
        let conversation = side.conversation.as_mut().unwrap();
        let used = conversation.handle_input(self.now, &piece);
        from.drain(..used);
        let mut busy = used > 0;
        side.work(self.now);
        let conversation = side.conversation.as_mut().unwrap();
        piece.clear();
        busy |= conversation.poll_transmit(self.now, &mut piece);
        match &mut self.lines {
            Some(lines) if !piece.is_empty() => {
                self.carried += piece.len();
                lines[usize::from(!caller)].send(self.now, &piece);
            }
            _ => piece
                .into_iter()
                .for_each(|byte| self.carry(caller, byte, to)),
        }
        if busy {
            self.now += self.options.delay;
        }
        let side = if caller {
            &mut self.caller
        } else {
            &mut self.called
        };
        if !busy && from.is_empty() && (hung_up || other_gone) && side.result.is_none() {
            let conversation = side.conversation.as_mut().unwrap();
            conversation.handle_hangup(self.now);
            side.work(self.now);
        }
        busy
    }

    fn carry(&mut self, caller: bool, byte: u8, to: &mut VecDeque<u8>) {
        let options = &self.options;
        if options
            .hang_up_at
            .is_some_and(|limit| self.carried >= limit)
        {
            return;
        }
        self.carried += 1;
        if caller {
            self.from_caller += 1;
            if self.caller_said.len() < HANDSHAKE {
                self.caller_said.push(byte);
            }
            if options.noise_after == Some(self.from_caller) {
                to.extend(&options.noise);
            }
        } else {
            self.from_called += 1;
            if options
                .silent_after
                .is_some_and(|limit| self.from_called > limit)
            {
                return;
            }
        }
        to.push_back(byte);
    }

    /// Jumps to the next thing that happens by itself.
    fn wait(&mut self) {
        let sides = [&mut self.caller, &mut self.called];
        let next = sides
            .iter()
            .filter(|side| side.result.is_none())
            .filter_map(|side| side.conversation.as_ref()?.poll_timeout());
        let arrivals = self.lines.iter().flatten();
        let next = next.chain(arrivals.filter_map(BadLine::next_arrival)).min();
        let Some(next) = next else {
            return;
        };
        self.now = self.now.max(next);
        for side in sides {
            if side.result.is_some() {
                continue;
            }
            let conversation = side.conversation.as_mut().unwrap();
            if conversation.poll_timeout().is_some_and(|at| at <= self.now) {
                conversation.handle_timeout(self.now);
                side.work(self.now);
            }
        }
    }
}
