//! What `uux` and `uucp` do alike: names of files and ways to systems, the log, the start of `uucico`.

pub(super) mod execute_text;
pub(super) mod files;
pub(super) mod way;

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::config::Config;
use crate::name::{Grade, SystemName};
use crate::spool::{Journal, Severity, SpoolError};
use crate::sysexits::{Failure, Status};

/// Where the other programs may be when they are not beside this one.
const PLACES: [&str; 4] = [
    "/usr/lib/bangpath",
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/uucp",
];

/// A line of the log about what was queued.
pub(super) fn log(
    program: &'static str,
    config: &Config,
    system: &SystemName,
    user: &[u8],
    text: &str,
) {
    tracing::debug!(target: "uucp::execute", "{text}");
    Journal::open(config, program).log(Some(system), Some(user), Severity::Info, text);
}

/// Starts the sibling `uucico`, which calls the system if there is work and time for it. That it cannot be started is no
/// reason to fail: the job is queued, and the next call takes it.
pub(super) fn start_uucico(program: &str, config: &Config, system: &SystemName) {
    start(program, config, "uucico", &["-C", "-s", system.as_str()]);
}

/// Starts the sibling `uuxqt` for a job of this system itself: no call would do it.
pub(super) fn start_uuxqt(program: &str, config: &Config) {
    start(program, config, "uuxqt", &["-s", config.nodename.as_str()]);
}

fn start(program: &str, config: &Config, name: &str, words: &[&str]) {
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

/// The grade asked for. As with the peer's, one that is none is only worth a warning, and of several letters the first
/// counts: a typing error in a mail system's configuration must not bounce its mail.
pub(super) fn grade(program: &str, word: Option<&OsStr>) -> Grade {
    let Some(word) = word else {
        return Grade::DEFAULT;
    };
    let letter = word.as_bytes().first().copied().unwrap_or_default();
    Grade::parse(letter).unwrap_or_else(|_| {
        warn(
            program,
            "ignoring an illegal grade; it is one of 0-9, A-Z, a-z",
        );
        Grade::DEFAULT
    })
}

/// Who runs this: the real user.
pub(super) fn user_name() -> Vec<u8> {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| uid.to_string()).into_bytes()
}

/// One line on standard error about what does not stop the program.
pub(super) fn warn(program: &str, message: &str) {
    let _ = writeln!(std::io::stderr(), "{program}: {message}");
}

/// One line on standard output.
pub(super) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The configuration cannot be used.
pub(super) fn of_config(error: impl std::fmt::Display) -> Failure {
    Failure::new(Status::Configuration, error.to_string())
}

/// The spool cannot be used, or the job cannot be put into it.
pub(super) fn of_spool(error: &SpoolError) -> Failure {
    let status = match error {
        SpoolError::Unqueueable { .. } => Status::DataError,
        _ => Status::Temporary,
    };
    Failure::new(status, error.to_string())
}
