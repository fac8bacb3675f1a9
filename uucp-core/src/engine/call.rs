//! Placing a call: may we now, over which port, and what came of it.

mod attempt;
mod claim;
mod profile;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::debugging::{About, DebugSwitch};
use super::executions::ExecuteEvery;
use super::neighbour::local_time;
use super::opening;
use super::outcome::{Finished, held_up, next_status, now_seconds};
use super::signals::Signals;
use crate::clock::in_words;
use crate::config::mail::MailConfig;
use crate::config::time::{call_window, next_window};
use crate::config::{Config, ConfigError, Settings, System};
use crate::name::{Grade, SystemName};
use crate::outbox;
use crate::spool::{Journal, Severity, Spool, SpoolError, Status, StatusKind};
use attempt::Way;

/// How a call is to be made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// `-f`: whatever the status file says of earlier failures.
    pub force: bool,
    /// `-c`: nothing is said when the call may not be made now.
    pub quiet: bool,
    /// `-C`: only if there is work.
    pub if_work: bool,
    /// The call was asked for by name, which is as good as a job of the first grade.
    pub named: bool,
    /// `-g`: the least urgent grade, in both directions.
    pub grade: Option<Grade>,
    /// `-p`: the port to call on.
    pub port: Option<String>,
    /// `-z`: the next alternate also after a call that failed once the other system was reached.
    pub try_next: bool,
    /// Whether progress is shown on a terminal.
    pub progress: bool,
    /// uuxqt while the call lasts.
    pub execute_every: Option<ExecuteEvery>,
    /// It is one of several side by side: when another of those has its line, it is to be made again after that one.
    pub of_round: bool,
    /// How debugging messages of one call are switched on.
    pub debug: Option<DebugSwitch>,
}

/// What became of a call.
#[derive(Debug)]
pub enum Called {
    /// It took place, well or not.
    Finished(Finished),
    /// There was nothing to do.
    NoWork,
    /// It was not made, for this reason.
    NotMade(String),
    /// It was not made: of its round these processes have its line, or each of its lines.
    Behind(Vec<i32>),
}

impl Called {
    /// Whether the caller of this program should hear of a success.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Finished(finished) => finished.result.is_ok(),
            Self::NoWork => true,
            Self::NotMade(_) | Self::Behind(_) => false,
        }
    }
}

/// Everything that calls need.
struct Caller<'a> {
    config: &'a Config,
    spool: &'a Spool,
    mail: MailConfig,
    system: System,
    options: &'a CallOptions,
    signals: Option<&'a Signals>,
    status: Option<Status>,
    /// The Log has it that the call before was cut off.
    told_of_cut: AtomicBool,
}

/// Why one alternate came to nothing.
enum Attempt {
    Done(Finished),
    /// The other system was not reached: the next alternate may have more luck.
    Unreached(StatusKind, String),
    /// This process, another call of the round, has the line.
    Behind(i32),
}

/// What the attempts have come to so far.
#[derive(Debug, Default)]
struct Attempts {
    last: Option<Called>,
    /// What the status file is to say if nothing better comes.
    failure: Option<(StatusKind, Option<Duration>)>,
    behind: Vec<i32>,
}

/// Calls a system.
///
/// # Errors
/// When configuration or spool cannot be used; the Log says so, and the next call waits as after any that failed.
pub fn call(
    config: &Config,
    spool: &Spool,
    name: &SystemName,
    options: &CallOptions,
    signals: Option<&Signals>,
) -> Result<Called, CallError> {
    let _about = About::new(Some(name));
    let called = try_call(config, spool, name, options, signals);
    if let Err(error) = &called {
        let text = error.to_one_line();
        Journal::open(config, "uucico").log(Some(name), None, Severity::Error, &text);
        if !matches!(error, CallError::Unknown(_)) {
            wait_after_error(spool, name);
        }
    }
    called
}

/// A call that our own files did not let begin has failed, too.
fn wait_after_error(spool: &Spool, name: &SystemName) {
    let status = spool.status(name).ok().flatten();
    let failures = status.map_or(0, |status| status.retries);
    let status = next_status(failures, StatusKind::CallFailed, None);
    if let Err(error) = spool.set_status(name, &status) {
        tracing::error!(target: "uucp::abnormal", "{error}");
    }
}

fn try_call(
    config: &Config,
    spool: &Spool,
    name: &SystemName,
    options: &CallOptions,
    signals: Option<&Signals>,
) -> Result<Called, CallError> {
    let Some(system) = config.system(name)? else {
        return Err(CallError::Unknown(name.clone()));
    };
    let caller = Caller {
        config,
        spool,
        // What is wrong with it is told by whoever is to pack.
        mail: MailConfig::load(&config.directory).unwrap_or_default(),
        status: spool.status(&system.name)?,
        system,
        options,
        signals,
        told_of_cut: AtomicBool::new(false),
    };
    if let Some(outcome) = caller.reason_not_to()? {
        return Ok(outcome);
    }
    caller.call()
}

/// Why calls cannot be made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No sys file describes the system.
    #[error("{0}: System not found")]
    Unknown(SystemName),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl CallError {
    /// In one line, for the Log.
    fn to_one_line(&self) -> String {
        match self {
            Self::Config(error) => error.to_one_line(),
            other => other.to_string(),
        }
    }
}

