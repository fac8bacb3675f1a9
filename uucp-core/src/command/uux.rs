//! `uux`: queues a command that another system is to execute. A drop-in for the peer's.
//!
//! Station: sender. Taylor UUCP manual, *Invoking uux*. It leaves work, data and execute files byte for byte as
//! Taylor's does, and exits 0 only when they are durable. What a command line of UUCP cannot carry exactly is refused
//! before anything is queued.

mod execute_text;
mod files;
mod line;
mod local;
mod options;
mod plan;
mod submit;
mod way;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use nix::unistd::{Uid, User};

use line::{CommandLine, LineError};
use options::{Arguments, translate};

use super::debug;
use crate::config::{Config, DebugSet};
use crate::name::{Grade, JobId, SystemName};
use crate::program;
use crate::spool::{Journal, Severity, Spool, SpoolError};
use crate::sysexits::{Audience, Failure, Status};
use plan::Plan;
use way::Way;
use words::WordsError;

/// The program.
pub fn main() -> ExitCode {
    program::main_from("uux", Audience::Tool, translate(std::env::args_os()), run)
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let words: Vec<&[u8]> = arguments.command.iter().map(|w| w.as_bytes()).collect();
    let line = CommandLine::parse(&words).map_err(|e| of_line(&e))?;
    if arguments.stdin && line.input.is_some() {
        return Err(Failure::new(
            Status::Usage,
            "standard input is given twice, by '-' and by '<'",
        ));
    }
    if arguments.stdin && line.is_poll() {
        return Err(Failure::new(Status::Usage, "no command is given"));
    }
    let mut config = Config::load(arguments.config.as_deref()).map_err(of_config)?;
    if !arguments.debug.is_empty() {
        config.debug = arguments
            .debug
            .iter()
            .fold(config.debug, |all, word| all | debug_kinds(word));
        debug::start(&config);
    }
    let way = Way::find(&config, &line.systems)?;
    let spool = Spool::open(&config).map_err(|e| of_spool(&e))?;
    let request = Request {
        arguments,
        config: &config,
        spool: &spool,
        way: &way,
        user: user_name(),
        grade: grade(arguments.grade.as_deref()),
    };
    let jobs = if line.is_poll() {
        poll(&request)?
    } else {
        let plan = Plan::make(&request, &line)?;
        submit::submit(&request, &plan)?
    };
    if arguments.jobid {
        for job in &jobs {
            print_line(&job.to_string());
        }
    }
    if !arguments.no_uucico {
        let systems: BTreeSet<&SystemName> = jobs.iter().map(|job| &job.system).collect();
        for system in systems {
            start_uucico(&config, system);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One run: everything that its steps have in common.
struct Request<'a> {
    arguments: &'a Arguments,
    config: &'a Config,
    spool: &'a Spool,
    way: &'a Way,
    user: Vec<u8>,
    grade: Grade,
}

/// `uux system!`: an empty work file, so that the system is called at the next chance.
fn poll(request: &Request<'_>) -> Result<Vec<JobId>, Failure> {
    let Some(system) = request.way.first_hop() else {
        return Err(Failure::new(
            Status::Usage,
            "no command is given, and this system does not call itself",
        ));
    };
    let job = request
        .spool
        .queue(system, request.grade, &[], Vec::new())
        .map_err(|e| of_spool(&e))?;
    Ok(vec![job])
}

fn log(request: &Request<'_>, described: &str) {
    tracing::debug!(target: "uucp::execute", "queued {described}");
    let system = request.way.first_hop().unwrap_or(&request.config.nodename);
    Journal::open(request.config, "uux").log(
        Some(system),
        Some(&request.user),
        Severity::Info,
        &format!("Queuing {described}"),
    );
}

/// Starts the sibling `uucico`, which calls the system if there is work and time for it. That it cannot be started is no
/// reason to fail: the job is queued, and the next call takes it.
fn start_uucico(config: &Config, system: &SystemName) {
    let mut command = Command::new(sibling("uucico"));
    if let Some(source) = &config.source {
        command.arg("-I").arg(source);
    }
    let started = command
        .arg("-C")
        .arg("-s")
        .arg(system.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn();
    if let Err(error) = started {
        warn(&format!(
            "the job is queued, but uucico cannot be started: {error}"
        ));
    }
}

/// A program beside this one; where this one lies is not known, the one in the PATH.
fn sibling(name: &str) -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| own.parent().map(|folder| folder.join(name)))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

/// The grade asked for. As with the peer's, one that is none is only worth a warning, and of several letters the first
/// counts: a typing error in a mail system's configuration must not bounce its mail.
fn grade(word: Option<&OsStr>) -> Grade {
    let Some(word) = word else {
        return Grade::DEFAULT;
    };
    let letter = word.as_bytes().first().copied().unwrap_or_default();
    Grade::parse(letter).unwrap_or_else(|_| {
        warn("ignoring an illegal grade; it is one of 0-9, A-Z, a-z");
        Grade::DEFAULT
    })
}

/// The kinds that one `-x` asks for. Mail must not bounce for a typing error here either.
fn debug_kinds(word: &str) -> DebugSet {
    DebugSet::parse(word).unwrap_or_else(|word| {
        warn(&format!("-x: no such kind of message: {word}"));
        DebugSet::default()
    })
}

/// Who runs this: the real user.
fn user_name() -> Vec<u8> {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| uid.to_string()).into_bytes()
}

fn warn(message: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "uux: {message}");
}

fn print_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn of_line(error: &LineError) -> Failure {
    let status = match error {
        LineError::Words(WordsError::Append)
        | LineError::NoFile(_)
        | LineError::Twice(_)
        | LineError::NoPath(_) => Status::Usage,
        LineError::Words(_) | LineError::Word(..) => Status::DataError,
        LineError::Forwarded(_) => Status::Unavailable,
    };
    Failure::new(status, error.to_string())
}

fn of_config(error: impl std::fmt::Display) -> Failure {
    Failure::new(Status::Configuration, error.to_string())
}

fn of_spool(error: &SpoolError) -> Failure {
    let status = match error {
        SpoolError::Unqueueable { .. } => Status::DataError,
        _ => Status::Temporary,
    };
    Failure::new(status, error.to_string())
}
