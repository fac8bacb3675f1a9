//! Queueing: data files are staged, then jobs appear, durably and without a global lock.
//!
//! The order of steps (INTERNALS.md, *Queueing*): data and work files are written under names of their own; the data files
//! get their names, and all of it is synced in one round; then the work files get their names, which is the instant at which
//! the jobs exist, and their directory is synced.

mod staged;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub use staged::{StageKind, Staged};

use super::durable;
use super::workfile::emit_requests;
use super::{Spool, SpoolError, names};
use crate::name::{Grade, JobId, SpoolKind, SpoolName, SystemName};
use crate::wire::command::Request;

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

/// A job whose files are written, but which does not exist yet.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) id: JobId,
    pub(super) lines: Vec<u8>,
    pub(super) staged: Vec<Staged>,
    grade: Grade,
    work: NewFile,
}

/// A file in the making, removed unless it is given a name.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    path: PathBuf,
    named: bool,
}

impl NewFile {
    pub(super) fn write(spool: &Spool, content: &[u8]) -> Result<Self, SpoolError> {
        let folder = spool.new_folder();
        let name = names::unique();
        let file = durable::create_new_in(&folder, &name)?;
        let new = Self {
            file,
            path: folder.join(name),
            named: false,
        };
        if !content.is_empty() {
            durable::write_all(&new.file, &new.path, content)?;
        }
        durable::start_writeback(&new.file);
        Ok(new)
    }

    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        durable::sync(&self.file, &self.path)
    }

    /// What must be on the disk before the file gets its name.
    pub(super) fn unsynced(&self) -> (&File, &Path) {
        (&self.file, &self.path)
    }

    pub(super) fn rename(&mut self, to: &Path) -> Result<(), SpoolError> {
        durable::rename_new_making(&self.path, to)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.named {
            let _ = durable::remove(&self.path);
        }
    }
}

/// Whether the name that a file was to get is taken.
pub(super) fn is_taken(error: &SpoolError) -> bool {
    matches!(error, SpoolError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
}

impl Prepared {
    /// Another name for the work file: somebody has taken the first.
    pub(super) fn rename(&mut self, attempt: u64) {
        self.id.work = names::work_name(self.grade, attempt);
    }

    /// What must be on the disk before the job may exist.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = (&File, &Path)> {
        let data = self.staged.iter().map(Staged::unsynced);
        data.chain([self.work.unsynced()])
    }

    /// Makes the job exist, unless the name is taken.
    pub(super) fn appear(&mut self, spool: &Spool) -> Result<(), SpoolError> {
        let path = spool.data_path(&self.id.system, &self.id.work);
        self.work.rename(&path)?;
        for staged in &mut self.staged {
            staged.set_kept(true);
        }
        Ok(())
    }
}

/// How often another name is tried for a work file.
pub(super) const NAME_ATTEMPTS: u64 = 1000;

impl Spool {
    /// What a file of this kind is to be called at the peer: `D.` or `X.`, the first seven characters of our name, the
    /// grade, and something unique. Every call gives another name.
    #[must_use]
    pub fn peer_name(&self, kind: SpoolKind, grade: Grade) -> SpoolName {
        names::peer_name(kind, &self.paths.nodename, grade)
    }

    /// Queues one job, durably: when this returns, data and work file survive a crash.
    ///
    /// # Errors
    /// When anything could not be written; then nothing is queued.
    pub fn queue(
        &self,
        system: &SystemName,
        grade: Grade,
        requests: &[Request],
        staged: Vec<Staged>,
    ) -> Result<JobId, SpoolError> {
        let draft = Draft {
            system: system.clone(),
            grade,
            requests: requests.to_vec(),
            staged,
        };
        let mut jobs = self.queue_all(vec![draft])?;
        jobs.pop().ok_or_else(|| SpoolError::Unqueueable {
            system: system.clone(),
            reason: "no job was made".to_owned(),
        })
    }

    /// Queues several jobs at the price of one.
    ///
    /// # Errors
    /// When anything could not be written; jobs that were queued before the failure stay queued.
    pub fn queue_all(&self, drafts: Vec<Draft>) -> Result<Vec<JobId>, SpoolError> {
        let mut jobs = self.write_jobs(drafts)?;
        let folders = place_data(&mut jobs)?;
        let files: Vec<_> = jobs.iter().flat_map(Prepared::unsynced).collect();
        durable::sync_round(&files, folders.iter().map(PathBuf::as_path))?;
        for job in &mut jobs {
            let mut attempt = 0;
            while let Err(error) = job.appear(self) {
                attempt += 1;
                if !is_taken(&error) || attempt > NAME_ATTEMPTS {
                    return Err(error);
                }
                job.rename(attempt);
            }
        }
        if let Err(error) = self.sync_jobs(&jobs) {
            self.withdraw(&jobs);
            return Err(error);
        }
        Ok(jobs.into_iter().map(|job| job.id).collect())
    }

    /// The jobs are there, but nobody knows for how long, and their sender will hear of a failure and come again.
    fn withdraw(&self, jobs: &[Prepared]) {
        for job in jobs {
            let work = self.data_path(&job.id.system, &job.id.work);
            if durable::remove(&work).is_ok() {
                for staged in &job.staged {
                    let _ = durable::remove(&staged.path);
                }
            }
        }
    }

    /// Writes the work files beside the staged data and starts to write both out.
    pub(super) fn write_jobs(&self, drafts: Vec<Draft>) -> Result<Vec<Prepared>, SpoolError> {
        let mut jobs = Vec::with_capacity(drafts.len());
        for mut draft in drafts {
            let lines = work_lines(&draft)?;
            for staged in &mut draft.staged {
                staged.start_sync()?;
            }
            jobs.push(Prepared {
                id: JobId {
                    system: draft.system,
                    work: names::work_name(draft.grade, 0),
                },
                work: NewFile::write(self, &lines)?,
                lines,
                staged: draft.staged,
                grade: draft.grade,
            });
        }
        Ok(jobs)
    }

    /// Makes the appearance of jobs durable.
    pub(super) fn sync_jobs(&self, jobs: &[Prepared]) -> Result<(), SpoolError> {
        let folders: BTreeSet<PathBuf> = jobs
            .iter()
            .map(|job| self.work_folder(&job.id.system))
            .collect();
        durable::sync_directories(folders.iter().map(PathBuf::as_path))
    }
}

fn work_lines(draft: &Draft) -> Result<Vec<u8>, SpoolError> {
    let refused = |reason: String| SpoolError::Unqueueable {
        system: draft.system.clone(),
        reason,
    };
    if let Some(stray) = draft.staged.iter().find(|s| s.system != draft.system) {
        return Err(refused(format!(
            "{} was staged for {}",
            stray.name, stray.system
        )));
    }
    emit_requests(&draft.requests).map_err(|error| refused(error.to_string()))
}

/// Gives the data files their names, in the folders returned. Until these, and the data, are on the disk, nobody may be told of
/// them.
pub(super) fn place_data(jobs: &mut [Prepared]) -> Result<BTreeSet<PathBuf>, SpoolError> {
    let mut folders = BTreeSet::new();
    for staged in jobs.iter_mut().flat_map(|job| &mut job.staged) {
        staged.place()?;
        folders.extend(staged.folder().map(Path::to_path_buf));
    }
    Ok(folders)
}

#[cfg(test)]
mod tests;
