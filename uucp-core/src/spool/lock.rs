//! Lock files: Taylor's, and beside each an open-file lock that a process of ours holds as long as it lives.
//!
//! Between two of ours the open-file lock ("guard") alone decides: the kernel frees it the moment its holder dies, in
//! whatever container, so a kill -9 costs nothing. Taylor's file (11 bytes with a process number, made by `link`) is for
//! Taylor's programs. One that is in the way is stale when
//! * the guard says that a process of ours wrote it: whoever holds the guard knows that this process is gone;
//! * no such process lives, or it is a zombie;
//! * the process was started after the file was written: the number has come back.
//!
//! Nothing waits: Taylor's five seconds are for two that find the same stale file. We write our number into the file, as
//! it does, and look again; a Taylor that did the same wakes up to our number and goes away.

mod guard;
mod pidfile;
mod process;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use thiserror::Error;

use self::guard::open_guard;
use self::pidfile::{Identity, claim, find, overwrite};
use self::process::is_alive;
use super::error::At;
use super::fault::step;
use super::{Spool, SpoolError, durable};
use crate::name::SystemName;

pub(crate) use self::guard::LockedFile;
pub(super) use self::guard::{LockedByte, lock_guard, wait_for, wait_for_byte};

/// Why a lock was not had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// A live process holds it.
    #[error("{} is held by process {}", .path.display(), .pid.map_or_else(|| "unknown".to_owned(), |p| p.to_string()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process, where known.
        pid: Option<i32>,
    },
    /// The lock could not be made.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A lock file with its open-file lock; released when dropped.
#[derive(Debug)]
pub struct PidLock {
    path: PathBuf,
    guard_path: PathBuf,
    guard: File,
    mine: Identity,
    /// What the last holder has noted in the guard.
    noted: String,
    /// Whether the guard goes with the lock: for things that exist once and in great number.
    passing: bool,
}

impl PidLock {
    /// Takes the lock `path`; `guard_path` is the file that carries the open-file lock. Its lock file is made in `making`, a
    /// folder of the same file system, else beside it.
    fn take(path: PathBuf, guard_path: PathBuf, making: Option<&Path>) -> Result<Self, LockError> {
        let Some(guard) = lock_guard(&guard_path)? else {
            let pid = find(&path)?.map(|found| found.identity.pid);
            return Err(LockError::Held { path, pid });
        };
        let mut text = String::new();
        let _ = io::Read::read_to_string(&mut &guard, &mut text);
        let (left, noted) = text.split_at(text.find('\n').map_or(text.len(), |end| end + 1));
        let mine = claim(&path, left, making)?;
        let lock = Self {
            path,
            guard_path,
            guard,
            mine,
            noted: noted.to_owned(),
            passing: false,
        };
        lock.remember()?;
        Ok(lock)
    }

    /// Writes into the guard which lock file is ours, for whoever finds it after our death.
    fn remember(&self) -> Result<(), SpoolError> {
        let text = self.mine.emit();
        step("write", &self.guard_path).at("write", &self.guard_path)?;
        self.guard
            .set_len(0)
            .and_then(|()| self.guard.write_all_at(text.as_bytes(), 0))
            .at("write", &self.guard_path)
    }

    /// What the last holder has noted.
    pub(super) fn noted(&self) -> &str {
        &self.noted
    }

    /// Notes something in the guard, for whoever finds it after our death.
    pub(super) fn note(&self, text: &str) -> Result<(), SpoolError> {
        let start = self.mine.emit().len() as u64;
        step("write", &self.guard_path).at("write", &self.guard_path)?;
        self.guard
            .write_all_at(text.as_bytes(), start)
            .at("write", &self.guard_path)
    }

    /// Writes another process's number into the lock file: after a fork, or for a child that goes on with the work.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_owner(&mut self, pid: i32) -> Result<(), SpoolError> {
        let Some(found) = find(&self.path)?.filter(|found| found.identity == self.mine) else {
            return Err(SpoolError::Locked {
                path: self.path.clone(),
            });
        };
        self.mine = overwrite(&self.path, &found, pid)?;
        self.remember()
    }
}

impl Drop for PidLock {
    fn drop(&mut self) {
        // Taylor may have taken the file over while this machine slept: then it is not ours to remove.
        if let Ok(Some(found)) = find(&self.path)
            && found.identity == self.mine
        {
            let _ = durable::remove(&self.path);
        }
        // Removed while locked: who has opened it meanwhile sees that it is no longer the one of that name.
        if self.passing {
            let _ = durable::remove(&self.guard_path);
        }
        // A child that is about to be executed shares the open file for an instant: closing alone would not free the lock.
        if step("unlock", &self.guard_path).is_ok() {
            let _ = self.guard.unlock();
        }
    }
}

