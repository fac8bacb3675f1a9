//! A file of this system to a place of this system: done at once, with the rights of who runs this.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::place::base_name;
use super::{Run, rules};
use crate::command::queueing::files::copy;
use crate::sysexits::{Failure, Status};

/// Directories in the public directory are as open as uucico makes them: everybody's files go there.
const PUBLIC_MODE: u32 = 0o777;

/// Copies a file, durably: complete under its name, or not there.
pub(super) fn copy_here(run: &Run<'_>, from: &Path, to: &[u8]) -> Result<(), Failure> {
    let to = target(from, to);
    rules::may_write(run, to.as_os_str().as_bytes())?;
    let failed = |e: io::Error| cannot(&to, &e);
    let folder = to.parent().unwrap_or_else(|| Path::new("/"));
    if !run.options.no_directories {
        make_directories(run, folder)?;
    }
    let mut source = rules::open(run, from)?;
    let mode = source.metadata().map_err(failed)?.permissions().mode() & 0o777;
    let mut copied = tempfile::Builder::new()
        .prefix(".bangpath-")
        .tempfile_in(folder)
        .map_err(failed)?;
    copy(&mut source, &mut copied, &from.display().to_string())?;
    copied
        .as_file()
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| copied.as_file().sync_all())
        .map_err(failed)?;
    copied.persist(&to).map_err(|e| cannot(&to, &e.error))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// A directory gets the file's own name added.
fn target(from: &Path, to: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(to));
    if base_name(to).is_empty() || path.is_dir() {
        return path.join(from.file_name().unwrap_or_default());
    }
    path.to_path_buf()
}

fn make_directories(run: &Run<'_>, folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_directories(run, parent)?;
    }
    let public = folder.starts_with(&run.config.pubdir);
    DirBuilder::new()
        .create(folder)
        .and_then(|()| {
            if public {
                std::fs::set_permissions(folder, Permissions::from_mode(PUBLIC_MODE))?;
            }
            Ok(())
        })
        .map_err(|e| cannot(folder, &e))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot make {}: {error}", path.display());
    Failure::new(Status::CannotCreate, text)
}
