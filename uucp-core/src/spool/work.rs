//! Queued jobs: finding, reading, finishing, keeping, setting aside.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use nix::errno::Errno;

use super::error::At;
use super::workfile::{WORK_FILE_LIMIT, emit_requests, grade_of_work};
use super::{Spool, SpoolError, WorkFile, durable, names, regular};
use crate::name::{Grade, JobId, SpoolKind, SpoolName, SystemName};
use crate::wire::command::Request;

/// Which of two work files goes first: the one of the better grade, then the one with the lower name, which was queued
/// first.
#[must_use]
pub fn by_urgency(a: &SpoolName, b: &SpoolName) -> Ordering {
    let grade = |name: &SpoolName| grade_of_work(name).unwrap_or(Grade::LAST);
    grade(a)
        .cmp(&grade(b))
        .then_with(|| names::work_order(a).cmp(names::work_order(b)))
        .then_with(|| a.cmp(b))
}

/// A name, ordered by urgency.
#[derive(Debug, PartialEq, Eq)]
struct Ranked(SpoolName);

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        by_urgency(&self.0, &other.0)
    }
}

impl Spool {
    /// The work files of a system, of grade `least` and better, most urgent first; within a grade in the order of their
    /// names, which is the order of queueing within a day.
    ///
    /// # Errors
    /// When the directory cannot be read; a system without one has no work.
    pub fn scan(&self, system: &SystemName, least: Grade) -> Result<Vec<SpoolName>, SpoolError> {
        self.most_urgent(system, least, usize::MAX, |_| true)
    }

    /// Of the same, the first `count` of those that are `wanted`.
    ///
    /// The whole queue is looked at: Taylor's uucico sorts only the 201 files it happens to read first. By name and not by
    /// the files' times, which would cost a system call for each and say the same.
    ///
    /// # Errors
    /// As for [`Spool::scan`].
    pub fn most_urgent(
        &self,
        system: &SystemName,
        least: Grade,
        count: usize,
        wanted: impl Fn(&SpoolName) -> bool,
    ) -> Result<Vec<SpoolName>, SpoolError> {
        let mut found = BinaryHeap::new();
        self.each_work(system, least, |name| {
            if wanted(&name) {
                let name = Ranked(name);
                if found.len() < count {
                    found.push(name);
                } else if let Some(mut last) = found.peek_mut()
                    && name < *last
                {
                    *last = name;
                }
            }
            true
        })?;
        Ok(found
            .into_sorted_vec()
            .into_iter()
            .map(|one| one.0)
            .collect())
    }

    /// When jobs of a system last came or went; `None` where that cannot be told.
    #[must_use]
    pub fn queue_changed(&self, system: &SystemName) -> Option<SystemTime> {
        fs::metadata(self.work_folder(system))
            .and_then(|folder| folder.modified())
            .ok()
    }

    /// Whether a system has work of grade `least` or better.
    ///
    /// # Errors
    /// As for [`Spool::scan`].
    pub fn has_work(&self, system: &SystemName, least: Grade) -> Result<bool, SpoolError> {
        let mut any = false;
        self.each_work(system, least, |_| {
            any = true;
            false
        })?;
        Ok(any)
    }

    fn each_work(
        &self,
        system: &SystemName,
        least: Grade,
        mut each: impl FnMut(SpoolName) -> bool,
    ) -> Result<(), SpoolError> {
        durable::each_name(&self.work_folder(system), |text| {
            let work = SpoolName::parse(text.as_bytes())
                .ok()
                .filter(|name| name.kind() == SpoolKind::Work)
                .filter(|name| grade_of_work(name).is_ok_and(|grade| grade <= least));
            work.is_none_or(&mut each)
        })
    }

