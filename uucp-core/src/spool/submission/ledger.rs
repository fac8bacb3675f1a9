//! Where submission records lie: `.Bangpath/submissions/WEEK/XX`, a file for all keys that begin with these two digits, to which
//! parts are appended, each with its key and a check sum.
//!
//! A file for each message would be an inode and a block for each, hundreds of megabytes on a busy hub, and one more directory
//! to sync before a sender can answer. Read are the few files that a key may be in, from the first line to the last: with
//! 100,000 messages a week less than 100 KB each.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

use super::super::error::At;
use super::super::fault::step;
use super::super::queue::{NewFile, is_taken};
use super::super::record::{END, Part, RECORD_LIMIT, end_line};
use super::super::{Spool, SpoolError, durable, regular};

/// By so many digits of the key the parts of a week are spread over files.
const DIGITS: usize = 2;

/// How long a file is waited for: whoever has it locked only writes a part.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(1);

/// The longest file that is read, in bytes: a thousand times that of a busy week.
const FILE_LIMIT: u64 = 1 << 30;

/// Bytes read at once.
const READ_BUFFER: usize = 16 << 10;

/// The word that begins a part.
const KEY: &str = "key ";

/// The record of one key, while its user holds the key's lock.
#[derive(Debug)]
pub(super) struct Ledger {
    spool: Spool,
    key: String,
}

impl Ledger {
    pub(super) fn new(spool: &Spool, key: &str) -> Self {
        Self {
            spool: spool.clone(),
            key: key.to_owned(),
        }
    }

    pub(super) fn path(&self, week: u64) -> PathBuf {
        let digits = self.key.get(..DIGITS).unwrap_or_default();
        self.spool.week_of_submissions(week).join(digits)
    }

    /// The whole parts of this key, in the order in which they were written.
    pub(super) fn read(&self) -> Result<Vec<Part>, SpoolError> {
        let mut parts = Vec::new();
        for week in self.spool.weeks_of_submissions()? {
            let path = self.path(week);
            let file = match regular::open_itself(&path) {
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) if regular::is_other_thing(&e) => {
                    let reason = regular::NO_FILE.to_owned();
                    return Err(SpoolError::Corrupt { path, reason });
                }
                other => other.at("open", &path)?,
            };
            if file.metadata().at("read", &path)?.len() > FILE_LIMIT {
                let reason = format!("longer than {FILE_LIMIT} bytes");
                return Err(SpoolError::Corrupt { path, reason });
            }
            let reader = BufReader::with_capacity(READ_BUFFER, &file);
            let found = parts_of(reader, &self.key).at("read", &path)?;
            if !found.is_empty() {
                // Whoever wrote it may have died before its sync, and what is done now because of it stays.
                durable::sync(&file, &path)?;
            }
            parts.extend(found);
        }
        Ok(parts)
    }

    /// Makes a part durable, in the file of a week. From the moment that it may be on the disk, what it names must stay: a part
    /// without data would say "sent". `keep` is told so, and told otherwise if the part certainly is not there.
    pub(super) fn append(
        &self,
        week: u64,
        part: &Part,
        keep: &mut dyn FnMut(bool),
    ) -> Result<(), SpoolError> {
        let path = self.path(week);
        let text = emit(&self.key, part);
        if text.len() as u64 >= RECORD_LIMIT {
            // Nobody would read it.
            return Err(io::Error::from(ErrorKind::FileTooLarge)).at("write", &path);
        }
        let mut file = open_locked(&self.spool, &path, Instant::now() + PATIENCE)?;
        let length = file.seek(SeekFrom::End(0)).at("write", &path)?;
        if length == 0 {
            self.sync_name(&path)?;
        }
        keep(true);
        if let Err(error) = durable::write_all(&file, &path, &text) {
            // Under the lock nobody else has written behind it.
            if cut(&file, &path, length).is_ok() {
                keep(false);
            }
            return Err(error);
        }
        // Others may append while this one waits for the disk.
        file.unlock().at("unlock", &path)?;
        durable::sync(&file, &path)
    }

    /// Whoever finds something in a file relies on its name. Whoever writes the first of a week syncs the folders above, too:
    /// somebody else may have made them just now.
    fn sync_name(&self, path: &Path) -> Result<(), SpoolError> {
        let mut above = path.ancestors().skip(1);
        let week = above.next().unwrap_or_else(|| self.spool.root());
        let mut folders = vec![week];
        if !holds_something(week)? {
            folders.extend(above.take_while(|folder| folder.starts_with(self.spool.root())));
        }
        durable::sync_directories(folders)
    }
}

fn holds_something(folder: &Path) -> Result<bool, SpoolError> {
    let names = durable::names(folder)?;
    let sizes = names.iter().map(|name| folder.join(name).metadata());
    Ok(sizes.flatten().any(|file| file.len() > 0))
}

/// Opens a file to write to, locked; makes it if it is missing.
fn open_locked(spool: &Spool, path: &Path, deadline: Instant) -> Result<File, SpoolError> {
    let file = match open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            make(spool, path)?;
            open(path)
        }
        other => other,
    }
    .at("open", path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error).at("lock", path),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let path = path.to_path_buf();
                return Err(SpoolError::Locked { path });
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        .open(path)?;
    regular::check(&file)?;
    Ok(file)
}

/// A file that others share has its mode and group before it has its name, or whoever is killed between shuts them out.
fn make(spool: &Spool, path: &Path) -> Result<(), SpoolError> {
    match NewFile::write(spool, b"")?.rename(path) {
        Err(error) if is_taken(&error) => Ok(()),
        other => other,
    }
}

fn cut(file: &File, path: &Path, length: u64) -> Result<(), SpoolError> {
    step("cut", path).at("write", path)?;
    file.set_len(length).at("write", path)?;
    durable::sync(file, path)
}

/// A part as it stands in the file. The empty line ends whatever a crash has cut before it; the last line vouches for the others.
fn emit(key: &str, part: &Part) -> Vec<u8> {
    let text = format!("{KEY}{key}\n{}", part.lines());
    let end = end_line(text.as_bytes());
    format!("\n{text}{end}").into_bytes()
}

/// The whole parts of one key.
fn parts_of(mut reader: impl BufRead, key: &str) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let (mut text, mut line, mut is_its) = (Vec::new(), Vec::new(), false);
    loop {
        line.clear();
        if reader
            .by_ref()
            .take(RECORD_LIMIT)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(parts);
        }
        if let Some(other) = line.strip_prefix(KEY.as_bytes()) {
            is_its = other.trim_ascii_end() == key.as_bytes();
            text.clear();
        }
        // What is longer than anything that is written says nothing.
        is_its &= ((text.len() + line.len()) as u64) < RECORD_LIMIT;
        if !is_its {
            continue;
        }
        if line.starts_with(END.as_bytes()) {
            parts.extend(part_of(&text, &line));
            is_its = false;
        } else {
            text.extend_from_slice(&line);
        }
    }
}

/// The part that these lines are, if they are whole. What follows begins with a line end, so the last line needs none of its own.
fn part_of(text: &[u8], end: &[u8]) -> Option<Part> {
    let due = end_line(text);
    if end.strip_suffix(b"\n").unwrap_or(end) != due.trim_end().as_bytes() {
        return None;
    }
    let (_key, lines) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    Part::parse(lines)
}

#[cfg(test)]
mod tests;
