//! `uucico`: calls other systems, answers their calls, and moves the jobs. A drop-in for the peer's.
//!
//! Station: engine. Taylor UUCP manual, *Invoking uucico*. It does not detach from the terminal: `uux` and timers start it in
//! the background themselves. When it is done it starts `uuxqt`; with `-D` it waits for its end.

mod answering;
mod calling;
mod certificate;
mod daemon;
mod failures;
mod line;
mod options;
mod uuxqt;

use std::process::ExitCode;

use nix::unistd::{Uid, getuid};
use options::Arguments;
use uuxqt::Starter;

use super::queueing::warn_without_log;
use crate::config::{Config, RunUuxqt};
use crate::engine::{ExecuteEvery, Signals};
use crate::limits;
use crate::name::Grade;
use crate::program;
use crate::spool::Spool;
use crate::sysexits::{Audience, Failure};

/// Descriptors for a call and the programs that it starts.
const DESCRIPTORS: u64 = 1024;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    program::main("uucico", Audience::Plain, run)
}

/// What every part of the program needs.
struct Site<'a> {
    arguments: &'a Arguments,
    config: Config,
    spool: Spool,
    signals: Signals,
    /// Who started this.
    caller: Uid,
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let done = work(arguments);
    match done {
        Err(failure) if arguments.answers_here() => Err(failures::tell(arguments, failure)),
        other => other,
    }
}

fn work(arguments: &Arguments) -> Result<ExitCode, Failure> {
    // A server that takes many connections hands its own limit on.
    limits::descriptors(DESCRIPTORS);
    let config = arguments.common.load()?;
    let spool = Spool::open(&config).map_err(Failure::temporary)?;
    // A server, or who makes several calls, has said it for all.
    let is_first = arguments.accepted.is_none() && !arguments.is_one_of_several();
    if is_first && !failures::is_for_the_caller() {
        warn_without_log("uucico", &config);
    }
    let signals = Signals::take().map_err(Failure::temporary)?;
    let site = Site {
        arguments,
        config,
        spool,
        signals,
        caller: getuid(),
    };
    let good = if arguments.certificate {
        site.show_certificate()?
    } else if arguments.daemon {
        site.stay()?
    } else if let (true, Some(system)) = (arguments.is_one_of_several(), arguments.named_system()) {
        site.become_owner()?;
        return Ok(site.call_of_several(system));
    } else if arguments.is_master() {
        let bound = site.bind_with_rights()?;
        site.become_owner()?;
        let good = site.call_out()?;
        if arguments.wait && !site.signals.stops() {
            site.serve(bound)?;
        }
        good
    } else {
        site.answer()?
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Site<'_> {
    /// Goes on as the owner of the spool: before anything is done on it.
    fn become_owner(&self) -> Result<(), Failure> {
        self.arguments.common.become_owner(&self.spool)
    }

    /// How uuxqt is started; `None` where it is not to be.
    fn starter(&self) -> Option<Starter> {
        let wanted = self.config.run_uuxqt != RunUuxqt::Never && !self.arguments.no_uuxqt;
        wanted.then(|| Starter::new(&self.config, self.arguments))
    }

    /// With `run-uuxqt 50`: what is started after every 50 executions of a call.
    fn execute_every(&self) -> Option<ExecuteEvery> {
        let RunUuxqt::Every(count) = self.config.run_uuxqt else {
            return None;
        };
        let command = self.starter()?.command();
        Some(ExecuteEvery { count, command })
    }

    fn after_call(&self, starter: Option<&Starter>, executions: u64) {
        let now = match self.config.run_uuxqt {
            RunUuxqt::PerCall => true,
            // The last few; those before were counted while the call lasted.
            RunUuxqt::Every(_) => executions > 0,
            RunUuxqt::Once | RunUuxqt::Never => false,
        };
        if let (Some(starter), true) = (starter, now) {
            starter.start(self.arguments.no_detach);
        }
    }

    fn at_the_end(&self, starter: Option<&Starter>) {
        if let (Some(starter), RunUuxqt::Once) = (starter, self.config.run_uuxqt) {
            starter.start(self.arguments.no_detach);
        }
    }
}

/// A grade as an option gives it.
fn parse_grade(text: &str) -> Result<Grade, String> {
    match text.as_bytes() {
        [byte] => Grade::parse(*byte).map_err(|error| error.to_string()),
        _ => Err("a grade is one letter or digit".into()),
    }
}
