//! Who runs an execution: nobody else may.

use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::Execution;
use crate::spool::error::At;
use crate::spool::{PidLock, Spool, SpoolError};

/// The lock of one execution. Its descriptor may be inherited by the command, which then holds the lock as long as it runs,
/// whatever becomes of uuxqt.
#[derive(Debug)]
pub struct ExecutionLock {
    pub(super) lock: PidLock,
}

impl ExecutionLock {
    /// The descriptor that holds the lock.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.lock.guard().as_fd()
    }

    /// Whether children that are started now inherit the descriptor. Off at first; to be switched on around a start.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn set_inheritable(&self, inheritable: bool) -> Result<(), SpoolError> {
        let flags = if inheritable {
            FdFlag::empty()
        } else {
            FdFlag::FD_CLOEXEC
        };
        fcntl(self.lock.guard(), FcntlArg::F_SETFD(flags))
            .at("hand on", self.lock.guard_path())
            .map(|_| ())
    }

    /// Writes the running command's process number into the lock file, for Taylor's uuxqt.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_owner(&mut self, pid: i32) -> Result<(), SpoolError> {
        self.lock.set_owner(pid)
    }
}

impl Spool {
    /// Locks an execution; `None` if it runs already or is gone.
    ///
    /// # Errors
    /// When the lock could not be made.
    pub fn lock_execution(
        &self,
        execution: &Execution,
    ) -> Result<Option<ExecutionLock>, SpoolError> {
        let path = self.execution_path(execution);
        // Looked at first, since locking writes; and again under the lock, since it may have been done meanwhile.
        if !path.exists() {
            return Ok(None);
        }
        let lock = self.take_execution_lock(execution)?;
        Ok(lock
            .filter(|_| path.exists())
            .map(|lock| ExecutionLock { lock }))
    }

    pub(super) fn take_execution_lock(
        &self,
        execution: &Execution,
    ) -> Result<Option<PidLock>, SpoolError> {
        let tail = execution.name.as_str().get(2..).unwrap_or_default();
        let path = self.execution_path(execution);
        let guard_name = format!("{}!{}", execution.system, execution.name);
        self.lock_beside(path.with_file_name(format!("L.{tail}")), &guard_name)
    }
}
