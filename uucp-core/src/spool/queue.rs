//! Queueing: data files are staged, then jobs appear, durably and without a global lock.

use std::io;
use std::path::PathBuf;

use super::{Spool, SpoolError, WorkFile};
use crate::name::{Grade, JobId, SpoolKind, SpoolName, SystemName};
use crate::wire::command::Request;

/// What a staged file is to become over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageKind {
    /// A data file.
    Data,
    /// A file that is sent to become an execute file (`D.X/D.X...`).
    Execute,
}

/// A data file in the making. Written through `io::Write`; dropped before it is queued, it is removed.
#[derive(Debug)]
pub struct Staged {}

impl Staged {
    /// The name that the file will have in the spool, and that requests give as `from` and `temp`.
    #[must_use]
    pub fn name(&self) -> &SpoolName {
        todo!()
    }

    /// How many bytes were written, so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        todo!()
    }

    /// The system it is for.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        todo!()
    }
}

impl io::Write for Staged {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        todo!()
    }

    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}

/// A job that is to be queued.
#[derive(Debug)]
pub struct Draft {
    /// The system it is for.
    pub system: SystemName,
    /// Its grade.
    pub grade: Grade,
    /// Its requests, in order; none makes a poll request.
    pub requests: Vec<Request>,
    /// The data files that the requests name.
    pub staged: Vec<Staged>,
}

impl Spool {
    /// Begins a data file for `system`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, _system: &SystemName, _kind: StageKind) -> Result<Staged, SpoolError> {
        todo!()
    }

    /// What a file of this kind is to be called at the peer: `D.` or `X.`, the first seven characters of our name, the
    /// grade, and something unique. Every call gives another name.
    #[must_use]
    pub fn peer_name(&self, _kind: SpoolKind, _grade: Grade) -> SpoolName {
        todo!()
    }

    /// Queues one job, durably: when this returns, data and work file survive a crash.
    ///
    /// # Errors
    /// When anything could not be written; then nothing is queued.
    pub fn queue(
        &self,
        _system: &SystemName,
        _grade: Grade,
        _requests: &[Request],
        _staged: Vec<Staged>,
    ) -> Result<JobId, SpoolError> {
        todo!()
    }

    /// Queues several jobs at the price of one.
    ///
    /// # Errors
    /// When anything could not be written; jobs that were queued before the failure stay queued.
    pub fn queue_all(&self, _drafts: Vec<Draft>) -> Result<Vec<JobId>, SpoolError> {
        todo!()
    }

    /// The work files of a system, of grade `least` and better, most urgent first; within a grade in the order of their
    /// names, which is the order of queueing within a day.
    ///
    /// # Errors
    /// When the directory cannot be read; a system without one has no work.
    pub fn scan(&self, _system: &SystemName, _least: Grade) -> Result<Vec<SpoolName>, SpoolError> {
        todo!()
    }

    /// Whether a system has work of grade `least` or better.
    ///
    /// # Errors
    /// As for [`Spool::scan`].
    pub fn has_work(&self, _system: &SystemName, _least: Grade) -> Result<bool, SpoolError> {
        todo!()
    }

    /// The systems that have work.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn systems_with_work(&self) -> Result<Vec<SystemName>, SpoolError> {
        todo!()
    }

    /// The systems that have a folder in the spool.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn systems(&self) -> Result<Vec<SystemName>, SpoolError> {
        todo!()
    }

    /// Reads a work file. [`SpoolError::Corrupt`] where it is cut, binary or says what no request says: then
    /// [`Spool::set_aside_work`].
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read_work(
        &self,
        _system: &SystemName,
        _work: &SpoolName,
    ) -> Result<WorkFile, SpoolError> {
        todo!()
    }

    /// The path of a data (or execute) file of a system's folder.
    #[must_use]
    pub fn data_path(&self, _system: &SystemName, _name: &SpoolName) -> PathBuf {
        todo!()
    }

    /// Removes one data file: its request is done (`CY` was seen), other requests of the job are not.
    ///
    /// # Errors
    /// When it cannot be removed; that it is gone already is no error.
    pub fn finish_request(&self, _job: &JobId, _data: &SpoolName) -> Result<(), SpoolError> {
        todo!()
    }

    /// Removes a job whose requests are all done: its data files first, then the work file.
    ///
    /// # Errors
    /// When a file cannot be removed; that it is gone already is no error.
    pub fn finish_job(&self, _job: &JobId, _data: &[SpoolName]) -> Result<(), SpoolError> {
        todo!()
    }

    /// Keeps the data file of a request that was refused for good, in `.Preserve/`; gives its new path.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn preserve(&self, _job: &JobId, _data: &SpoolName) -> Result<PathBuf, SpoolError> {
        todo!()
    }

    /// Moves a work file that cannot be understood into `.Corrupt/`; gives its new path, for the log.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside_work(
        &self,
        _system: &SystemName,
        _work: &SpoolName,
    ) -> Result<PathBuf, SpoolError> {
        todo!()
    }
}
