//! Status files: how the last call to a system went, as uustat shows it and as the next call's time depends on it.

use std::time::Duration;

use super::{Spool, SpoolError};
use crate::name::SystemName;

/// How a call ended, or where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// 0
    ConversationComplete,
    /// 1
    PortUnavailable,
    /// 2
    DialFailed,
    /// 3
    LoginFailed,
    /// 4
    HandshakeFailed,
    /// 5
    CallFailed,
    /// 6
    Talking,
    /// 7
    WrongTimeToCall,
}

impl StatusKind {
    /// Taylor's words for it.
    #[must_use]
    pub fn text(self) -> &'static str {
        todo!()
    }
}

/// What a status file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How the last call ended.
    pub kind: StatusKind,
    /// How many calls have failed since the last good one.
    pub retries: u32,
    /// When the last call ended or was tried, in seconds since 1970.
    pub last: i64,
    /// How long to wait after `last` before the next try.
    pub wait: Duration,
    /// Words for the reader; those of `kind` unless more is known.
    pub text: String,
}

impl Spool {
    /// The status of a system; `None` if there is none, or none that can be understood.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn status(&self, _system: &SystemName) -> Result<Option<Status>, SpoolError> {
        todo!()
    }

    /// Writes the status of a system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_status(&self, _system: &SystemName, _status: &Status) -> Result<(), SpoolError> {
        todo!()
    }
}
