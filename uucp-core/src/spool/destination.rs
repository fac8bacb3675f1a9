//! Where a file outside the spool goes: resolved without following a link out of what is permitted.
//!
//! The name is resolved lexically first (`~`, `~user`, relative to the public directory; `..` is refused, not resolved), and
//! checked against the directory list. Then the directory it really is in is found, checked again if a link led elsewhere, and
//! opened component by component without following links; everything after that is relative to the open directory.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::error::At;
use super::fault::step;
use super::{Incoming, SpoolError, durable};
use crate::name::SpoolName;
use crate::wire::command::Refusal;

/// Directories that a request has made are as open as Taylor makes them: the next file for them must find them writable.
const MADE_MODE: u32 = 0o777;

/// An open directory and the name that a file is to get in it.
#[derive(Debug)]
pub(super) struct Destination {
    directory: File,
    directory_path: PathBuf,
    name: String,
    /// A data file of our own: what is wrong there is mended, and not the file's fault.
    in_spool: bool,
}

/// Why not there.
pub(super) type Refused = (Refusal, String);

fn not_permitted(path: &Path, reason: &str) -> Refused {
    (
        Refusal::NotPermitted,
        format!("{}: {reason}", path.display()),
    )
}

fn later(path: &Path, error: &io::Error) -> Refused {
    (
        Refusal::CannotCreate,
        format!("{}: {error}", path.display()),
    )
}

impl Destination {
    /// Finds and opens the directory for an incoming file; makes directories where the request says so (`d`).
    pub(super) fn find(incoming: &Incoming<'_>) -> Result<Self, Refused> {
        let path = with_file_name(lexical(incoming)?, incoming)?;
        if !incoming.rules.permits(&path, incoming.pubdir) {
            return Err(not_permitted(&path, "not among the permitted directories"));
        }
        let name = path
            .file_name()
            .and_then(OsStr::to_str)
            .ok_or_else(|| not_permitted(&path, "not a file's name"))?
            .to_owned();
        let parent = path
            .parent()
            .ok_or_else(|| not_permitted(&path, "not a file's name"))?;
        let (existing, missing) =
            split_existing(parent).map_err(|e| not_permitted(parent, &e.to_string()))?;
        let real = fs::canonicalize(&existing).map_err(|e| later(&existing, &e))?;
        check_real(&real, &existing, &missing, &name, incoming)?;
        let directory = open_without_links(&real).map_err(|e| later(&real, &e))?;
        check_writable(&directory, &real, incoming)?;
        let (directory, directory_path) = make_missing(directory, real, &missing, incoming)?;
        let destination = Self {
            directory,
            directory_path,
            name,
            in_spool: false,
        };
        if destination.path().is_dir() {
            return Err(not_permitted(&destination.path(), "a directory is there"));
        }
        Ok(destination)
    }

    /// A data file of our own, in the folder that our own executions have theirs in.
    pub(super) fn of_data(folder: &Path, name: &SpoolName) -> Result<Self, SpoolError> {
        durable::make_directory(folder)?;
        Ok(Self {
            directory: File::open(folder).at("open", folder)?,
            directory_path: folder.to_path_buf(),
            name: name.as_str().to_owned(),
            in_spool: true,
        })
    }

    /// The whole path, for logs and records.
    pub(super) fn path(&self) -> PathBuf {
        self.directory_path.join(&self.name)
    }

    /// Where a file in the making lies.
    pub(super) fn staged_path(&self, staged_name: &str) -> PathBuf {
        self.directory_path.join(staged_name)
    }

