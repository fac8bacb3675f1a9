//! How much of the spool one neighbour may fill with what it sends.
//!
//! Everything that came from it counts: data and execute files that wait, files in the making, what failed and what was set
//! aside; and the work files of what it has asked for by patterns. It is counted when a call brings its first file; after that an account is kept. Counted again, it is only when
//! the account says that there is no room: uuxqt may have made some. What we send to it does not count.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::mentions::each_word_of_each;
use super::{Spool, SpoolError, durable, regular, workfile};
use crate::name::{SpoolKind, SpoolName, SystemName};

/// What a file takes at least: a neighbour could fill a disk with empty ones.
const BLOCK: u64 = 4096;
/// A peer that goes on offering files for which there is no room makes us count no more often than this.
const RECOUNT: Duration = Duration::from_secs(10);

/// The account of one neighbour during a call.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u64,
    account: Arc<Account>,
    counted: Option<Counted>,
}

/// In bytes.
#[derive(Debug, Default)]
struct Account {
    /// What lies in the spool: as counted, and what has come since.
    held: AtomicU64,
    /// What files that are being received may still need.
    promised: AtomicU64,
}

impl Account {
    fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    fn used(&self) -> u64 {
        let promised = self.promised.load(Ordering::Relaxed);
        self.held().saturating_add(promised)
    }
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    at: Instant,
    /// Whether what we send was left out; it costs the reading of the queue.
    exactly: bool,
}

/// There is no room for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) used: u64,
    pub(super) limit: u64,
}

impl NoRoom {
    pub(super) fn told_of(self, system: &SystemName) -> SpoolError {
        SpoolError::OverLimit {
            system: system.clone(),
            used: self.used,
            limit: self.limit,
        }
    }
}

impl Quota {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            account: Arc::default(),
            counted: None,
        }
    }

    /// Promises room for a file of `bytes`, of which `kept` are there already, if there is any.
    pub(super) fn claim(
        &mut self,
        spool: &Spool,
        system: &SystemName,
        (bytes, kept): (u64, u64),
        now: Instant,
    ) -> Result<Result<Claim, NoRoom>, SpoolError> {
        let old = |counted: Counted| now.saturating_duration_since(counted.at) >= RECOUNT;
        if self.counted.is_none() {
            self.count(spool.held_at_most(system)?, now, false);
        }
        let kept = if kept == 0 { 0 } else { rounded(kept) };
        let more = rounded(bytes).saturating_sub(kept);
        if !self.has_room(more) && self.counted.is_none_or(|c| !c.exactly || old(c)) {
            self.count(spool.held(system)?, now, true);
        }
        if !self.has_room(more) {
            return Ok(Err(NoRoom {
                used: self.account.used(),
                limit: self.limit,
            }));
        }
        // What was kept is promised from here on, with the rest of the file.
        self.account
            .held
            .fetch_sub(kept.min(self.account.held()), Ordering::Relaxed);
        let bytes = rounded(bytes).max(kept);
        self.account.promised.fetch_add(bytes, Ordering::Relaxed);
        Ok(Ok(Claim {
            limit: self.limit,
            account: Arc::clone(&self.account),
            bytes,
        }))
    }

    fn count(&mut self, held: u64, now: Instant, exactly: bool) {
        self.account.held.store(held, Ordering::Relaxed);
        self.counted = Some(Counted { at: now, exactly });
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.account.used().saturating_add(bytes) <= self.limit
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }
}

/// Room that was promised to one file. Given back when this goes, unless the file stays.
#[derive(Debug)]
pub(super) struct Claim {
    limit: u64,
    account: Arc<Account>,
    bytes: u64,
}

impl Claim {
    /// Asks for more, where the file is to have `bytes` in all: its sender did not say how many, or said too few.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), NoRoom> {
        let bytes = rounded(bytes);
        let more = bytes.saturating_sub(self.bytes);
        let used = self.account.used();
        if used.saturating_add(more) > self.limit {
            return Err(NoRoom {
                used,
                limit: self.limit,
            });
        }
        self.account.promised.fetch_add(more, Ordering::Relaxed);
        self.bytes = self.bytes.max(bytes);
        Ok(())
    }

    fn give_back(&self) {
        self.account
            .promised
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }

    /// The file is there to stay.
    pub(super) fn keep(&mut self) {
        self.give_back();
        self.account.held.fetch_add(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn rounded(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).max(1).saturating_mul(BLOCK)
}

impl Spool {
    /// What lies in a system's folders, what we send to it included: names and sizes, nothing is read.
    fn held_at_most(&self, system: &SystemName) -> Result<u64, SpoolError> {
        let own = self.system_folder(system);
        let failed = self.taylor_folder(".Failed").join(system.as_str());
        let folders = [
            self.work_folder(system),
            own.join("D."),
            own.join("D.X"),
            own.join("X."),
            failed.join("D."),
            failed.join("X."),
            self.taylor_folder(".Preserve").join(system.as_str()),
        ];
        let mut held = 0_u64;
        for folder in folders {
            durable::each_name(&folder, |name| {
                held = held.saturating_add(size_of(&folder.join(name)));
                true
            })?;
        }
        let receiving = self.receive_folder(system);
        durable::each_name(&receiving, |name| {
            let path = receiving.join(name);
            // What comes in just now is promised.
            let idle = regular::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            held = held.saturating_add(if idle { size_of(&path) } else { 0 });
            true
        })?;
        Ok(held)
    }

    /// What came from a system: that without our own jobs and the data that they name. A job that sends a file from where it is
    /// says the same, whether the system has asked for it or a user here wants it sent: its work file is counted.
    fn held(&self, system: &SystemName) -> Result<u64, SpoolError> {
        let held = self.held_at_most(system)?;
        let work_folder = self.work_folder(system);
        let mut ours = HashSet::new();
        let mut asked_for = HashSet::new();
        each_word_of_each(
            &work_folder,
            workfile::WORK_FILE_LIMIT,
            |work_file, word| {
                if word.as_bytes() == workfile::ASKED_FOR {
                    if !asked_for.contains(work_file) {
                        asked_for.insert(work_file.to_owned());
                    }
                } else if let Ok(name) = SpoolName::parse(word.as_bytes())
                    && name.kind() == SpoolKind::Data
                {
                    ours.insert(name);
                }
                true
            },
        )?;
        let data = ours
            .iter()
            .map(|name| size_of(&self.data_path(system, name)));
        let mut ours: u64 = data.sum();
        durable::each_name(&work_folder, |name| {
            if !asked_for.contains(name) {
                ours = ours.saturating_add(size_of(&work_folder.join(name)));
            }
            true
        })?;
        Ok(held.saturating_sub(ours))
    }
}

/// What a file takes; nothing, if it is gone.
fn size_of(path: &Path) -> u64 {
    path.symlink_metadata().map_or(0, |m| rounded(m.len()))
}

#[cfg(test)]
mod tests;
