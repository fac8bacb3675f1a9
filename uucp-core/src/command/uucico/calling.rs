//! Placing calls: the one asked for, or to all systems that have work, one after the other or several at once.

use std::ffi::OsString;
use std::process::ExitCode;

use super::Site;
use super::answering::this_program;
use crate::command::debug;
use crate::config::PortKind;
use crate::config::mail::MailConfig;
use crate::engine::{
    CallError, CallOptions, Called, ChildCommand, RoundOptions, after_others, call, round, shuffle,
};
use crate::name::SystemName;
use crate::outbox;
use crate::program;
use crate::spool::SpoolError;
use crate::sysexits::{Audience, Failure, Status};

impl Site<'_> {
    /// Calls the systems asked for; whether all went well.
    pub(super) fn call_out(&self) -> Result<bool, Failure> {
        let starter = self.starter();
        let good = if let Some(name) = self.arguments.named_system() {
            let called = self.call_one(name);
            let called = called.map_err(|error| Failure::new(Status::Other, error.to_string()))?;
            self.settle(name, &Ok(called))
        } else {
            let systems = self.systems_with_work().map_err(Failure::temporary)?;
            if systems.is_empty() && !self.arguments.quiet {
                tracing::info!(target: "uucp::spooldir", "no work");
            }
            self.call_all(systems)?
        };
        self.at_the_end(starter.as_ref());
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

    /// In any order: who is started at the same time everywhere must not favour the same neighbour everywhere.
    fn call_all(&self, mut systems: Vec<SystemName>) -> Result<bool, Failure> {
        let calls = self.arguments.max_calls.map_or(1, usize::from);
        if calls == 1 || systems.len() < 2 || self.calls_on_standard_input() {
            shuffle(&mut systems);
            return Ok(self.one_after_the_other(&systems));
        }
        let failed = |error| Failure::new(Status::OsError, format!("{error}"));
        let options = RoundOptions {
            calls,
            call: ChildCommand {
                program: this_program()?,
                arguments: self.arguments_of_round(),
            },
        };
        let mut unstarted = |system: &SystemName, error: &std::io::Error| {
            say(&format!("{system}: cannot start the call: {error}"));
        };
        round(systems, &options, &self.signals, &mut unstarted).map_err(failed)
    }

    /// There is but one standard input.
    fn calls_on_standard_input(&self) -> bool {
        let name = self.arguments.port();
        let port = name.and_then(|name| self.config.port(name).ok().flatten());
        port.is_some_and(|port| matches!(port.kind, PortKind::Stdin))
    }

    fn one_after_the_other(&self, systems: &[SystemName]) -> bool {
        let mut good = true;
        for system in systems {
            if self.signals.stops() {
                break;
            }
            good &= self.settle(system, &self.call_one(system));
        }
        good
    }

    /// What follows a call; whether that came to something.
    fn settle(&self, system: &SystemName, called: &Result<Called, CallError>) -> bool {
        if let Ok(Called::Finished(finished)) = called {
            self.after_call(self.starter().as_ref(), finished.executions);
        }
        self.tell(system, called)
    }

    /// One call of a round, or of the daemon. What there is to do when all are over is left to the round; for the daemon's there is
    /// no such time.
    pub(super) fn call_of_several(&self, system: &SystemName) -> ExitCode {
        let called = self.call_one(system);
        if let Ok(Called::Behind(others)) = &called {
            return after_others(others);
        }
        let good = self.settle(system, &called);
        if self.arguments.of_daemon && called.is_ok() {
            self.at_the_end(self.starter().as_ref());
        }
        if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// What a call is placed with, by the daemon too.
    pub(super) fn arguments_of_calls(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--master".into()];
        if let Some(file) = &self.config.source {
            words.extend(["--config".into(), file.into()]);
        }
        if self.arguments.no_uuxqt {
            words.push("--nouuxqt".into());
        }
        if self.arguments.try_next {
            words.push("--try-next".into());
        }
        if let Some(grade) = self.arguments.grade {
            words.extend(["--grade".into(), grade.to_string().into()]);
        }
        words.extend(self.arguments.common.debug_words());
        words
    }

    /// The same of a round; the system's name comes after it.
    fn arguments_of_round(&self) -> Vec<OsString> {
        let arguments = self.arguments;
        let mut words = self.arguments_of_calls();
        for (given, word) in [
            (arguments.force, "--force"),
            (arguments.quiet, "--quiet"),
            (arguments.if_work, "--ifwork"),
            (arguments.no_detach, "--nodetach"),
        ] {
            if given {
                words.push(word.into());
            }
        }
        if let Some(port) = arguments.port() {
            words.extend(["--port".into(), port.into()]);
        }
        words.extend(["--of-round".into(), "--system".into()]);
        words
    }

    fn call_one(&self, system: &SystemName) -> Result<Called, CallError> {
        let arguments = self.arguments;
        let named = arguments.named_system().is_some();
        let options = CallOptions {
            force: arguments.force || arguments.forced_system.is_some(),
            quiet: arguments.quiet,
            if_work: arguments.if_work,
            named: named && !arguments.is_one_of_several() && !arguments.if_work,
            grade: arguments.grade,
            port: arguments.port().cloned(),
            try_next: arguments.try_next,
            // Several on one terminal would be no line.
            progress: !arguments.no_uuxqt && !arguments.quiet && !arguments.is_one_of_several(),
            of_round: arguments.is_one_of_several(),
            execute_every: self.execute_every(),
            debug: Some(debug::add),
        };
        let signals = Some(&self.signals);
        call(&self.config, &self.spool, system, &options, signals)
    }

    /// Tells on standard error why a call came to nothing; whether it came to something.
    fn tell(&self, system: &SystemName, called: &Result<Called, CallError>) -> bool {
        let reason = match called {
            Ok(Called::Finished(finished)) => match &finished.result {
                Ok(()) if finished.unpacked.is_empty() => return true,
                // The call was good, and left mail behind that it should have taken along.
                Ok(()) => format!("{system}: {}", finished.unpacked.join("; ")),
                Err(error) => format!("{system}: {error}"),
            },
            Ok(Called::NotMade(reason)) => reason.clone(),
            Ok(Called::NoWork) => return true,
            // Only calls of a round are told so, and tell the round.
            Ok(Called::Behind(_)) => return false,
            Err(error) => {
                say(&error.to_string());
                return false;
            }
        };
        if !self.arguments.quiet {
            say(&reason);
        }
        false
    }
}

fn say(reason: &str) {
    let failure = Failure::new(Status::Other, reason);
    let _ = program::report("uucico", Audience::Plain, &failure);
}
