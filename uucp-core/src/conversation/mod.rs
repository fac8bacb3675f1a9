//! One call, from the login prompt to `OOOOOO`: no IO, no clock, no files.
//!
//! [`Conversation`] has four kinds of method, as the links below it: inputs (`handle_*`), answers to the questions it asked
//! (`answer_*`), outputs (`poll_*`), and [`Conversation::fail`] for what went wrong on this side. After any input or answer,
//! poll the events until there are none, then move what is to be sent, then wait for input or the timeout.
//!
//! A question stops the conversation until it is answered; nothing is read ahead of it. So a file is never begun before the
//! spool has said where, and never confirmed before the spool has said that it is durable.
//!
//! Taylor UUCP manual, *UUCP Protocol*.

mod chat;
mod error;
mod event;
mod handshake;
mod incoming;
mod login;
mod outgoing;
mod profile;
mod session;
mod stage;

#[cfg(test)]
#[allow(
    clippy::similar_names,
    clippy::cast_possible_truncation,
    clippy::useless_vec,
    reason = "caller and called are the words of the field; contents are any bytes"
)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use chat::ChatWords;
pub use error::ConversationError;
pub use event::{
    Admission, Arrival, Event, Introduction, Offer, PasswordWord, Placed, Severity, TransferKey,
    Wanted, Work,
};
pub use profile::{Admitted, AnswerProfile, CallProfile, LoginMode, Protocols, Verdict};

use crate::config::Chat;
use crate::link::{CallRole, Channel};
use crate::name::SystemName;
use session::Session;
use stage::{Next, Stage};

/// How long the other side may be silent.
const SILENCE: Duration = Duration::from_mins(2);
/// How long the whole handshake may take: five strings, each of which the peer waits two minutes for.
const HANDSHAKE: Duration = Duration::from_mins(5);
/// How long a link may go without anything whole while bytes trickle in.
const TRICKLE: Duration = Duration::from_mins(15);
/// How long a call may last in which requests are made and nothing is transferred. A queue of which every file is refused
/// is through long before; a peer that only wants to hold the line is not.
const FRUITLESS: Duration = Duration::from_mins(30);
/// How long the last strings are waited for; a healthy peer sends them at once.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the second of them is, where the first has come.
const FAREWELL_AGAIN: Duration = Duration::from_secs(1);

/// What has been asked and not yet been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Program,
    Login,
    Identity,
    /// More work, when a channel is free.
    Work,
    /// Any work, when the master wants to hang up.
    LastWork,
    ReceiveTheirs(Channel),
    ReceiveOurs(Channel),
    Offer(Channel),
    Expand(Channel),
    Commit,
}

/// One call. See the [module](self).
pub struct Conversation {
    role: CallRole,
    stage: Stage,
    events: VecDeque<Event>,
    /// The question of a stage before the link protocol.
    question: Option<Question>,
    out: Vec<u8>,
    /// When something was last heard or sent.
    last: Instant,
    /// The protocol's parameters, until it starts.
    protocols: Protocols,
    /// What the stage after chat or login needs.
    next: Option<Next>,
    /// The peer has said its last word twice, as is usual.
    peer_is_done: bool,
}

impl Conversation {
    /// A call that we place, over a line that is open.
    #[must_use]
    pub fn caller(now: Instant, profile: CallProfile) -> Self {
        let mut conversation = Self::new(now, CallRole::Caller);
        conversation.protocols = profile.protocols.clone();
        conversation.begin_call(now, profile);
        conversation
    }

    /// A script alone, such as a dialer's at the end of a call; [`Event::Finished`] says how it went.
    #[must_use]
    pub fn script(now: Instant, chat: Chat, words: ChatWords) -> Self {
        let mut conversation = Self::new(now, CallRole::Caller);
        conversation.begin_dial(now, chat, words);
        conversation
    }

    /// A call that has come in.
    #[must_use]
    pub fn called(now: Instant, profile: AnswerProfile) -> Self {
        let mut conversation = Self::new(now, CallRole::Called);
        conversation.begin_answer(now, profile);
        conversation
    }