/// The lock of a system: one call at a time.
#[derive(Debug)]
pub struct SystemLock {
    system: SystemName,
    lock: PidLock,
}

impl SystemLock {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// Writes this process's number into the lock file: after a fork.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn moved_to_this_process(&mut self) -> Result<(), SpoolError> {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        self.lock.set_owner(pid)
    }
}

impl Spool {
    fn guard_path(&self, lock_name: &str) -> PathBuf {
        self.own_folder("guard").join(lock_name)
    }

    fn take_in_lockdir(&self, name: &str) -> Result<PidLock, LockError> {
        let name = format!("LCK..{name}");
        let guard = self.guard_path(&name);
        PidLock::take(self.paths.lockdir.join(name), guard, None)
    }

    fn take_in_spool(&self, name: &str) -> Result<Option<PidLock>, SpoolError> {
        match PidLock::take(self.paths.root.join(name), self.guard_path(name), None) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held { .. }) => Ok(None),
            Err(LockError::Spool(error)) => Err(error),
        }
    }

    /// Locks a system, at once or not at all. What a dead process left is taken over without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_system(&self, system: &SystemName) -> Result<SystemLock, LockError> {
        Ok(SystemLock {
            lock: self.take_in_lockdir(system.as_str())?,
            system: system.clone(),
        })
    }

    /// Whether a live process holds the lock of a system; takes nothing.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn is_locked(&self, system: &SystemName) -> Result<bool, SpoolError> {
        let name = format!("LCK..{system}");
        let Some(found) = find(&self.paths.lockdir.join(&name))? else {
            return Ok(false);
        };
        let text = fs::read_to_string(self.guard_path(&name)).unwrap_or_default();
        if Identity::parse(&text) != Some(found.identity) {
            return Ok(is_alive(&found));
        }
        let guard = open_guard(&self.guard_path(&name))?;
        Ok(matches!(
            guard.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ))
    }

    /// Locks a device or port name: `LCK..name` in the lock directory. Slashes become dots.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_device(&self, name: &str) -> Result<PidLock, LockError> {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        self.take_in_lockdir(&name.replace('/', "."))
    }

    /// Waits for the turn to do what one process at a time does, until `deadline`; the turn ends with what is given back.
    ///
    /// # Errors
    /// When it has not come by then.
    pub fn take_turn(&self, what: &str, deadline: Instant) -> Result<Turn, SpoolError> {
        let path = self.own_folder("turns").join(what);
        wait_for(&path, deadline).map(|lock| Turn { _lock: lock })
    }

    /// The first free one of uuxqt's locks (`LCK.XQT.n`), n below `limit`; `None` when all are held. A limit of 0 is none
    /// (9,999, as Taylor has it).
    ///
    /// # Errors
    /// When a lock could not be made.
    pub fn lock_uuxqt(&self, limit: u32) -> Result<Option<PidLock>, SpoolError> {
        let limit = if limit == 0 { 9_999 } else { limit };
        for number in 0..limit {
            if let Some(lock) = self.take_in_spool(&format!("LCK.XQT.{number}"))? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// The lock of a command (`LXQ.command`), for `uuxqt -c`; `None` when it is held.
    ///
    /// # Errors
    /// When the lock could not be made.
    pub fn lock_command(&self, command: &[u8]) -> Result<Option<PidLock>, SpoolError> {
        let last = command.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let clean: String = last
            .iter()
            .take(64)
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-') => char::from(*b),
                _ => '-',
            })
            .collect();
        self.take_in_spool(&format!("LXQ.{clean}"))
    }

    /// The lock file of one execute file, with a guard that goes with it.
    pub(super) fn lock_beside(
        &self,
        path: PathBuf,
        guard_name: &str,
    ) -> Result<Option<PidLock>, SpoolError> {
        // Not beside it: what a kill leaves there looks like a file in the making of the peer's, which may be mail.
        let making = self.new_folder();
        let guard = self.own_folder("running").join(guard_name);
        match PidLock::take(path, guard, Some(&making)) {
            Ok(mut lock) => {
                lock.passing = true;
                Ok(Some(lock))
            }
            Err(LockError::Held { .. }) => Ok(None),
            Err(LockError::Spool(error)) => Err(error),
        }
    }
}

/// The turn to do what one process at a time does.
#[derive(Debug)]
pub struct Turn {
    _lock: LockedFile,
}

impl PidLock {
    /// The open file that holds the lock.
    pub(super) fn guard(&self) -> &File {
        &self.guard
    }

    /// Its path.
    pub(super) fn guard_path(&self) -> &Path {
        &self.guard_path
    }
}

#[cfg(test)]
mod tests;
