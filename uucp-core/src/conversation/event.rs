//! What a conversation asks of its owner, and what it is answered.

use std::fmt;
use std::time::Duration;

use super::ConversationError;
use crate::config::Secret;
use crate::config::chat::ProgramWord;
use crate::link::LineMode;
use crate::name::Grade;
use crate::wire::command::{ExpandRequest, Features, ReceiveRequest, Refusal, Request};

/// One transfer within one call, ours or theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferKey(pub u64);

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something to know.
    Note,
    /// Something went wrong.
    Error,
}

/// What the caller says of itself (`SNAME -Q.. -N..`), and how it logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The name it gives.
    pub name: Vec<u8>,
    /// The name it logged in with at our prompt; `None` where no prompt was shown.
    pub login: Option<Vec<u8>>,
    /// `-Q`: its call sequence number.
    pub sequence: Option<u64>,
    /// `-p` or `-vgrade=`: the least urgent grade that it wants.
    pub grade: Option<u8>,
    /// `-x`: the debugging that it asks for.
    pub debug: Option<u32>,
    /// `-U`: the largest file it takes, in bytes.
    pub largest: Option<u64>,
}

/// A file that the peer is about to send, on its own request (`S`, `E`) or on ours (`R`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The transfer.
    pub key: TransferKey,
    /// The request.
    pub request: Request,
    /// Whether it is our own (`R`).
    pub ours: bool,
    /// Its permission bits at the peer.
    pub mode: u32,
    /// Its size, where told.
    pub size: Option<u64>,
    /// Of a file that we asked for: what tells it from what it was before, where the peer knows such a thing.
    pub version: Option<u64>,
    /// Whether a partial file may be continued.
    pub restart: bool,
}

/// A question or a message of the conversation. The ones marked *question* stop it until they are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line for the log.
    Log(Severity, String),
    /// *Question*: run a chat program with the line as its standard input and output.
    RunProgram {
        /// The program and its arguments.
        words: Vec<ProgramWord>,
        /// How long it may run.
        limit: Duration,
    },
    /// *Question*: send a break, after all that was to be sent before it.
    Break,
    /// The link protocol that is about to start needs a terminal set like this.
    SetLine(LineMode),
    /// *Question*: wait for carrier, and have the line end with it; or, when false, no longer.
    Carrier(bool),
    /// The dialers' scripts are through.
    Dialed,
    /// The chat script is through.
    LoggedIn,
    /// *Question*: is this login good?
    CheckLogin {
        /// The name.
        login: Vec<u8>,
        /// The password.
        password: PasswordWord,
    },
    /// *Question*: who is this caller, and may it come in?
    Identify(Introduction),
    /// The link protocol runs.
    Talking {
        /// Its letter.
        letter: u8,
        /// What there is to say of it.
        description: String,
        /// What both sides understand.
        features: Features,
        /// The largest file that the peer takes, where it has said so.
        largest: Option<u64>,
    },
    /// *Question*: the next request to make; the key is what it will be called.
    NextWork(TransferKey),
    /// *Question*: may the peer send this file?
    Receive(Box<Arrival>),
    /// *Question*: may the peer have this file?
    Offer {
        /// The transfer.
        key: TransferKey,
        /// What it asks for.
        request: ReceiveRequest,
    },
    /// *Question*: will the files of this pattern be sent?
    Expand(ExpandRequest),
    /// A file of ours begins to flow, from this offset on.
    Sending(TransferKey, u64),
    /// Data of a file that arrives.
    Data {
        /// The transfer.
        key: TransferKey,
        /// Where it belongs; `None`: after the last.
        position: Option<u64>,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// What has come of this file is damaged; it begins anew.
    Void(TransferKey),
    /// *Question*: these files are complete; are they durable and in their places?
    Commit(Vec<TransferKey>),
    /// The peer has our file in its place, or has done what we asked.
    Confirmed(TransferKey),
    /// The peer refused a request of ours.
    Refused(TransferKey, Refusal),
    /// A file that the peer had asked for: whether it has it in its place.
    Served(TransferKey, bool),
    /// The peer has certainly seen every confirmation sent so far.
    Acknowledged,
    /// The call is over; nothing follows.
    Finished(Result<(), ConversationError>),
}

/// A password on its way from the line to the check.
#[derive(Clone)]
pub struct PasswordWord(pub Secret);

impl fmt::Debug for PasswordWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl PartialEq for PasswordWord {
    fn eq(&self, other: &Self) -> bool {
        self.0.matches(other.0.expose())
    }
}

impl Eq for PasswordWord {}

/// A request of ours. An `S` or `E` carries its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The request, with the size of its file filled in.
    pub request: Request,
    /// How urgent it is.
    pub grade: Grade,
    /// Size of the file to send; 0 for `R` and `X`.
    pub size: u64,
}

/// The answer to [`Event::Receive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may come, from this offset on.
    Begin(u64),
    /// It may not, or it is here already.
    Refuse(Refusal),
}

/// The answer to [`Event::Offer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The file's permission bits.
    pub mode: u32,
    /// Its size.
    pub size: u64,
    /// A number that is another one when the file has changed; `None` where that cannot be told.
    pub version: Option<u64>,
}

/// How one file of [`Event::Commit`] fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// Durable and in its place.
    Yes,
    /// It cannot be put there, for good.
    No,
    /// It failed on this side, and may succeed another time.
    Failed(String),
}

/// Bytes of a file that the conversation wants to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The transfer.
    pub key: TransferKey,
    /// Offset of the first byte.
    pub position: u64,
    /// How many bytes at most; never 0.
    pub room: usize,
}