    /// The systems that have work.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn systems_with_work(&self) -> Result<Vec<SystemName>, SpoolError> {
        let mut found = Vec::new();
        for system in self.systems()? {
            if self.has_work(&system, Grade::LAST)? {
                found.push(system);
            }
        }
        Ok(found)
    }

    /// The folders where work appears, or the folders of work, each with the system that it is for: what to watch.
    #[must_use]
    pub fn folders_of_work(&self) -> Vec<(PathBuf, Option<SystemName>)> {
        let outboxes = self.own_folder("outbox");
        let mut folders = vec![(self.root().to_path_buf(), None), (outboxes, None)];
        let mut systems = self.systems().unwrap_or_default();
        systems.extend(self.systems_with_messages().unwrap_or_default());
        for system in systems {
            folders.extend([
                (self.system_folder(&system), None),
                (self.work_folder(&system), Some(system.clone())),
                (self.queue_folder(&system), Some(system)),
            ]);
        }
        folders
    }

    /// The systems that have a folder in the spool.
    ///
    /// # Errors
    /// When the spool directory cannot be read.
    pub fn systems(&self) -> Result<Vec<SystemName>, SpoolError> {
        let mut found = Vec::new();
        durable::each_name(&self.paths.root, |text| {
            // Lock files of uuxqt and `TMP...` lie beside the folders.
            if let Ok(system) = text.parse::<SystemName>()
                && self.system_folder(&system).is_dir()
            {
                found.push(system);
            }
            true
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Reads a work file. [`SpoolError::Corrupt`] where it is cut, binary or says what no request says: then
    /// [`Spool::set_aside_work`].
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read_work(&self, system: &SystemName, work: &SpoolName) -> Result<WorkFile, SpoolError> {
        let path = self.data_path(system, work);
        let content =
            durable::read_small(&path, WORK_FILE_LIMIT)?.ok_or_else(|| SpoolError::Io {
                action: "open",
                path: path.clone(),
                source: io::ErrorKind::NotFound.into(),
            })?;
        WorkFile::parse(system, work, &content)
            .map_err(|reason| SpoolError::Corrupt { path, reason })
    }

    /// Removes one data file: its request is done (`CY` was seen), other requests of the job are not.
    ///
    /// # Errors
    /// When it cannot be removed; that it is gone already is no error.
    pub fn finish_request(&self, job: &JobId, data: &SpoolName) -> Result<(), SpoolError> {
        durable::remove(&self.data_path(&job.system, data))
    }

    /// Takes requests out of a job, durably: they are done, others are not, and they have no data file whose absence would say so.
    ///
    /// # Errors
    /// When the work file cannot be read or written; the job is whole then.
    pub fn drop_requests(&self, job: &JobId, done: &[Request]) -> Result<(), SpoolError> {
        if done.is_empty() {
            return Ok(());
        }
        let mut left = self.read_work(&job.system, &job.work)?.requests;
        for request in done {
            let found = left.iter().position(|one| one == request);
            found.map(|index| left.remove(index));
        }
        // A job without any would ask for nothing but a call.
        if left.is_empty() {
            return Ok(());
        }
        // By its time a file is known that has changed since it may have been offered.
        let path = self.data_path(&job.system, &job.work);
        let written = fs::metadata(&path).and_then(|work| work.modified());
        self.rewrite_work(job, &left, Some(written.at("examine", &path)?))
    }

    /// Writes a work file anew, in one step, as of now or another time.
    pub(super) fn rewrite_work(
        &self,
        job: &JobId,
        requests: &[Request],
        written: Option<SystemTime>,
    ) -> Result<(), SpoolError> {
        let lines = emit_requests(requests).map_err(|error| SpoolError::Unqueueable {
            system: job.system.clone(),
            reason: error.to_string(),
        })?;
        let path = self.data_path(&job.system, &job.work);
        let (new, mode) = (self.new_path(), durable::FILE_MODE);
        durable::replace_dated(&new, &path, mode, &lines, true, written)
    }

    /// Removes a job whose requests are all done: its data files first, then the work file. A crash between the two leaves
    /// a work file whose data is gone, which says "done" as Taylor's do.
    ///
    /// # Errors
    /// When a file cannot be removed; that it is gone already is no error.
    pub fn finish_job(&self, job: &JobId, data: &[SpoolName]) -> Result<(), SpoolError> {
        for name in data {
            self.finish_request(job, name)?;
        }
        durable::remove(&self.data_path(&job.system, &job.work))
    }

    /// Keeps the data file of a request that was refused for good, in `.Preserve/`; gives its new path. It keeps its old one, too,
    /// until the request is finished: a crash in between leaves the job as it was. `None` where it can have no second name, being
    /// somebody else's or on a file system without links: then [`Spool::move_to_preserve`] is the last step.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn preserve(&self, job: &JobId, data: &SpoolName) -> Result<Option<PathBuf>, SpoolError> {
        match link_aside(&self.data_path(&job.system, data), &self.preserve_folder()) {
            Err(SpoolError::Io { source, .. }) if is_no_link(&source) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Moves such a data file into `.Preserve/`; gives its new path. Its request counts as done from here on.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn move_to_preserve(&self, job: &JobId, data: &SpoolName) -> Result<PathBuf, SpoolError> {
        move_aside(&self.data_path(&job.system, data), &self.preserve_folder())
    }

    /// Whether a data file has a second name in `.Preserve/`.
    #[must_use]
    pub fn is_preserved(&self, system: &SystemName, data: &SpoolName) -> bool {
        let path = self.data_path(system, data);
        names_aside(&path, &self.preserve_folder())
            .take_while(|name| name.symlink_metadata().is_ok())
            .any(|name| is_same(&path, &name).unwrap_or(false))
    }

    /// Where files are kept that a person should look at.
    #[must_use]
    pub fn preserve_folder(&self) -> PathBuf {
        self.taylor_folder(".Preserve")
    }

    /// Moves a work file that cannot be understood into `.Corrupt/`; gives its new path, for the log.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside_work(
        &self,
        system: &SystemName,
        work: &SpoolName,
    ) -> Result<PathBuf, SpoolError> {
        move_aside(
            &self.data_path(system, work),
            &self.taylor_folder(".Corrupt"),
        )
    }

    /// Removes what senders that died have left in the making: files that nobody holds open, older than an hour.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep(&self) -> Result<(), SpoolError> {
        let folder = self.new_folder();
        for name in durable::names(&folder)? {
            let path = folder.join(name);
            if is_abandoned(&path) {
                durable::remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Whether the file can have no second name, wherever. A folder that may not be written is another matter.
fn is_no_link(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(
        number,
        Some(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS)
    )
}

/// What a file may be called in a folder: its own name, then that and a number.
fn names_aside(path: &Path, folder: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (1_u32..1000).map(move |number| match number {
        1 => folder.join(&*name),
        _ => folder.join(format!("{name}.{number}")),
    })
}

/// Gives a file a second name in a folder: its own, or that and a number where it is taken. Done twice it is done once.
fn link_aside(path: &Path, folder: &Path) -> Result<PathBuf, SpoolError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    durable::make_directory(folder)?;
    let mut target = folder.join(&*name);
    for number in 2_u32.. {
        match super::fault::step("link", &target).and_then(|()| fs::hard_link(path, &target)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                if is_same(path, &target).at("examine", &target)? {
                    break;
                }
                target = folder.join(format!("{name}.{number}"));
            }
            Err(error) => return Err(error).at("create", &target),
            Ok(()) => break,
        }
    }
    durable::sync_directory(folder)?;
    Ok(target)
}

pub(super) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.symlink_metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Moves a file into a folder under its own name, or that name and a number where it is taken.
pub(super) fn move_aside(path: &Path, folder: &Path) -> Result<PathBuf, SpoolError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut target = folder.join(&*name);
    for number in 2_u32.. {
        match durable::rename_new_making(path, &target) {
            Err(error) if super::queue::is_taken(&error) && number < 1000 => {
                target = folder.join(format!("{name}.{number}"));
            }
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    durable::sync_directory(folder)?;
    Ok(target)
}

/// Whether nobody is at work on a file in the making: its maker holds a lock on it, and an hour (by whatever clock the files
/// have) is long enough for the instant between making and locking, also where the clock was set.
fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = regular::open(path) else {
        return false;
    };
    let young = file
        .metadata()
        .and_then(|m| m.modified())
        .is_ok_and(|time| time.elapsed().is_ok_and(|age| age.as_secs() < 3600));
    !young && file.try_lock().is_ok()
}
