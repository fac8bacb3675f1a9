//! Opening configuration files, and refusing those that strangers can write.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::{Uid, User, geteuid};

use super::error::ConfigError;
use crate::owner::as_owner;

/// The user that UUCP belongs to, on every system that has it.
const UUCP_USER: &str = "uucp";

/// Opens a file that says what this system does; `None` if there is none.
///
/// # Errors
/// When the file cannot be opened, or someone can write it who is neither root, nor the effective user, nor `uucp`.
pub fn open(path: &Path) -> Result<Option<File>, ConfigError> {
    as_owner(|| open_trusted(path))
}

fn open_trusted(path: &Path) -> Result<Option<File>, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    tracing::debug!(target: "uucp::config", path = %path.display(), "reading");
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.file_type().is_char_device() {
        // `/dev/null` says nothing, whoever writes to it.
        return Ok(Some(file));
    }
    let reason = distrust(metadata.uid(), metadata.mode(), geteuid(), is_uucp);
    match reason {
        None => Ok(Some(file)),
        Some(reason) => Err(ConfigError::Untrusted {
            path: path.to_owned(),
            reason,
        }),
    }
}

/// As [`open`], for a file that holds passwords: one that everybody can read is worth a warning.
///
/// # Errors
/// As [`open`].
pub fn open_secret(path: &Path) -> Result<Option<File>, ConfigError> {
    let file = open(path)?;
    if let Some(Ok(metadata)) = file.as_ref().map(File::metadata)
        && metadata.mode() & 0o004 != 0
    {
        tracing::warn!(target: "uucp::config", path = %path.display(), "everybody can read the passwords; chmod o-r");
    }
    Ok(file)
}

fn is_uucp(owner: Uid) -> bool {
    matches!(User::from_uid(owner), Ok(Some(user)) if user.name == UUCP_USER)
}

/// Why a file of this owner and mode is not to be trusted.
fn distrust(owner: u32, mode: u32, us: Uid, is_uucp: fn(Uid) -> bool) -> Option<String> {
    if mode & 0o002 != 0 {
        return Some(
            "everybody can write this file; chmod o-w, then check what it says".to_owned(),
        );
    }
    let owner = Uid::from_raw(owner);
    if owner.is_root() || owner == us || is_uucp(owner) {
        return None;
    }
    Some(format!(
        "this file belongs to user {owner}, who is neither root, nor uucp, nor the user running this program (user {us}); chown it, then check what it says"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn strangers_files_are_refused() {
        let judge =
            |owner, mode, us| distrust(owner, mode, Uid::from_raw(us), |u| u.as_raw() == 10);
        assert_eq!(judge(0, 0o644, 1000), None);
        assert_eq!(judge(1000, 0o664, 1000), None);
        assert_eq!(judge(10, 0o640, 0), None);
        assert!(judge(1001, 0o600, 1000).unwrap().contains("user 1001"));
        assert!(judge(1001, 0o600, 0).unwrap().contains("chown"));
        assert!(judge(0, 0o666, 1000).unwrap().contains("chmod o-w"));
    }

    #[test]
    fn a_file_that_everybody_can_write_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(open(file.path()).unwrap().is_some());
        let mode = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(file.path(), mode).unwrap();
        let error = open(file.path()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_missing_file_is_none_and_a_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(open(&directory.path().join("sys")).unwrap().is_none());
        assert!(open(directory.path()).is_err());
        assert!(open(Path::new("/dev/null")).unwrap().is_some());
    }
}
