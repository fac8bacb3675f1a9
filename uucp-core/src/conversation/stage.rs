//! The stages of a call and the steps from one to the next.

use std::time::Instant;

use super::chat::{ChatRunner, ChatStep, ChatWords};
use super::event::{Event, PasswordWord, Severity};
use super::handshake::{Chosen, Handshake, HandshakeStep};
use super::login::{LoginPrompts, LoginStep};
use super::session::Session;
use super::{
    AnswerProfile, CallProfile, Conversation, ConversationError, FAREWELL, FAREWELL_AGAIN,
    FRUITLESS, HANDSHAKE, LoginMode, Question, SILENCE, TRICKLE,
};
use crate::config::Chat;
use crate::link::{self, CallRole, LineMode};
use crate::wire::handshake::{StringReader, emit_over, is_over};

/// How many strings are looked through for the last one.
const FAREWELL_STRINGS: u32 = 25;

/// Where a call is.
pub(super) enum Stage {
    /// Caller: a dialer's script.
    Dial(ChatRunner),
    /// Caller: the chat script.
    Chat(ChatRunner),
    /// Called: the login prompts.
    Login(LoginPrompts),
    /// Both: the strings before the protocol.
    Handshake(Box<HandshakeStage>),
    /// Called: a script before the protocol starts.
    CalledChat(ChatRunner, Chosen),
    /// Both: the link protocol runs.
    Session(Box<Session>),
    /// Both: the last strings.
    Farewell {
        reader: StringReader,
        strings: u32,
        /// One that ends the call has come.
        over: bool,
        until: Instant,
    },
    /// Nothing any more.
    Done,
}

/// The handshake, and what waits for its end.
pub(super) struct HandshakeStage {
    pub(super) handshake: Handshake,
    called_chat: Option<Chat>,
    /// However busily the other side talks.
    pub(super) until: Instant,
}

/// What the next stage needs, kept while the chat or the login runs.
pub(super) enum Next {
    Call(Box<CallProfile>),
    Answer(Box<AnswerProfile>),
}

impl Conversation {
    pub(super) fn begin_call(&mut self, now: Instant, mut profile: CallProfile) {
        if !profile.dial.is_empty() {
            let (chat, words) = profile.dial.remove(0);
            self.next = Some(Next::Call(Box::new(profile)));
            return self.begin_dial(now, chat, words);
        }
        let chat = std::mem::replace(&mut profile.chat, empty_chat());
        let words = std::mem::take(&mut profile.words);
        let mut runner = ChatRunner::new(chat, words);
        runner.start(now, &mut self.out);
        self.stage = Stage::Chat(runner);
        self.next = Some(Next::Call(Box::new(profile)));
        self.chat_steps(now);
    }

    pub(super) fn begin_dial(&mut self, now: Instant, chat: Chat, words: ChatWords) {
        let mut runner = ChatRunner::new(chat, words);
        runner.start(now, &mut self.out);
        self.stage = Stage::Dial(runner);
        self.chat_steps(now);
    }

    pub(super) fn begin_answer(&mut self, now: Instant, profile: AnswerProfile) {
        let (login, strip) = (profile.login.clone(), profile.strip_login);
        let prompted = profile.prompted;
        self.next = Some(Next::Answer(Box::new(profile)));
        let fixed = match login {
            LoginMode::Done => return self.begin_handshake(now, None),
            LoginMode::Prompt => None,
            LoginMode::Password(name) => Some(name),
        };
        let mut prompts = LoginPrompts::new(now, fixed, strip);
        prompts.start(&mut self.out);
        if prompted {
            self.out.clear();
        }
        self.stage = Stage::Login(prompts);
    }

    fn begin_handshake(&mut self, now: Instant, login: Option<Vec<u8>>) {
        let handshake = match self.next.take() {
            Some(Next::Call(profile)) => Handshake::caller(profile),
            Some(Next::Answer(profile)) => Handshake::called(&profile, login, &mut self.out),
            None => return,
        };
        self.stage = Stage::Handshake(Box::new(HandshakeStage {
            handshake,
            called_chat: None,
            until: now + HANDSHAKE,
        }));
    }

    pub(super) fn keep_called_chat(&mut self, chat: Option<Chat>) {
        if let Stage::Handshake(stage) = &mut self.stage {
            stage.called_chat = chat;
        }
    }

