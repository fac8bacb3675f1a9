//! Messages that nobody takes and nobody may be told about: kept for the postmaster to look at, within a limit.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::super::{Message, Reply, maildir};
use crate::address::{Address, Envelope};

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
    static COUNT: AtomicU64 = AtomicU64::new(0);
    maildir::make_directory(folder)?;
    make_room(folder, limit.saturating_sub(kept.message.len()))?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{seconds}.{}.{count}.eml", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o660)
        .open(&path)?;
    file.write_all(header(kept).as_bytes())?;
    io::copy(&mut kept.message.reader(), &mut file)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(path)
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
    for entry in std::fs::read_dir(folder)?.flatten() {
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
