//! The end of a session that was not meant to end.

use super::reply::{NotSmtp, ServerReply};
use crate::delivery::Reply;

/// The session is over, and why. What was not confirmed is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) status: &'static str,
    pub(super) text: String,
    /// The server has not kept to its time.
    pub(super) is_late: bool,
    /// The server said so itself, with 421, instead of doing what it was asked.
    pub(super) is_closing: bool,
    /// It is ourselves who cannot go on.
    pub(super) is_ours: bool,
}

impl Broken {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            status: "4.4.2",
            text: text.into(),
            is_late: false,
            is_closing: false,
            is_ours: false,
        }
    }

    pub(super) fn late(missing: &str) -> Self {
        Self {
            is_late: true,
            ..Self::new(format!(
                "the server has not {missing} within the time limit"
            ))
        }
    }

    pub(super) fn closing(reply: &ServerReply) -> Self {
        Self {
            is_closing: true,
            ..Self::new(reply.to_string())
        }
    }

    pub(super) fn ours(reply: &Reply) -> Self {
        Self {
            status: "4.3.0",
            is_ours: true,
            ..Self::new(reply.to_string())
        }
    }

    /// Whether the server may be there again at once.
    pub(super) fn is_gone(&self) -> bool {
        !self.is_late && !self.is_ours
    }
}

impl From<NotSmtp> for Broken {
    fn from(NotSmtp(text): NotSmtp) -> Self {
        Self::new(text)
    }
}
