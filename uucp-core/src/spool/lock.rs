//! Lock files: Taylor's, and beside each an open-file lock that a process of ours holds as long as it lives.
//!
//! Between two of ours the open-file lock ("guard") alone decides: the kernel frees it the moment its holder dies, in
//! whatever container, so a kill -9 costs nothing. Taylor's file (11 bytes with a process number, made by `link`) is for
//! Taylor's programs. One that is in the way is stale when
//! * the guard says that a process of ours wrote it: whoever holds the guard knows that this process is gone;
//! * no such process lives, or it is a zombie;
//! * the process was started after the file was written: the number has come back.
//!
//! Nothing waits: Taylor's five seconds are for two that find the same stale file. We write our number into the file, as
//! it does, and look again; a Taylor that did the same wakes up to our number and goes away.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use thiserror::Error;

use super::error::At;
use super::fault::step;
use super::{Spool, SpoolError, durable, names};
use crate::name::SystemName;

/// Lock files are read by other programs too (cu, minicom, uustat).
const LOCK_MODE: u32 = 0o644;

/// A process that was started this many seconds after the lock file was written did not write it: the start is known to a
/// hundredth of a second, the clock to which both are compared may have been adjusted a little.
const START_SLACK: f64 = 5.0;

/// Why a lock was not had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// A live process holds it.
    #[error("{} is held by process {}", .path.display(), .pid.map_or_else(|| "unknown".to_owned(), |p| p.to_string()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process, where known.
        pid: Option<i32>,
    },
    /// The lock could not be made.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A lock file with its open-file lock; released when dropped.
#[derive(Debug)]
pub struct PidLock {
    path: PathBuf,
    guard_path: PathBuf,
    guard: File,
    mine: Identity,
    /// Whether the guard goes with the lock: for things that exist once and in great number.
    passing: bool,
}

/// Which lock file, as written by whom: if any of this differs, it is another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    pid: i32,
    inode: u64,
    written: i128,
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

    fn emit(self) -> String {
        format!("{} {} {}\n", self.pid, self.inode, self.written)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        Some(Self {
            pid: words.next()?.parse().ok()?,
            inode: words.next()?.parse().ok()?,
            written: words.next()?.parse().ok()?,
        })
    }
}

/// A lock file as found.
struct Found {
    file: File,
    identity: Identity,
}

impl PidLock {
    /// Takes the lock `path`; `guard_path` is the file that carries the open-file lock.
    fn take(path: PathBuf, guard_path: PathBuf) -> Result<Self, LockError> {
        let Some(guard) = lock_guard(&guard_path)? else {
            let pid = find(&path)?.map(|found| found.identity.pid);
            return Err(LockError::Held { path, pid });
        };
        let mine = claim(&path, &guard)?;
        let lock = Self {
            path,
            guard_path,
            guard,
            mine,
            passing: false,
        };
        lock.remember()?;
        Ok(lock)
    }

    /// Writes into the guard which lock file is ours, for whoever finds it after our death.
    fn remember(&self) -> Result<(), SpoolError> {
        let text = self.mine.emit();
        step("write", &self.guard_path).at("write", &self.guard_path)?;
        self.guard
            .set_len(0)
            .and_then(|()| self.guard.write_all_at(text.as_bytes(), 0))
            .at("write", &self.guard_path)
    }

    /// Writes another process's number into the lock file: after a fork, or for a child that goes on with the work.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_owner(&mut self, pid: i32) -> Result<(), SpoolError> {
        let Some(found) = find(&self.path)?.filter(|found| found.identity == self.mine) else {
            return Err(SpoolError::Locked {
                path: self.path.clone(),
            });
        };
        self.mine = overwrite(&self.path, &found, pid)?;
        self.remember()
    }
}

impl Drop for PidLock {
    fn drop(&mut self) {
        // Taylor may have taken the file over while this machine slept: then it is not ours to remove.
        if let Ok(Some(found)) = find(&self.path)
            && found.identity == self.mine
        {
            let _ = durable::remove(&self.path);
        }
        // Removed while locked: who has opened it meanwhile sees that it is no longer the one of that name.
        if self.passing {
            let _ = durable::remove(&self.guard_path);
        }
        // A child that is about to be executed shares the open file for an instant: closing alone would not free the lock.
        if step("unlock", &self.guard_path).is_ok() {
            let _ = self.guard.unlock();
        }
    }
}

