//! Who has a message already: one small file per message, written before the next part of its recipients is offered.
//!
//! ```text
//! STATE/journal/NEIGHBOUR/HASH     when it was begun, then one line per recipient that is done; locked while somebody
//!                                  works on it
//! ```
//! A job whose exit status was lost, or that ended with "for now" for some, comes again; so does one whose removal uuxqt had
//! not synced when the power went. Then only the rest is offered. So what is to be remembered is on disk, its name too,
//! before anything is concluded from it: one sync of the file, and with its first line one of its folder.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::address::{Address, ReversePath};
use crate::name::SystemName;
use crate::spool::{LockedFile, ObservedTime, OfFile, make_shared_directory, open_shared};

/// What the first line begins with; the observed time in seconds follows.
const BEGUN: &str = "begun ";
/// What file systems give out at once.
const BLOCK: u64 = 4096;
/// Records are kept this long: longer than a peer, uuxqt or NNCP comes back with a job.
const KEPT: Duration = Duration::from_hours(24 * 14);
/// Most records of one neighbour in one of the 256 folders.
const MOST_RECORDS: usize = 4096;

/// Why a message's record cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process works on the same message.
    #[error("another process is handing over the same message")]
    Busy,
    /// It cannot be read or written.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What makes two deliveries the same message.
#[derive(Debug, Clone, Copy)]
pub struct JournalKey<'a> {
    /// The authenticated neighbour.
    pub neighbour: Option<&'a SystemName>,
    /// The id of the job that brought it, where that is known: the same message in another job is another message.
    pub job: &'a [u8],
    /// Its sender.
    pub sender: &'a ReversePath,
    /// The hash of its content.
    pub digest: &'a [u8; 32],
}

impl JournalKey<'_> {
    fn path(&self, state: &Path) -> PathBuf {
        let neighbour = self.neighbour.map_or("-", SystemName::as_str);
        let mut hash = Sha256::new();
        for part in [self.job, self.sender.as_bytes(), self.digest] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let name = hash
            .finalize()
            .iter()
            .take(20)
            .fold(String::new(), |mut name, byte| {
                let _ = write!(name, "{byte:02x}");
                name
            });
        let (shard, rest) = name.split_at_checked(2).unwrap_or((&name, ""));
        state.join("journal").join(neighbour).join(shard).join(rest)
    }
}

/// The record of one message, locked.
#[derive(Debug)]
pub struct Journal {
    file: Option<LockedFile>,
    path: PathBuf,
    done: HashSet<Vec<u8>>,
    now: ObservedTime,
    has_head: bool,
    is_placed: bool,
}

