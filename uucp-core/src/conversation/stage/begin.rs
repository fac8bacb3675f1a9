//! How each stage begins.

use std::time::Instant;

use super::{HandshakeStage, Next, Stage};
use crate::config::Chat;
use crate::conversation::chat::{ChatRunner, ChatWords};
use crate::conversation::event::Event;
use crate::conversation::handshake::{Chosen, Handshake};
use crate::conversation::login::LoginPrompts;
use crate::conversation::session::Session;
use crate::conversation::{
    AnswerProfile, CallProfile, Conversation, ConversationError, HANDSHAKE, LoginMode, SILENCE,
};
use crate::link::{self, CallRole, LineMode};

impl Conversation {
    pub(in crate::conversation) fn begin_call(&mut self, now: Instant, mut profile: CallProfile) {
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

    pub(in crate::conversation) fn begin_dial(
        &mut self,
        now: Instant,
        chat: Chat,
        words: ChatWords,
    ) {
        let mut runner = ChatRunner::new(chat, words);
        runner.start(now, &mut self.out);
        self.stage = Stage::Dial(runner);
        self.chat_steps(now);
    }

    pub(in crate::conversation) fn begin_answer(&mut self, now: Instant, profile: AnswerProfile) {
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

    pub(super) fn begin_handshake(&mut self, now: Instant, login: Option<Vec<u8>>) {
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

    pub(in crate::conversation) fn keep_called_chat(&mut self, chat: Option<Chat>) {
        if let Stage::Handshake(stage) = &mut self.stage {
            stage.called_chat = chat;
        }
    }

    pub(super) fn chat_done(&mut self, now: Instant) {
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
    pub(super) fn dial_done(&mut self, now: Instant) {
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

    pub(super) fn begin_session(&mut self, now: Instant, chosen: &Chosen) {
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
