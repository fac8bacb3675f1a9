//! Where submission records lie: `.Bangpath/submissions/WEEK/X`, a file for all keys that begin with this digit, to which parts
//! are appended, each with its key and a check sum. When it is full, a file for two digits goes on, and after it one for three.
//!
//! A file for each message would be an inode and a block for each, hundreds of megabytes on a busy hub, and one more directory
//! to sync before a sender can answer; each new file costs as much, so a week begins with few. Read are the three files that a
//! key may be in, from the first line to the last: with 100,000 messages a week less than 80 KB together.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::file::LedgerFile;
use super::super::error::At;
use super::super::record::{END, Part, RECORD_LIMIT, end_line};
use super::super::{Spool, SpoolError, durable, regular};

mod file;

/// By so many digits of the key the parts of a week are spread over files at most.
const MOST_DIGITS: usize = 3;

/// At so many bytes a file is full, but for one of the most digits.
const FULL: u64 = 32 << 10;

/// How long a file is waited for: whoever has it locked only writes a part.
const PATIENCE: Duration = Duration::from_secs(30);

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

    /// The file of a week for so many digits of the key.
    pub(super) fn path(&self, week: u64, digits: usize) -> PathBuf {
        let digits = self.key.get(..digits).unwrap_or_default();
        self.spool.week_of_submissions(week).join(digits)
    }

    /// The whole parts of this key, in the order in which they were written.
    pub(super) fn read(&self) -> Result<Vec<Part>, SpoolError> {
        let mut parts = Vec::new();
        for week in self.spool.weeks_of_submissions()? {
            for digits in 1..=MOST_DIGITS {
                self.read_file(&self.path(week, digits), &mut parts)?;
            }
        }
        Ok(parts)
    }

    fn read_file(&self, path: &Path, parts: &mut Vec<Part>) -> Result<(), SpoolError> {
        let corrupt = |reason: String| {
            let path = path.to_path_buf();
            Err(SpoolError::Corrupt { path, reason })
        };
        let file = match regular::open_itself(path) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(e) if regular::is_other_thing(&e) => return corrupt(regular::NO_FILE.to_owned()),
            other => other.at("open", path)?,
        };
        if file.metadata().at("read", path)?.len() > FILE_LIMIT {
            return corrupt(format!("longer than {FILE_LIMIT} bytes"));
        }
        let reader = BufReader::with_capacity(READ_BUFFER, &file);
        let found = parts_of(reader, &self.key).at("read", path)?;
        if !found.is_empty() {
            // Whoever wrote it may have died before its sync, and what is done now because of it stays.
            durable::sync(&file, path)?;
        }
        parts.extend(found);
        Ok(())
    }

    /// Where the next part goes: to the file of the most digits that there is, and when it is full to the next. Never back to one
    /// of fewer digits, though a failed write may have made that shorter again: a later part must not be read before an earlier.
    fn path_to_write(&self, week: u64) -> PathBuf {
        let mut next = self.path(week, MOST_DIGITS);
        for digits in (1..=MOST_DIGITS).rev() {
            let path = self.path(week, digits);
            match fs::symlink_metadata(&path) {
                Ok(file) if file.len() >= FULL => return next,
                Ok(_) => return path,
                Err(_) => next = path,
            }
        }
        next
    }

    /// Makes a part durable, in a file of a week. From the moment that it may be on the disk, what it names must stay: a part
    /// without data would say "sent". `keep` is told so, and told otherwise if the part certainly is not there.
    pub(super) fn append(
        &self,
        week: u64,
        part: &Part,
        keep: &mut dyn FnMut(bool),
    ) -> Result<(), SpoolError> {
        let path = self.path_to_write(week);
        let text = emit(&self.key, part);
        if text.len() as u64 >= RECORD_LIMIT {
            // Nobody would read it.
            return Err(io::Error::from(ErrorKind::FileTooLarge)).at("write", &path);
        }
        let mut file = LedgerFile::open(&self.spool, &path, Instant::now() + PATIENCE)?;
        if file.is_new() {
            self.sync_name(&path)?;
        }
        keep(true);
        if let Err(error) = file.append(&text) {
            // Under the lock nobody else has written behind it.
            if file.cut().is_ok() {
                keep(false);
            }
            return Err(error);
        }
        file.sync_unlocked()
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

/// A part as it stands in the file. The empty line ends whatever a crash has cut before it; the last line vouches for the others.
fn emit(key: &str, part: &Part) -> Vec<u8> {
    let text = format!("{KEY}{key}\n{}", part.lines());
    let end = end_line(text.as_bytes());
    format!("\n{text}{end}").into_bytes()
}

/// The whole parts of one key. Those of others are passed over as fast as may be.
fn parts_of(mut reader: impl BufRead, key: &str) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let (mut text, mut line) = (Vec::new(), Vec::new());
    let its = format!("{KEY}{key}");
    let (first, rest) = its.as_bytes().split_first().unwrap_or((&b'\n', &[]));
    while reader.skip_until(*first)? > 0 {
        next_line(&mut reader, &mut line)?;
        let mut is_its = line.trim_ascii_end() == rest;
        if is_its {
            line.insert(0, *first);
        }
        text.clear();
        while is_its && !line.is_empty() {
            if line.starts_with(END.as_bytes()) {
                parts.extend(part_of(&text, &line));
                break;
            }
            text.append(&mut line);
            next_line(&mut reader, &mut line)?;
            if line.starts_with(KEY.as_bytes()) {
                // The one before was cut.
                is_its = line.trim_ascii_end() == its.as_bytes();
                text.clear();
            }
            // What is longer than anything that is written says nothing.
            is_its &= ((text.len() + line.len()) as u64) < RECORD_LIMIT;
        }
    }
    Ok(parts)
}

fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    reader.take(RECORD_LIMIT).read_until(b'\n', line)
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
