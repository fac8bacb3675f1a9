//! Renaming to a name that nobody has, whatever the file system knows.

use std::path::Path;
use std::{fs, io};

use nix::errno::Errno;

use super::work::is_same;

/// Moves a file to a name that nobody has. [`io::ErrorKind::AlreadyExists`] if somebody has.
pub(super) fn to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    match exchange_free(from, to) {
        // NFS and old kernels know no such flag: a second link is the older way to the same end.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => by_link(from, to),
        other => other.map_err(Into::into),
    }
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

/// Whoever was killed between the two steps has left the file with both names: whoever comes next goes on.
fn by_link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists
                && is_same(from, to).unwrap_or(false) => {}
        other => other?,
    }
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_takes_no_name_from_anybody_and_goes_on_where_one_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        for steps_done in 0..2 {
            fs::write(&from, "mail").unwrap();
            if steps_done == 1 {
                fs::hard_link(&from, &to).unwrap();
            }
            by_link(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), "mail");
            assert!(!from.exists());
            fs::remove_file(&to).unwrap();
        }
        fs::write(&from, "mail").unwrap();
        fs::write(&to, "another's").unwrap();
        for rename in [by_link, to_free_name] {
            let error = rename(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&from).unwrap(), "mail");
            assert_eq!(fs::read_to_string(&to).unwrap(), "another's");
        }
    }
}
