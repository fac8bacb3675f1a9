//! Messages that nobody takes and nobody may be told about: kept for the postmaster to look at, within a limit.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::super::{Message, Reply};
use crate::address::{Address, Envelope};
use crate::spool::{OfFile, make_shared_directory, share};

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) envelope: &'a Envelope,
    pub(super) refused: &'a [(Address, Reply)],
    pub(super) why: &'a str,
    pub(super) message: &'a Message,
}

/// Writes the message, with its envelope in header lines before it, and syncs it; the oldest go where there are too many
/// bytes.
pub(super) fn keep(
    folder: &Path,
    seconds: i64,
    limit: u64,
    kept: &Kept<'_>,
) -> io::Result<PathBuf> {
    let header = header(kept);
    let mut content = header.as_bytes().chain(kept.message.reader());
    let place = Place {
        folder,
        seconds,
        suffix: "eml",
        limit,
    };
    place.store(&mut content, kept.message.len())
}

/// Where something is set aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The neighbour's folder.
    pub(crate) folder: &'a Path,
    /// When.
    pub(crate) seconds: i64,
    /// What the name ends with.
    pub(crate) suffix: &'a str,
    /// Most bytes in the folder.
    pub(crate) limit: u64,
}

impl Place<'_> {
    /// Writes `content` of about `length` bytes, and syncs it; the oldest go where there are too many bytes.
    pub(crate) fn store(&self, content: &mut dyn Read, length: u64) -> io::Result<PathBuf> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        make_shared_directory(self.folder)?;
        make_room(self.folder, self.limit.saturating_sub(length))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let (seconds, process, suffix) = (self.seconds, std::process::id(), self.suffix);
        let path = self
            .folder
            .join(format!("{seconds}.{process}.{count}.{suffix}"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o660)
            .open(&path)
            .of(&path)?;
        share(&file, self.folder);
        let written = io::copy(content, &mut file).and_then(|_| file.sync_all());
        if let Err(error) = written {
            // A part of it would look like the whole.
            let _ = std::fs::remove_file(&path);
            return Err(error).of(&path);
        }
        File::open(self.folder)
            .and_then(|open| open.sync_all())
            .of(self.folder)?;
        Ok(path)
    }
}

fn header(kept: &Kept<'_>) -> String {
    let mut lines = format!(
        "X-Bangpath-Set-Aside: {}\nX-Bangpath-Sender: {}\n",
        kept.why, kept.envelope.sender
    );
    for (recipient, reply) in kept.refused {
        let said: String = reply.to_string().replace(|c: char| c.is_control(), " ");
        let _ = writeln!(
            lines,
            "X-Bangpath-Refused: {recipient} {} {said}",
            reply.status
        );
    }
    lines
}

/// Removes the oldest until what is left has at most `limit` bytes.
fn make_room(folder: &Path, limit: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in std::fs::read_dir(folder).of(folder)?.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        files.push((meta.modified()?, entry.path(), meta.len()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, _, length)| length).sum();
    for (_, path, length) in &files {
        if total <= limit {
            break;
        }
        std::fs::remove_file(path)?;
        total = total.saturating_sub(*length);
    }
    Ok(())
}
