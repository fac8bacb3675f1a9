//! Queueing: data files are staged, then jobs appear, durably and without a global lock.
//!
//! The order of steps (INTERNALS.md, *Queueing*): data and work files are written under names of their own; the data files
//! get their names, and all of it is synced in one round; then the work files get their names, which is the instant at which
//! the jobs exist, and their directory is synced.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::durable;
use super::error::At;
use super::fault::step;
use super::workfile::emit_requests;
use super::{Spool, SpoolError, names};
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
pub struct Staged {
    writer: BufWriter<File>,
    /// Where the file is now.
    path: PathBuf,
    /// Where it is to be.
    place: PathBuf,
    name: SpoolName,
    system: SystemName,
    size: u64,
    /// Whether its job exists, so that it must stay.
    kept: bool,
}

impl Staged {
    /// The name that the file will have in the spool, and that requests give as `from` and `temp`.
    #[must_use]
    pub fn name(&self) -> &SpoolName {
        &self.name
    }

    /// How many bytes were written, so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The system it is for.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// Everything that was written, from the beginning, for whoever is to read it before or instead of the peer.
    ///
    /// # Errors
    /// When it cannot be written out or opened.
    pub fn read_back(&mut self) -> Result<File, SpoolError> {
        self.writer.flush().at("write", &self.path)?;
        File::open(&self.path).at("open", &self.path)
    }

    /// Everything is handed to the operating system and on its way to the disk.
    pub(super) fn start_sync(&mut self) -> Result<(), SpoolError> {
        self.writer.flush().at("write", &self.path)?;
        durable::start_writeback(self.writer.get_ref());
        Ok(())
    }

    /// What must be on the disk before anybody is told the file's name.
    pub(super) fn unsynced(&self) -> (&File, &Path) {
        (self.writer.get_ref(), &self.path)
    }

    /// Gives the file its name in the spool.
    pub(super) fn place(&mut self) -> Result<(), SpoolError> {
        durable::rename_new_making(&self.path, &self.place)?;
        self.path.clone_from(&self.place);
        Ok(())
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.place.parent()
    }

    /// Whether the file stays, whatever becomes of this value.
    pub(super) fn set_kept(&mut self, kept: bool) {
        self.kept = kept;
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step("write", &self.path)?;
        let written = self.writer.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is swept later.
            let _ = durable::remove(&self.path);
        }
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
    /// Begins a data file for `system`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, system: &SystemName, kind: StageKind) -> Result<Staged, SpoolError> {
        let name = names::data_name(kind == StageKind::Execute);
        let folder = self.new_folder();
        let file = durable::create_new_in(&folder, name.as_str())?;
        // Tells the sweeper that somebody is at work on it. It is ours, so nobody else has it.
        let _ = file.try_lock();
        Ok(Staged {
            writer: BufWriter::with_capacity(durable::WRITE_BUFFER, file),
            path: folder.join(name.as_str()),
            place: self.data_path(system, &name),
            name,
            system: system.clone(),
            size: 0,
            kept: false,
        })
    }

    /// Begins a data file for `system` that is a second link to a user's file. Nothing is to be written to it. `None` where
    /// it cannot be linked, being on another file system or another user's, and where the owner of the spool could not
    /// read it.
    ///
    /// # Errors
    /// When the spool is in trouble.
    pub fn stage_link(
        &self,
        system: &SystemName,
        file: &Path,
    ) -> Result<Option<Staged>, SpoolError> {
        let name = names::data_name(false);
        let folder = self.new_folder();
        durable::make_directory(&folder)?;
        let path = folder.join(name.as_str());
        // Of a symbolic link the file is wanted, not the link.
        let Ok(file) = file.canonicalize() else {
            return Ok(None);
        };
        step("link", &path).at("create", &path)?;
        if std::fs::hard_link(&file, &path).is_err() {
            return Ok(None);
        }
        let Some(linked) = File::open(&path).ok().filter(|file| self.is_readable(file)) else {
            durable::remove(&path)?;
            return Ok(None);
        };
        // As in `stage`; one that somebody else has locked is in use in any case.
        let _ = linked.try_lock();
        Ok(Some(Staged {
            size: linked.metadata().at("read", &path)?.len(),
            writer: BufWriter::with_capacity(0, linked),
            path,
            place: self.data_path(system, &name),
            name,
            system: system.clone(),
            kept: false,
        }))
    }

    /// Whether this is a file that the owner of the spool, as whom uucico runs, can read.
    fn is_readable(&self, file: &File) -> bool {
        let owner = std::fs::metadata(self.root()).map(|root| root.uid());
        file.metadata().is_ok_and(|file| {
            let by_owner = owner.is_ok_and(|owner| owner == file.uid()) && file.mode() & 0o400 != 0;
            file.is_file() && (by_owner || file.mode() & 0o004 != 0)
        })
    }

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