    /// One stage's share of the input; 0 when none of it can be used now.
    pub(super) fn stage_input(&mut self, now: Instant, input: &[u8]) -> usize {
        if self.question.is_some() {
            return 0;
        }
        match &mut self.stage {
            Stage::Dial(chat) | Stage::Chat(chat) | Stage::CalledChat(chat, _) => {
                let used = chat.handle_input(now, input, &mut self.out);
                self.chat_steps(now);
                used
            }
            Stage::Login(prompts) => {
                let used = prompts.handle_input(input, &mut self.out);
                self.login_steps(now);
                used
            }
            Stage::Handshake(stage) if stage.handshake.is_reading() => {
                let (used, step) = stage.handshake.handle_input(input, &mut self.out);
                self.handshake_step(now, step);
                used
            }
            Stage::Handshake(_) => 0,
            // A peer that talks without a pause leaves no time for timeouts.
            Stage::Session(session) if session.fruit.since + FRUITLESS <= now => {
                self.finish(now, Err(fruitless()));
                input.len()
            }
            Stage::Session(session) => match session.link.handle_input(now, input) {
                Ok(used) => used,
                Err(error) => {
                    self.finish(now, Err(error.into()));
                    input.len()
                }
            },
            Stage::Farewell { .. } => self.farewell_input(now, input),
            Stage::Done => input.len(),
        }
    }

