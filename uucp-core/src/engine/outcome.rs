//! The end of a call: the last lines of the log, and the status file; and what that says against the next one.

use std::time::Duration;

use super::desk::Desk;
use super::packer::Packer;
use crate::config::Settings;
use crate::conversation::ConversationError;
use crate::name::SystemName;
use crate::spool::{Status, StatusKind};

/// How a call ended.
#[derive(Debug)]
pub struct Finished {
    /// Why it failed, if it did.
    pub result: Result<(), ConversationError>,
    /// The system, where it became known.
    pub system: Option<SystemName>,
    /// How many executions came in.
    pub executions: u64,
    /// Whether the two sides ever talked in a link protocol.
    pub talked: bool,
    /// Why mail still waits in the outbox that this call should have taken along.
    pub unpacked: Vec<String>,
}

/// Failures after which no more than one call a day is made are counted afresh after this time.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// The growing wait after the n-th failure: n times ten minutes.
fn growing_wait(failures: u32) -> Duration {
    Duration::from_mins(10).saturating_mul(failures)
}

impl Desk<'_> {
    /// Writes down how the call ended. `retry` is the fixed wait after a failure, where the time rules name one.
    pub(super) fn conclude(
        &mut self,
        result: Result<(), ConversationError>,
        kind: StatusKind,
        retry: Option<Duration>,
    ) -> Finished {
        if let Err(error) = &result {
            let text = error.to_string();
            let is_strangers = self.neighbour.is_none();
            let text = if is_strangers {
                self.with_address(text)
            } else {
                text
            };
            self.complain(&text);
        }
        if let Some(rest) = self.refusals.rest() {
            self.complain(&rest);
        }
        if let Some(since) = self.totals.since {
            let seconds = since.elapsed().as_secs();
            let bytes = self.totals.sent.saturating_add(self.totals.received);
            let rate = bytes / seconds.max(1);
            self.note(&format!(
                "Call complete ({seconds} seconds {bytes} bytes {rate} bps)"
            ));
        }
        if let Some(neighbour) = &mut self.neighbour
            && let Err(error) = neighbour.queue.end()
        {
            self.complain(&error.to_string());
        }
        let neighbour = self.neighbour.as_ref();
        let system = neighbour.map(|neighbour| neighbour.system.name.clone());
        if let Some(system) = &system {
            if result.is_ok() {
                self.set_status(system, StatusKind::ConversationComplete, None);
            } else {
                self.set_status(system, kind, retry);
            }
        }
        let packer = self
            .neighbour
            .as_ref()
            .and_then(|one| one.queue.packer.as_ref());
        Finished {
            result,
            system,
            executions: self.executions,
            talked: self.totals.since.is_some(),
            unpacked: packer.map(Packer::unpacked).unwrap_or_default(),
        }
    }

    /// Writes a status file; `retry` as above.
    pub(super) fn set_status(
        &mut self,
        system: &SystemName,
        kind: StatusKind,
        retry: Option<Duration>,
    ) {
        let status = next_status(self.failures_before, kind, retry);
        if let Err(error) = self.spool.set_status(system, &status) {
            self.complain(&error.to_string());
        }
    }
}

/// The status after a call that ended as `kind`, with so many failures before it.
pub(super) fn next_status(failures: u32, kind: StatusKind, retry: Option<Duration>) -> Status {
    let good = kind == StatusKind::ConversationComplete;
    let retries = if good { 0 } else { failures.saturating_add(1) };
    let wait = if good {
        Duration::ZERO
    } else {
        retry.unwrap_or_else(|| growing_wait(retries))
    };
    Status {
        kind,
        retries,
        last: now_seconds(),
        wait,
        text: kind.text().to_owned(),
    }
}

/// What the Log has of a call that never came to its end, if the status file, read under the system's lock, says so.
pub(super) fn cut_off(status: Option<&Status>) -> Option<&'static str> {
    let talking = status.is_some_and(|status| status.kind == StatusKind::Talking);
    talking.then_some(
        "The call before this one was killed, or the power failed; what it left goes on now",
    )
}

/// A call for which there is no thread.
pub(super) fn no_thread(error: &std::io::Error) -> ConversationError {
    ConversationError::Local(format!("cannot start a thread: {error}"))
}

pub(super) fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Why a call waits after earlier ones.
pub(super) struct Held {
    /// For the log.
    pub(super) reason: &'static str,
    /// For how much longer; `None`: for so long that somebody had better look.
    pub(super) left: Option<Duration>,
}

/// What the status file says against a call now, in seconds since 1970; `None`: nothing.
pub(super) fn held_up(settings: &Settings, status: Option<&Status>, now: i64) -> Option<Held> {
    const WAIT: &str = "Retry time not reached";
    let status = status?;
    // A clock that was set back must not hold calls up.
    let passed = u64::try_from(now.saturating_sub(status.last)).ok()?;
    let passed = Duration::from_secs(passed);
    let wait = |time: Duration| {
        let left = time.saturating_sub(passed);
        (!left.is_zero()).then_some(Held {
            reason: WAIT,
            left: Some(left),
        })
    };
    match status.kind {
        StatusKind::ConversationComplete => wait(settings.success_wait),
        StatusKind::Talking => None,
        _ if passed >= DAY => None,
        _ if settings.max_retries > 0 && status.retries >= settings.max_retries => Some(Held {
            reason: "Too many retries",
            left: None,
        }),
        _ => wait(status.wait),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_failures_unless_the_time_rules_name_one() {
        let first = next_status(0, StatusKind::DialFailed, None);
        assert_eq!((first.retries, first.wait), (1, Duration::from_mins(10)));
        let third = next_status(2, StatusKind::DialFailed, None);
        assert_eq!((third.retries, third.wait), (3, Duration::from_mins(30)));
        let fixed = next_status(2, StatusKind::CallFailed, Some(Duration::from_mins(5)));
        assert_eq!(fixed.wait, Duration::from_mins(5));
        let good = next_status(2, StatusKind::ConversationComplete, None);
        assert_eq!((good.retries, good.wait), (0, Duration::ZERO));
    }
}
