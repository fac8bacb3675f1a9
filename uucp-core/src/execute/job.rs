//! One job from its execute file to its end.
//!
//! The instants that count: the execute file goes only after the command has succeeded, or has failed for good and the
//! report about it is queued durably. Whatever else happens, it stays, with its files, for another time.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments;
use super::child::{Finished, Launch};
use super::environment::environment;
use super::files::{Output, RunDirectory, Trouble, open_stdin, shown};
use super::permission::{self, Resolved};
use super::report::{self, Story, command_line};
use super::retry;
use crate::config::mail::MailConfig;
use crate::config::{Config, Settings, System};
use crate::name::SystemName;
use crate::spool::{
    ExecuteFile, Execution, ExecutionLock, Journal, ObservedTime, RetryState, Severity, Spool,
    SpoolError, StageKind,
};
use crate::wire::command::{Request, RequestOptions, SendRequest};

/// How much of a job's input goes back with a report where the job asks for that, in bytes.
const INPUT_RETURNED: u64 = 64 * 1024;

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
    config: &'a Config,
    mail: &'a MailConfig,
    spool: &'a Spool,
    journal: Journal,
    wishes: Wishes,
    systems: HashMap<SystemName, Option<Rc<System>>>,
}

/// A job that is being run.
struct Job<'j> {
    execution: &'j Execution,
    file: &'j ExecuteFile,
    lock: ExecutionLock,
    may_tell: bool,
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
        }
    }

    /// Does with one job whatever can be done with it now. `may_tell`: notes about a failure may still be sent, the
    /// system has not used up its share of them.
    pub fn execute(&mut self, execution: &Execution, may_tell: bool) -> Outcome {
        match self.try_execute(execution, may_tell) {
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

    fn try_execute(
        &mut self,
        execution: &Execution,
        may_tell: bool,
    ) -> Result<Outcome, SpoolError> {
        let Some(lock) = self.spool.lock_execution(execution)? else {
            return Ok(Outcome::NotNow);
        };
        let file = match self.spool.read_execution(execution) {
            Ok(file) => file,
            Err(SpoolError::Corrupt { reason, .. }) => {
                return self.set_aside(execution, lock, &reason, may_tell);
            }
            Err(error) => return Err(error),
        };
        let job = Job {
            execution,
            file: &file,
            lock,
            may_tell,
        };
        let state = self.spool.retry_state(execution)?;
        if !self.is_wanted(&file)? || self.rests(state.as_ref())? {
            return Ok(Outcome::NotNow);
        }
        if !self.spool.has_files(execution, &file)? {
            return self.wait_for_files(job, state);
        }
        match self.run(&job) {
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

    fn rests(&self, state: Option<&RetryState>) -> Result<bool, SpoolError> {
        match state {
            Some(state) if !self.wishes.now => Ok(self.spool.observed_now()? < state.next),
            _ => Ok(false),
        }
    }

    /// A file that the job needs has not come yet. It may be on its way, so nothing is said until the age limit.
    fn wait_for_files(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
    ) -> Result<Outcome, SpoolError> {
        let now = self.spool.observed_now()?;
        let Some(state) = state else {
            tracing::debug!(target: "uucp::execute", "{} waits for a file", job.execution.name);
            self.spool.set_retry_state(job.execution, &fresh(now))?;
            return Ok(Outcome::NotNow);
        };
        let limit = self.mail.execution(Some(&job.execution.system)).age_limit;
        if state.age(now) < limit {
            return Ok(Outcome::NotNow);
        }
        let reason = format!("A file that it needs did not come within {limit:?}");
        self.log(&job, Severity::Error, &reason);
        self.fail(job, &reason, b"")
    }

    /// Runs the command, if it may be run.
    fn run(&mut self, job: &Job<'_>) -> Result<Ended, Trouble> {
        let Job {
            execution, file, ..
        } = *job;
        let system = self.system(&execution.system)?;
        let settings = settings_of(&system)?;
        let public = settings.pubdir.clone();
        let public = public.as_deref().unwrap_or(&self.config.pubdir);
        let program = permitted_program(settings, file)?;
        self.log(
            job,
            Severity::Info,
            &format!("Executing {} ({})", execution.name, command_line(file)),
        );
        let directory = RunDirectory::make(self.spool, execution, file)?;
        let stdin = open_stdin(self.spool, execution, file, settings, public)?;
        let output = Output::make(self.spool, file, settings, public)?;
        let launch = Launch {
            program,
            arguments: arguments_of(file, public)?,
            environment: environment(
                &settings.command_path,
                self.spool.root(),
                execution.system.as_str(),
                OsStr::from_bytes(user_for_command(file)),
                |name| std::env::var_os(name),
            ),
            directory: directory.path().to_path_buf(),
            stdin,
            stdout: output.for_command()?,
            lock: Some(job.lock.descriptor()),
            time_limit: self.mail.execution(Some(&execution.system)).time_limit,
        };
        let finished = launch.run().map_err(|error| cannot_start(&error))?;
        Ok(Ended { finished, output })
    }

    /// What the sys files say of a system; a job of one that they do not know waits until they do.
    fn system(&mut self, name: &SystemName) -> Result<Rc<System>, Trouble> {
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

    /// The command has come to its end.
    fn finish(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
        ended: Ended,
    ) -> Result<Outcome, SpoolError> {
        let Ended { finished, output } = ended;
        if finished.end.code() == Some(0) {
            return self.succeed(job, state, output);
        }
        let reason = format!("Execution: {}", finished.end.describe());
        self.log(&job, Severity::Error, &reason);
        match finished.end.code() {
            // A signal and a time that is over say nothing about the job.
            Some(75) | None => self.keep(job, state, &reason, &finished.stderr),
            Some(_) => {
                let text = format!("Execution failed ({})", job.execution.name);
                self.log(&job, Severity::Info, &text);
                self.fail(job, &reason, &finished.stderr)
            }
        }
    }

    /// Its output first, then the execute file goes, then its data files: a crash in between leaves a job that is run
    /// again with all its files, or files that nobody asks for, never a job without its files.
    fn succeed(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
        output: Output,
    ) -> Result<Outcome, SpoolError> {
        if let Err(reason) = self.put_output(job.execution, job.file, output) {
            self.log(&job, Severity::Error, &reason);
            return self.keep(job, state, &reason, b"");
        }
        let Job {
            execution,
            file,
            lock,
            may_tell,
        } = job;
        self.spool.remove_execution(lock, execution, file)?;
        if file.success_mail && may_tell {
            let story = Story {
                execution,
                file,
                reason: None,
                stderr: b"",
                input: b"",
            };
            // The command ran: whatever this note meets, it must not run again.
            if let Err(error) = report::tell_requestor(self.spool, self.mail, &story) {
                let text = format!("Cannot tell of {}: {error}", execution.name);
                self.journal
                    .log(Some(&execution.system), None, Severity::Error, &text);
            }
        }
        Ok(Outcome::Done)
    }

    fn put_output(
        &self,
        execution: &Execution,
        file: &ExecuteFile,
        output: Output,
    ) -> Result<(), String> {
        match output {
            Output::Discarded => Ok(()),
            Output::Local { made, target } => made
                .as_file()
                .sync_all()
                .map_err(|error| error.to_string())
                .and_then(|()| made.persist(&target).map_err(|error| error.to_string()))
                .map(drop)
                .map_err(|error| format!("cannot write {}: {error}", target.display())),
            Output::Remote { made, system, name } => self
                .queue_output(execution, file, made, &system, &name)
                .map_err(|error| format!("cannot queue the output for {system}: {error}")),
        }
    }

    fn queue_output(
        &self,
        execution: &Execution,
        file: &ExecuteFile,
        mut made: std::fs::File,
        system: &SystemName,
        name: &[u8],
    ) -> io::Result<()> {
        let mut staged = self
            .spool
            .stage(system, StageKind::Data)
            .map_err(io::Error::other)?;
        made.rewind()?;
        io::copy(&mut made, &mut staged)?;
        staged.flush()?;
        let spool_name = staged.name().as_bytes().to_vec();
        let request = Request::Send(SendRequest {
            from: spool_name.clone(),
            to: name.to_vec(),
            user: user_for_command(file).to_vec(),
            options: RequestOptions::new(b"C"),
            temp: spool_name,
            mode: 0o666,
            notify: Vec::new(),
            size: None,
        });
        self.spool
            .queue(system, execution.grade, &[request], vec![staged])
            .map(drop)
            .map_err(io::Error::other)
    }

    /// A failure that may pass: the job stays, rests longer each time, and is given up when it is too old.
    fn keep(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
        reason: &str,
        stderr: &[u8],
    ) -> Result<Outcome, SpoolError> {
        let now = self.spool.observed_now()?;
        let mut state = state.unwrap_or_else(|| fresh(now));
        state.attempts = state.attempts.saturating_add(1);
        state.next = now.after(retry::wait_after(state.attempts));
        let limit = self.mail.execution(Some(&job.execution.system)).age_limit;
        if state.age(now) >= limit {
            let reason = format!("{reason} (tried {} times)", state.attempts);
            let text = format!("Execution failed ({})", job.execution.name);
            self.log(&job, Severity::Info, &text);
            return self.fail(job, &reason, stderr);
        }
        let text = format!("Will retry later ({})", job.execution.name);
        self.log(&job, Severity::Info, &text);
        self.spool.set_retry_state(job.execution, &state)?;
        Ok(Outcome::Later)
    }

    /// A failure for good: notes are queued, then the files move to `.Failed`. Where the notes cannot be queued the job
    /// stays as it is.
    fn fail(&mut self, job: Job<'_>, reason: &str, stderr: &[u8]) -> Result<Outcome, SpoolError> {
        let input = self.input_to_return(&job);
        let story = Story {
            execution: job.execution,
            file: job.file,
            reason: Some(reason),
            stderr,
            input: &input,
        };
        if job.may_tell {
            if !job.file.no_failure_mail {
                report::tell_requestor(self.spool, self.mail, &story)?;
            }
            report::tell_postmaster(self.spool, self.mail, &story)?;
        }
        self.spool
            .fail_execution(job.lock, job.execution, job.file)?;
        Ok(Outcome::Failed { told: job.may_tell })
    }

    fn input_to_return(&self, job: &Job<'_>) -> Vec<u8> {
        let mut input = Vec::new();
        if !job.file.return_input {
            return input;
        }
        let first = job.file.files.iter().find(|wanted| {
            let stdin = job.file.stdin.as_deref();
            stdin == Some(wanted.name.as_bytes())
        });
        if let Some(data) = first {
            let path = self.spool.data_path(&job.execution.system, &data.name);
            // A file that cannot be read is not worth holding the report for.
            let _ = std::fs::File::open(path)
                .and_then(|file| file.take(INPUT_RETURNED).read_to_end(&mut input));
        }
        input
    }

    /// An execute file that says nothing that can be understood. Its data stays where it is: nobody knows its names.
    fn set_aside(
        &mut self,
        execution: &Execution,
        lock: ExecutionLock,
        reason: &str,
        may_tell: bool,
    ) -> Result<Outcome, SpoolError> {
        let system = &execution.system;
        let text = format!("{}: {reason}", execution.name);
        self.journal.log(Some(system), None, Severity::Error, &text);
        if may_tell {
            let note = format!(
                "The execute file {} of system {system} cannot be understood:\n{reason}\n\n\
                 It is kept in {}/.Corrupt/; data that came with it is kept in {}/{system}/D./.\n",
                execution.name,
                self.spool.root().display(),
                self.spool.root().display(),
            );
            let subject = "UUCP execution file that cannot be understood";
            report::send_to_postmaster(self.spool, self.mail, subject, &note)?;
        }
        self.spool.set_aside_execution(lock, execution)?;
        Ok(Outcome::Failed { told: may_tell })
    }

    fn log(&mut self, job: &Job<'_>, severity: Severity, text: &str) {
        let user = job.file.user.as_ref().map(|(user, _)| user.as_slice());
        self.journal.log(
            Some(&job.execution.system),
            user.or(Some(b"unknown")),
            severity,
            text,
        );
    }
}

/// A command that ran, and its output.
struct Ended {
    finished: Finished,
    output: Output,
}

/// Permissions stand in the first description of a system.
fn settings_of(system: &System) -> Result<&Settings, Trouble> {
    system
        .alternates
        .first()
        .ok_or_else(|| Trouble::Later(format!("System {} unknown", system.name)))
}

fn permitted_program(settings: &Settings, file: &ExecuteFile) -> Result<PathBuf, Trouble> {
    let word = file.command.first().map_or(&b""[..], Vec::as_slice);
    match permission::resolve(word, &settings.commands, &settings.command_path) {
        Resolved::Program(program) => Ok(program),
        Resolved::Missing(path) => Err(Trouble::Later(format!(
            "{}: No such file or directory",
            path.display()
        ))),
        Resolved::NotPermitted => Err(Trouble::ForGood(format!(
            "Not permitted to execute {}",
            shown(word)
        ))),
    }
}

fn fresh(now: ObservedTime) -> RetryState {
    RetryState {
        attempts: 0,
        first_seen: now,
        next: now,
    }
}

/// `UU_USER`, and the user of what is queued for the job: as with the peer, `uucp` where the job names none.
fn user_for_command(file: &ExecuteFile) -> &[u8] {
    file.user.as_ref().map_or(b"uucp", |(user, _)| user)
}

fn arguments_of(file: &ExecuteFile, public: &Path) -> Result<Vec<OsString>, Trouble> {
    let words = file.command.get(1..).unwrap_or_default();
    if words.iter().any(|word| word.contains(&0)) {
        return Err(Trouble::ForGood("An argument holds a NUL".into()));
    }
    Ok(words
        .iter()
        .map(|word| arguments::expand(word, public))
        .collect())
}

/// Whether a command that could not be started can be another time: only its own words are wrong for good.
fn cannot_start(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => {
            Trouble::ForGood(format!("Execution: {error}"))
        }
        _ => Trouble::Later(format!("Execution: {error}")),
    }
}
