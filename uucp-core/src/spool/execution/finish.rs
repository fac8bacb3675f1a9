//! Executions that are done, have failed, or cannot be understood: what goes, what is set aside, in which order.

use std::path::PathBuf;

use super::done::{self, DoneFile};
use super::{Execution, ExecutionLock};
use crate::name::{SpoolKind, SpoolName, SystemName};
use crate::spool::work::move_aside;
use crate::spool::{ExecuteFile, Spool, SpoolError, durable, names};

impl Spool {
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
    pub(in crate::spool) fn finish_dead_execution(
        &self,
        execution: &Execution,
    ) -> Result<(), SpoolError> {
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
}
