//! The directory in which an MTA leaves batches, and taking one out of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::batch::Batch;
use super::error::{At, CollectError};
use super::lockfile::{self, LockFile, STALE, is_lock, with_suffix};
use super::unique;
use crate::clock::is_older;
use crate::spool::fault::step;

/// Between the system and what is unique in the name of a batch that was moved aside.
pub(super) const ASIDE: &str = ".batch.";
/// The same, in the name of what was not understood of it.
pub(super) const UNREAD: &str = ".unread.";
/// How long is waited for one who has the file.
const WAIT: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(5);

/// The directory in which an MTA leaves batches.
#[derive(Debug)]
pub struct DropBox {
    directory: PathBuf,
    wait: Duration,
}

/// What is in it.
#[derive(Debug, Default)]
pub struct Found {
    /// Batches that were moved aside before: by one who was killed, or is at work on them. Oldest first.
    pub aside: Vec<PathBuf>,
    /// What waits for systems.
    pub waiting: Vec<Waiting>,
}

/// What waits for one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The name of the file or directory, which is the system's.
    pub system: OsString,
    /// Whether it is a directory, with a file for a message.
    pub directory: bool,
}

/// The system in the name of a batch that was moved aside.
fn system_of(path: &Path) -> Option<&OsStr> {
    let name = path.file_name()?.as_bytes();
    let at = memchr::memmem::rfind(name, ASIDE.as_bytes())?;
    let system = name.get(..at).filter(|system| !system.is_empty())?;
    Some(OsStr::from_bytes(system))
}

impl DropBox {
    /// The one in this directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            wait: WAIT,
        }
    }

    /// Sets how long is waited for one who has a file: 5 seconds, unless set.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Looks what is there. Nothing that begins with a dot, no lock files, nothing that could not be understood before; no empty
    /// files, but for those that wait for nothing but the end of a lock that one who was killed has left.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn look(&self) -> Result<Found, CollectError> {
        let mut found = Found::default();
        let directory = &self.directory;
        for entry in fs::read_dir(directory).at("read", directory)? {
            let entry = entry.at("read", directory)?;
            let (path, name) = (entry.path(), entry.file_name());
            let unread = memchr::memmem::find(name.as_bytes(), UNREAD.as_bytes());
            if unread.is_some() || name.as_bytes().starts_with(b".") {
                continue;
            }
            // What is gone again was another's.
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if is_lock(&path, &metadata) {
                lockfile::sweep(&path);
            } else if system_of(&path).is_some() {
                found.aside.push(path);
            } else if metadata.is_dir()
                || (metadata.is_file() && (metadata.len() > 0 || lockfile::is_left(&path)))
            {
                found.waiting.push(Waiting {
                    system: name,
                    directory: metadata.is_dir(),
                });
            }
        }
        found.aside.sort_unstable();
        found
            .waiting
            .sort_unstable_by(|a, b| a.system.cmp(&b.system));
        Ok(found)
    }

    /// Takes what waits for a system; `None` if there is nothing by now.
    ///
    /// # Errors
    /// [`CollectError::Busy`] when somebody keeps it; else when it cannot be moved.
    pub fn take(&self, waiting: &Waiting) -> Result<Option<Batch>, CollectError> {
        let from = self.directory.join(&waiting.system);
        let suffix = format!("{ASIDE}{}", unique());
        let to = with_suffix(&from, OsStr::new(&suffix));
        if waiting.directory {
            self.take_directory(&from, &to, &waiting.system)
        } else {
            let taken = move_locked(&from, &to, self.wait)?;
            sync_directory(&self.directory)?;
            Ok(taken.map(|open| Batch {
                path: to,
                system: waiting.system.clone(),
                directory: false,
                left: Vec::new(),
                _open: Held(open),
            }))
        }
    }

    /// Moves the files of a directory into one of our own; `None` if there are none.
    fn take_directory(
        &self,
        from: &Path,
        to: &Path,
        system: &OsStr,
    ) -> Result<Option<Batch>, CollectError> {
        let files = files_to_take(from)?;
        if files.is_empty() {
            return Ok(None);
        }
        step("create", to)
            .and_then(|()| fs::create_dir(to))
            .at("create", to)?;
        let open = File::open(to).at("open", to)?;
        // Another who collects may have found it empty, and removed it.
        if open.try_lock().is_err() || !leads_to(to, &open) {
            return Ok(None);
        }
        let mut batch = Batch {
            path: to.to_owned(),
            system: system.to_owned(),
            directory: true,
            left: Vec::new(),
            _open: Held(open),
        };
        for file in files {
            let name = file.file_name().unwrap_or_default();
            match move_locked(&file, &to.join(name), self.wait) {
                Err(CollectError::Busy { path }) => {
                    tracing::info!(target: "uucp::mail", path = %path.display(), "in use; left for the next time");
                }
                // It stays where it is, and keeps no other waiting.
                Err(error) => batch.left.push(error),
                Ok(_) => {}
            }
        }
        for directory in [Some(to), Some(from), to.parent()].into_iter().flatten() {
            sync_directory(directory)?;
        }
        if !batch.files()?.is_empty() {
            return Ok(Some(batch));
        }
        let first = batch.take_left().into_iter().next();
        batch.remove()?;
        first.map_or(Ok(None), Err)
    }

    /// Takes up a batch that was moved aside before; `None` when another is at work on it.
    ///
    /// # Errors
    /// When it cannot be opened or locked.
    pub fn resume(&self, path: &Path) -> Result<Option<Batch>, CollectError> {
        let Some(system) = system_of(path) else {
            return Ok(None);
        };
        let open = match open_for_lock(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("open", path)?,
        };
        let metadata = open.metadata().at("examine", path)?;
        let directory = metadata.is_dir();
        if !directory && !metadata.is_file() {
            let path = path.to_owned();
            return Err(CollectError::Odd { path });
        }
        let locked = if directory {
            open.try_lock().is_ok()
        } else {
            lock_writing(&open).at("lock", path)?
        };
        // One who was faster may have removed it.
        if !locked || !leads_to(path, &open) {
            return Ok(None);
        }
        // The move may not be on the disk yet, and its name is what the record will go by.
        sync_directory(&self.directory)?;
        Ok(Some(Batch {
            system: system.to_owned(),
            path: path.to_owned(),
            directory,
            left: Vec::new(),
            _open: Held(open),
        }))
    }
}