impl Journal {
    /// Opens and locks a message's record; one that is new is begun `now`.
    ///
    /// # Errors
    /// When somebody else has it locked, or it cannot be read or written.
    pub fn open(
        state: &Path,
        identity: &JournalKey<'_>,
        now: ObservedTime,
    ) -> Result<Self, JournalError> {
        let path = identity.path(state);
        let failed = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let mut file = open_locked(&path).map_err(|error| match error {
            Trouble::Busy => JournalError::Busy,
            Trouble::Io(source) => failed(source),
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        // A line without its end was cut by a crash, before anything was concluded from it.
        let whole = text
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        text.truncate(whole);
        let done = text
            .split(|b| *b == b'\n')
            .skip(1)
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        Ok(Self {
            file: Some(LockedFile(file)),
            path,
            done,
            now,
            has_head: whole > 0,
            is_placed: false,
        })
    }

    /// A record that remembers nothing, for where none can be kept.
    #[must_use]
    pub fn none() -> Self {
        Self {
            file: None,
            path: PathBuf::new(),
            done: HashSet::new(),
            now: ObservedTime::default(),
            has_head: false,
            is_placed: false,
        }
    }

    /// Whether this recipient has the message, or was reported.
    #[must_use]
    pub fn is_done(&self, recipient: &Address) -> bool {
        self.done.contains(recipient.as_bytes())
    }

    /// Makes room for these to be recorded: were there none when the MTA has said yes, the message would be offered to them again
    /// and again.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve<'r>(
        &mut self,
        recipients: impl Iterator<Item = &'r Address>,
    ) -> Result<(), JournalError> {
        let lines: u64 = recipients.map(|r| r.as_bytes().len() as u64 + 1).sum();
        let reserved = self.write(b"").and_then(|()| match &self.file {
            Some(LockedFile(file)) => make_room(file, lines),
            None => Ok(()),
        });
        reserved.map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Records that these are done; with `durable`, not before it is on disk does this return.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, recipients: &[&Address], durable: bool) -> io::Result<()> {
        let mut lines = Vec::new();
        for recipient in recipients {
            lines.extend_from_slice(recipient.as_bytes());
            lines.push(b'\n');
        }
        self.write(&lines).of(&self.path)?;
        if let Some(LockedFile(file)) = &self.file
            && durable
        {
            file.sync_data().of(&self.path)?;
            // Once is enough: after that the name stands.
            if !self.is_placed {
                sync_folder(&self.path)?;
                self.is_placed = true;
            }
        }
        self.done
            .extend(recipients.iter().map(|r| r.as_bytes().to_vec()));
        Ok(())
    }

    /// Writes lines; the first of all before them, where it is not there.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some(LockedFile(file)) = &mut self.file else {
            return Ok(());
        };
        if !self.has_head {
            let head = format!("{BEGUN}{}\n", self.now.0);
            file.write_all(&[head.as_bytes(), lines].concat())?;
            self.has_head = true;
        } else if !lines.is_empty() {
            file.write_all(lines)?;
        }
        Ok(())
    }

    /// Ends the work on this message. With `forget` its record goes: nothing was handed over, or it cannot come again.
    pub fn close(self, forget: bool) {
        if self.file.is_some() && (forget || self.done.is_empty()) {
            let _ = std::fs::remove_file(&self.path);
        } else if self.path.to_string_lossy().ends_with("00") {
            // One message in 256 looks after the records of its folder.
            if let Some(folder) = self.path.parent() {
                expire(folder, self.now);
            }
        }
    }
}

enum Trouble {
    Busy,
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Makes room for so many bytes more. What fits in the last block that is written has its room; a block that is asked for ahead makes
/// the sync to come dearer by half, so none is without need.
fn make_room(file: &File, length: u64) -> io::Result<()> {
    let end = file.metadata()?.len();
    if length <= end.next_multiple_of(BLOCK) - end {
        return Ok(());
    }
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match fallocate(
        file,
        FallocateFlags::FALLOC_FL_KEEP_SIZE,
        whole(end),
        whole(length),
    ) {
        // There it is as it always was.
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens or makes the file and locks it; again where it was removed by its last holder in between.
fn open_locked(path: &Path) -> Result<File, Trouble> {
    loop {
        let file = match open_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_shared_directory(folder_of(path))?;
                open_file(path)?
            }
            other => other?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(Trouble::Busy),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let here = std::fs::metadata(path);
        if here.is_ok_and(|meta| file.metadata().is_ok_and(|own| own.ino() == meta.ino())) {
            return Ok(file);
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    open_shared(path, OpenOptions::new().read(true).append(true))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("."))
}

/// The record's folder; those above it were synced when they were made.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    File::open(folder)
        .and_then(|open| open.sync_all())
        .of(folder)
}

/// Removes records that are old, and the oldest where there are too many.
fn expire(folder: &Path, now: ObservedTime) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut records: Vec<(ObservedTime, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((begun(&entry.path())?, entry.path())))
        .collect();
    records.sort();
    let surplus = records.len().saturating_sub(MOST_RECORDS);
    for (index, (begun, path)) in records.iter().enumerate() {
        if index < surplus || now.since(*begun) > KEPT {
            remove_unused(path);
        }
    }
}

/// When a record was begun. One that says nothing, left by a process that died, was begun before all others.
fn begun(path: &Path) -> Option<ObservedTime> {
    let mut start = Vec::new();
    let file = File::open(path).ok()?;
    file.take(64).read_to_end(&mut start).ok()?;
    let line = start.split(|b| *b == b'\n').next()?;
    let number = std::str::from_utf8(line).ok()?.strip_prefix(BEGUN);
    Some(ObservedTime(
        number.and_then(|n| n.parse().ok()).unwrap_or_default(),
    ))
}

/// Not while somebody works on the message: what he writes would be lost.
fn remove_unused(path: &Path) {
    if let Ok(file) = File::open(path)
        && file.try_lock().is_ok()
    {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests;
