//! `uuxqt` while a call still lasts: after every so many executions that came in (`run-uuxqt 50`).

use std::process::{Child, Command, Stdio};

use super::server::ChildCommand;
use crate::port::spawn;

/// What is started, and how often.
#[derive(Debug, Clone)]
pub struct ExecuteEvery {
    /// After so many executions.
    pub count: u32,
    /// The program.
    pub command: ChildCommand,
}

/// Counts executions and starts the program.
#[derive(Debug, Default)]
pub(super) struct Executions {
    every: Option<ExecuteEvery>,
    waiting: u32,
    running: Option<Child>,
}

impl Executions {
    pub(super) fn new(every: Option<ExecuteEvery>) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    /// One more is in its place. While the program runs that was started last, no other is: those that came too late for
    /// it go to the next, at the latest to the one at the end of the call.
    ///
    /// # Errors
    /// When the program cannot be started. The executions stay where they are.
    pub(super) fn count(&mut self) -> std::io::Result<()> {
        let Some(every) = &self.every else {
            return Ok(());
        };
        self.waiting = self.waiting.saturating_add(1);
        if self.waiting < every.count || self.is_running() {
            return Ok(());
        }
        self.waiting = 0;
        let Some(ExecuteEvery { command, .. }) = &self.every else {
            return Ok(());
        };
        // The line is ours alone.
        let child = spawn(
            Command::new(&command.program)
                .args(&command.arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        self.running = Some(child);
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        self.running
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}