impl Caller<'_> {
    fn journal(&self, severity: Severity, text: &str) {
        let mut journal = Journal::open(self.config, "uucico");
        journal.log(Some(&self.system.name), None, severity, text);
    }

    fn not_made(&self, severity: Severity, reason: &str) -> Called {
        if !self.options.quiet {
            self.journal(severity, reason);
        }
        Called::NotMade(format!("{}: {reason}", self.system.name))
    }

    /// Whether jobs wait, or messages that are to become jobs.
    fn has_work(&self, least: Grade) -> Result<bool, SpoolError> {
        let system = &self.system.name;
        Ok(self.spool.has_work(system, least)?
            || outbox::has_work(self.spool, &self.mail, system, least)?)
    }

    /// The wait after earlier calls, and the question whether there is anything to do.
    fn reason_not_to(&self) -> Result<Option<Called>, CallError> {
        let least = self.options.grade.unwrap_or(Grade::LAST);
        if self.options.if_work && !self.has_work(least)? {
            return Ok(Some(self.no_work()));
        }
        if self.options.force {
            return Ok(None);
        }
        let held = held_up(self.system.settings(), self.status.as_ref(), now_seconds());
        // Waiting is no error, waiting for somebody to look is one.
        let Some(held) = held else {
            return Ok(None);
        };
        let force = format!("'uucico -S {}' calls now", self.system.name);
        let (severity, why) = match held.left {
            Some(left) => (Severity::Info, format!("{} left", in_words(left))),
            None => (
                Severity::Error,
                format!(
                    "{} failed calls, see 'max-retries' in sys",
                    self.failures_before()
                ),
            ),
        };
        let text = format!("{} ({why}; {force})", held.reason);
        Ok(Some(self.not_made(severity, &text)))
    }

    fn call(&self) -> Result<Called, CallError> {
        let mut attempts = Attempts::default();
        let mut in_time = false;
        let mut may_call = false;
        for settings in self.system.for_calling() {
            let Some(window) = call_window(&settings.time, local_time()) else {
                continue;
            };
            in_time = true;
            let grade = self.options.grade.unwrap_or(Grade::LAST).min(window.grade);
            if !self.options.named && !self.has_work(grade)? {
                continue;
            }
            may_call = true;
            let is_over = self.over_ports(settings, grade, window.retry, &mut attempts)?;
            if is_over {
                break;
            }
        }
        if !may_call {
            // What there is may not be urgent enough for this hour.
            return Ok(if in_time {
                self.no_work()
            } else {
                self.wrong_time()
            });
        }
        // A line that is in use by another of the round is as good as free.
        if !attempts.behind.is_empty() && !matches!(attempts.last, Some(Called::Finished(_))) {
            return Ok(Called::Behind(attempts.behind));
        }
        if let Some((kind, retry)) = attempts.failure {
            self.failed_before_talking(kind, retry);
        }
        Ok(attempts.last.unwrap_or_else(|| {
            const REASON: &str =
                "No matching ports; check 'port' in sys, and that the port file describes it";
            self.journal(Severity::Error, REASON);
            self.failed_before_talking(StatusKind::PortUnavailable, None);
            Called::NotMade(format!("{}: {REASON}", self.system.name))
        }))
    }

    /// One alternate, over one port after the other; whether no other is to be tried.
    fn over_ports(
        &self,
        settings: &Settings,
        grade: Grade,
        retry: Option<Duration>,
        attempts: &mut Attempts,
    ) -> Result<bool, CallError> {
        for port in opening::ports(self.config, settings, self.options.port.as_deref())? {
            let way = Way {
                settings,
                port: &port,
                grade,
                retry,
            };
            match self.attempt(&way)? {
                Attempt::Done(finished) => {
                    let failed = finished.result.is_err();
                    let again = failed && self.options.try_next && !self.is_stopped();
                    attempts.last = Some(Called::Finished(finished));
                    // The end of the call has been written down.
                    attempts.failure = None;
                    return Ok(!again);
                }
                Attempt::Unreached(kind, reason) => {
                    attempts.failure = Some((kind, retry));
                    let not_made = Called::NotMade(format!("{}: {reason}", self.system.name));
                    attempts.last = Some(not_made);
                    if self.is_stopped() {
                        attempts.behind.clear();
                        return Ok(true);
                    }
                }
                Attempt::Behind(process) => attempts.behind.push(process),
            }
        }
        Ok(!attempts.behind.is_empty())
    }

    /// Whether a signal says that no further port or alternate is to be tried.
    fn is_stopped(&self) -> bool {
        self.signals.is_some_and(Signals::stops)
    }

    fn no_work(&self) -> Called {
        if !self.options.quiet {
            self.journal(Severity::Info, "No work");
        }
        Called::NoWork
    }

    fn wrong_time(&self) -> Called {
        // As with the peer, a system that is never called gets no status of a call.
        let ever = self.system.for_calling().any(Settings::can_be_called);
        if ever && !self.options.quiet {
            let failures = self.status.as_ref().map_or(0, |status| status.retries);
            let mut status = next_status(failures, StatusKind::WrongTimeToCall, None);
            status.retries = failures;
            status.wait = Duration::ZERO;
            let _ = self.spool.set_status(&self.system.name, &status);
        }
        let now = local_time();
        let rules = self.system.for_calling().map(|one| &one.time);
        let next = rules.filter_map(|rules| next_window(rules, now));
        let next = next.min_by_key(|next| next.minutes_after(now));
        let why = next.map_or_else(
            || "never is right; see 'time', 'port' and 'address' in sys".to_owned(),
            |next| format!("right from {next} on; see 'time' and 'timegrade' in sys"),
        );
        let text = format!("Wrong time to call ({why})");
        self.not_made(Severity::Info, &text)
    }

    fn failed_before_talking(&self, kind: StatusKind, retry: Option<Duration>) {
        let failures = self.failures_before();
        let status = next_status(failures, kind, retry);
        if let Err(error) = self.spool.set_status(&self.system.name, &status) {
            self.journal(Severity::Error, &error.to_string());
        }
    }

    fn failures_before(&self) -> u32 {
        self.status.as_ref().map_or(0, |status| status.retries)
    }
}
