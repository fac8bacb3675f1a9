//! Hooks: programs of the operator that are run before a call and after it, without a shell.
//!
//! What they are to know is in their environment; what they say goes into the log, a line each.

use std::process::{Command, Stdio};

use super::desk::Totals;
use super::program::{Ending, run_program};
use super::signals::Signals;
use crate::config::Config;
use crate::config::mail::Hooks;
use crate::link::CallRole;
use crate::name::SystemName;
use crate::spool::{Journal, Severity};

/// One call, as its hooks see it.
pub(super) struct Occasion<'a> {
    pub(super) config: &'a Config,
    pub(super) hooks: &'a Hooks,
    pub(super) system: &'a SystemName,
    pub(super) role: CallRole,
    pub(super) port: &'a str,
}

impl Occasion<'_> {
    /// Before the call.
    ///
    /// # Errors
    /// Why there is to be no call.
    pub(super) fn connect(&self, signals: Option<&Signals>) -> Result<(), String> {
        match self.run("Connect hook", &self.hooks.connect, &[], signals) {
            None | Some(Ending::Good) => Ok(()),
            Some(Ending::Bad(reason)) => Err(reason),
            Some(Ending::Interrupted) => Err("Got termination signal".to_owned()),
        }
    }

    /// After the call; `failure` is why it failed, if it did. What becomes of the hook changes nothing any more.
    pub(super) fn disconnect(&self, failure: Option<&str>, totals: Totals) {
        let word = if failure.is_none() { "ok" } else { "failed" };
        let reason = failure.unwrap_or_default().replace('\0', "");
        let more = [
            ("BANGPATH_RESULT", word.to_owned()),
            ("BANGPATH_REASON", reason),
            ("BANGPATH_SENT", totals.sent.to_string()),
            ("BANGPATH_RECEIVED", totals.received.to_string()),
        ];
        if let Some(Ending::Bad(reason)) =
            self.run("Disconnect hook", &self.hooks.disconnect, &more, None)
        {
            self.log(Severity::Error, &reason);
        }
    }

    fn log(&self, severity: Severity, text: &str) {
        let mut journal = Journal::open(self.config, "uucico");
        journal.log(Some(self.system), None, severity, text);
    }

    fn run(
        &self,
        what: &'static str,
        words: &[String],
        more: &[(&str, String)],
        signals: Option<&Signals>,
    ) -> Option<Ending> {
        let (program, arguments) = words.split_first()?;
        tracing::debug!(target: "uucp::execute", %program, what, "running a hook");
        let direction = match self.role {
            CallRole::Caller => "out",
            CallRole::Called => "in",
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("BANGPATH_SYSTEM", self.system.as_str())
            .env("BANGPATH_DIRECTION", direction)
            .env("BANGPATH_PORT", self.port)
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut log = |line: &str| self.log(Severity::Info, &format!("{what}: {line}"));
        let limit = self.hooks.time_limit;
        let ending = run_program(
            &mut command,
            true,
            (what, "[hooks] in mail.toml"),
            limit,
            signals,
            &mut log,
        );
        Some(ending.unwrap_or_else(|error| {
            Ending::Bad(format!("{what} {program} cannot be run: {error}"))
        }))
    }
}