    fn new(now: Instant, role: CallRole) -> Self {
        Self {
            role,
            stage: Stage::Done,
            events: VecDeque::new(),
            question: None,
            out: Vec::new(),
            last: now,
            protocols: Protocols::default(),
            next: None,
            peer_is_done: false,
        }
    }

    /// The session, if one of these questions is open there.
    fn asked(&mut self, now: Instant, questions: &[Question]) -> Option<&mut Session> {
        self.last = now;
        match &mut self.stage {
            Stage::Session(session) => session
                .question
                .is_some_and(|question| questions.contains(&question))
                .then_some(session),
            _ => None,
        }
    }

    /// Whether the call is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Whether nothing more comes from the other side: a line that is given up now loses nothing.
    #[must_use]
    pub fn peer_is_done(&self) -> bool {
        self.peer_is_done
    }

    /// Takes bytes from the line, in pieces of any size; gives back how many were used. The rest are to be offered again
    /// after the next event or answer.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) -> usize {
        self.last = now;
        let mut rest = input;
        while !rest.is_empty() {
            let used = self.stage_input(now, rest);
            if used == 0 {
                break;
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        input.len() - rest.len()
    }

    /// The line is lost, and all that came over it has been used.
    pub fn handle_hangup(&mut self, now: Instant) {
        let harmless = match &self.stage {
            Stage::Session(session) => session.is_ending(),
            Stage::Farewell { .. } | Stage::Done => true,
            _ => false,
        };
        let result = match &self.stage {
            _ if harmless => Ok(()),
            Stage::Handshake(stage) if stage.handshake.awaits_greeting() => {
                Err(ConversationError::NoGreeting)
            }
            Stage::Chat(chat) => Err(ConversationError::InChat(chat.looking_for())),
            _ => Err(ConversationError::Disconnected),
        };
        self.finish(now, result);
    }

    /// Ends the call because of something on this side.
    pub fn fail(&mut self, now: Instant, error: ConversationError) {
        self.finish(now, Err(error));
    }

    /// To be called when [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.stage_timeout(now) {
            self.finish(now, Err(error));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let silence = self.last + SILENCE;
        match &self.stage {
            Stage::Dial(chat) | Stage::Chat(chat) | Stage::CalledChat(chat, _) => {
                chat.poll_timeout()
            }
            Stage::Login(prompts) => prompts.poll_timeout(),
            Stage::Handshake(stage) => Some(silence.min(stage.until)),
            Stage::Session(session) => {
                let link = session.link.poll_timeout();
                let until = silence.min(session.progress + TRICKLE);
                let until = until.min(session.fruit.since + FRUITLESS);
                Some(link.map_or(until, |at| at.min(until)))
            }
            Stage::Farewell { until, .. } => Some(*until),
            Stage::Done => None,
        }
    }

