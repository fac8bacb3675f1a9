//! Who has which message of a neighbour already: one log a neighbour, for receivers that take many messages in one run.
//!
//! ```text
//! STATE/ledger/NEIGHBOUR/lock            held by whoever hands this neighbour's messages over
//! STATE/ledger/NEIGHBOUR/SECONDS         one line of 16 hexadecimal digits per message and recipient that is done; named by
//!                                        the observed time when it was begun; what is left of it is empty lines
//! ```
//! A line stands for a message's [`Identity`] and one recipient. It is on disk before anything is concluded from it. The
//! file has its room, and its blocks, before the first message is offered: a full disk ends a run before it begins, never
//! between an MTA's yes and our record; and a record costs one write in place, one sync for all sessions that wait for one.
//! A line that was cut by a crash is none.

mod log;
mod segment;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::log::{LINE, Log};
use self::segment::{SEGMENT_LIMIT, expire, load, segments};
use super::identity::Identity;
use crate::address::Address;
use crate::name::SystemName;
use crate::spool::{LockedFile, ObservedTime, OfFile, make_shared_directory, open_shared};

/// A file is begun for each day, so that days can go one by one.
const A_DAY: Duration = Duration::from_hours(24);
/// How long to wait at first for somebody who works for the same neighbour; then longer, up to a second.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// What is done, locked for this process.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    /// Lines of earlier runs, sorted.
    known: Vec<u64>,
    log: Mutex<Log>,
    synced: Condvar,
    /// Holds the lock.
    _lock: LockedFile,
}

/// What was done at one time, only to be looked at.
#[derive(Debug)]
pub struct Known(Vec<u64>);

impl Known {
    /// Reads the neighbour's log, whoever has it locked.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(state: &Path, neighbour: Option<&SystemName>) -> io::Result<Self> {
        let folder = folder(state, neighbour);
        if folder.exists() {
            load(&segments(&folder)?).map(Self)
        } else {
            Ok(Self(Vec::new()))
        }
    }

    /// As [`Ledger::is_done`].
    #[must_use]
    pub fn is_done(&self, identity: &Identity, recipient: &Address) -> bool {
        self.0.binary_search(&identity.key(recipient)).is_ok()
    }
}

impl Ledger {
    /// Opens the neighbour's log and locks it, waiting up to `patience` for who else has it; `Ok(None)` if that was not
    /// enough.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(
        state: &Path,
        neighbour: Option<&SystemName>,
        now: ObservedTime,
        patience: Duration,
    ) -> io::Result<Option<Self>> {
        let folder = folder(state, neighbour);
        make_shared_directory(&folder)?;
        let Some(lock) = lock(&folder.join("lock"), patience)? else {
            return Ok(None);
        };
        let segments = expire(segments(&folder)?, now);
        let known = load(&segments)?;
        let log = match segments.last() {
            Some(last) if now.since(last.begun) < A_DAY && last.length <= SEGMENT_LIMIT => {
                Log::resume(&last.path, now)?
            }
            _ => Log::begin(&folder, now)?,
        };
        Ok(Some(Self {
            folder,
            known,
            log: Mutex::new(log),
            synced: Condvar::new(),
            _lock: lock,
        }))
    }

    /// Makes room for this many more lines.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve(&self, lines: u64) -> io::Result<()> {
        let made = self.log().make_room(lines.saturating_mul(LINE));
        made.of(&self.folder)
    }

    /// Whether this recipient has the message, or was reported.
    #[must_use]
    pub fn is_done(&self, identity: &Identity, recipient: &Address) -> bool {
        let key = identity.key(recipient);
        self.known.binary_search(&key).is_ok() || self.log().fresh.contains(&key)
    }

    /// Records that these are done. It is on disk when this returns; whoever waits at the same time shares the sync.
    ///
    /// # Errors
    /// When it cannot be written. Then nothing more can be: what an MTA took after this could not be remembered.
    pub fn record(&self, identity: &Identity, recipients: &[&Address]) -> io::Result<()> {
        let mut log = self.log();
        let keys: Vec<u64> = recipients.iter().map(|r| identity.key(r)).collect();
        if log.at > SEGMENT_LIMIT {
            log = self.next_segment(log)?;
        }
        log.write(&keys).of(&self.folder)?;
        let mine = log.written;
        self.wait_for_disk(log, mine).map(drop).of(&self.folder)
    }

    /// Waits until the first `mine` writes are on disk, or does it.
    fn wait_for_disk<'a>(
        &'a self,
        mut log: MutexGuard<'a, Log>,
        mine: u64,
    ) -> io::Result<MutexGuard<'a, Log>> {
        loop {
            if let Some(kind) = log.failed {
                return Err(kind.into());
            }
            if log.safe >= mine {
                return Ok(log);
            }
            if log.is_syncing {
                let waited = self.synced.wait(log);
                log = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            log.is_syncing = true;
            let (file, all) = (log.file.clone(), log.written);
            drop(log);
            let result = file.sync_data();
            log = self.log();
            log.is_syncing = false;
            match result {
                Ok(()) => log.safe = log.safe.max(all),
                Err(error) => log.failed = Some(error.kind()),
            }
            self.synced.notify_all();
        }
    }

    /// Goes on in another file, when all of this one is on disk.
    fn next_segment<'a>(&'a self, log: MutexGuard<'a, Log>) -> io::Result<MutexGuard<'a, Log>> {
        let all = log.written;
        let mut log = self.wait_for_disk(log, all)?;
        if log.at > SEGMENT_LIMIT {
            let next = Log::begin(&self.folder, log.now)?;
            (log.file, log.at, log.room) = (next.file, next.at, next.room);
        }
        Ok(log)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn folder(state: &Path, neighbour: Option<&SystemName>) -> PathBuf {
    let name = neighbour.map_or("-", SystemName::as_str);
    state.join("ledger").join(name)
}

fn lock(path: &Path, patience: Duration) -> io::Result<Option<LockedFile>> {
    let file = open_shared(path, OpenOptions::new().write(true)).of(path)?;
    let deadline = Instant::now() + patience;
    let mut wait = FIRST_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(LockedFile(file))),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Ok(None);
            }
            Err(std::fs::TryLockError::WouldBlock) => sleep(wait),
            Err(std::fs::TryLockError::Error(error)) => return Err(error).of(path),
        }
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests;
