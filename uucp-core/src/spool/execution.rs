//! Execute files as work for uuxqt: listing, locking, retrying, finishing.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::{ExecuteFile, ObservedTime, Spool, SpoolError};
use crate::name::{Grade, SpoolName, SystemName};

/// One execute file in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Whose folder it lies in: the system that sent it, or ourselves.
    pub system: SystemName,
    /// Its name.
    pub name: SpoolName,
    /// Its grade, as told by its name.
    pub grade: Grade,
}

/// The lock of one execution. Its descriptor may be inherited by the command, which then holds the lock as long as it runs,
/// whatever becomes of uuxqt.
#[derive(Debug)]
pub struct ExecutionLock {}

impl ExecutionLock {
    /// The descriptor that holds the lock.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        todo!()
    }

    /// Whether children that are started now inherit the descriptor. Off at first; to be switched on around a start.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn set_inheritable(&self, _inheritable: bool) -> Result<(), SpoolError> {
        todo!()
    }

    /// Writes the running command's process number into the lock file, for Taylor's uuxqt.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_owner(&mut self, _pid: i32) -> Result<(), SpoolError> {
        todo!()
    }
}

/// What is remembered of an execution that could not be done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryState {
    /// How often it was tried.
    pub attempts: u32,
    /// When it was seen first.
    pub first_seen: ObservedTime,
    /// When it may be tried again.
    pub next: ObservedTime,
}

impl RetryState {
    /// How long it has been waiting.
    #[must_use]
    pub fn age(&self, _now: ObservedTime) -> Duration {
        todo!()
    }
}

impl Spool {
    /// The execute files of all systems, most urgent first.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn executions(&self) -> Result<Vec<Execution>, SpoolError> {
        todo!()
    }

    /// Locks an execution; `None` if it runs already or is gone.
    ///
    /// # Errors
    /// When the lock could not be made.
    pub fn lock_execution(
        &self,
        _execution: &Execution,
    ) -> Result<Option<ExecutionLock>, SpoolError> {
        todo!()
    }

    /// Reads an execute file. [`SpoolError::Corrupt`] where it cannot be understood: then
    /// [`Spool::set_aside_execution`].
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read_execution(&self, _execution: &Execution) -> Result<ExecuteFile, SpoolError> {
        todo!()
    }

    /// Whether all files that it needs are there.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn has_files(
        &self,
        _execution: &Execution,
        _file: &ExecuteFile,
    ) -> Result<bool, SpoolError> {
        todo!()
    }

    /// Queues an execution on this system itself, durably: for `uux` with a local command. The execute file may name the
    /// staged files.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn queue_execution(
        &self,
        _grade: Grade,
        _file: &ExecuteFile,
        _staged: Vec<super::Staged>,
    ) -> Result<Execution, SpoolError> {
        todo!()
    }

    /// Removes an execution that is done: the execute file first, then its files, its retry state and its lock.
    ///
    /// # Errors
    /// When a file cannot be removed; that it is gone already is no error.
    pub fn remove_execution(
        &self,
        _lock: ExecutionLock,
        _execution: &Execution,
        _file: &ExecuteFile,
    ) -> Result<(), SpoolError> {
        todo!()
    }

    /// Moves a failed execution and its files to `.Failed/`; gives the execute file's new path.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn fail_execution(
        &self,
        _lock: ExecutionLock,
        _execution: &Execution,
        _file: &ExecuteFile,
    ) -> Result<PathBuf, SpoolError> {
        todo!()
    }

    /// Moves an execute file that cannot be understood to `.Corrupt/`; gives its new path.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside_execution(
        &self,
        _lock: ExecutionLock,
        _execution: &Execution,
    ) -> Result<PathBuf, SpoolError> {
        todo!()
    }

    /// What is remembered of an execution.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn retry_state(&self, _execution: &Execution) -> Result<Option<RetryState>, SpoolError> {
        todo!()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_retry_state(
        &self,
        _execution: &Execution,
        _state: &RetryState,
    ) -> Result<(), SpoolError> {
        todo!()
    }
}