/// An open file with a lock, unlocked when dropped even while a child that is about to be executed shares it.
#[derive(Debug)]
pub(super) struct LockedFile(pub(super) File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes an open-file lock on a file that stays, waiting for it until `deadline`.
pub(super) fn wait_for(path: &Path, deadline: Instant) -> Result<LockedFile, SpoolError> {
    let file = open_guard(path)?;
    // Made under a umask of 077 it must still open for others of the group.
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(
        durable::FILE_MODE,
    ));
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
pub(super) fn lock_guard(path: &Path) -> Result<Option<File>, SpoolError> {
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

fn open_guard(path: &Path) -> Result<File, SpoolError> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(durable::FILE_MODE)
            .open(path)
    };
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                durable::make_directory(directory)?;
            }
            let guard = open().at("create", path)?;
            let _ = guard.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(
                durable::FILE_MODE,
            ));
            Ok(guard)
        }
        other => other.at("open", path),
    }
}

/// Makes the lock file, or takes over a stale one.
fn claim(path: &Path, guard: &File) -> Result<Identity, LockError> {
    let ours = i32::try_from(std::process::id()).unwrap_or_default();
    let mut text = String::new();
    let _ = io::Read::read_to_string(&mut &*guard, &mut text);
    let left_by_ours = Identity::parse(&text);
    loop {
        if let Some(identity) = link_new(path, ours)? {
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
fn link_new(path: &Path, pid: i32) -> Result<Option<Identity>, SpoolError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
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
        match fs::hard_link(&new, path) {
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
fn content(pid: i32) -> String {
    format!("{pid:>10}\n")
}

fn overwrite(path: &Path, found: &Found, pid: i32) -> Result<Identity, SpoolError> {
    step("write", path).at("write", path)?;
    found
        .file
        .write_all_at(content(pid).as_bytes(), 0)
        .and_then(|()| found.file.set_len(11))
        .at("write", path)?;
    Identity::of(path, &found.file, pid)
}

/// The lock file that is there, if any. One that holds no number belongs to process 0: to nobody.
fn find(path: &Path) -> Result<Option<Found>, SpoolError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Another user's lock, in a directory that many may write.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => File::open(path),
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

/// Whether the process that a lock file names lives, and can have written it.
fn is_alive(found: &Found) -> bool {
    let pid = found.identity.pid;
    // Our own number in a file that we did not write: an earlier life of the number.
    if pid <= 0 || u32::try_from(pid) == Ok(std::process::id()) {
        return false;
    }
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return false;
    }
    // Without /proc the file is believed.
    let Some(process) = Process::read(pid) else {
        return true;
    };
    #[allow(
        clippy::cast_precision_loss,
        reason = "nanoseconds since 1970 as seconds: a microsecond is lost"
    )]
    let written = found.identity.written as f64 / 1e9;
    !process.zombie && !process.started_after(written)
}

/// What `/proc` tells of a process.
struct Process {
    zombie: bool,
    uucp: bool,
    /// Seconds after boot.
    started: f64,
    /// When the machine booted, in seconds since 1970 as the clock says now.
    booted: f64,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (head, tail) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?;
        // Field 22 of the line; the state is the third.
        let ticks: f64 = fields.nth(18)?.parse().ok()?;
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let booted = machine
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        #[allow(clippy::cast_precision_loss, reason = "a hundred")]
        let per_second = per_second as f64;
        Some(Self {
            zombie: matches!(state, "Z" | "X"),
            uucp: matches!(name, "uucico" | "uuxqt" | "cu" | "uucp"),
            started: ticks / per_second,
            booted: booted.parse().ok()?,
        })
    }

    /// Whether the process began after a moment of the wall clock.
    ///
    /// A file from before the boot may also mean that the clock was set since: where the process is one that makes such
    /// locks it is then given the benefit of the doubt.
    fn started_after(&self, moment: f64) -> bool {
        if self.uucp && moment < self.booted {
            return false;
        }
        self.booted + self.started > moment + START_SLACK
    }
}

