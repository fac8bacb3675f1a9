//! Lock files as Taylor's programs make them: ten characters with a process number, made by `link`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::LockError;
use super::process::is_alive;
use crate::spool::error::At;
use crate::spool::fault::step;
use crate::spool::{SpoolError, durable, names};

/// Lock files are read by other programs too (cu, minicom, uustat).
const LOCK_MODE: u32 = 0o644;

/// Which lock file, as written by whom: if any of this differs, it is another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: i32,
    inode: u64,
    /// Nanoseconds since 1970.
    pub(super) written: i128,
}

impl Identity {
    fn of(path: &Path, file: &File, pid: i32) -> Result<Self, SpoolError> {
        let metadata = file.metadata().at("examine", path)?;
        Ok(Self {
            pid,
            inode: metadata.ino(),
            written: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
        })
    }

    pub(super) fn emit(self) -> String {
        format!("{} {} {}\n", self.pid, self.inode, self.written)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        Some(Self {
            pid: words.next()?.parse().ok()?,
            inode: words.next()?.parse().ok()?,
            written: words.next()?.parse().ok()?,
        })
    }
}

/// A lock file as found.
pub(super) struct Found {
    file: File,
    pub(super) identity: Identity,
}

/// Makes the lock file, or takes over a stale one. `left` is what the guard says of its last holder.
pub(super) fn claim(path: &Path, left: &str, making: Option<&Path>) -> Result<Identity, LockError> {
    let ours = i32::try_from(std::process::id()).unwrap_or_default();
    let left_by_ours = Identity::parse(left);
    loop {
        if let Some(identity) = link_new(path, making, ours)? {
            return Ok(identity);
        }
        let Some(found) = find(path)? else {
            continue;
        };
        let held = || LockError::Held {
            path: path.to_path_buf(),
            pid: Some(found.identity.pid),
        };
        if left_by_ours != Some(found.identity) && is_alive(&found) {
            return Err(held());
        }
        tracing::info!(target: "uucp::abnormal", "stale lock {} of process {}", path.display(), found.identity.pid);
        let identity = overwrite(path, &found, ours)?;
        return match find(path)? {
            Some(again) if again.identity == identity => Ok(identity),
            Some(again) => Err(LockError::Held {
                path: path.to_path_buf(),
                pid: Some(again.identity.pid),
            }),
            None => continue,
        };
    }
}

/// Makes the lock file as Taylor does: written under another name, then linked. `None` where there is one already.
fn link_new(path: &Path, making: Option<&Path>, pid: i32) -> Result<Option<Identity>, SpoolError> {
    let beside = path.parent().unwrap_or_else(|| Path::new("."));
    let folder = making.unwrap_or(beside);
    let new = folder.join(format!("TMP{}", names::unique()));
    let file = match durable::create_new(&new, LOCK_MODE) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            durable::make_directory(folder)?;
            durable::create_new(&new, LOCK_MODE)
        }
        other => other,
    }
    .at("create", &new)?;
    let linked = durable::write_all(&file, &new, content(pid).as_bytes()).and_then(|()| {
        step("link", path).at("create", path)?;
        let mut linked = fs::hard_link(&new, path);
        if linked
            .as_ref()
            .is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
        {
            durable::make_directory(beside)?;
            linked = fs::hard_link(&new, path);
        }
        match linked {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.at("create", path).map(|()| true),
        }
    });
    let _ = durable::remove(&new);
    if linked? {
        Identity::of(path, &file, pid).map(Some)
    } else {
        Ok(None)
    }
}

/// Ten characters and a newline.
pub(super) fn content(pid: i32) -> String {
    format!("{pid:>10}\n")
}

/// Writes a number into a lock file that is there.
pub(super) fn overwrite(path: &Path, found: &Found, pid: i32) -> Result<Identity, SpoolError> {
    step("write", path).at("write", path)?;
    found
        .file
        .write_all_at(content(pid).as_bytes(), 0)
        .and_then(|()| found.file.set_len(11))
        .at("write", path)?;
    Identity::of(path, &found.file, pid)
}

/// The lock file that is there, if any. One that holds no number belongs to process 0: to nobody.
pub(super) fn find(path: &Path) -> Result<Option<Found>, SpoolError> {
    let file = match OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
    {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Another user's lock, in a directory that many may write.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path),
        other => other,
    }
    .at("open", path)?;
    let mut bytes = [0; 64];
    let length = file.read_at(&mut bytes, 0).at("read", path)?;
    let pid = bytes
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    Ok(Some(Found {
        identity: Identity::of(path, &file, pid)?,
        file,
    }))
}
