//! Who has which message of a neighbour already: one log a neighbour, for receivers that take many messages in one run.
//!
//! ```text
//! STATE/ledger/NEIGHBOUR/lock            held by whoever hands this neighbour's messages over
//! STATE/ledger/NEIGHBOUR/SECONDS         one line of 16 hexadecimal digits per message and recipient that is done; named by
//!                                        the observed time when it was begun; what is left of it is empty lines
//! ```
//! A line stands for a message's [`Identity`] and one recipient. It is on disk before anything is concluded from it. The
//! file has its room, and its blocks, before the first message is offered: a full disk ends a run before it begins, never
//! between an MTA's yes and our record; and a record costs one write in place, one sync for all sessions that wait for one.
//! A line that was cut by a crash is none.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::identity::Identity;
use crate::address::Address;
use crate::name::SystemName;
use crate::spool::{ObservedTime, OfFile, make_shared_directory, share};

/// Lines are kept this long: longer than a peer, uuxqt or NNCP comes back with a job.
const KEPT: Duration = Duration::from_hours(24 * 14);
/// A file is begun for each day, so that days can go one by one.
const A_DAY: Duration = Duration::from_hours(24);
/// A line's length, its end included.
const LINE: u64 = 17;
/// A file that is larger than this is followed by another, in bytes.
const SEGMENT_LIMIT: u64 = 1024 * 1024;
/// Most bytes of one neighbour: half a million lines, which take 4 MiB of memory.
const TOTAL_LIMIT: u64 = 8 * SEGMENT_LIMIT;
/// How much room is made at a time, in bytes.
const ROOM: u64 = 64 * 1024;
/// How long to wait at first for somebody who works for the same neighbour; then longer, up to a second.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// What is done, locked for this process.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    /// Lines of earlier runs, sorted.
    known: Vec<u64>,
    log: Mutex<Log>,
    synced: Condvar,
    /// Holds the lock.
    _lock: File,
}

#[derive(Debug)]
struct Log {
    file: Arc<File>,
    /// Lines of this run.
    fresh: HashSet<u64>,
    /// Where the next line goes, and how far the file has room.
    at: u64,
    room: u64,
    now: ObservedTime,
    /// How many writes were made, how many of them are on disk, whether somebody is syncing.
    written: u64,
    safe: u64,
    is_syncing: bool,
    /// Once one line is in doubt, so is every later one.
    failed: Option<io::ErrorKind>,
}

/// What was done at one time, only to be looked at.
#[derive(Debug)]
pub struct Known(Vec<u64>);

impl Known {
    /// Reads the neighbour's log, whoever has it locked.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(state: &Path, neighbour: Option<&SystemName>) -> io::Result<Self> {
        let folder = folder(state, neighbour);
        if folder.exists() {
            load(&segments(&folder)?).map(Self)
        } else {
            Ok(Self(Vec::new()))
        }
    }

    /// As [`Ledger::is_done`].
    #[must_use]
    pub fn is_done(&self, identity: &Identity, recipient: &Address) -> bool {
        self.0.binary_search(&identity.key(recipient)).is_ok()
    }
}

