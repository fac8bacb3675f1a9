//! What `uux` and `uucp` do alike: names of files and ways to systems, the log, the start of `uucico`.

pub(super) mod execute_text;
pub(super) mod files;
mod starting;
pub(super) mod way;

use std::borrow::Borrow;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::{Uid, User};

use crate::config::{Config, ConfigError};
use crate::name::{Grade, SystemName};
use crate::owner::{as_owner, is_lent};
use crate::spool::{Journal, Severity, Spool, SpoolError};
use crate::sysexits::{Failure, Status};

/// Opens the spool. Who is not its owner and may be it for a while does not work on it yet.
pub(super) fn open_spool(config: &Config) -> Result<Spool, Failure> {
    as_owner(|| Spool::open(config)).map_err(|e| of_spool(&e))
}

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
    starting::start(program, config, "uucico", &["-C", "-s", system.as_str()]);
}

/// Starts the sibling `uuxqt` for a job of this system itself: no call would do it.
pub(super) fn start_uuxqt(program: &str, config: &Config) {
    starting::start(program, config, "uuxqt", &["-s", config.nodename.as_str()]);
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

/// Tells that there will be no log: of programs that people and timers start. Who hands mail to a sender may take any word on standard
/// error for a failure, and return the mail.
pub(super) fn warn_without_log(program: &'static str, config: &Config) {
    if let Err(reason) = Journal::open(config, program).check() {
        warn(program, &reason);
    }
}

/// One line on standard output.
pub(super) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The configuration cannot be used.
///
/// To whom only the spool's owner has lent the right to read it, nothing of what stands in it is told: it may be a password.
pub(super) fn of_config(error: impl Borrow<ConfigError>) -> Failure {
    let text = match error.borrow() {
        ConfigError::Syntax(fault) if is_lent() => {
            let (path, line) = (fault.path.display(), fault.line);
            format!(
                "{path}:{line}: this line is wrong; who may read the file is told by uuchk what is"
            )
        }
        error => error.to_string(),
    };
    Failure::new(Status::Configuration, text)
}

/// The spool cannot be used, or the job cannot be put into it.
pub(super) fn of_spool(error: &SpoolError) -> Failure {
    let status = match error {
        SpoolError::Unqueueable { .. } => Status::DataError,
        _ => Status::Temporary,
    };
    Failure::new(status, error.to_string())
}
