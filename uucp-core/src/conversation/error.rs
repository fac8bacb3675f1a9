//! Why a call ended before its time.

use thiserror::Error;

use crate::link::LinkError;

/// Why a call failed. The jobs stay queued, whatever it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// Dialing failed: the other system was not reached.
    #[error("{0}")]
    Dial(String),
    /// The chat script or the login failed.
    #[error("{0}")]
    Login(String),
    /// The handshake failed: a refusal, a wrong name, no common protocol.
    #[error("{0}")]
    Handshake(String),
    /// The other side broke the rules of the conversation.
    #[error("{0}")]
    Remote(String),
    /// The other side was silent for too long.
    #[error("Timed out waiting for {0}")]
    TimedOut(&'static str),
    /// The line was lost.
    #[error("Line disconnected")]
    Disconnected,
    /// The line was lost while the chat script ran; what it waited for.
    #[error("Line disconnected in chat script{0}")]
    InChat(String),
    /// The line was lost between our login and the other side's first string, where those hang up whom it did not like.
    #[error(
        "Line disconnected before the greeting of the other system; are login and password in the call file right (over ssh: key and forced command)?"
    )]
    NoGreeting,
    /// The line was lost, and it is known why.
    #[error("{0}")]
    Line(String),
    /// The link protocol cannot go on.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Something failed on this side.
    #[error("{0}")]
    Local(String),
}
