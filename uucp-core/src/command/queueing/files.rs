//! Files of this system: their full names, and whether they may be sent.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{AccessFlags, User, access};

use crate::owner::as_starter;
use crate::sysexits::{Failure, Status};

/// The full name of a file of this system: `~/x` is below the public directory, `~user/x` below a home, anything else
/// that is not absolute below the working directory.
pub(in crate::command) fn local_path(path: &[u8], pubdir: &Path) -> Result<PathBuf, Failure> {
    let (base, rest) = match path.strip_prefix(b"~") {
        Some(rest) => {
            let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
            let (user, below) = rest.split_at_checked(end).unwrap_or((rest, b""));
            let base = if user.is_empty() {
                pubdir.to_path_buf()
            } else {
                home_of(user)?
            };
            (base, below.strip_prefix(b"/").unwrap_or(below))
        }
        None => (working_directory()?, path),
    };
    let full = base.join(OsStr::from_bytes(rest));
    // What may be sent or made is told by where a path begins; so it must not climb.
    if full.components().any(|part| part == Component::ParentDir) {
        let Some(name) = full.file_name() else {
            return full.canonicalize().map_err(|e| no_input(&full, &e));
        };
        let parent = full.parent().unwrap_or(&full);
        let parent = parent.canonicalize().map_err(|e| no_input(parent, &e))?;
        return Ok(parent.join(name));
    }
    Ok(full)
}

/// The name of a file of another system as it is written into the job: relative names get the working directory, as the
/// peer's uux does it, unless -W was given.
pub(in crate::command) fn remote_path(path: &[u8], expand: bool) -> Result<Vec<u8>, Failure> {
    if !expand || path.starts_with(b"/") || path.starts_with(b"~") {
        return Ok(path.to_vec());
    }
    let full = working_directory()?.join(OsStr::from_bytes(path));
    Ok(full.into_os_string().into_vec())
}

/// Checks that the user who runs this (not the owner of the executable) may read the file.
pub(in crate::command) fn check_readable(path: &Path) -> Result<(), Failure> {
    access(path, AccessFlags::R_OK).map_err(|e| no_input(path, &e.into()))?;
    let metadata = path.metadata().map_err(|e| no_input(path, &e))?;
    if metadata.is_file() {
        return Ok(());
    }
    Err(Failure::new(
        Status::NoInput,
        format!("{}: not a regular file", path.display()),
    ))
}

/// Opens a file to be copied.
pub(in crate::command) fn open(path: &Path) -> Result<File, Failure> {
    as_starter(|| File::open(path))
        .map_err(|e| Failure::new(Status::NoInput, format!("{}: {e}", path.display())))
}

/// Copies to the end. Trouble with the source and with the spool are told apart. What is read as standard input may have been
/// opened on anything, and is read as whoever did that.
pub(in crate::command) fn copy(
    source: &mut impl io::Read,
    target: &mut impl io::Write,
    what: &str,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match as_starter(|| source.read(&mut buffer)) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Failure::new(Status::NoInput, format!("{what}: {e}"))),
        };
        target
            .write_all(buffer.get(..count).unwrap_or_default())
            .map_err(|e| Failure::new(Status::Temporary, format!("cannot spool {what}: {e}")))?;
    }
}

fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|e| {
        Failure::new(
            Status::OsError,
            format!("the working directory is unknown: {e}"),
        )
    })
}

fn home_of(user: &[u8]) -> Result<PathBuf, Failure> {
    let name = String::from_utf8_lossy(user);
    match User::from_name(&name) {
        Ok(Some(user)) => Ok(user.dir),
        _ => Err(Failure::new(
            Status::NoInput,
            format!("~{name}: no such user"),
        )),
    }
}

fn no_input(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Status::NoInput, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_full_names() {
        let public = Path::new("/pub");
        let here = std::env::current_dir().unwrap();
        assert_eq!(local_path(b"~/a/b", public).unwrap(), Path::new("/pub/a/b"));
        assert_eq!(local_path(b"~", public).unwrap(), Path::new("/pub"));
        assert_eq!(local_path(b"/x", public).unwrap(), Path::new("/x"));
        assert_eq!(local_path(b"x", public).unwrap(), here.join("x"));
        assert_eq!(
            local_path(b"/usr/../etc", public).unwrap(),
            Path::new("/etc")
        );
        assert_eq!(local_path(b"/usr/..", public).unwrap(), Path::new("/"));
        assert!(local_path(b"~no-such-user-here/x", public).is_err());
        assert_eq!(remote_path(b"~/m", true).unwrap(), b"~/m");
        assert_eq!(remote_path(b"m", false).unwrap(), b"m");
        assert_eq!(
            remote_path(b"m", true).unwrap(),
            here.join("m").into_os_string().into_vec()
        );
    }
}
