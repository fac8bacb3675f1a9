//! Renaming to a name that nobody has, whatever the file system knows.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use nix::errno::Errno;

use super::work::is_same;

/// Moves a file to a name that nobody has. [`io::ErrorKind::AlreadyExists`] if somebody has.
pub(super) fn to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = match exchange_free(from, to) {
        // NFS and old kernels know no such flag: a second link is the older way to the same end.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => by_link(from, to),
        other => other.map_err(Into::into),
    };
    match renamed {
        // Whoever was killed between the two steps of a link has left the file with both names: whoever comes next goes on.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists
                && has_both_names(from, to).unwrap_or(false) =>
        {
            fs::remove_file(from)
        }
        other => other,
    }
}

/// Whether these are two names of one file, and not one name that is reached by two ways.
fn has_both_names(from: &Path, to: &Path) -> io::Result<bool> {
    Ok(is_same(from, to)? && from.symlink_metadata()?.nlink() > 1)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange_free(from: &Path, to: &Path) -> nix::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange_free(_from: &Path, _to: &Path) -> nix::Result<()> {
    Err(Errno::ENOSYS)
}

fn by_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_no_name_from_anybody() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::write(&from, "mail").unwrap();
        by_link(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "mail");
        assert!(!from.exists());
        fs::write(&from, "another's").unwrap();
        for rename in [by_link, to_free_name] {
            let error = rename(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&to).unwrap(), "mail");
            assert_eq!(fs::read_to_string(&from).unwrap(), "another's");
        }
    }

    #[test]
    fn a_rename_goes_on_where_one_was_killed_and_takes_no_file_its_only_name() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to, way] = ["from", "to", "way"].map(|name| folder.path().join(name));
        fs::write(&from, "mail").unwrap();
        fs::hard_link(&from, &to).unwrap();
        to_free_name(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "mail");
        assert!(!from.exists());
        std::os::unix::fs::symlink(folder.path(), &way).unwrap();
        to_free_name(&way.join("to"), &to).unwrap_err();
        assert_eq!(fs::read_to_string(&to).unwrap(), "mail");
    }
}
