//! Lock files: Taylor's, and beside them an open-file lock that a process of ours holds as long as it lives.

use std::path::PathBuf;

use thiserror::Error;

use super::{Spool, SpoolError};
use crate::name::SystemName;

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
pub struct PidLock {}

impl PidLock {
    /// Writes another process's number into the lock file: after a fork, or for a child that goes on with the work.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_owner(&mut self, _pid: i32) -> Result<(), SpoolError> {
        todo!()
    }
}

/// The lock of a system: one call at a time.
#[derive(Debug)]
pub struct SystemLock {}

impl SystemLock {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        todo!()
    }

    /// Writes this process's number into the lock file: after a fork.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn moved_to_this_process(&mut self) -> Result<(), SpoolError> {
        todo!()
    }
}

impl Spool {
    /// Locks a system, at once or not at all. What a dead process left is taken over without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_system(&self, _system: &SystemName) -> Result<SystemLock, LockError> {
        todo!()
    }

    /// Whether a live process holds the lock of a system; takes nothing.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn is_locked(&self, _system: &SystemName) -> Result<bool, SpoolError> {
        todo!()
    }

    /// Locks a device or port name: `LCK..name` in the lock directory.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_device(&self, _name: &str) -> Result<PidLock, LockError> {
        todo!()
    }

    /// The first free one of uuxqt's locks (`LCK.XQT.n`), n below `limit`; `None` when all are held. A limit of 0 is none.
    ///
    /// # Errors
    /// When a lock could not be made.
    pub fn lock_uuxqt(&self, _limit: u32) -> Result<Option<PidLock>, SpoolError> {
        todo!()
    }

    /// The lock of a command (`LXQ.command`), for `uuxqt -c`; `None` when it is held.
    ///
    /// # Errors
    /// When the lock could not be made.
    pub fn lock_command(&self, _command: &[u8]) -> Result<Option<PidLock>, SpoolError> {
        todo!()
    }
}
