//! Starting the programs that go on with what was queued.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::warn;
use crate::config::Config;
use crate::owner::is_lent;

/// Where the other programs may be when they are not beside this one.
const PLACES: [&str; 4] = [
    "/usr/lib/bangpath",
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/uucp",
];

/// Starts a program beside this one and does not wait for it. That it cannot be started is worth a line.
///
/// Nothing is started with rights that who queues was only lent. His limits, his terminal and what else a process has from him would
/// be those of a program that works for everybody, and he could end or stall it in the midst of the jobs of others.
pub(super) fn start(program: &str, config: &Config, name: &str, words: &[&str]) {
    if is_lent() {
        return;
    }
    let mut command = Command::new(sibling(name));
    if let Some(source) = &config.source {
        command.arg("-I").arg(source);
    }
    let started = command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn();
    if let Err(error) = started {
        warn(
            program,
            &format!("the job is queued, but {name} cannot be started: {error}"),
        );
    }
}

/// A program beside this one, else in the usual places, which are in nobody's PATH; else the one in the PATH.
fn sibling(name: &str) -> PathBuf {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent);
    beside
        .into_iter()
        .chain(PLACES.map(Path::new))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}
