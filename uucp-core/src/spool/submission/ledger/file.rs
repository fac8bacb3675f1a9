//! One file of a ledger, while somebody appends to it: its lock, its end, and its room.
//!
//! Behind the last part empty lines fill the file up to the end of a block. The next part is written over them: then the file
//! has its length and its blocks already, and a sync has nothing to write but the part.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

use super::super::super::error::At;
use super::super::super::fault::step;
use super::super::super::filler::{BLOCK, FILLER, filled};
use super::super::super::queue::{NewFile, is_taken};
use super::super::super::{Spool, SpoolError, durable, regular};

const PAUSE: Duration = Duration::from_millis(1);

/// A file that nobody else writes to.
#[derive(Debug)]
pub(super) struct LedgerFile<'p> {
    file: File,
    path: &'p Path,
    /// Where the next part goes, and where the file ends.
    end: u64,
    length: u64,
}

impl<'p> LedgerFile<'p> {
    /// Opens a file, and makes it if it is missing. Waits until `deadline` for whoever else has it locked.
    pub(super) fn open(
        spool: &Spool,
        path: &'p Path,
        deadline: Instant,
    ) -> Result<Self, SpoolError> {
        let file = match open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                make(spool, path)?;
                open(path)
            }
            other => other,
        }
        .at("open", path)?;
        lock(&file, path, deadline)?;
        let length = file.metadata().at("read", path)?.len();
        // The line end behind the last part belongs to it.
        let end = (filled(&file, length).at("read", path)? + 1).min(length);
        Ok(Self {
            file,
            path,
            end,
            length,
        })
    }

    /// Whether nothing was ever written to it.
    pub(super) fn is_new(&self) -> bool {
        self.length == 0
    }

    /// Writes a part behind the others, and what fills its last block.
    pub(super) fn append(&mut self, part: &[u8]) -> Result<(), SpoolError> {
        let mut text = part.to_vec();
        let end = self.end + text.len() as u64;
        if end > self.length {
            let whole = end.next_multiple_of(BLOCK as u64) - self.end;
            text.resize(usize::try_from(whole).unwrap_or(text.len()), FILLER);
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.end))
            .at("write", self.path)?;
        durable::write_all(file, self.path, &text)
    }

    /// Takes back what was written, as far as it was.
    pub(super) fn cut(&self) -> Result<(), SpoolError> {
        step("cut", self.path).at("write", self.path)?;
        self.file.set_len(self.end).at("write", self.path)?;
        durable::sync(&self.file, self.path)
    }

    /// Waits until what was written is on the disk. Others may append meanwhile.
    pub(super) fn sync_unlocked(self) -> Result<(), SpoolError> {
        self.file.unlock().at("unlock", self.path)?;
        durable::sync_data(&self.file, self.path)
    }
}

fn lock(file: &File, path: &Path, deadline: Instant) -> Result<(), SpoolError> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
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
        .read(true)
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
