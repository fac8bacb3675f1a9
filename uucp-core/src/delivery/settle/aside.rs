//! Messages that nobody takes and nobody may be told about: kept for the postmaster to look at, within a limit.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::super::{Message, Reply};
use crate::address::{Address, Envelope};
use crate::spool::{OfFile, create_shared, make_shared_directory};

/// What a message that was set aside begins with.
pub const HEADER: &str = "X-Bangpath-Set-Aside: ";
/// What a note about one begins with.
pub(super) const NOTE: &str = "set aside as ";

/// Whether a note tells where a message was set aside.
#[must_use]
pub fn is_place(note: &str) -> bool {
    note.starts_with(NOTE)
}

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
    /// Most bytes in the folder, one that is larger than that apart.
    pub(crate) limit: u64,
}

impl Place<'_> {
    /// Writes `content` of about `length` bytes, and syncs it; the oldest go where there are too many bytes.
    pub(crate) fn store(&self, content: &mut dyn Read, length: u64) -> io::Result<PathBuf> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        make_shared_directory(self.folder)?;
        make_room(self.folder, self.limit, length)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let (seconds, process, suffix) = (self.seconds, std::process::id(), self.suffix);
        let path = self
            .folder
            .join(format!("{seconds}.{process}.{count}.{suffix}"));
        let mut file = create_shared(&path).of(&path)?;
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
        "{HEADER}{}\nX-Bangpath-Sender: {}\n",
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

/// Removes the oldest until another of `length` bytes has room. One that is larger than the limit has room beside all others,
/// but for one of its own kind: else a single one would push out whatever the postmaster has not looked at.
fn make_room(folder: &Path, limit: u64, length: u64) -> io::Result<()> {
    let is_huge = |length: u64| length > limit;
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in std::fs::read_dir(folder).of(folder)?.flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if is_huge(meta.len()) == is_huge(length) {
            files.push((meta.modified()?, entry.path(), meta.len()));
        }
    }
    files.sort();
    let room = limit.saturating_sub(length);
    let mut total: u64 = files.iter().map(|(_, _, length)| length).sum();
    for (_, path, length) in &files {
        if total <= room {
            break;
        }
        std::fs::remove_file(path)?;
        total = total.saturating_sub(*length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_but_one_that_is_too_large_pushes_out_none_that_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = |seconds, length: usize| {
            let place = Place {
                folder: folder.path(),
                seconds,
                suffix: "eml",
                limit: 100,
            };
            let content = vec![b'x'; length];
            place.store(&mut content.as_slice(), length as u64).unwrap();
        };
        let lengths = || {
            let names = std::fs::read_dir(folder.path()).unwrap().flatten();
            let mut lengths: Vec<u64> = names.map(|name| name.metadata().unwrap().len()).collect();
            lengths.sort_unstable();
            lengths
        };
        store(1, 40);
        store(2, 50);
        store(3, 1000);
        assert_eq!(lengths(), [40, 50, 1000]);
        store(4, 2000);
        assert_eq!(lengths(), [40, 50, 2000]);
        store(5, 60);
        assert_eq!(lengths(), [60, 2000]);
    }
}
