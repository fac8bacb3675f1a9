//! Guards: open-file locks, which the kernel frees with their holder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::spool::error::At;
use crate::spool::{SpoolError, durable, sharing};

/// An open file with a lock, unlocked when dropped even while a child that is about to be executed shares it.
#[derive(Debug)]
pub(in crate::spool) struct LockedFile(pub(in crate::spool) File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes an open-file lock on a file that stays, waiting for it until `deadline`.
pub(in crate::spool) fn wait_for(path: &Path, deadline: Instant) -> Result<LockedFile, SpoolError> {
    let file = open_guard(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(LockedFile(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(SpoolError::Locked {
                    path: path.to_path_buf(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(error).at("lock", path),
        }
    }
}

/// Opens and locks a guard; `None` while somebody holds it.
pub(in crate::spool) fn lock_guard(path: &Path) -> Result<Option<File>, SpoolError> {
    loop {
        let guard = open_guard(path)?;
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).at("lock", path),
        }
        let locked = guard.metadata().at("examine", path)?.ino();
        if fs::metadata(path).is_ok_and(|named| named.ino() == locked) {
            return Ok(Some(guard));
        }
    }
}

/// Opens a guard; makes it if need be.
pub(super) fn open_guard(path: &Path) -> Result<File, SpoolError> {
    let open = || sharing::open_shared(path, OpenOptions::new().read(true).write(true));
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                durable::make_directory(directory)?;
            }
            open()
        }
        other => other,
    }
    .at("open", path)
}
