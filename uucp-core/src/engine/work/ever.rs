//! What our own rules allow at some time, if not in this call. A request that they never allow does not wait: it is given up.

use std::path::Path;

use super::{Hopeless, WorkQueue};
use crate::config::time::largest_ever;
use crate::config::{PathRules, Settings, System};
use crate::name::JobId;
use crate::spool::SpoolError;

/// The rules of a system, over all of its alternates, both directions of calls and all hours.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Ever {
    /// Whether requests of ours are made, whoever calls.
    pub(super) transfers: bool,
    /// The largest file, in bytes; `None`: any.
    pub(super) largest: Option<u64>,
    local_send: Vec<PathRules>,
    local_receive: Vec<PathRules>,
}

impl Ever {
    /// Reads a system's rules.
    pub(in crate::engine) fn of(system: &System) -> Self {
        let all = &system.alternates;
        let largest = all
            .iter()
            .flat_map(|one| {
                let calling = one.call_transfer.then_some(&one.call_local_size);
                let called = one.called_transfer.then_some(&one.called_local_size);
                [calling, called].into_iter().flatten()
            })
            .map(|rules| largest_ever(rules))
            // No limit is more than any.
            .reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))
            .flatten();
        let of_each = |rules: fn(&Settings) -> &PathRules| all.iter().map(rules).cloned().collect();
        Self {
            transfers: all
                .iter()
                .any(|one| one.call_transfer || one.called_transfer),
            largest,
            local_send: of_each(|one| &one.local_send),
            local_receive: of_each(|one| &one.local_receive),
        }
    }

    /// Whether local users may send from there.
    pub(super) fn sends(&self, path: &Path, pubdir: &Path) -> bool {
        self.local_send
            .iter()
            .any(|rules| rules.permits(path, pubdir))
    }

    /// Whether what local users ask for may be put there.
    pub(super) fn stores(&self, path: &Path, pubdir: &Path) -> bool {
        self.local_receive
            .iter()
            .any(|rules| rules.permits(path, pubdir))
    }
}

impl WorkQueue {
    /// Whether the rules leave anything to do: without, the queue is gone through all the same, to give it up.
    pub(in crate::engine) fn ever_transfers(&self) -> bool {
        self.limits.ever.transfers
    }

    /// The data of a request that can never be done is kept where a person finds it; says where it is, or will be.
    pub(in crate::engine) fn keep(&self, one: &mut Hopeless) -> Result<String, SpoolError> {
        let Some(data) = &one.data else {
            return Ok(String::new());
        };
        self.kept_of(&one.job, data, &mut one.goes_last)
    }

    pub(super) fn kept_of(
        &self,
        job: &JobId,
        data: &crate::name::SpoolName,
        goes_last: &mut bool,
    ) -> Result<String, SpoolError> {
        let kept = self.spool.preserve(job, data)?;
        *goes_last = kept.is_none();
        Ok(match kept {
            Some(path) => format!("; kept as {}", path.display()),
            None => format!("; kept in {}", self.spool.preserve_folder().display()),
        })
    }
}
