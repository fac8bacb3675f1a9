//! The stages of a call and the steps from one to the next.

mod begin;
mod end;

use std::time::Instant;

use super::chat::{ChatRunner, ChatStep, ChatWords};
use super::event::{Event, PasswordWord, Severity};
use super::handshake::{Chosen, Handshake, HandshakeStep};
use super::login::{LoginPrompts, LoginStep};
use super::session::Session;
use super::{
    AnswerProfile, CallProfile, Conversation, ConversationError, FRUITLESS, Question, SILENCE,
    TRICKLE,
};
use crate::config::Chat;
use crate::wire::handshake::StringReader;

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
                Some(ChatStep::Break) => {
                    self.question = Some(Question::Program);
                    self.events.push_back(Event::Break);
                }
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
}

fn fruitless() -> ConversationError {
    let minutes = FRUITLESS.as_secs() / 60;
    ConversationError::Remote(format!(
        "the other system has held the line for {minutes} minutes without a transfer"
    ))
}
