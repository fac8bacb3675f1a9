//! What a user of another system, on whose behalf `uuxqt` runs this, may read and write here: what that system may by
//! requests of its own. A user of this system reads and writes with his own rights.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, read_link};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use super::Run;
use crate::command::queueing::way::look_up;
use crate::command::queueing::{files, of_config};
use crate::config::{Config, PathRules, System};
use crate::name::SystemName;
use crate::sysexits::{Failure, Status};

/// The system that asks, by the word behind `-u`; nothing for a user of this system.
pub(super) fn requester(config: &Config, user: &[u8]) -> Result<Option<System>, Failure> {
    let Some(end) = user.iter().position(|b| *b == b'!') else {
        return Ok(None);
    };
    let name = SystemName::parse(user.get(..end).unwrap_or_default())
        .map_err(|e| Failure::new(Status::Usage, e.to_string()))?;
    if name == config.nodename {
        return config.local_system().map(Some).map_err(of_config);
    }
    look_up(config, &name).map(Some)
}

/// Whether a file of this system may be read. One that the command brought along may.
pub(super) fn may_read(run: &Run<'_>, path: &Path) -> Result<(), Failure> {
    match run.requester_settings() {
        Some(_) => open(run, path).map(drop),
        None => Ok(()),
    }
}

/// Opens a file of this system that may be read. It is the open file that is judged, whatever its name has come to mean.
pub(super) fn open(run: &Run<'_>, path: &Path) -> Result<File, Failure> {
    let Some(settings) = run.requester_settings() else {
        return files::open(path);
    };
    let of = |e: std::io::Error| Failure::new(Status::NoInput, format!("{}: {e}", path.display()));
    // Without waiting: it may be a pipe.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .map_err(of)?;
    if !file.metadata().map_err(of)?.is_file() {
        let text = format!("{}: not a regular file", path.display());
        return Err(Failure::new(Status::NoInput, text));
    }
    let real = read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(of)?;
    let brought = std::env::current_dir()
        .and_then(std::fs::canonicalize)
        .is_ok_and(|here| real.parent() == Some(&here));
    if brought {
        return Ok(file);
    }
    let open = file.metadata().map_err(of)?.mode() & 0o004 != 0;
    if settings.send_request && open && permits(run, &settings.remote_send, path, &real) {
        Ok(file)
    } else {
        Err(denied("send", path, "remote-send"))
    }
}

/// Whether a file of this system may be written.
pub(super) fn may_write(run: &Run<'_>, path: &[u8]) -> Result<(), Failure> {
    let Some(settings) = run.requester_settings() else {
        return Ok(());
    };
    let path = Path::new(OsStr::from_bytes(path));
    let real = real_path(path);
    if settings.receive_request
        && real.is_some_and(|real| permits(run, &settings.remote_receive, path, &real))
    {
        Ok(())
    } else {
        Err(denied("receive to", path, "remote-receive"))
    }
}

/// Permitted as it is named and, where links lead elsewhere, as it is.
fn permits(run: &Run<'_>, rules: &PathRules, path: &Path, real: &Path) -> bool {
    let pubdir = run
        .requester_settings()
        .and_then(|settings| settings.pubdir.as_deref())
        .unwrap_or(&run.config.pubdir);
    let real_pubdir = pubdir.canonicalize();
    rules.permits(path, pubdir)
        && (real == path || rules.permits(real, real_pubdir.as_deref().unwrap_or(pubdir)))
}

/// A path with its links followed as far as it exists.
fn real_path(path: &Path) -> Option<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let mut missing = Vec::new();
    let mut existing = path;
    while existing.symlink_metadata().is_err() {
        missing.push(existing.file_name()?);
        existing = existing.parent()?;
    }
    let mut real = existing.canonicalize().ok()?;
    real.extend(missing.into_iter().rev());
    Some(real)
}

/// Not permitted, and by which rule.
pub(super) fn denied(what: &str, path: &Path, rule: &str) -> Failure {
    let text = format!("not permitted to {what} {} ({rule})", path.display());
    Failure::new(Status::NotPermitted, text)
}