/// The lock of a system: one call at a time.
#[derive(Debug)]
pub struct SystemLock {
    system: SystemName,
    lock: PidLock,
}

impl SystemLock {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// Writes this process's number into the lock file: after a fork.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn moved_to_this_process(&mut self) -> Result<(), SpoolError> {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        self.lock.set_owner(pid)
    }
}

impl Spool {
    fn guard_path(&self, lock_name: &str) -> PathBuf {
        self.own_folder("guard").join(lock_name)
    }

    fn take_in_lockdir(&self, name: &str) -> Result<PidLock, LockError> {
        let name = format!("LCK..{name}");
        let guard = self.guard_path(&name);
        PidLock::take(self.paths.lockdir.join(name), guard)
    }

    fn take_in_spool(&self, name: &str) -> Result<Option<PidLock>, SpoolError> {
        match PidLock::take(self.paths.root.join(name), self.guard_path(name)) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held { .. }) => Ok(None),
            Err(LockError::Spool(error)) => Err(error),
        }
    }

    /// Locks a system, at once or not at all. What a dead process left is taken over without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_system(&self, system: &SystemName) -> Result<SystemLock, LockError> {
        Ok(SystemLock {
            lock: self.take_in_lockdir(system.as_str())?,
            system: system.clone(),
        })
    }

    /// Whether a live process holds the lock of a system; takes nothing.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn is_locked(&self, system: &SystemName) -> Result<bool, SpoolError> {
        let name = format!("LCK..{system}");
        let Some(found) = find(&self.paths.lockdir.join(&name))? else {
            return Ok(false);
        };
        let text = fs::read_to_string(self.guard_path(&name)).unwrap_or_default();
        if Identity::parse(&text) != Some(found.identity) {
            return Ok(is_alive(&found));
        }
        let guard = open_guard(&self.guard_path(&name))?;
        Ok(matches!(
            guard.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ))
    }

    /// Locks a device or port name: `LCK..name` in the lock directory. Slashes become dots.
    ///
    /// # Errors
    /// [`LockError::Held`] while a live process holds it.
    pub fn lock_device(&self, name: &str) -> Result<PidLock, LockError> {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        self.take_in_lockdir(&name.replace('/', "."))
    }

    /// The first free one of uuxqt's locks (`LCK.XQT.n`), n below `limit`; `None` when all are held. A limit of 0 is none
    /// (9,999, as Taylor has it).
    ///
    /// # Errors
    /// When a lock could not be made.
    pub fn lock_uuxqt(&self, limit: u32) -> Result<Option<PidLock>, SpoolError> {
        let limit = if limit == 0 { 9_999 } else { limit };
        for number in 0..limit {
            if let Some(lock) = self.take_in_spool(&format!("LCK.XQT.{number}"))? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// The lock of a command (`LXQ.command`), for `uuxqt -c`; `None` when it is held.
    ///
    /// # Errors
    /// When the lock could not be made.
    pub fn lock_command(&self, command: &[u8]) -> Result<Option<PidLock>, SpoolError> {
        let last = command.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let clean: String = last
            .iter()
            .take(64)
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-') => char::from(*b),
                _ => '-',
            })
            .collect();
        self.take_in_spool(&format!("LXQ.{clean}"))
    }

    /// The lock file of one execute file, with a guard that goes with it.
    pub(super) fn lock_beside(
        &self,
        path: PathBuf,
        guard_name: &str,
    ) -> Result<Option<PidLock>, SpoolError> {
        match PidLock::take(path, self.own_folder("running").join(guard_name)) {
            Ok(mut lock) => {
                lock.passing = true;
                Ok(Some(lock))
            }
            Err(LockError::Held { .. }) => Ok(None),
            Err(LockError::Spool(error)) => Err(error),
        }
    }
}

impl PidLock {
    /// The open file that holds the lock.
    pub(super) fn guard(&self) -> &File {
        &self.guard
    }

    /// Its path.
    pub(super) fn guard_path(&self) -> &Path {
        &self.guard_path
    }
}

#[cfg(test)]
mod tests;
