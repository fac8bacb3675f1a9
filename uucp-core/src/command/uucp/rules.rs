//! What a user of another system, on whose behalf `uuxqt` runs this, may read and write here: what that system may by
//! requests of its own. A user of this system reads and writes with his own rights.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::Run;
use crate::command::queueing::of_config;
use crate::command::queueing::way::look_up;
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
    let Some(settings) = run.requester_settings() else {
        return Ok(());
    };
    let real = path
        .canonicalize()
        .map_err(|e| Failure::new(Status::NoInput, format!("{}: {e}", path.display())))?;
    let brought = std::env::current_dir()
        .and_then(std::fs::canonicalize)
        .is_ok_and(|here| real.parent() == Some(&here));
    if brought {
        return Ok(());
    }
    let open = real.metadata().is_ok_and(|file| file.mode() & 0o004 != 0);
    if settings.send_request && open && permits(run, &settings.remote_send, path, &real) {
        Ok(())
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
