//! Two sides and the line between them.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::config::chat::{Chat, Exchange, Expect, SendItem};
use crate::config::{ProtocolParameter, Secret};
use crate::conversation::*;
use crate::link::testline::{BadLine, Faults};
use crate::name::SystemName;
use crate::wire::command::{Features, Refusal, Request};

use super::side::{Side, SpoolState};

/// How a pair is set up.
pub(super) struct PairOptions {
    pub(super) protocol: u8,
    pub(super) offered: Option<Vec<u8>>,
    pub(super) login: bool,
    pub(super) password: Vec<u8>,
    /// Largest piece handed to a conversation at a time.
    pub(super) chunk: usize,
    /// The line ends after so many bytes of both directions.
    pub(super) hang_up_at: Option<usize>,
    /// The called side's bytes are swallowed after so many.
    pub(super) silent_after: Option<usize>,
    /// After so many bytes of the caller, these are put in.
    pub(super) noise_after: Option<usize>,
    pub(super) noise: Vec<u8>,
    /// The line carries one direction at a time.
    pub(super) half_duplex: bool,
    /// What the caller announces.
    pub(super) features: Features,
    /// What the called side announces.
    pub(super) called_features: Features,
    pub(super) max_file_time: Duration,
    /// How long the line takes for what a side sends at once.
    pub(super) delay: Duration,
    /// What the line is, where it is more than a wire without length.
    pub(super) line: Option<LineOptions>,
    /// Parameters of the protocol, at both sides.
    pub(super) parameters: Vec<(&'static str, &'static str)>,
}

/// More than the strings before the link protocol, which nothing protects.
const HANDSHAKE: usize = 300;

/// A line that takes its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineOptions {
    pub(super) bytes_per_second: u32,
    pub(super) round_trip: Duration,
    pub(super) faults: Faults,
    pub(super) seed: u64,
}

impl LineOptions {
    /// From the caller, and back.
    fn lines(self) -> [BadLine; 2] {
        [self.seed, !self.seed].map(|seed| {
            BadLine::new(seed, self.faults, self.round_trip / 2)
                .at_rate(self.bytes_per_second)
                .sparing(HANDSHAKE)
        })
    }
}

impl Default for PairOptions {
    fn default() -> Self {
        Self {
            protocol: b't',
            offered: None,
            login: false,
            password: b"xyzzy".to_vec(),
            chunk: usize::MAX,
            hang_up_at: None,
            silent_after: None,
            noise_after: None,
            noise: Vec::new(),
            half_duplex: false,
            features: Features::OURS,
            called_features: Features::OURS,
            max_file_time: Duration::ZERO,
            delay: Duration::ZERO,
            line: None,
            parameters: Vec::new(),
        }
    }
}

fn parameters(options: &PairOptions) -> Vec<ProtocolParameter> {
    let parameter = |(name, value): &(&str, &str)| ProtocolParameter {
        letter: options.protocol,
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    options.parameters.iter().map(parameter).collect()
}

fn name(text: &str) -> SystemName {
    SystemName::parse(text.as_bytes()).unwrap()
}

pub(super) fn answer_profile(login: LoginMode) -> AnswerProfile {
    AnswerProfile {
        local: name("beta"),
        login,
        prompted: false,
        strip_login: true,
        strip_parity: true,
        features: Features::OURS,
    }
}

fn chat(login: bool) -> Chat {
    let expect = |pattern: &str| {
        vec![Expect {
            pattern: pattern.into(),
            timeout: None,
            subsend: None,
        }]
    };
    let send = |item| vec![item, SendItem::Bytes(b"\r".to_vec())];
    let script = if login {
        vec![
            Exchange {
                expect: expect("ogin:"),
                send: send(SendItem::Login),
            },
            Exchange {
                expect: expect("word:"),
                send: send(SendItem::Password),
            },
        ]
    } else {
        Vec::new()
    };
    Chat {
        script,
        timeout: Duration::from_secs(10),
        fail: Vec::new(),
        program: None,
        seven_bit: true,
    }
}

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

    /// Everything that was queued (and not refused) is at the other side, unharmed, and queued no more.
    pub(super) fn assert_complete(&self) {
        let protocol = char::from(self.options.protocol);
        let results = [&self.caller.result, &self.called.result];
        assert_eq!(results, [&Some(Ok(())); 2], "{protocol}");
        let before = self.before.as_ref().unwrap();
        for (queued, from, to) in [
            (&before.0, &self.caller, &self.called),
            (&before.1, &self.called, &self.caller),
        ] {
            for (id, job) in &queued.queue {
                if from
                    .refused
                    .get(id)
                    .is_some_and(|r| *r != Refusal::AlreadyReceived)
                {
                    continue;
                }
                assert!(
                    !from.queue.contains_key(id),
                    "{protocol}: {id} is still queued"
                );
                let arrived = match &job.request {
                    Request::Receive(request) => {
                        assert!(from.asked_for.get(id) == to.offered.get(&request.from));
                        continue;
                    }
                    _ => to.received.get(id),
                };
                assert!(arrived == Some(&job.content), "{protocol}: {id}");
            }
        }
    }

    /// Every job is still queued, or its file is at the other side as it was.
    pub(super) fn assert_nothing_lost(&self, caller: &SpoolState, called: &SpoolState) {
        for (before, from, to) in [
            (caller, &self.caller, &self.called),
            (called, &self.called, &self.caller),
        ] {
            for (id, job) in &before.queue {
                if let Some(arrived) = to.received.get(id) {
                    assert!(arrived == &job.content, "{id} is not as it was");
                } else {
                    assert!(from.queue.contains_key(id), "{id} is lost");
                }
            }
        }
    }

    /// As [`assert_nothing_lost`](Self::assert_nothing_lost), and there is nothing else.
    pub(super) fn assert_once(&self, caller: &SpoolState, called: &SpoolState) {
        self.assert_nothing_lost(caller, called);
        assert!(self.caller.queue.is_empty() && self.called.queue.is_empty());
        assert_eq!(self.called.received.len(), caller.queue.len());
        assert_eq!(self.caller.received.len(), called.queue.len());
    }
}
