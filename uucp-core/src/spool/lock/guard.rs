//! Guards: open-file locks, which the kernel frees with their holder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, flock};

use crate::spool::error::At;
use crate::spool::{SpoolError, durable, sharing};

/// Between two tries for a lock.
const PAUSE: Duration = Duration::from_millis(2);

/// An open file with a lock, unlocked when dropped even while a child that is about to be executed shares it.
#[derive(Debug)]
pub(crate) struct LockedFile(pub(crate) File);

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
                std::thread::sleep(PAUSE);
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

/// One byte of an open file, locked; unlocked when dropped even while a child that is about to be executed shares the file.
#[derive(Debug)]
pub(in crate::spool) struct LockedByte {
    file: File,
    at: i64,
}

impl Drop for LockedByte {
    fn drop(&mut self) {
        let _ = set_byte_lock(&self.file, F_UNLCK, self.at);
    }
}

/// Locks one byte of a file that stays, waiting for it until `deadline`. The byte need not be there: as many locks as there are
/// numbers cost one file.
pub(in crate::spool) fn wait_for_byte(
    path: &Path,
    at: i64,
    deadline: Instant,
) -> Result<LockedByte, SpoolError> {
    let file = open_guard(path)?;
    loop {
        match set_byte_lock(&file, F_WRLCK, at) {
            Ok(()) => return Ok(LockedByte { file, at }),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) if Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => {
                return Err(SpoolError::Locked {
                    path: path.to_path_buf(),
                });
            }
            Err(error) => return Err(io::Error::from(error)).at("lock", path),
        }
    }
}

/// An open-file lock: it is this open file's, not this process's, and so right between threads, too.
fn set_byte_lock(file: &File, kind: i32, at: i64) -> nix::Result<()> {
    let lock = flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(SEEK_SET).unwrap_or_default(),
        l_start: at,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_being_started_does_not_keep_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard");
        let lock = wait_for(&path, Instant::now()).unwrap();
        // It has a copy of every descriptor until it is executed.
        let _copy = lock.0.try_clone().unwrap();
        drop(lock);
        wait_for(&path, Instant::now()).unwrap();
        let lock = wait_for_byte(&path, 7, Instant::now()).unwrap();
        let _copy = lock.file.try_clone().unwrap();
        drop(lock);
        wait_for_byte(&path, 7, Instant::now()).unwrap();
    }
}
