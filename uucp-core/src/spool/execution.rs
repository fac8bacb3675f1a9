//! Execute files as work for uuxqt: listing, locking, retrying, finishing.

mod done;

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use self::done::DoneFile;
use super::error::At;
use super::executefile::EXECUTE_FILE_LIMIT;
use super::queue::{NewFile, is_taken};
use super::work::move_aside;
use super::{ExecuteFile, ObservedTime, PidLock, Spool, SpoolError, Staged, durable, names};
use crate::name::{Grade, SpoolKind, SpoolName, SystemName};

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
pub struct ExecutionLock {
    lock: PidLock,
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
    pub fn age(&self, now: ObservedTime) -> Duration {
        now.since(self.first_seen)
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let mut words = text.split(' ');
        Some(Self {
            attempts: words.next()?.parse().ok()?,
            first_seen: ObservedTime(words.next()?.parse().ok()?),
            next: ObservedTime(words.next()?.parse().ok()?),
        })
    }

    fn emit(self) -> String {
        format!("{} {} {}\n", self.attempts, self.first_seen.0, self.next.0)
    }
}

impl Spool {
    /// The execute files of all systems, most urgent first; within a grade by system and name.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn executions(&self) -> Result<Vec<Execution>, SpoolError> {
        let mut found = Vec::new();
        for system in self.systems()? {
            durable::each_name(&self.execute_folder(&system), |text| {
                if let Ok(name) = SpoolName::parse(text.as_bytes())
                    && name.kind() == SpoolKind::Execute
                {
                    found.push(Execution {
                        grade: names::grade_of(&name, &system),
                        system: system.clone(),
                        name,
                    });
                }
                true
            })?;
        }
        found.sort_unstable_by(|a, b| {
            let order = |e: &Execution| e.grade;
            order(a)
                .cmp(&order(b))
                .then_with(|| a.system.cmp(&b.system))
                .then_with(|| a.name.cmp(&b.name))
        });
        Ok(found)
    }

    fn execution_path(&self, execution: &Execution) -> PathBuf {
        self.data_path(&execution.system, &execution.name)
    }

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

    /// What tells this execute file from any other of the same name: stays the same however often its command is tried, over
    /// reboots too, and when somebody moves it to `.Failed/` and back; a file that comes later under the same name has another.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn execution_instance(&self, execution: &Execution) -> Result<String, SpoolError> {
        let path = self.execution_path(execution);
        let found = path.metadata().at("examine", &path)?;
        let (name, inode) = (&execution.name, found.ino());
        let (seconds, nanoseconds) = (found.mtime(), found.mtime_nsec());
        Ok(format!("{name}:{inode}:{seconds}.{nanoseconds:09}"))
    }

    /// Reads an execute file. [`SpoolError::Corrupt`] where it cannot be understood: then
    /// [`Spool::set_aside_execution`].
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read_execution(&self, execution: &Execution) -> Result<ExecuteFile, SpoolError> {
        let path = self.execution_path(execution);
        let content =
            durable::read_small(&path, EXECUTE_FILE_LIMIT)?.ok_or_else(|| SpoolError::Io {
                action: "open",
                path: path.clone(),
                source: std::io::ErrorKind::NotFound.into(),
            })?;
        ExecuteFile::parse(&content).map_err(|reason| SpoolError::Corrupt { path, reason })
    }

    /// Whether all files that it needs are there.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn has_files(&self, execution: &Execution, file: &ExecuteFile) -> Result<bool, SpoolError> {
        for needed in &file.files {
            let path = self.data_path(&execution.system, &needed.name);
            if !path.try_exists().at("examine", &path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Queues an execution on this system itself, durably: for `uux` with a local command. The execute file may name the
    /// staged files.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn queue_execution(
        &self,
        grade: Grade,
        file: &ExecuteFile,
        mut staged: Vec<Staged>,
    ) -> Result<Execution, SpoolError> {
        let system = self.nodename().clone();
        for data in &mut staged {
            data.start_sync()?;
        }
        let mut new = NewFile::write(self, &file.emit()?)?;
        let files: Vec<_> = staged.iter().map(Staged::unsynced).collect();
        durable::sync_all(&files)
            .into_iter()
            .collect::<Result<(), _>>()?;
        new.sync()?;
        for data in &mut staged {
            data.place()?;
            data.folder().map_or(Ok(()), durable::sync_directory)?;
        }
        loop {
            let name = names::peer_name(SpoolKind::Execute, &system, grade);
            let path = self.data_path(&system, &name);
            match new.rename(&path) {
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    for data in &mut staged {
                        data.set_kept(true);
                    }
                    durable::sync_directory(&self.execute_folder(&system))?;
                    return Ok(Execution {
                        system,
                        name,
                        grade,
                    });
                }
            }
        }
    }

    /// Removes an execution that is done: the execute file first, then its files, its retry state and its lock.
    ///
    /// A crash after the execute file leaves data that nobody names, never a command that runs again; which data that is
    /// stands in the guard, and [`Spool::finish_dead_executions`] removes it.
    ///
    /// # Errors
    /// When a file cannot be removed; that it is gone already is no error.
    pub fn remove_execution(
        &self,
        lock: ExecutionLock,
        execution: &Execution,
        file: &ExecuteFile,
    ) -> Result<(), SpoolError> {
        let data: Vec<DoneFile> = file
            .files
            .iter()
            .filter_map(|needed| {
                DoneFile::of(
                    &self.data_path(&execution.system, &needed.name),
                    &needed.name,
                )
            })
            .collect();
        lock.lock.note(&done::emit(&data))?;
        durable::remove(&self.execution_path(execution))?;
        for needed in &file.files {
            durable::remove(&self.data_path(&execution.system, &needed.name))?;
        }
        durable::remove(&self.retry_path(execution))?;
        drop(lock);
        Ok(())
    }

    /// Ends what processes that were killed had begun to remove: the execute file of a job that is done is gone, and its
    /// data, its lock and what was remembered of it go now.
    ///
    /// # Errors
    /// When the spool cannot be read or a file cannot be removed.
    pub fn finish_dead_executions(&self) -> Result<(), SpoolError> {
        for guard in durable::names(&self.own_folder("running"))? {
            let Some((system, name)) = guard.split_once('!') else {
                continue;
            };
            let (Ok(system), Ok(name)) = (
                SystemName::parse(system.as_bytes()),
                SpoolName::parse(name.as_bytes()),
            ) else {
                continue;
            };
            if name.kind() == SpoolKind::Execute {
                self.finish_dead_execution(&Execution {
                    grade: names::grade_of(&name, &system),
                    system,
                    name,
                })?;
            }
        }
        Ok(())
    }

    /// The same for one; whoever can take its lock may do it.
    pub(super) fn finish_dead_execution(&self, execution: &Execution) -> Result<(), SpoolError> {
        let path = self.execution_path(execution);
        if path.exists() {
            return Ok(());
        }
        let Some(lock) = self.take_execution_lock(execution)? else {
            return Ok(());
        };
        // One that has come meanwhile may name the same data.
        if path.exists() {
            return Ok(());
        }
        for data in done::parse(lock.noted()) {
            let path = self.data_path(&execution.system, &data.name);
            if DoneFile::of(&path, &data.name).as_ref() == Some(&data) {
                durable::remove(&path)?;
            }
        }
        durable::remove(&self.retry_path(execution))
    }

    fn take_execution_lock(&self, execution: &Execution) -> Result<Option<PidLock>, SpoolError> {
        let tail = execution.name.as_str().get(2..).unwrap_or_default();
        let path = self.execution_path(execution);
        let guard_name = format!("{}!{}", execution.system, execution.name);
        self.lock_beside(path.with_file_name(format!("L.{tail}")), &guard_name)
    }

    /// Puts on disk that executions of a system are gone, many at once: a sync for each would cost more than the commands.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn sync_executions(&self, system: &SystemName) -> Result<(), SpoolError> {
        durable::sync_directory(&self.execute_folder(system))
    }

    /// Moves a failed execution and its files to `.Failed/`; gives the execute file's new path. The files go first: an
    /// execute file whose data is gone waits and can be seen, data without an execute file cannot.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn fail_execution(
        &self,
        lock: ExecutionLock,
        execution: &Execution,
        file: &ExecuteFile,
    ) -> Result<PathBuf, SpoolError> {
        let folder = self
            .taylor_folder(".Failed")
            .join(execution.system.as_str());
        for needed in &file.files {
            let path = self.data_path(&execution.system, &needed.name);
            if path.exists() {
                move_aside(&path, &folder.join("D."))?;
            }
        }
        let moved = move_aside(&self.execution_path(execution), &folder.join("X."))?;
        durable::remove(&self.retry_path(execution))?;
        drop(lock);
        Ok(moved)
    }

    /// Moves an execute file that cannot be understood to `.Corrupt/`; gives its new path. Its data files stay where they
    /// are: what names them is not known.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside_execution(
        &self,
        lock: ExecutionLock,
        execution: &Execution,
    ) -> Result<PathBuf, SpoolError> {
        let moved = move_aside(
            &self.execution_path(execution),
            &self.taylor_folder(".Corrupt"),
        )?;
        durable::remove(&self.retry_path(execution))?;
        drop(lock);
        Ok(moved)
    }

    fn retry_path(&self, execution: &Execution) -> PathBuf {
        self.own_folder("retry")
            .join(execution.system.as_str())
            .join(execution.name.as_str())
    }

    /// What is remembered of an execution.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn retry_state(&self, execution: &Execution) -> Result<Option<RetryState>, SpoolError> {
        let content = durable::read_small(&self.retry_path(execution), 4096)?;
        Ok(content.and_then(|content| RetryState::parse(&content)))
    }

    /// Remembers it. Not synced: a power failure costs one early retry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_retry_state(
        &self,
        execution: &Execution,
        state: &RetryState,
    ) -> Result<(), SpoolError> {
        durable::replace(
            &self.new_path(),
            &self.retry_path(execution),
            durable::FILE_MODE,
            state.emit().as_bytes(),
            false,
        )
    }
}

#[cfg(test)]
mod tests;