impl Ledger {
    /// Opens the neighbour's log and locks it, waiting up to `patience` for who else has it; `Ok(None)` if that was not
    /// enough.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(
        state: &Path,
        neighbour: Option<&SystemName>,
        now: ObservedTime,
        patience: Duration,
    ) -> io::Result<Option<Self>> {
        let folder = folder(state, neighbour);
        make_shared_directory(&folder)?;
        let Some(lock) = lock(&folder.join("lock"), patience)? else {
            return Ok(None);
        };
        let segments = expire(segments(&folder)?, now);
        let known = load(&segments)?;
        let log = match segments.last() {
            Some(last) if now.since(last.begun) < A_DAY && last.length <= SEGMENT_LIMIT => {
                Log::resume(&last.path, now)?
            }
            _ => Log::begin(&folder, now)?,
        };
        Ok(Some(Self {
            folder,
            known,
            log: Mutex::new(log),
            synced: Condvar::new(),
            _lock: lock,
        }))
    }

    /// Makes room for this many more lines.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve(&self, lines: u64) -> io::Result<()> {
        let made = self.log().make_room(lines.saturating_mul(LINE));
        made.of(&self.folder)
    }

    /// Whether this recipient has the message, or was reported.
    #[must_use]
    pub fn is_done(&self, identity: &Identity, recipient: &Address) -> bool {
        let key = identity.key(recipient);
        self.known.binary_search(&key).is_ok() || self.log().fresh.contains(&key)
    }

    /// Records that these are done. It is on disk when this returns; whoever waits at the same time shares the sync.
    ///
    /// # Errors
    /// When it cannot be written. Then nothing more can be: what an MTA took after this could not be remembered.
    pub fn record(&self, identity: &Identity, recipients: &[&Address]) -> io::Result<()> {
        let mut log = self.log();
        let keys: Vec<u64> = recipients.iter().map(|r| identity.key(r)).collect();
        if log.at > SEGMENT_LIMIT {
            log = self.next_segment(log)?;
        }
        log.write(&keys).of(&self.folder)?;
        let mine = log.written;
        self.wait_for_disk(log, mine).map(drop).of(&self.folder)
    }

    /// Waits until the first `mine` writes are on disk, or does it.
    fn wait_for_disk<'a>(
        &'a self,
        mut log: MutexGuard<'a, Log>,
        mine: u64,
    ) -> io::Result<MutexGuard<'a, Log>> {
        loop {
            if let Some(kind) = log.failed {
                return Err(kind.into());
            }
            if log.safe >= mine {
                return Ok(log);
            }
            if log.is_syncing {
                let waited = self.synced.wait(log);
                log = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            log.is_syncing = true;
            let (file, all) = (log.file.clone(), log.written);
            drop(log);
            let result = file.sync_data();
            log = self.log();
            log.is_syncing = false;
            match result {
                Ok(()) => log.safe = log.safe.max(all),
                Err(error) => log.failed = Some(error.kind()),
            }
            self.synced.notify_all();
        }
    }

    /// Goes on in another file, when all of this one is on disk.
    fn next_segment<'a>(&'a self, log: MutexGuard<'a, Log>) -> io::Result<MutexGuard<'a, Log>> {
        let all = log.written;
        let mut log = self.wait_for_disk(log, all)?;
        if log.at > SEGMENT_LIMIT {
            let next = Log::begin(&self.folder, log.now)?;
            (log.file, log.at, log.room) = (next.file, next.at, next.room);
        }
        Ok(log)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// A new file. Its name is on disk with its first room.
    fn begin(folder: &Path, now: ObservedTime) -> io::Result<Self> {
        let mut seconds = now.0;
        let (file, path) = loop {
            let path = folder.join(format!("{seconds:012}"));
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o660)
                .open(&path);
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
                other => break (other.of(&path)?, path),
            }
        };
        share(&file, folder);
        let mut log = Self::of(file, now, 0, 0);
        if let Err(error) = log.make_room(ROOM) {
            let _ = std::fs::remove_file(&path);
            return Err(error).of(&path);
        }
        File::open(folder)
            .and_then(|open| open.sync_all())
            .of(folder)?;
        Ok(log)
    }

    fn resume(path: &Path, now: ObservedTime) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .of(path)?;
        let length = file.metadata().of(path)?.len();
        let used = used(&file, length).of(path)?;
        Ok(Self::of(file, now, used, length))
    }

    fn of(file: File, now: ObservedTime, at: u64, room: u64) -> Self {
        Self {
            file: Arc::new(file),
            fresh: HashSet::new(),
            at,
            room,
            now,
            written: 0,
            safe: 0,
            is_syncing: false,
            failed: None,
        }
    }

    /// Fills the file with empty lines, so that the disk has what is written later.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let wanted = self.at.saturating_add(bytes);
        if wanted <= self.room {
            return Ok(());
        }
        let filler = vec![b'\n'; usize::try_from(ROOM).unwrap_or_default()];
        while self.room < wanted {
            self.file.write_all_at(&filler, self.room)?;
            self.room += ROOM;
        }
        self.file.sync_all()
    }

    fn write(&mut self, keys: &[u64]) -> io::Result<()> {
        let mut lines = Vec::with_capacity(keys.len() * 17);
        for key in keys {
            lines.extend_from_slice(format!("{key:016x}\n").as_bytes());
        }
        let length = lines.len() as u64;
        let result = self
            .make_room(length)
            .and_then(|()| self.file.write_all_at(&lines, self.at));
        if let Err(error) = result {
            self.failed = Some(error.kind());
            return Err(error);
        }
        self.at += length;
        self.written += 1;
        self.fresh.extend(keys);
        Ok(())
    }
}

/// Where the empty lines at the end begin.
fn used(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = usize::try_from(end - start).unwrap_or_default();
        let part = block.get_mut(..part).unwrap_or_default();
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|b| *b != b'\n') {
            // Its own line end belongs to it; where a crash has cut that off, room is made before the next line.
            return Ok(start + last as u64 + 2);
        }
        end = start;
    }
    Ok(0)
}

fn folder(state: &Path, neighbour: Option<&SystemName>) -> PathBuf {
    let name = neighbour.map_or("-", SystemName::as_str);
    state.join("ledger").join(name)
}

fn lock(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o660)
        .open(path)
        .of(path)?;
    share(&file, path.parent().unwrap_or(path));
    let deadline = Instant::now() + patience;
    let mut wait = FIRST_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Ok(None);
            }
            Err(std::fs::TryLockError::WouldBlock) => sleep(wait),
            Err(std::fs::TryLockError::Error(error)) => return Err(error).of(path),
        }
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}

/// One file of the log.
#[derive(Debug)]
struct Segment {
    begun: ObservedTime,
    path: PathBuf,
    length: u64,
}

/// The files, oldest first.
fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).of(folder)? {
        let entry = entry.of(folder)?;
        let name = entry.file_name();
        if let Some(seconds) = name.to_str().and_then(|name| name.parse().ok()) {
            found.push(Segment {
                begun: ObservedTime(seconds),
                path: entry.path(),
                length: entry.metadata().of(&entry.path())?.len(),
            });
        }
    }
    found.sort_by_key(|segment| segment.begun);
    Ok(found)
}

/// Removes what is old, and the oldest where there is too much.
fn expire(segments: Vec<Segment>, now: ObservedTime) -> Vec<Segment> {
    let mut total: u64 = segments.iter().map(|segment| segment.length).sum();
    let mut left = Vec::new();
    for segment in segments {
        let is_old = now.since(segment.begun) > KEPT + A_DAY;
        if (is_old || total > TOTAL_LIMIT) && std::fs::remove_file(&segment.path).is_ok() {
            total = total.saturating_sub(segment.length);
        } else {
            left.push(segment);
        }
    }
    left
}

fn load(segments: &[Segment]) -> io::Result<Vec<u64>> {
    let mut known = Vec::new();
    let mut line = Vec::new();
    for segment in segments {
        let file = File::open(&segment.path).of(&segment.path)?;
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).of(&segment.path)? == 0 {
                break;
            }
            known.extend(parse(&line));
        }
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// A whole line; one that was cut is none.
fn parse(line: &[u8]) -> Option<u64> {
    let digits = line.strip_suffix(b"\n")?;
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
