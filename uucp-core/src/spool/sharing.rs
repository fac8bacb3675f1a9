//! Who owns what is made in the spool: root's files are given to its owner, and its group shares them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::durable::{DIRECTORY_MODE, FILE_MODE};

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
    if let Ok(directory) = File::open(path) {
        give_to_owner(&directory, parent);
        give_to_group(&directory, parent);
        // After the group: who is no member of that may not set the bit.
        let _ = directory.set_permissions(Permissions::from_mode(DIRECTORY_MODE));
    }
}

/// What a member of the group makes is the group's also where the folder does not see to it.
fn give_to_group(file: &File, parent: &Path) {
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

/// Gives a file that was made or opened the mode that all of the spool's files have, whatever the umask, and the directory's
/// group; where root made it, its owner, too. One that is somebody else's stays as it is.
pub(crate) fn share(file: &File, parent: &Path) {
    if !is_ours_to_change(file) {
        return;
    }
    give_to_owner(file, parent);
    give_to_group(file, parent);
    let _ = file.set_permissions(Permissions::from_mode(FILE_MODE));
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn what_is_no_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
        // For both, or opening it would wait for the other side.
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        share(&open(&pipe).unwrap(), folder.path());
        assert_eq!(mode(&pipe), 0o600);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        share(&open(&file).unwrap(), folder.path());
        assert_eq!(mode(&file), FILE_MODE);
    }
}
