//! `--collect`: the batches that an MTA has left in files become messages of outboxes.
//!
//! A batch that was moved aside by a run that ended early comes first. Then everything that waits is moved aside under the
//! MTA's own locks, queued, and removed: see [`uucp_core::collect`]. What cannot be done for one system does not keep the
//! others waiting; the exit status is about the worst of it.

mod pass;
mod scan;
mod unread;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use uucp_core::collect::{Batch, CollectError, DropBox};
use uucp_core::config::Config;
use uucp_core::name::SystemName;
use uucp_core::owner::{act_as_owner, as_starter};
use uucp_core::send::of_config;
use uucp_core::spool::Spool;
use uucp_core::sysexits::{Audience, Failure, Status};

use self::pass::Pass;
use crate::cli::Arguments;
use crate::link::Link;

/// Collects everything once.
///
/// # Errors
/// When nothing could be looked at. What is wrong with single batches is printed, and is in the exit status.
pub(crate) fn run(arguments: &Arguments, directory: &Path) -> Result<ExitCode, Failure> {
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let spool = Spool::open(&config).map_err(Failure::temporary)?;
    // The batches are the MTA's: they are opened, moved and removed with the rights of who runs this.
    act_as_owner(spool.root())?;
    let mut round = Round {
        arguments,
        config: &config,
        spool: &spool,
        drop_box: DropBox::new(directory),
        queued: BTreeMap::new(),
        worst: None,
    };
    round.collect().map_err(Failure::temporary)?;
    round.say_what_was_done();
    Ok(match round.worst {
        Some(status) => ExitCode::from(status.exit_status(Audience::Tool)),
        None => ExitCode::SUCCESS,
    })
}

/// One run over the directory.
struct Round<'a> {
    arguments: &'a Arguments,
    config: &'a Config,
    spool: &'a Spool,
    drop_box: DropBox,
    /// How many messages were queued for each system.
    queued: BTreeMap<SystemName, u64>,
    worst: Option<Status>,
}

impl Round<'_> {
    fn collect(&mut self) -> Result<(), CollectError> {
        let found = as_starter(|| self.drop_box.look())?;
        for path in &found.aside {
            let resumed = as_starter(|| self.drop_box.resume(path));
            self.take_up(resumed);
        }
        for waiting in &found.waiting {
            if !self.is_wanted(&waiting.system) {
                continue;
            }
            // What is for nobody stays where it is: the MTA's name for it tells more than ours.
            if let Err(failure) = Link::new(self.arguments, self.config, &waiting.system) {
                self.fail(&failure);
                continue;
            }
            let taken = as_starter(|| self.drop_box.take(waiting));
            self.take_up(taken);
        }
        Ok(())
    }

    fn is_wanted(&self, system: &OsStr) -> bool {
        let wanted = &self.arguments.systems;
        wanted.is_empty() || wanted.iter().any(|name| name.eq_ignore_ascii_case(system))
    }

    fn take_up(&mut self, taken: Result<Option<Batch>, CollectError>) {
        match taken {
            Ok(Some(mut batch)) if self.is_wanted(batch.system()) => {
                for left in batch.take_left() {
                    self.fail(&Failure::temporary(left));
                }
                if let Err(failure) = self.queue(batch) {
                    self.fail(&failure);
                }
            }
            Ok(_) => {}
            Err(busy @ CollectError::Busy { .. }) => {
                self.say(&format!("{busy}; left for the next time"));
            }
            Err(error) => self.fail(&Failure::temporary(error)),
        }
    }

    fn queue(&mut self, batch: Batch) -> Result<(), Failure> {
        let link = Link::new(self.arguments, self.config, batch.system())?;
        loop {
            let size = as_starter(|| batch.size()).map_err(Failure::temporary)?;
            let done = Pass::over(&batch, &link, self.spool)?;
            *self.queued.entry(link.system.clone()).or_default() += done.queued;
            for problem in &done.problems {
                self.fail(&Failure::new(Status::DataError, problem));
            }
            if let Some(unreadable) = done.unreadable {
                // The record of the batch is not kept for ever, and must not be needed for what is queued.
                as_starter(|| batch.remove_files(&done.whole)).map_err(Failure::temporary)?;
                return Err(unreadable);
            }
            // One who knows no locks may have written on.
            if as_starter(|| batch.size()).map_err(Failure::temporary)? == size {
                return as_starter(|| batch.remove()).map_err(Failure::temporary);
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        let _ = uucp_core::program::report("exim-bsmtp", Audience::Tool, failure);
        // A temporary failure mends itself, and says less than one that does not.
        if self.worst.is_none_or(|worst| worst == Status::Temporary) {
            self.worst = Some(failure.status);
        }
    }

    fn say(&self, text: &str) {
        if !self.arguments.quiet {
            let _ = writeln!(std::io::stdout(), "exim-bsmtp: {text}");
        }
    }

    fn say_what_was_done(&self) {
        let systems: Vec<String> = self
            .queued
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(system, count)| format!("{count} for {system}"))
            .collect();
        if !systems.is_empty() {
            self.say(&format!("collected messages: {}", systems.join(", ")));
        }
    }
}