/// Opens for a write lock, or, a directory, for the only lock it can have.
pub(super) fn open_for_lock(path: &Path) -> io::Result<File> {
    let writing = File::options()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    match writing {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => File::open(path),
        other => other,
    }
}

/// Whether the path leads to this open file.
fn leads_to(path: &Path, open: &File) -> bool {
    let (Ok(named), Ok(own)) = (fs::symlink_metadata(path), open.metadata()) else {
        return false;
    };
    (named.dev(), named.ino()) == (own.dev(), own.ino())
}

/// What holds a batch: its locks go with it, even while a child that is about to be executed shares the open file.
#[derive(Debug)]
pub(super) struct Held(pub(super) File);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
        let _ = set_writing(&self.0, nix::libc::F_UNLCK);
    }
}

/// The lock that MTAs take on the file itself. An open-file lock meets theirs, and is not lost when this process opens and
/// closes the file again.
pub(super) fn lock_writing(file: &File) -> io::Result<bool> {
    set_writing(file, nix::libc::F_WRLCK)
}

fn set_writing(file: &File, kind: nix::libc::c_int) -> io::Result<bool> {
    #[allow(clippy::cast_possible_truncation, reason = "small constants")]
    let (kind, from_start) = (
        kind as nix::libc::c_short,
        nix::libc::SEEK_SET as nix::libc::c_short,
    );
    let whole = nix::libc::flock {
        l_type: kind,
        l_whence: from_start,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Moves a file aside under its locks and gives it, still locked; `None` if it is not there, or empty.
fn move_locked(from: &Path, to: &Path, wait: Duration) -> Result<Option<File>, CollectError> {
    let deadline = Instant::now() + wait;
    let _lock = LockFile::take(from, deadline)?;
    loop {
        let file = match open_for_lock(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("open", from)?,
        };
        let metadata = file.metadata().at("examine", from)?;
        if !metadata.is_file() || metadata.len() == 0 {
            return Ok(None);
        }
        if lock_writing(&file).at("lock", from)? {
            // One who knows only one of the locks may have moved it in between.
            if !leads_to(from, &file) {
                continue;
            }
            step("move", from)
                .and_then(|()| fs::rename(from, to))
                .at("move", from)?;
            return Ok(Some(file));
        }
        if Instant::now() >= deadline {
            let path = from.to_owned();
            return Err(CollectError::Busy { path });
        }
        std::thread::sleep(AGAIN);
    }
}

/// The files of a directory that are whole: not those in the making, by name or by content, nor locks.
fn files_to_take(directory: &Path) -> Result<Vec<PathBuf>, CollectError> {
    // A Maildir's messages are in `new`, whole.
    let maildir = directory.join("new");
    // A link may lead to files that are not for us, for one who may move them all.
    let directory = if fs::symlink_metadata(&maildir).is_ok_and(|metadata| metadata.is_dir()) {
        &maildir
    } else {
        directory
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).at("read", directory)? {
        let entry = entry.at("read", directory)?;
        let (path, name) = (entry.path(), entry.file_name());
        let in_the_making =
            name.as_bytes().starts_with(b".") || name.as_bytes().starts_with(b"temp.");
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if is_lock(&path, &metadata) {
            lockfile::sweep(&path);
            continue;
        }
        if in_the_making {
            continue;
        }
        if metadata.is_file() && metadata.len() > 0 && is_done(&path, &metadata) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Whether nobody writes to this file any more. smail takes no locks: what does not end with a dot it may still be writing,
/// unless that was long ago.
fn is_done(path: &Path, metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileExt;
    let mut end = [b'\n'; 8];
    let length = metadata.len().min(5);
    let start = 8 - usize::try_from(length).unwrap_or(0);
    let open = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    let read = open.and_then(|file| {
        file.read_exact_at(
            end.get_mut(start..).unwrap_or_default(),
            metadata.len() - length,
        )
    });
    // What cannot be read cannot be taken, and that is told when it is tried.
    if read.is_err() {
        return true;
    }
    if [&b"\n.\n"[..], b"\n.\r\n", b"QUIT\n", b"QUIT\r\n"]
        .iter()
        .any(|mark| end.to_ascii_uppercase().ends_with(mark))
    {
        return true;
    }
    let written = metadata.modified();
    written.is_ok_and(|written| is_older(written, STALE))
}

fn sync_directory(directory: &Path) -> Result<(), CollectError> {
    step("sync", directory)
        .and_then(|()| File::open(directory))
        .and_then(|open| open.sync_all())
        .at("sync", directory)
}
