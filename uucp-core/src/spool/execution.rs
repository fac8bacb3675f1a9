//! Execute files as work for uuxqt: listing, locking, retrying, finishing.

mod done;
mod finish;
mod lock;
mod retry;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

pub use self::lock::ExecutionLock;
pub use self::retry::RetryState;
use super::error::At;
use super::executefile::EXECUTE_FILE_LIMIT;
use super::queue::{NewFile, is_taken};
use super::{ExecuteFile, Spool, SpoolError, Staged, durable, names};
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
}

#[cfg(test)]
mod tests;
