//! The lock file of a mailbox file, as Exim, smail and procmail make it: `FILE.lock`, by a second link to a file of one's own
//! (the hitching post), which is safe on NFS too. Whoever has it may append to FILE, or move it away.
//!
//! A lock file that was left by one who died would stop all mail to that file, so it is broken: Exim's, whose holder cannot
//! be asked, when it is older than half an hour, as Exim does. One of ours holds an open-file lock on it as long as
//! it lives; without that it goes at once.
//!
//! An Exim that was killed while it appended has left half a message, too, and the next Exim that breaks its lock appends to
//! that: the second message becomes text of the first, and is lost. So who collects must come before that. Exim
//! has a lock on FILE itself while it writes, which ends with its process: where that can be had, and neither the lock file
//! nor FILE was touched for five minutes, nobody writes any more, and the lock file is taken over without ever being away.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::drop_box::{lock_writing, open_for_lock};
use super::error::{At, CollectError};
use super::unique;
use crate::clock::is_older;
use crate::spool::fault::step;

/// Exim's `lockfile_timeout`.
pub(super) const STALE: Duration = Duration::from_mins(30);
/// For how long nothing may have happened before a lock file is taken over whose holder has no other lock.
const ABANDONED: Duration = Duration::from_mins(5);
/// What stands in ours.
const OURS: &[u8] = b"bangpath\n";
/// The most that stands in a lock file: a process, its machine.
const LONGEST: u64 = 64;
/// How often one that is taken is looked at again. Nobody but a reader holds it for longer than a message takes.
const AGAIN: Duration = Duration::from_millis(5);

/// The lock file of one file; it goes with this value.
#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    inode: u64,
    /// Holds the open-file lock.
    _file: File,
}

/// The hitching post; it goes with this value.
struct Post(PathBuf);

impl Drop for Post {
    fn drop(&mut self) {
        let _ = step("remove", &self.0).and_then(|()| fs::remove_file(&self.0));
    }
}

/// Locks a hitching post that was just made. Another who [sweeps](sweep) may have it for a moment, to see whether it is needed:
/// then there is a `pause`.
pub(super) fn lock_new(own: &File, deadline: Instant, mut pause: impl FnMut()) -> io::Result<()> {
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    loop {
        match own.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                pause();
            }
            other => return other.map_err(io::Error::from),
        }
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &OsStr) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

impl LockFile {
    /// Takes the lock of `file`, waiting until `deadline`.
    ///
    /// # Errors
    /// [`CollectError::Busy`] when it stays taken; else when it cannot be made.
    pub(super) fn take(file: &Path, deadline: Instant) -> Result<Self, CollectError> {
        let path = with_suffix(file, OsStr::new(".lock"));
        let host = nix::unistd::gethostname().unwrap_or_default();
        let mut suffix = OsString::from(".");
        suffix.push(host);
        suffix.push(format!(".{}", unique()));
        let post = Post(with_suffix(&path, &suffix));
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut own = step("create", &post.0)
            .and_then(|()| options.open(&post.0))
            .at("create", &post.0)?;
        lock_new(&own, deadline, || std::thread::sleep(AGAIN))
            .and_then(|()| step("write", &post.0))
            .and_then(|()| own.write_all(OURS))
            .at("write", &post.0)?;
        loop {
            let linked = step("link", &path).and_then(|()| fs::hard_link(&post.0, &path));
            // Over NFS the answer may be lost; how many links there are is true.
            let metadata = own.metadata().at("examine", &post.0)?;
            if linked.is_ok() || metadata.nlink() == 2 {
                return Ok(Self {
                    path,
                    inode: metadata.ino(),
                    _file: own,
                });
            }
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error).at("create", &path);
                }
                _ => {}
            }
            if take_over(&path, file, &post.0)? {
                return Ok(Self {
                    path,
                    inode: metadata.ino(),
                    _file: own,
                });
            }
            if break_stale(&path)? {
                continue;
            }
            if Instant::now() >= deadline {
                return Err(CollectError::Busy { path });
            }
            std::thread::sleep(AGAIN);
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // If we were taken for dead, it is another's by now.
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode) {
            let _ = step("remove", &self.path).and_then(|()| fs::remove_file(&self.path));
        }
    }
}

