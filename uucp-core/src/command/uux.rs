//! `uux`: queues a command that another system is to execute. A drop-in for the peer's.
//!
//! Station: sender. Taylor UUCP manual, *Invoking uux*. It leaves work, data and execute files byte for byte as
//! Taylor's does, and exits 0 only when they are durable. What a command line of UUCP cannot carry exactly is refused
//! before anything is queued.

mod fetch;
mod line;
mod local;
mod options;
mod plan;
mod submit;
mod words;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use line::{CommandLine, LineError};
use options::{Arguments, translate};

use super::queueing::way::Way;
use super::queueing::{self, execute_text, files, of_config, of_spool, print_line, way};
use crate::config::Config;
use crate::name::{Grade, JobId, SystemName};
use crate::owner;
use crate::program;
use crate::spool::Spool;
use crate::sysexits::{Audience, Failure, Status};
use plan::Plan;
use words::WordsError;

/// The program.
pub fn main() -> ExitCode {
    let arguments = translate(std::env::args_os());
    program::main_for_everybody("uux", Audience::Tool, arguments, run)
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
    let config = arguments.common.load_for_queueing("uux")?;
    let way = Way::find(&config, &line.systems)?;
    let spool = queueing::open_spool(&config)?;
    let request = Request {
        arguments,
        config: &config,
        spool: &spool,
        way: &way,
        user: queueing::user_name(),
        grade: queueing::grade("uux", arguments.grade.as_deref()),
    };
    let jobs = if line.is_poll() {
        owner::act_as_owner(spool.root())?;
        poll(&request)?
    } else {
        let plan = Plan::make(&request, &line)?;
        owner::act_as_owner(spool.root())?;
        submit::submit(&request, &plan)?
    };
    if arguments.jobid {
        for job in &jobs {
            print_line(&job.to_string());
        }
    }
    owner::stay_owner()?;
    if !arguments.no_uucico {
        let systems: BTreeSet<&SystemName> = jobs.iter().map(|job| &job.system).collect();
        for system in systems {
            queueing::start_uucico("uux", &config, system);
        }
        if matches!(way, Way::Local) && !line.is_poll() {
            queueing::start_uuxqt("uux", &config);
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
    let system = request.way.first_hop().unwrap_or(&request.config.nodename);
    let text = format!("Queuing {described}");
    queueing::log("uux", request.config, system, &request.user, &text);
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
