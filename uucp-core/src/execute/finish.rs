//! What the end of a command means for its job.
//!
//! The instants that count: the execute file goes only after the command has succeeded, or has failed for good and the
//! report about it is queued durably. Whatever else happens, it stays, with its files, for another time.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use super::files::Output;
use super::job::{Ended, Job, Outcome, Runner, user_for_command};
use super::report::{self, Story};
use super::retry;
use crate::clock::in_words;
use crate::name::SystemName;
use crate::report::note;
use crate::spool::{
    ExecuteFile, Execution, ExecutionLock, ObservedTime, RetryState, Severity, SpoolError,
    StageKind,
};
use crate::wire::command::{Request, RequestOptions, SendRequest};

/// How much of a job's input goes back with a report where the job asks for that, in bytes.
const INPUT_RETURNED: u64 = 64 * 1024;

/// How much of a command's line the log has, in characters.
const WORDS_LOGGED: usize = 300;

impl Runner<'_> {
    /// The command has come to its end.
    pub(super) fn finish(
        &mut self,
        job: Job<'_>,
        state: Option<RetryState>,
        ended: Ended,
    ) -> Result<Outcome, SpoolError> {
        let Ended { finished, output } = ended;
        if finished.end.code() == Some(0) {
            return self.succeed(job, state, &ended_well(&finished.stderr), output);
        }
        let reason = format!("Execution: {}", finished.end.describe());
        let text = match last_words(&finished.stderr) {
            Some(words) => format!("{reason}: {words}"),
            None => reason.clone(),
        };
        self.log(&job, Severity::Error, &text);
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
        how: &str,
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
            ..
        } = job;
        self.spool.remove_execution(lock, execution, file)?;
        // Where somebody looks who misses mail.
        let text = format!("Execution done ({}){how}", execution.name);
        self.log_of((execution, file), Severity::Info, &text);
        if file.success_mail {
            let story = Story {
                execution,
                file,
                reason: None,
                stderr: b"",
                input: b"",
            };
            // The command ran: whatever this note meets, it must not run again.
            let told = self.may_tell(&execution.system).and_then(|may| {
                let (spool, mail) = (self.spool, self.mail);
                may.then(|| report::tell_requestor(spool, mail, &story))
                    .transpose()
            });
            if let Err(error) = told {
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
        mut made: File,
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

    /// A failure that may pass: the job stays, rests longer each time, and is given up when it is too old and has been tried
    /// once more after that.
    pub(super) fn keep(
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
        if job.is_last_try {
            let reason = format!("{reason} (tried {} times)", state.attempts);
            let text = format!("Execution failed ({})", job.execution.name);
            self.log(&job, Severity::Info, &text);
            return self.fail(job, &reason, stderr);
        }
        let wait = in_words(retry::wait_after(state.attempts));
        let text = format!(
            "Will retry later ({}), when uuxqt runs in {wait} or after that",
            job.execution.name
        );
        self.log(&job, Severity::Info, &text);
        self.spool.set_retry_state(job.execution, &state)?;
        Ok(Outcome::Later)
    }

    /// A failure for good: notes are queued, then the files move to `.Failed`. Where the notes cannot be queued the job
    /// stays as it is.
    pub(super) fn fail(
        &mut self,
        job: Job<'_>,
        reason: &str,
        stderr: &[u8],
    ) -> Result<Outcome, SpoolError> {
        let input = self.input_to_return(&job);
        let story = Story {
            execution: job.execution,
            file: job.file,
            reason: Some(reason),
            stderr,
            input: &input,
        };
        let may_tell = self.may_tell(&job.execution.system)?;
        if may_tell {
            if !job.file.no_failure_mail {
                report::tell_requestor(self.spool, self.mail, &story)?;
            }
            report::tell_postmaster(self.spool, self.mail, &story)?;
        }
        self.spool
            .fail_execution(job.lock, job.execution, job.file)?;
        Ok(Outcome::Failed { told: may_tell })
    }

    /// Whether something may be told about one more job of a system in this hour; counts it.
    fn may_tell(&self, system: &SystemName) -> Result<bool, SpoolError> {
        let limit = self.mail.policy(Some(system)).reports_per_hour;
        self.spool.may_note("jobs", system, limit)
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
            let _ =
                File::open(path).and_then(|file| file.take(INPUT_RETURNED).read_to_end(&mut input));
        }
        input
    }

    /// An execute file that says nothing that can be understood. Its data stays where it is: nobody knows its names.
    pub(super) fn set_aside(
        &mut self,
        execution: &Execution,
        lock: ExecutionLock,
        reason: &str,
    ) -> Result<Outcome, SpoolError> {
        let system = &execution.system;
        let text = format!("{}: {reason}", execution.name);
        self.journal.log(Some(system), None, Severity::Error, &text);
        let may_tell = self.may_tell(system)?;
        if may_tell {
            let text = format!(
                "The execute file {} of system {system} cannot be understood:\n{reason}\n\n\
                 It is kept in {}/.Corrupt/; data that came with it is kept in {}/{system}/D./.\n",
                execution.name,
                self.spool.root().display(),
                self.spool.root().display(),
            );
            let subject = "UUCP execution file that cannot be understood";
            note::tell_postmaster(self.spool, self.mail, subject, &text)?;
        }
        self.spool.set_aside_execution(lock, execution)?;
        Ok(Outcome::Failed { told: may_tell })
    }
}

/// What a command that has succeeded has said all the same, for the log: mail that was refused, say, or set aside.
fn ended_well(stderr: &[u8]) -> String {
    last_words(stderr).map_or_else(String::new, |words| format!(": {words}"))
}

/// The last line of what a command wrote on standard error: there a program says what it ended for.
fn last_words(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let mut words: String = line.chars().take(WORDS_LOGGED).collect();
    if words.len() < line.len() {
        words.push_str("...");
    }
    Some(note::shown(words.as_bytes()))
}

/// What is remembered of a job that was never tried.
pub(super) fn fresh(now: ObservedTime) -> RetryState {
    RetryState {
        attempts: 0,
        first_seen: now,
        next: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_why_and_cannot_make_lines_of_its_own() {
        let words = |text: &[u8]| last_words(text).unwrap_or_default();
        assert_eq!(words(b"one\n4.3.0 rmail: two\n \n"), "4.3.0 rmail: two");
        assert_eq!(words(b"a\x1b[2J\tb\rc"), "a?[2J?b?c");
        assert_eq!(last_words(b""), None);
        assert_eq!(last_words(b" \n\n"), None);
        let long = words("\u{17e}".repeat(WORDS_LOGGED + 1).as_bytes());
        assert_eq!(long.chars().count(), WORDS_LOGGED + 3);
        assert!(long.ends_with("\u{17e}..."));
    }
}