/// Whether this is a lock file or a hitching post: by its name, and because there is nothing in it but, perhaps, who made it. What is
/// longer is mail for a system whose name looks like theirs.
pub(super) fn is_lock(path: &Path, metadata: &Metadata) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let named = name.ends_with(b".lock") || memchr::memmem::find(name, b".lock.").is_some();
    named && metadata.len() <= LONGEST
}

/// Removes a hitching post, or a lock, that a process of ours has left by dying; and a hitching post that nobody can need
/// any more, since it is empty and it is long that it was made.
pub(super) fn sweep(path: &Path) {
    let Some((file, ours)) = open_ours(path) else {
        return;
    };
    let is_post = path
        .extension()
        .is_some_and(|extension| extension != "lock");
    let unused = file.metadata().is_ok_and(|metadata| {
        metadata.is_file() && metadata.len() == 0 && metadata.modified().is_ok_and(is_old)
    });
    if file.try_lock().is_ok() && (ours || (is_post && unused)) {
        let _ = remove_same(path, &file);
    }
}

fn is_old(made: SystemTime) -> bool {
    is_older(made, STALE)
}

/// Whether there is a lock file of `file` that nobody may be left of who made it.
pub(super) fn is_left(file: &Path) -> bool {
    let path = with_suffix(file, OsStr::new(".lock"));
    written(&path).is_ok_and(|time| is_older(time, ABANDONED))
}

/// When something was last written to.
fn written(path: &Path) -> io::Result<SystemTime> {
    fs::symlink_metadata(path)?.modified()
}

/// Puts our lock file in the place of one whose holder was killed while it appended to `file`; false when it may live.
fn take_over(path: &Path, file: &Path, post: &Path) -> Result<bool, CollectError> {
    // One of ours tells by its open-file lock whether its holder lives, however long that has slept.
    if open_ours(path).is_some_and(|(_, ours)| ours) {
        return Ok(false);
    }
    let untouched = |path: &Path| written(path).is_ok_and(|time| is_older(time, ABANDONED));
    if !untouched(path) || !untouched(file) {
        return Ok(false);
    }
    let _order = in_order(path)?;
    let Ok(open) = open_for_lock(file) else {
        return Ok(false);
    };
    // From here on nobody appends; whoever was faster than we has touched one of the two.
    if !lock_writing(&open).unwrap_or(false) || !untouched(path) || !untouched(file) {
        return Ok(false);
    }
    fs::rename(post, path).at("take over", path)?;
    Ok(true)
}

/// Ours break locks one after another: who finds an old one must not remove the new one of another who was faster.
fn in_order(path: &Path) -> Result<File, CollectError> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let order = File::open(directory).at("open", directory)?;
    order.lock().at("lock", directory)?;
    Ok(order)
}

/// Opens a lock file, and tells whether it is one of ours.
fn open_ours(path: &Path) -> Option<(File, bool)> {
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let mut start = [0; OURS.len()];
    let ours = (&file).read_exact(&mut start).is_ok() && start == *OURS;
    Some((file, ours))
}

/// Removes what the path leads to, if that is this file.
fn remove_same(path: &Path, file: &File) -> Result<(), CollectError> {
    let inode = file.metadata().at("examine", path)?.ino();
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.ino() == inode => remove(path),
        _ => Ok(()),
    }
}

/// Removes a lock file whose holder is gone; false when somebody has it.
fn break_stale(path: &Path) -> Result<bool, CollectError> {
    // What is not for us to read tells by its age.
    let Some((file, true)) = open_ours(path) else {
        return break_old(path);
    };
    if file.try_lock().is_err() {
        return Ok(false);
    }
    // As long as we have the open-file lock, no other of ours breaks this one.
    remove_same(path, &file).map(|()| true)
}

/// Breaks one that is old enough.
fn break_old(path: &Path) -> Result<bool, CollectError> {
    let _order = in_order(path)?;
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.at("examine", path)?,
    };
    let made = metadata.modified().at("examine", path)?;
    if is_old(made) {
        remove(path)?;
        return Ok(true);
    }
    Ok(false)
}

fn remove(path: &Path) -> Result<(), CollectError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}
