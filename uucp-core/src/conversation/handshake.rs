//! The strings before the link protocol: who is who, what both understand, which protocol.

use super::ConversationError;
use super::event::Introduction;
use super::profile::{Admitted, AnswerProfile, CallProfile, Verdict};
use crate::wire::command::Features;
use crate::wire::handshake::{
    Accepted, Announced, Answer, CallerLine, Greeting, StringReader, choose, emit_choice,
    emit_offer, parse_choice, parse_offer,
};

/// What the handshake comes to, step by step.
#[derive(Debug)]
pub(super) enum HandshakeStep {
    /// Called: who is this, and may it come in?
    Identify(Introduction),
    /// The protocol is chosen.
    Chosen(Chosen),
    /// The call ends here.
    Failed(ConversationError),
    /// The call ends here, as it should: the called side will call. With a line for the log.
    CallBack(String),
}

/// How the two sides will talk.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) letter: u8,
    pub(super) features: Features,
    /// The largest file the other side takes, in bytes.
    pub(super) largest: Option<u64>,
}

enum State {
    // Caller.
    Greeting(Box<CallProfile>),
    Answer(Box<CallProfile>),
    Offer(Box<CallProfile>, Accepted),
    // Called.
    Line { login: Option<Vec<u8>> },
    Judging(Box<CallerLine>),
    Choice(Box<CallerLine>, Box<Admitted>),
    Over,
}

/// The handshake of one call, of either side.
pub(super) struct Handshake {
    state: State,
    reader: StringReader,
    /// What we announce.
    features: Features,
}

impl Handshake {
    pub(super) fn caller(profile: Box<CallProfile>) -> Self {
        Self {
            reader: StringReader::new(profile.strip_parity),
            features: profile.features,
            state: State::Greeting(profile),
        }
    }

    /// The called side speaks first.
    pub(super) fn called(
        profile: &AnswerProfile,
        login: Option<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Self {
        let name = Some(profile.local.as_bytes().to_vec());
        Greeting { name }.emit(out);
        Self {
            reader: StringReader::new(profile.strip_parity),
            features: profile.features,
            state: State::Line { login },
        }
    }

    /// What is awaited, for the message of a timeout.
    pub(super) fn awaited(&self) -> &'static str {
        match self.state {
            State::Greeting(_) => {
                "the greeting of the other system; are login and password in the call file right?"
            }
            State::Answer(_) => "an answer to our name",
            State::Offer(..) => "the list of protocols",
            State::Line { .. } => "the name of the caller",
            State::Choice(..) => "the choice of a protocol",
            State::Judging(_) | State::Over => "nothing",
        }
    }

    /// Caller: whether the other side has said nothing since the login.
    pub(super) fn awaits_greeting(&self) -> bool {
        matches!(self.state, State::Greeting(_))
    }

    /// Whether input may be taken now: not while somebody thinks about the caller.
    pub(super) fn is_reading(&self) -> bool {
        !matches!(self.state, State::Judging(_) | State::Over)
    }

    /// Takes bytes up to the end of the next string.
    pub(super) fn handle_input(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> (usize, Option<HandshakeStep>) {
        match self.reader.read(input) {
            Ok((used, None)) => (used, None),
            Ok((used, Some(text))) => {
                tracing::debug!(target: "uucp::handshake", string = %text.escape_ascii(), "received");
                let step = self.take(&text, out).unwrap_or_else(|error| {
                    self.state = State::Over;
                    Some(HandshakeStep::Failed(error))
                });
                (used, step)
            }
            Err(error) => {
                self.state = State::Over;
                let error = ConversationError::Handshake(format!("Handshake failed ({error})"));
                (input.len(), Some(HandshakeStep::Failed(error)))
            }
        }
    }

    fn take(
        &mut self,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<HandshakeStep>, ConversationError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Greeting(profile) => {
                // A string of the login that happens to be framed is not the greeting.
                let Ok(greeting) = Greeting::parse(text) else {
                    self.state = State::Greeting(profile);
                    return Ok(None);
                };
                self.greeted(profile, &greeting, out)?;
                Ok(None)
            }
            State::Answer(profile) => {
                let answer = Answer::parse(text).map_err(|e| failed(&e))?;
                if answer == Answer::CallBack {
                    let text = "Remote system will call back".to_owned();
                    return Ok(Some(HandshakeStep::CallBack(text)));
                }
                let accepted = accepted(answer)?;
                self.state = State::Offer(profile, accepted);
                Ok(None)
            }
            State::Offer(profile, accepted) => choose_protocol(&profile, &accepted, text, out),
            State::Line { login } => {
                let line = CallerLine::parse(text).map_err(|e| failed(&e))?;
                let introduction = Introduction {
                    name: line.name.clone(),
                    login,
                    sequence: line.sequence,
                    grade: line.grade,
                    debug: line.debug,
                    largest: line.size_limit,
                };
                self.state = State::Judging(Box::new(line));
                Ok(Some(HandshakeStep::Identify(introduction)))
            }
            State::Choice(line, admitted) => take_choice(self.features, &line, &admitted, text),
            state @ (State::Judging(_) | State::Over) => {
                self.state = state;
                Ok(None)
            }
        }
    }