    /// Opens the file in the making: a fresh one, or our own earlier one.
    pub(super) fn open_staged(&self, staged_name: &str) -> io::Result<File> {
        step("create", &self.staged_path(staged_name))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        let file: File = openat(&self.directory, staged_name, flags, mode)?.into();
        let found = file.metadata()?;
        // The directory is open to everybody: somebody else's file of that name is not for us.
        if !found.is_file() || found.uid() != nix::unistd::geteuid().as_raw() || found.nlink() != 1
        {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(file)
    }

    pub(super) fn remove_staged(&self, staged_name: &str) -> io::Result<()> {
        step("remove", &self.staged_path(staged_name))?;
        unlinkat(&self.directory, staged_name, UnlinkatFlags::NoRemoveDir).map_err(Into::into)
    }

    /// Removes the files in the making whose names begin so, but for one: what an earlier attempt has left of a file that has
    /// changed since. Those that somebody works at stay; and what cannot be removed harms nobody.
    pub(super) fn sweep(&self, beginning: &str, but: &str) {
        let names = durable::names(&self.directory_path).unwrap_or_default();
        for name in names
            .iter()
            .filter(|name| name.starts_with(beginning) && *name != but)
        {
            let unused = self
                .open_staged(name)
                .is_ok_and(|file| file.try_lock().is_ok());
            if unused {
                let _ = self.remove_staged(name);
            }
        }
    }

    /// Puts the file in its place, over an older one of that name.
    pub(super) fn place(&self, staged_name: &str) -> Result<(), SpoolError> {
        let path = self.path();
        step("rename", &path).at("create", &path)?;
        let (directory, name) = (&self.directory, self.name.as_str());
        let placed = renameat(directory, staged_name, directory, name).at("create", &path);
        if self.in_spool {
            return placed;
        }
        placed.map_err(judged)
    }

    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        step("sync directory", &self.directory_path).at("sync", &self.directory_path)?;
        self.directory.sync_all().at("sync", &self.directory_path)
    }

    /// The directory, to tell whether two files share it.
    pub(super) fn directory_path(&self) -> &Path {
        &self.directory_path
    }
}

/// An error of putting a file outside the spool in its place: whether that will be possible at another time. One file must not
/// end every call, and keep the others from coming.
pub(super) fn judged(error: SpoolError) -> SpoolError {
    use io::ErrorKind::{DirectoryNotEmpty, IsADirectory, PermissionDenied};
    match error {
        SpoolError::Io { path, source, .. }
            if matches!(
                source.kind(),
                PermissionDenied | IsADirectory | DirectoryNotEmpty
            ) =>
        {
            SpoolError::Unplaceable { path, source }
        }
        other => other,
    }
}

/// What the request's name means, before the file system is asked.
fn lexical(incoming: &Incoming<'_>) -> Result<PathBuf, Refused> {
    let shown = Path::new(OsStr::from_bytes(incoming.to));
    let refuse = |reason| Err(not_permitted(shown, reason));
    if incoming.to.is_empty() || incoming.to.len() > 4000 || incoming.to.contains(&0) {
        return refuse("not a path");
    }
    let Ok(to) = std::str::from_utf8(incoming.to) else {
        return refuse("not text");
    };
    let path = match to.strip_prefix('~') {
        None if to.starts_with('/') => PathBuf::from(to),
        None => incoming.pubdir.join(to),
        Some(rest) => {
            let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
            match user {
                "" => incoming.pubdir.join(rest.trim_start_matches('/')),
                user => match nix::unistd::User::from_name(user) {
                    Ok(Some(found)) => found.dir.join(rest.trim_start_matches('/')),
                    _ => return refuse("no such user"),
                },
            }
        }
    };
    if path.components().any(|c| c == Component::ParentDir) {
        return refuse("leads upwards");
    }
    Ok(path)
}

/// A directory gets the base name of the file over there added.
fn with_file_name(path: PathBuf, incoming: &Incoming<'_>) -> Result<PathBuf, Refused> {
    let names_directory = matches!(incoming.to.last(), Some(b'/' | b'~'));
    if !names_directory && !path.is_dir() {
        return Ok(path);
    }
    let base = incoming
        .from
        .rsplit(|b| *b == b'/')
        .next()
        .unwrap_or_default();
    match std::str::from_utf8(base) {
        Ok(name) if !matches!(name, "" | "." | ".." | "~") && !name.contains('\0') => {
            Ok(path.join(name))
        }
        _ => Err(not_permitted(&path, "the file has no name of its own")),
    }
}

