//! One job: whether it can be run now, and its run. What its end means: `finish.rs`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::Duration;

use super::child::Finished;
use super::files::{Output, Trouble};
use super::finish;
use super::staying::Staying;
use crate::config::mail::MailConfig;
use crate::config::{Config, Settings, System};
use crate::name::SystemName;
use crate::spool::{
    ExecuteFile, Execution, ExecutionLock, Journal, RetryState, Severity, Spool, SpoolError,
};

/// What became of a job in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and gone.
    Done,
    /// It failed for good and lies in `.Failed`, or in `.Corrupt`.
    Failed {
        /// Whether notes were queued about it.
        told: bool,
    },
    /// It stays for another time.
    Later,
    /// It is not for now: locked, gone, resting, waiting for a file, or not the command that was asked for.
    NotNow,
}

/// What a run of uuxqt was asked for, as far as a single job is concerned.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Only jobs of this command.
    pub command: Option<Vec<u8>>,
    /// Jobs that rest after a temporary failure are tried as well.
    pub now: bool,
}

/// Runs jobs, one after the other.
#[derive(Debug)]
pub struct Runner<'a> {
    pub(super) config: &'a Config,
    pub(super) mail: &'a MailConfig,
    pub(super) spool: &'a Spool,
    pub(super) journal: Journal,
    wishes: Wishes,
    systems: HashMap<SystemName, Option<Rc<System>>>,
    pub(super) staying: Option<Staying>,
}

/// A job that is being run.
pub(super) struct Job<'j> {
    pub(super) execution: &'j Execution,
    pub(super) file: &'j ExecuteFile,
    pub(super) lock: ExecutionLock,
    /// What tells the execute file from any other of its name.
    pub(super) instance: String,
    /// Whether it is too old to be tried again after this.
    pub(super) is_last_try: bool,
}

/// A command that ran, and its output.
pub(super) struct Ended {
    pub(super) finished: Finished,
    pub(super) output: Output,
}

impl<'a> Runner<'a> {
    /// A runner for this configuration.
    #[must_use]
    pub fn new(
        config: &'a Config,
        mail: &'a MailConfig,
        spool: &'a Spool,
        journal: Journal,
        wishes: Wishes,
    ) -> Self {
        Self {
            config,
            mail,
            spool,
            journal,
            wishes,
            systems: HashMap::new(),
            staying: None,
        }
    }

    /// Does with one job whatever can be done with it now.
    pub fn execute(&mut self, execution: &Execution) -> Outcome {
        match self.try_execute(execution) {
            Ok(outcome) => outcome,
            Err(error) if error.is_not_found() => Outcome::NotNow,
            Err(error) => {
                let text = format!("{}: {error}", execution.name);
                self.journal
                    .log(Some(&execution.system), None, Severity::Error, &text);
                Outcome::Later
            }
        }
    }

    fn try_execute(&mut self, execution: &Execution) -> Result<Outcome, SpoolError> {
        let Some(lock) = self.spool.lock_execution(execution)? else {
            return Ok(Outcome::NotNow);
        };
        let file = match self.spool.read_execution(execution) {
            Ok(file) => file,
            Err(SpoolError::Corrupt { reason, .. }) => {
                return self.set_aside(execution, lock, &reason);
            }
            Err(error) => return Err(error),
        };
        let state = self.spool.retry_state(execution)?;
        let mut job = Job {
            execution,
            file: &file,
            lock,
            instance: self.spool.execution_instance(execution)?,
            is_last_try: self.is_last_try(execution, state.as_ref())?,
        };
        if !self.is_wanted(&file)? || self.rests(state.as_ref())? {
            return Ok(Outcome::NotNow);
        }
        if !self.spool.has_files(execution, &file)? {
            return self.wait_for_files(job, state);
        }
        match self.run(&mut job) {
            Ok(end) => self.finish(job, state, end),
            Err(Trouble::Later(reason)) => {
                self.log(&job, Severity::Error, &reason);
                self.keep(job, state, &reason, b"")
            }
            Err(Trouble::ForGood(reason)) => {
                self.log(&job, Severity::Error, &reason);
                self.fail(job, &reason, b"")
            }
        }
    }

