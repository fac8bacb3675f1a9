//! Who owns what is made in the spool: root's files are given to its owner, and its group shares them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::durable::{DIRECTORY_MODE, FILE_MODE};
use super::regular;

/// Makes a directory and those above it, as far as they are missing: for folders beside the spool's own, which members of its group
/// make as well as its owner. The group is the parent's. One that is there and not as open as its parent is put right, by whoever may.
pub(crate) fn make_shared_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("/"));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            if fs::metadata(parent).is_ok_and(|above| is_less_open(&found, &above)) {
                open_to_group(path, parent);
            }
            return Ok(());
        }
        _ => make_shared_directory(parent)?,
    }
    match DirBuilder::new().mode(DIRECTORY_MODE & 0o777).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other.of(path)?,
    }
    open_to_group(path, parent);
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .of(parent)
}

/// Whether a directory's parent is one that a group shares, and it is not.
fn is_less_open(found: &fs::Metadata, parent: &fs::Metadata) -> bool {
    let shared = DIRECTORY_MODE & !0o700;
    let is_shared = |metadata: &fs::Metadata| metadata.mode() & shared == shared;
    is_shared(parent) && (!is_shared(found) || found.gid() != parent.gid())
}

/// Gives a directory group and mode of the spool's, and where root made it the owner.
pub(crate) fn open_to_group(path: &Path, parent: &Path) {
    let (Ok(found), Ok(above)) = (fs::metadata(path), fs::metadata(parent)) else {
        return;
    };
    let is_so = found.mode() & 0o7777 == DIRECTORY_MODE && found.gid() == above.gid();
    if is_so && !nix::unistd::geteuid().is_root() {
        return;
    }
    if let Ok(directory) = open_directory(path) {
        give_to_owner(&directory, parent);
        give_to_group(&directory, parent);
        // After the group: who is no member of that may not set the bit.
        let _ = directory.set_permissions(Permissions::from_mode(DIRECTORY_MODE));
    }
}

/// A directory itself, and nothing that a link leads to.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW)
        .open(path)
}

/// What a member of the group makes is the group's also where the folder does not see to it.
pub(super) fn give_to_group(file: &File, parent: &Path) {
    if let (Ok(own), Ok(above)) = (file.metadata(), fs::metadata(parent))
        && own.gid() != above.gid()
    {
        let _ = std::os::unix::fs::fchown(file, None, Some(above.gid()));
    }
}

/// Says of an error which file it is about; its kind stays.
pub(crate) trait OfFile {
    /// What was to be had.
    type Value;

    /// The result, its error with the file's name.
    fn of(self, path: &Path) -> io::Result<Self::Value>;
}

impl<T> OfFile for io::Result<T> {
    type Value = T;

    fn of(self, path: &Path) -> Self {
        self.map_err(|error| {
            let text = format!("{}: {error}", path.display());
            io::Error::new(error.kind(), text)
        })
    }
}

/// What root makes belongs to the owner of the directory, or the programs that run as uucp could not use it.
pub(crate) fn give_to_owner(file: &File, parent: &Path) {
    if !nix::unistd::geteuid().is_root() || !is_ours_to_change(file) {
        return;
    }
    if let Ok(owner) = fs::metadata(parent) {
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Not a device, which stays everybody's: a log may be `/dev/null`.
fn is_ours_to_change(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
}

/// Opens a file of ours in a folder that the group shares, with these options; makes it if it is not there.
///
/// Every member of the group can put something else in its place. So no link is followed, and mode and owner are given to what was
/// made here and to nothing else; it has them before it has its name.
pub(crate) fn open_shared(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    options.custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK);
    loop {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return only_file(other?),
        }
        let parent = path.parent().unwrap_or_else(|| Path::new("."));
        let making = COUNT.fetch_add(1, Ordering::Relaxed);
        let making = parent.join(format!("{MAKING}{}-{making}", std::process::id()));
        create_shared(&making)?;
        let named = fs::hard_link(&making, path);
        fs::remove_file(&making)?;
        match named {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
}

/// How the names of files begin that have no other yet.
const MAKING: &str = ".bangpath-";

fn only_file(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file"))
}

/// Makes a file of ours in a folder that the group shares; what has its name goes.
pub(crate) fn create_shared(path: &Path) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(path)?,
            other => {
                let file = other?;
                share(&file, path.parent().unwrap_or(path));
                return Ok(file);
            }
        }
    }
}

/// Opens a file that lines are added to, wherever an administrator keeps it; and whether it was made here, with this mode.
///
/// A link is followed if it is root's: a member of the group, who may write to the folder, cannot make such a one. A pipe that
/// nobody reads is not waited for.
pub(crate) fn open_log(path: &Path, mode: u32) -> io::Result<(File, bool)> {
    let open = |path: &Path| {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK);
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let created = options.create_new(true).mode(mode).open(path);
                created.map(|file| (file, true))
            }
            other => Ok((regular::written_whole(other?)?, false)),
        }
    };
    match open(path) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {
            open(&target_of_roots(path).ok_or(error)?)
        }
        other => other,
    }
}

/// Where a link of root's leads.
fn target_of_roots(path: &Path) -> Option<PathBuf> {
    let link = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH | nix::libc::O_NOFOLLOW)
        .open(path)
        .ok()?;
    if link.metadata().ok()?.uid() != 0 {
        return None;
    }
    let target = nix::fcntl::readlinkat(&link, "").ok()?;
    Some(path.parent()?.join(target))
}

/// Gives a file that was made here the mode that all of the spool's files have, whatever the umask, and the directory's
/// group; where root made it, its owner, too.
pub(crate) fn share(file: &File, parent: &Path) {
    if !is_ours_to_change(file) {
        return;
    }
    give_to_owner(file, parent);
    give_to_group(file, parent);
    let _ = file.set_permissions(Permissions::from_mode(FILE_MODE));
}

#[cfg(test)]
mod tests;