/// The deepest directory that exists, and the names below it that do not.
fn split_existing(directory: &Path) -> io::Result<(PathBuf, Vec<String>)> {
    let mut missing = Vec::new();
    let mut existing = directory.to_path_buf();
    while !existing.is_dir() {
        // Something else, or a dangling link, is in the way.
        if existing.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let name = existing.file_name().and_then(OsStr::to_str);
        missing.push(name.ok_or(io::ErrorKind::NotFound)?.to_owned());
        existing.pop();
    }
    missing.reverse();
    Ok((existing, missing))
}

/// Where links led: it must be permitted too, taken as it is or as seen from the public directory.
fn check_real(
    real: &Path,
    existing: &Path,
    missing: &[String],
    name: &str,
    incoming: &Incoming<'_>,
) -> Result<(), Refused> {
    if real == existing {
        return Ok(());
    }
    let mut target = real.to_path_buf();
    target.extend(missing);
    target.push(name);
    let from_pubdir = fs::canonicalize(incoming.pubdir)
        .ok()
        .and_then(|public| target.strip_prefix(public).ok().map(Path::to_path_buf))
        .map(|rest| incoming.pubdir.join(rest));
    let permitted = |path: &Path| incoming.rules.permits(path, incoming.pubdir);
    if permitted(&target) || from_pubdir.is_some_and(|path| permitted(&path)) {
        Ok(())
    } else {
        Err(not_permitted(
            &target,
            "a link leads out of the permitted directories",
        ))
    }
}

/// Opens a path without `.`, `..` and links, and fails if it has come to have one.
fn open_without_links(real: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // On the way nothing is read: a call may be confined to where it leads.
    let step = flags | OFlag::O_PATH;
    let mut directory: OwnedFd = openat(AT_FDCWD, "/", step, Mode::empty())?;
    for component in real.components() {
        if let Component::Normal(name) = component {
            directory = openat(&directory, name, step, Mode::empty())?;
        }
    }
    let open = openat(&directory, ".", flags | OFlag::O_RDONLY, Mode::empty())?;
    Ok(open.into())
}

/// A neighbour writes where everybody may write; the answer to a request of our own user also where that user may.
fn check_writable(directory: &File, path: &Path, incoming: &Incoming<'_>) -> Result<(), Refused> {
    let found = directory.metadata().map_err(|e| later(path, &e))?;
    let owner = || {
        let user = std::str::from_utf8(incoming.user).ok()?;
        nix::unistd::User::from_name(user).ok()?
    };
    let by_everybody = found.mode() & 0o002 != 0;
    let by_requester = || {
        found.mode() & 0o200 != 0 && owner().is_some_and(|user| user.uid.as_raw() == found.uid())
    };
    if by_everybody || (incoming.own_request && by_requester()) {
        Ok(())
    } else {
        Err(not_permitted(
            path,
            "the directory cannot be written by everybody",
        ))
    }
}

fn make_missing(
    mut directory: File,
    mut path: PathBuf,
    missing: &[String],
    incoming: &Incoming<'_>,
) -> Result<(File, PathBuf), Refused> {
    if !missing.is_empty() && !incoming.options.contains(b'd') {
        return Err(not_permitted(
            &path.join(missing.join("/")),
            "no such directory",
        ));
    }
    for name in missing {
        path.push(name);
        directory = make_one(&directory, &path, name).map_err(|e| later(&path, &e))?;
    }
    Ok((directory, path))
}

fn make_one(parent: &File, path: &Path, name: &str) -> io::Result<File> {
    step("mkdir", path)?;
    match mkdirat(parent, name, Mode::from_bits_truncate(MADE_MODE)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let made: File = openat(parent, name, flags, Mode::empty())?.into();
    let _ = made.set_permissions(Permissions::from_mode(MADE_MODE));
    step("sync directory", path)?;
    parent.sync_all()?;
    Ok(made)
}

#[cfg(test)]
mod tests;
