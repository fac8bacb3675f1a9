//! The file that is being written: its room, its lines, and what of them is on disk.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::spool::filler::{FILLER, filled};
use crate::spool::{ObservedTime, OfFile, share};

/// A line's length, its end included.
pub(super) const LINE: u64 = 17;
/// How much room is made at a time, in bytes.
const ROOM: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Log {
    pub(super) file: Arc<File>,
    /// Lines of this run.
    pub(super) fresh: HashSet<u64>,
    /// Where the next line goes, and how far the file has room.
    pub(super) at: u64,
    pub(super) room: u64,
    pub(super) now: ObservedTime,
    /// How many writes were made, how many of them are on disk, whether somebody is syncing.
    pub(super) written: u64,
    pub(super) safe: u64,
    pub(super) is_syncing: bool,
    /// Once one line is in doubt, so is every later one.
    pub(super) failed: Option<io::ErrorKind>,
}

impl Log {
    /// A new file. Its name is on disk with its first room.
    pub(super) fn begin(folder: &Path, now: ObservedTime) -> io::Result<Self> {
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

    pub(super) fn resume(path: &Path, now: ObservedTime) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
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
    pub(super) fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let wanted = self.at.saturating_add(bytes);
        if wanted <= self.room {
            return Ok(());
        }
        let filler = vec![FILLER; usize::try_from(ROOM).unwrap_or_default()];
        while self.room < wanted {
            self.file.write_all_at(&filler, self.room)?;
            self.room += ROOM;
        }
        self.file.sync_all()
    }

    pub(super) fn write(&mut self, keys: &[u64]) -> io::Result<()> {
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

/// Where the next line goes: its own line end belongs to the last; where a crash has cut that off, room is made before the next.
fn used(file: &File, length: u64) -> io::Result<u64> {
    let end = filled(file, length)?;
    Ok(if end == 0 { 0 } else { end + 1 })
}