    /// Moves the bytes that are to be sent into `out`; false when there are none.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.append(&mut self.out);
        if let Stage::Session(session) = &mut self.stage {
            while session.link.poll_transmit(now, out) {}
            if out.len() > before {
                session.progress = now;
            }
        }
        let any = out.len() > before;
        if any {
            self.last = now;
        }
        any
    }

    /// The next question or message.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.question.is_some() {
                return None;
            }
            let Stage::Session(session) = &mut self.stage else {
                return None;
            };
            match session.poll_event(now) {
                Ok(Some(event)) => return Some(event),
                Ok(None) if session.is_closed() => self.begin_farewell(now),
                Ok(None) => return None,
                Err(error) => self.finish(now, Err(error)),
            }
        }
    }

    /// The next bytes of a file that there is room for. Answer with [`supply`](Self::supply).
    pub fn poll_wanted(&mut self) -> Option<Wanted> {
        match &mut self.stage {
            Stage::Session(session) => session.poll_wanted(),
            _ => None,
        }
    }

    /// Hands over bytes of a file, as many as were wanted or fewer; gives back how many were taken. None at all means that
    /// the file is shorter than it was when it was announced: the call cannot go on.
    pub fn supply(&mut self, now: Instant, key: TransferKey, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            let error = ConversationError::Local("a file shrank while it was sent".into());
            self.finish(now, Err(error));
            return 0;
        }
        match &mut self.stage {
            Stage::Session(session) => session.supply(now, key, bytes),
            _ => 0,
        }
    }

    /// Answers [`Event::RunProgram`] and [`Event::Carrier`]: it ended well, the line is as wanted, or why not.
    pub fn answer_program(&mut self, now: Instant, ended: Result<(), String>) {
        self.last = now;
        if self.question.take_if(|q| *q == Question::Program).is_some() {
            if let Stage::Dial(chat) | Stage::Chat(chat) | Stage::CalledChat(chat, _) =
                &mut self.stage
            {
                chat.done(now, ended, &mut self.out);
            }
            self.chat_steps(now);
        }
    }

    /// Gives ourselves another name than the profile's in the greeting: to be called before [`Self::answer_login`], where the
    /// login tells the name.
    pub fn greet_as(&mut self, local: SystemName) {
        if let Some(Next::Answer(profile)) = &mut self.next {
            profile.local = local;
        }
    }

    /// Answers [`Event::CheckLogin`].
    pub fn answer_login(&mut self, now: Instant, good: bool) {
        self.last = now;
        if self.question.take_if(|q| *q == Question::Login).is_some() {
            if let Stage::Login(prompts) = &mut self.stage {
                prompts.answer(now, good);
            }
            self.login_steps(now);
        }
    }

    /// Answers [`Event::Identify`].
    pub fn answer_identity(&mut self, now: Instant, verdict: Verdict) {
        self.last = now;
        if self
            .question
            .take_if(|q| *q == Question::Identity)
            .is_none()
        {
            return;
        }
        if let Verdict::Admit(admitted) = &verdict {
            self.protocols.parameters.clone_from(&admitted.parameters);
            self.protocols.half_duplex = admitted.half_duplex;
            self.protocols.max_file_time = admitted.max_file_time;
            self.keep_called_chat(admitted.chat.clone());
        }
        if let Stage::Handshake(handshake) = &mut self.stage {
            let step = handshake.handshake.judged(verdict, &mut self.out);
            self.handshake_step(now, step);
        }
    }

    /// Answers [`Event::NextWork`]; `None`: there is none.
    pub fn answer_work(&mut self, now: Instant, work: Option<Work>) {
        if let Some(session) = self.asked(now, &[Question::Work, Question::LastWork]) {
            let key = session.work_key();
            session.answer_work(now, key, work);
        }
    }

    /// Answers [`Event::Receive`].
    pub fn answer_receive(&mut self, now: Instant, admission: Admission) {
        self.last = now;
        if let Stage::Session(session) = &mut self.stage {
            session.answer_receive(now, admission);
        }
    }

    /// Answers [`Event::Offer`].
    pub fn answer_offer(
        &mut self,
        now: Instant,
        offer: Result<Offer, crate::wire::command::Refusal>,
    ) {
        self.last = now;
        if let Stage::Session(session) = &mut self.stage {
            session.answer_offer(now, offer);
        }
    }

    /// Answers [`Event::Expand`].
    pub fn answer_expand(&mut self, now: Instant, yes: bool) {
        self.last = now;
        if let Stage::Session(session) = &mut self.stage {
            session.answer_expand(now, yes);
        }
    }

    /// Answers [`Event::Commit`]: one word for each transfer, in order.
    pub fn answer_commit(&mut self, now: Instant, placed: Vec<Placed>) {
        let Some(session) = self.asked(now, &[Question::Commit]) else {
            return;
        };
        if let Err(error) = session.answer_commit(now, placed) {
            self.finish(now, Err(error));
        }
    }

    /// New work was found while the other side is master: it is asked to let us have our turn.
    pub fn request_turn(&mut self) {
        if let Stage::Session(session) = &mut self.stage {
            session.request_turn();
        }
    }
}
