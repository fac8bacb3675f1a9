//! Status files: how the last call to a system went, as uustat shows it and as the next call's time depends on it.

use std::time::Duration;

use super::{Spool, SpoolError, durable};
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
    /// In the order of their numbers.
    const ALL: [Self; 8] = [
        Self::ConversationComplete,
        Self::PortUnavailable,
        Self::DialFailed,
        Self::LoginFailed,
        Self::HandshakeFailed,
        Self::CallFailed,
        Self::Talking,
        Self::WrongTimeToCall,
    ];

    /// Taylor's words for it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::ConversationComplete => "Conversation complete",
            Self::PortUnavailable => "Port unavailable",
            Self::DialFailed => "Dial failed",
            Self::LoginFailed => "Login failed",
            Self::HandshakeFailed => "Handshake failed",
            Self::CallFailed => "Call failed",
            Self::Talking => "Talking",
            Self::WrongTimeToCall => "Wrong time to call",
        }
    }

    fn number(self) -> usize {
        Self::ALL
            .iter()
            .position(|kind| *kind == self)
            .unwrap_or_default()
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

impl Status {
    /// Understands a status file: `type retries last wait text system`. What Taylor wrote in place and a crash cut short
    /// is no status.
    fn parse(content: &[u8], system: &SystemName) -> Option<Self> {
        let line = std::str::from_utf8(content).ok()?.lines().next()?;
        let mut words = line.splitn(5, ' ');
        let number: usize = words.next()?.parse().ok()?;
        let kind = *StatusKind::ALL.get(number)?;
        let retries = words.next()?.parse().ok()?;
        let last = words.next()?.parse().ok()?;
        let wait = Duration::from_secs(words.next()?.parse().ok()?);
        let rest = words.next().unwrap_or_default().trim_end();
        let text = rest
            .strip_suffix(system.as_str())
            .unwrap_or(rest)
            .trim_end();
        Some(Self {
            kind,
            retries,
            last,
            wait,
            text: if text.is_empty() { kind.text() } else { text }.to_owned(),
        })
    }

    fn emit(&self, system: &SystemName) -> String {
        let text: String = self
            .text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!(
            "{} {} {} {} {text} {system}\n",
            self.kind.number(),
            self.retries,
            self.last,
            self.wait.as_secs(),
        )
    }
}

impl Spool {
    /// The status of a system; `None` if there is none, or none that can be understood.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn status(&self, system: &SystemName) -> Result<Option<Status>, SpoolError> {
        let path = self.taylor_folder(".Status").join(system.as_str());
        let content = match durable::read_small(&path, 64 * 1024) {
            Err(SpoolError::Corrupt { .. }) => return Ok(None),
            other => other?,
        };
        Ok(content.and_then(|content| Status::parse(&content, system)))
    }

    /// Writes the status of a system: whole or not at all (Taylor writes in place). Not synced: what a power failure takes
    /// away here is one retry.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_status(&self, system: &SystemName, status: &Status) -> Result<(), SpoolError> {
        durable::replace(
            &self.new_path(),
            &self.taylor_folder(".Status").join(system.as_str()),
            durable::FILE_MODE,
            status.emit(system).as_bytes(),
            false,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TestSpool;
    use super::*;

    #[test]
    fn taylors_status_files_are_read_and_written() {
        let beta: SystemName = "beta".parse().unwrap();
        for line in [
            "5 1 1795172651 600 Call failed beta\n",
            "0 0 1795175387 0 Conversation complete beta\n",
        ] {
            let status = Status::parse(line.as_bytes(), &beta).unwrap();
            assert_eq!(status.text, status.kind.text());
            assert_eq!(status.emit(&beta), line);
        }
        for broken in ["", "5 1 17", "9 0 0 0 x beta", "\u{0}\u{0}\u{0}"] {
            assert_eq!(Status::parse(broken.as_bytes(), &beta), None, "{broken:?}");
        }
    }

    #[test]
    fn a_status_is_kept_and_replaced() {
        let test = TestSpool::new();
        let beta: SystemName = "beta".parse().unwrap();
        assert_eq!(test.spool.status(&beta).unwrap(), None);
        let mut status = Status {
            kind: StatusKind::Talking,
            retries: 3,
            last: 1_795_175_387,
            wait: Duration::from_mins(10),
            text: "Talking\nto strangers".to_owned(),
        };
        test.spool.set_status(&beta, &status).unwrap();
        status.text = "Talking to strangers".to_owned();
        assert_eq!(test.spool.status(&beta).unwrap(), Some(status));
    }
}
