//! What was seen without a name, and when first: one small file, `.Bangpath/unnamed`, written anew after each look.
//!
//! The first line is `looked SECONDS`, then a line a file: `SECONDS INODE SIZE MODIFIED KEY`. The key is the path in the
//! spool; `.LOCKDIR/NAME` stands for a file of the lock directory. Times are observed time. Lost, everything is seen for the
//! first time once more.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::{ObservedTime, Spool, SpoolError, durable};

/// Stands for the lock directory in keys; the spool has nothing of this name.
pub(super) const LOCK_DIRECTORY: &str = ".LOCKDIR";
/// The word before the time of the last look.
const LOOKED: &str = "looked";
/// Longest file read, in bytes.
const LIMIT: u64 = 64 << 20;

/// Which file had the name: another one of the same name begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    inode: u64,
    size: u64,
    modified: i64,
}

impl Identity {
    /// `None` if there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        metadata.is_file().then(|| Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: metadata.mtime(),
        })
    }
}

/// One file without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) identity: Identity,
    pub(super) first: ObservedTime,
}

impl Sighting {
    /// Seen, at a time that is still to be filled in.
    pub(super) fn of(identity: Identity) -> Self {
        Self {
            identity,
            first: ObservedTime::default(),
        }
    }
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) looked: Option<ObservedTime>,
    pub(super) seen: BTreeMap<String, Sighting>,
}

impl Notes {
    pub(super) fn read(spool: &Spool) -> Result<Self, SpoolError> {
        let content = match durable::read_small(&spool.own_folder("unnamed"), LIMIT) {
            Err(SpoolError::Corrupt { .. }) => None,
            other => other?,
        };
        let text = content.unwrap_or_default();
        let mut notes = Self::default();
        for line in String::from_utf8_lossy(&text).lines() {
            notes.take_line(line);
        }
        Ok(notes)
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(5, ' ');
        let first = words.next()?;
        if first == LOOKED {
            self.looked = Some(ObservedTime(words.next()?.parse().ok()?));
            return Some(());
        }
        let sighting = Sighting {
            first: ObservedTime(first.parse().ok()?),
            identity: Identity {
                inode: words.next()?.parse().ok()?,
                size: words.next()?.parse().ok()?,
                modified: words.next()?.parse().ok()?,
            },
        };
        self.seen.insert(words.next()?.to_owned(), sighting);
        Some(())
    }

    /// When this very file was seen first.
    pub(super) fn first_sighting(&self, key: &str, identity: Identity) -> Option<ObservedTime> {
        let sighting = self.seen.get(key)?;
        (sighting.identity == identity).then_some(sighting.first)
    }

    /// Not synced: lost with the power, it is written again a day later.
    pub(super) fn write(&self, spool: &Spool) -> Result<(), SpoolError> {
        use std::fmt::Write;
        let mut text = String::new();
        if let Some(looked) = self.looked {
            let _ = writeln!(text, "{LOOKED} {}", looked.0);
        }
        for (key, Sighting { identity, first }) in &self.seen {
            let Identity {
                inode,
                size,
                modified,
            } = identity;
            let _ = writeln!(text, "{} {inode} {size} {modified} {key}", first.0);
        }
        durable::replace(
            &spool.new_path(),
            &spool.own_folder("unnamed"),
            durable::FILE_MODE,
            text.as_bytes(),
            false,
        )
    }
}