    fn greeted(
        &mut self,
        profile: Box<CallProfile>,
        greeting: &Greeting,
        out: &mut Vec<u8>,
    ) -> Result<(), ConversationError> {
        let fits = std::iter::once(&profile.system)
            .chain(&profile.aliases)
            .any(|name| greeting.fits(name));
        if !fits {
            let got = greeting.name.as_deref().unwrap_or_default().escape_ascii();
            return Err(ConversationError::Handshake(format!(
                "Called wrong system ({got})"
            )));
        }
        let line = CallerLine {
            name: profile.local.as_bytes().to_vec(),
            sequence: profile.sequence,
            grade: profile.grade,
            restart: true,
            announced: Announced::Bits(profile.features),
            ..CallerLine::default()
        };
        line.emit(out);
        self.state = State::Answer(profile);
        Ok(())
    }

    /// The answer to [`HandshakeStep::Identify`].
    pub(super) fn judged(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> Option<HandshakeStep> {
        let State::Judging(line) = std::mem::replace(&mut self.state, State::Over) else {
            return None;
        };
        match verdict {
            Verdict::Admit(admitted) => {
                Answer::accepting(&line, self.features).emit(out);
                emit_offer(&admitted.protocols, out);
                self.state = State::Choice(line, admitted);
                None
            }
            Verdict::Refuse(answer, reason) => {
                answer.emit(out);
                Some(if answer == Answer::CallBack {
                    HandshakeStep::CallBack(reason)
                } else {
                    HandshakeStep::Failed(ConversationError::Handshake(reason))
                })
            }
        }
    }
}

fn failed(error: &impl std::fmt::Display) -> ConversationError {
    ConversationError::Handshake(format!("Handshake failed ({error})"))
}

fn accepted(answer: Answer) -> Result<Accepted, ConversationError> {
    let reason = match answer {
        Answer::Accepted(accepted) => return Ok(accepted),
        Answer::Locked => "the other system is talking to us already",
        Answer::WrongLogin => "the other system expects another login name of us",
        Answer::CallBack => "the other system will call back",
        Answer::BadSequence => "wrong call sequence number",
        Answer::Unknown => "You are unknown to me",
        Answer::Other(text) => return Err(failed(&text.escape_ascii())),
    };
    Err(failed(&reason))
}

fn choose_protocol(
    profile: &CallProfile,
    accepted: &Accepted,
    text: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<HandshakeStep>, ConversationError> {
    let offered = parse_offer(text).map_err(|e| failed(&e))?;
    let letter = choose(&profile.protocols.letters, offered);
    emit_choice(letter, out);
    let Some(letter) = letter else {
        return Err(ConversationError::Handshake(format!(
            "No mutually supported protocols (offered: {})",
            offered.escape_ascii()
        )));
    };
    Ok(Some(HandshakeStep::Chosen(Chosen {
        letter,
        features: profile.features.agreed(accepted.features()),
        largest: accepted.size_limit,
    })))
}

fn take_choice(
    ours: Features,
    line: &CallerLine,
    admitted: &Admitted,
    text: &[u8],
) -> Result<Option<HandshakeStep>, ConversationError> {
    match parse_choice(text).map_err(|e| failed(&e))? {
        Some(letter) if admitted.protocols.contains(&letter) => {
            Ok(Some(HandshakeStep::Chosen(Chosen {
                letter,
                features: ours.agreed(line.features()),
                largest: line.size_limit,
            })))
        }
        Some(letter) => Err(failed(&format!(
            "the caller chose the protocol '{}', which was not offered",
            char::from(letter).escape_default()
        ))),
        None => Err(ConversationError::Handshake(
            "No mutually supported protocols".into(),
        )),
    }
}
