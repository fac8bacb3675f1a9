//! `uucico`: calls other systems, answers their calls, and moves the jobs. A drop-in for the peer's.
//!
//! Station: engine. Taylor UUCP manual, *Invoking uucico*. It does not detach from the terminal: `uux` and timers start it in
//! the background themselves. When it is done it starts `uuxqt`; with `-D` it waits for its end.

mod answering;
mod certificate;
mod daemon;
mod line;
mod options;
mod uuxqt;

use std::process::ExitCode;

use options::Arguments;
use uuxqt::Starter;

use super::debug;
use crate::config::mail::MailConfig;
use crate::config::{Config, RunUuxqt};
use crate::engine::{CallOptions, Called, ExecuteEvery, Signals, call};
use crate::limits;
use crate::name::{Grade, SystemName};
use crate::outbox;
use crate::program;
use crate::spool::{Spool, SpoolError};
use crate::sysexits::{Audience, Failure, Status};

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
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    // A server that takes many connections hands its own limit on.
    limits::descriptors(DESCRIPTORS);
    let config = arguments.common.load()?;
    let spool = Spool::open(&config).map_err(Failure::temporary)?;
    let signals = Signals::take().map_err(Failure::temporary)?;
    let site = Site {
        arguments,
        config,
        spool,
        signals,
    };
    let good = if arguments.certificate {
        site.show_certificate()?
    } else if arguments.daemon {
        site.stay()?
    } else if arguments.is_master() {
        let good = site.call_out()?;
        if arguments.wait && !site.signals.stops() {
            site.serve()?;
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
    /// Calls the systems asked for; whether all went well.
    fn call_out(&self) -> Result<bool, Failure> {
        let starter = self.starter();
        let named = self.arguments.named_system();
        let systems = match named {
            Some(name) => vec![name.clone()],
            None => self.systems_with_work().map_err(Failure::temporary)?,
        };
        if systems.is_empty() && !self.arguments.quiet {
            tracing::info!(target: "uucp::spooldir", "no work");
        }
        let mut good = true;
        let mut executions = 0;
        for system in &systems {
            if self.signals.stops() {
                break;
            }
            let called = self.call_one(system, named.is_some())?;
            if let Called::Finished(finished) = &called {
                executions += finished.executions;
                self.after_call(starter.as_ref(), finished.executions);
            }
            good &= self.tell(system, &called);
        }
        self.at_the_end(starter.as_ref(), executions);
        Ok(good)
    }

    /// The systems for which jobs wait, or messages that are to become jobs.
    fn systems_with_work(&self) -> Result<Vec<SystemName>, SpoolError> {
        // What is wrong with the file is told in the call.
        let mail = MailConfig::load(&self.config.directory).unwrap_or_default();
        let mut systems = self.spool.systems_with_work()?;
        systems.extend(outbox::systems_with_work(&self.spool, &mail)?);
        systems.sort_unstable();
        systems.dedup();
        Ok(systems)
    }

    fn call_one(&self, system: &SystemName, named: bool) -> Result<Called, Failure> {
        let arguments = self.arguments;
        let options = CallOptions {
            force: arguments.force || arguments.forced_system.is_some(),
            quiet: arguments.quiet,
            if_work: arguments.if_work,
            named: named && !arguments.if_work,
            grade: arguments.grade,
            port: arguments.port().cloned(),
            try_next: arguments.try_next,
            progress: !arguments.no_uuxqt && !arguments.quiet,
            execute_every: self.execute_every(),
            debug: Some(debug::add),
        };
        call(
            &self.config,
            &self.spool,
            system,
            &options,
            Some(&self.signals),
        )
        .map_err(|error| Failure::new(Status::Other, error.to_string()))
    }

    /// Tells on standard error why a call came to nothing; whether it came to something.
    fn tell(&self, system: &SystemName, called: &Called) -> bool {
        let reason = match called {
            Called::Finished(finished) => match &finished.result {
                Ok(()) => return true,
                Err(error) => format!("{system}: {error}"),
            },
            Called::NotMade(reason) => reason.clone(),
            Called::NoWork => return true,
        };
        if !self.arguments.quiet {
            let failure = Failure::new(Status::Other, reason);
            let _ = program::report("uucico", Audience::Plain, &failure);
        }
        false
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

    fn at_the_end(&self, starter: Option<&Starter>, _executions: u64) {
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