    /// Whether the job is of the command that this run is for; without one, whether no other uuxqt runs for its command.
    fn is_wanted(&self, file: &ExecuteFile) -> Result<bool, SpoolError> {
        let Some(word) = file.command.first() else {
            return Ok(true);
        };
        if let Some(command) = &self.wishes.command {
            return Ok(command == word);
        }
        // Looked for first, since nearly never anybody holds it.
        let lock = [b"LXQ.", word.as_slice()].concat();
        let path = self.spool.root().join(OsStr::from_bytes(&lock));
        if word.contains(&b'/') || !path.exists() {
            return Ok(true);
        }
        Ok(self.spool.lock_command(word)?.is_some())
    }

    /// Whether the job has reached the age limit: it may be tried this once.
    fn is_last_try(
        &self,
        execution: &Execution,
        state: Option<&RetryState>,
    ) -> Result<bool, SpoolError> {
        let now = self.spool.observed_now()?;
        let age = state.map_or(Duration::ZERO, |state| state.age(now));
        Ok(age >= self.mail.execution(Some(&execution.system)).age_limit)
    }

    fn rests(&self, state: Option<&RetryState>) -> Result<bool, SpoolError> {
        match state {
            Some(state) if !self.wishes.now => Ok(state.rests(self.spool.observed_now()?)),
            _ => Ok(false),
        }
    }

    /// A file that the job needs has not come yet. It may be on its way, so nothing is said until the age limit.
    fn wait_for_files(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
    ) -> Result<Outcome, SpoolError> {
        if state.is_none() {
            let now = self.spool.observed_now()?;
            tracing::debug!(target: "uucp::execute", "{} waits for a file", job.execution.name);
            self.spool
                .set_retry_state(job.execution, &finish::fresh(now))?;
            return Ok(Outcome::NotNow);
        }
        if !job.is_last_try {
            return Ok(Outcome::NotNow);
        }
        let limit = self.mail.execution(Some(&job.execution.system)).age_limit;
        let reason = format!("A file that it needs did not come within {limit:?}");
        self.log(&job, Severity::Error, &reason);
        self.fail(job, &reason, b"")
    }

    /// What the sys files say of a system; a job of one that they do not know waits until they do.
    pub(super) fn system(&mut self, name: &SystemName) -> Result<Rc<System>, Trouble> {
        if !self.systems.contains_key(name) {
            let found = self
                .look_up(name)
                .map_err(|error| Trouble::Later(error.to_one_line()))?;
            self.systems.insert(name.clone(), found.map(Rc::new));
        }
        match self.systems.get(name) {
            Some(Some(system)) => Ok(Rc::clone(system)),
            _ => Err(Trouble::Later(format!("System {name} unknown"))),
        }
    }

    fn look_up(&self, name: &SystemName) -> Result<Option<System>, crate::config::ConfigError> {
        if name == self.spool.nodename() {
            return self.config.local_system().map(Some);
        }
        match self.config.system(name)? {
            Some(system) => Ok(Some(system)),
            None => self.config.unknown_system(name),
        }
    }

    pub(super) fn log(&mut self, job: &Job<'_>, severity: Severity, text: &str) {
        self.log_of((job.execution, job.file), severity, text);
    }

    /// A line about a job that may be gone.
    pub(super) fn log_of(
        &mut self,
        (execution, file): (&Execution, &ExecuteFile),
        severity: Severity,
        text: &str,
    ) {
        let user = file.user.as_ref().map(|(user, _)| user.as_slice());
        self.journal.log(
            Some(&execution.system),
            user.or(Some(b"unknown")),
            severity,
            text,
        );
    }
}

/// Permissions stand in the first description of a system.
pub(super) fn settings_of(system: &System) -> Result<&Settings, Trouble> {
    system
        .alternates
        .first()
        .ok_or_else(|| Trouble::Later(format!("System {} unknown", system.name)))
}

/// `UU_USER`, and the user of what is queued for the job: as with the peer, `uucp` where the job names none.
pub(super) fn user_for_command(file: &ExecuteFile) -> &[u8] {
    file.user.as_ref().map_or(b"uucp", |(user, _)| user)
}