    pub(super) fn stage_timeout(&mut self, now: Instant) -> Result<(), ConversationError> {
        let silent = self.last + SILENCE <= now;
        match &mut self.stage {
            Stage::Dial(chat) | Stage::Chat(chat) | Stage::CalledChat(chat, _) => {
                chat.handle_timeout(now, &mut self.out);
                self.chat_steps(now);
            }
            Stage::Login(prompts) => {
                prompts.handle_timeout(now, &mut self.out);
                self.login_steps(now);
            }
            Stage::Handshake(stage) if silent || stage.until <= now => {
                return Err(ConversationError::TimedOut(stage.handshake.awaited()));
            }
            Stage::Session(session) => {
                if session.link.poll_timeout().is_some_and(|at| at <= now)
                    && let Err(error) = session.link.handle_timeout(now)
                {
                    // Both sides have agreed to end: what is missing is a courtesy.
                    let ending = session.is_ending();
                    let result = if ending { Ok(()) } else { Err(error.into()) };
                    self.finish(now, result);
                } else if silent || session.progress + TRICKLE <= now {
                    return Err(ConversationError::TimedOut(session.awaited()));
                } else if session.fruit.since + FRUITLESS <= now {
                    return Err(fruitless());
                }
            }
            Stage::Farewell { until, .. } if *until <= now => self.finish(now, Ok(())),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn chat_steps(&mut self, now: Instant) {
        loop {
            let (Stage::Dial(chat) | Stage::Chat(chat) | Stage::CalledChat(chat, _)) =
                &mut self.stage
            else {
                return;
            };
            match chat.poll_step() {
                None => return,
                Some(ChatStep::Run(words, limit)) => {
                    self.question = Some(Question::Program);
                    self.events.push_back(Event::RunProgram { words, limit });
                }
                Some(ChatStep::Break) => self.events.push_back(Event::Break),
                Some(ChatStep::Carrier(on)) => {
                    self.question = Some(Question::Program);
                    self.events.push_back(Event::Carrier(on));
                }
                Some(ChatStep::Failed(reason)) => {
                    let error = match self.stage {
                        Stage::Dial(_) => ConversationError::Dial(reason),
                        _ => ConversationError::Login(reason),
                    };
                    self.finish(now, Err(error));
                }
                Some(ChatStep::Done) => self.chat_done(now),
            }
        }
    }

    fn chat_done(&mut self, now: Instant) {
        self.last = now;
        if matches!(self.stage, Stage::Dial(_)) {
            return self.dial_done(now);
        }
        if let Stage::CalledChat(_, chosen) = std::mem::replace(&mut self.stage, Stage::Done) {
            self.begin_session(now, &chosen);
        } else {
            self.events.push_back(Event::LoggedIn);
            self.begin_handshake(now, None);
        }
    }

    /// One dialer's script is through: the next one's, the login's, or, where it stood alone, the end.
    fn dial_done(&mut self, now: Instant) {
        match self.next.take() {
            Some(Next::Call(profile)) => {
                if profile.dial.is_empty() {
                    self.events.push_back(Event::Dialed);
                }
                self.begin_call(now, *profile);
            }
            other => {
                self.next = other;
                self.finish(now, Ok(()));
            }
        }
    }

    pub(super) fn login_steps(&mut self, now: Instant) {
        let Stage::Login(prompts) = &mut self.stage else {
            return;
        };
        match prompts.poll_step() {
            None => {}
            Some(LoginStep::Check(login, password)) => {
                self.question = Some(Question::Login);
                self.events.push_back(Event::CheckLogin {
                    login,
                    password: PasswordWord(password),
                });
            }
            Some(LoginStep::Done(login)) => self.begin_handshake(now, Some(login)),
            Some(LoginStep::Failed(reason)) => {
                self.finish(now, Err(ConversationError::Login(reason)));
            }
        }
    }

    pub(super) fn handshake_step(&mut self, now: Instant, step: Option<HandshakeStep>) {
        match step {
            None => {}
            Some(HandshakeStep::Identify(introduction)) => {
                self.question = Some(Question::Identity);
                self.events.push_back(Event::Identify(introduction));
            }
            Some(HandshakeStep::Failed(error)) => self.finish(now, Err(error)),
            Some(HandshakeStep::CallBack(text)) => {
                self.events.push_back(Event::Log(Severity::Note, text));
                self.finish(now, Ok(()));
            }
            Some(HandshakeStep::Chosen(chosen)) => {
                let chat = match &mut self.stage {
                    Stage::Handshake(stage) => stage.called_chat.take(),
                    _ => None,
                };
                match chat {
                    Some(chat) => {
                        let mut runner = ChatRunner::new(chat, ChatWords::default());
                        runner.start(now, &mut self.out);
                        self.stage = Stage::CalledChat(runner, chosen);
                        self.chat_steps(now);
                    }
                    None => self.begin_session(now, &chosen),
                }
            }
        }
    }

    fn begin_session(&mut self, now: Instant, chosen: &Chosen) {
        let parameters: Vec<(&str, &str)> = self
            .protocols
            .parameters
            .iter()
            .filter(|parameter| parameter.letter == chosen.letter)
            .map(|parameter| (parameter.name.as_str(), parameter.value.as_str()))
            .collect();
        let made = link::make(chosen.letter, self.role, chosen.features, &parameters);
        let Some(mut link) = made else {
            let letter = char::from(chosen.letter).escape_default();
            let reason = format!("No such protocol: '{letter}'");
            return self.finish(now, Err(ConversationError::Handshake(reason)));
        };
        let terminal = link.line_mode();
        if terminal != LineMode::default() {
            self.events.push_back(Event::SetLine(terminal));
        }
        link.start(now);
        let master = self.role == CallRole::Caller;
        let mut session = Session::new(now, link, chosen, master);
        if self.protocols.half_duplex {
            session.use_one_channel();
        }
        session.limit_file_time(self.protocols.max_file_time);
        self.stage = Stage::Session(Box::new(session));
    }

    pub(super) fn begin_farewell(&mut self, now: Instant) {
        self.log_statistics();
        let mut rest = Vec::new();
        if let Stage::Session(session) = &mut self.stage {
            // What the link still has to say comes before the last strings.
            while session.link.poll_transmit(now, &mut self.out) {}
            rest = session.link.take_rest();
        }
        emit_over(self.role == CallRole::Caller, &mut self.out);
        self.stage = Stage::Farewell {
            reader: StringReader::new(true),
            strings: 0,
            over: false,
            until: now + FAREWELL,
        };
        // The peer's last strings may have come together with its last packet.
        let mut rest = rest.as_slice();
        while !rest.is_empty() {
            let used = self.farewell_input(now, rest);
            if used == 0 {
                break;
            }
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn farewell_input(&mut self, now: Instant, input: &[u8]) -> usize {
        let Stage::Farewell {
            reader,
            strings,
            over,
            until,
        } = &mut self.stage
        else {
            return 0;
        };
        match reader.read(input) {
            Ok((used, None)) => used,
            Ok((used, Some(text))) => {
                *strings += 1;
                let again = *over;
                if is_over(&text) && !again {
                    *over = true;
                    *until = (*until).min(now + FAREWELL_AGAIN);
                } else if again || *strings >= FAREWELL_STRINGS {
                    self.peer_is_done = again && is_over(&text);
                    self.finish(now, Ok(()));
                }
                used
            }
            Err(_) => {
                self.finish(now, Ok(()));
                input.len()
            }
        }
    }

    fn log_statistics(&mut self) {
        if let Stage::Session(session) = &self.stage
            && let Some(statistics) = session.link.statistics()
        {
            let letter = char::from(session.link.letter());
            let text = format!("Protocol '{letter}' {statistics}");
            self.events.push_back(Event::Log(Severity::Note, text));
        }
    }

    /// Ends the call, once.
    pub(super) fn finish(&mut self, now: Instant, result: Result<(), ConversationError>) {
        if self.is_finished() {
            return;
        }
        if result.is_err() {
            self.log_statistics();
        }
        // What was said before the end still belongs to the call: the answer that refuses it, for one.
        if let Stage::Session(session) = &mut self.stage {
            while session.link.poll_transmit(now, &mut self.out) {}
            self.events.append(&mut session.events);
        }
        self.question = None;
        self.stage = Stage::Done;
        self.events.push_back(Event::Finished(result));
    }
}

fn fruitless() -> ConversationError {
    let minutes = FRUITLESS.as_secs() / 60;
    ConversationError::Remote(format!(
        "the other system has held the line for {minutes} minutes without a transfer"
    ))
}

fn empty_chat() -> Chat {
    Chat {
        script: Vec::new(),
        timeout: SILENCE,
        fail: Vec::new(),
        program: None,
        seven_bit: true,
    }
}
