//! What a conversation is told before it begins, and about a caller once it is known.

use std::time::Duration;

use super::chat::ChatWords;
use crate::config::{Chat, ProtocolParameter};
use crate::name::SystemName;
use crate::wire::command::Features;
use crate::wire::handshake::Answer;

/// The link protocols that may be used, best first, and their parameters.
#[derive(Debug, Clone, Default)]
pub struct Protocols {
    /// Their letters.
    pub letters: Vec<u8>,
    /// Parameters of all of them; the last of one name counts.
    pub parameters: Vec<ProtocolParameter>,
    /// The line carries one direction at a time: one request at a time, whatever the link could do.
    pub half_duplex: bool,
    /// How long one file may have the line while others wait; zero: as long as it takes.
    pub max_file_time: Duration,
}

/// Everything a caller needs to know.
#[derive(Debug, Clone)]
pub struct CallProfile {
    /// Our name towards this system.
    pub local: SystemName,
    /// The system that is called.
    pub system: SystemName,
    /// Its other names.
    pub aliases: Vec<SystemName>,
    /// How to get from an open port to a line: the dialers' scripts, in order, each with its words.
    pub dial: Vec<(Chat, ChatWords)>,
    /// How to get from an open line to the handshake.
    pub chat: Chat,
    /// What the escapes of the script stand for.
    pub words: ChatWords,
    /// The number of this call, where the two sides count them.
    pub sequence: Option<u64>,
    /// The least urgent grade that the other side is asked to send.
    pub grade: Option<u8>,
    /// The protocols.
    pub protocols: Protocols,
    /// Whether the eighth bit is cleared in the handshake.
    pub strip_parity: bool,
    /// What we announce: [`Features::OURS`], or less of it.
    pub features: Features,
}

/// How a caller logs in at our side.
#[derive(Debug, Clone)]
pub enum LoginMode {
    /// The operating system has done it.
    Done,
    /// Prompts for name and password.
    Prompt,
    /// A prompt for the password of this login name.
    Password(Vec<u8>),
}

/// Everything an answerer needs to know before it knows who calls.
#[derive(Debug, Clone)]
pub struct AnswerProfile {
    /// Our name.
    pub local: SystemName,
    /// How the caller logs in.
    pub login: LoginMode,
    /// The first prompt has been shown already.
    pub prompted: bool,
    /// Whether the eighth bit is cleared while logging in.
    pub strip_login: bool,
    /// Whether the eighth bit is cleared in the handshake.
    pub strip_parity: bool,
    /// What we announce: [`Features::OURS`], or less of it.
    pub features: Features,
}

/// What a caller that may come in is offered.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The letters of the `P` string.
    pub protocols: Vec<u8>,
    /// Parameters of these protocols.
    pub parameters: Vec<ProtocolParameter>,
    /// As in [`Protocols`].
    pub half_duplex: bool,
    /// As in [`Protocols`].
    pub max_file_time: Duration,
    /// A script to run between the choice of the protocol and its start.
    pub chat: Option<Chat>,
}

/// Whether a caller may come in.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It may.
    Admit(Box<Admitted>),
    /// It may not: what it is told, and what the log says.
    Refuse(Answer, String),
}
