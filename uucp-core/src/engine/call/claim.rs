//! The line of a call that is to go out: ours, or in use.

use std::time::{Duration, Instant};

use super::Caller;
use crate::config::PortConfig;
use crate::engine::opening;
use crate::engine::placed::Holder;
use crate::port::PortError;
use crate::spool::{PidLock, Severity};

/// How long a lock may belong to nobody: who takes it writes down its number a moment later.
const SETTLED: Duration = Duration::from_secs(1);
/// How often such a lock is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Whether a call may have its line.
pub(super) enum Claim {
    /// It has it.
    Ours(Vec<PidLock>),
    /// Another call of the round has it, which is this process.
    OfRound(i32),
    /// Somebody else has it, or it cannot be locked.
    Failed(PortError),
}

impl Caller<'_> {
    /// Locks the devices of a port.
    pub(super) fn claim(&self, port: &PortConfig) -> Claim {
        let until = Instant::now() + SETTLED;
        loop {
            let error = match opening::lock_line(self.spool, port) {
                Ok(locks) => return Claim::Ours(locks),
                Err(error) => error,
            };
            let PortError::Locked { reason, holder } = &error else {
                return Claim::Failed(error);
            };
            if !self.options.of_round {
                return Claim::Failed(error);
            }
            match Holder::of(*holder) {
                Holder::OfRound(process) => {
                    self.journal(Severity::Info, &format!("Waiting: {reason}"));
                    return Claim::OfRound(process);
                }
                Holder::Nobody if Instant::now() < until => match self.signals {
                    Some(signals) => signals.pause(LOOK),
                    None => std::thread::sleep(LOOK),
                },
                Holder::Nobody | Holder::Stranger => return Claim::Failed(error),
            }
        }
    }
}
