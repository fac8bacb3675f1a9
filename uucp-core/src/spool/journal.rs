//! Log and Stats, in Taylor's exact formats: what uulog, uustat and people's scripts read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Config;
use crate::name::SystemName;

/// How a line of the log is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Not marked.
    Info,
    /// `ERROR: `
    Error,
    /// `FATAL: `
    Fatal,
    /// `DEBUG: `
    Debug,
}

/// One line of Stats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// The user who asked.
    pub user: &'a [u8],
    /// The other system.
    pub system: &'a SystemName,
    /// Whether it was sent from here.
    pub sent: bool,
    /// Whether it failed on the way.
    pub failed: bool,
    /// How many bytes.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Over which port; `unknown` if none is known.
    pub port: Option<&'a str>,
}

/// The two files. Lines are appended whole, in one write each; trouble with them never stops the work and is told on
/// standard error once.
#[derive(Debug)]
pub struct Journal {}

impl Journal {
    /// The journal of this configuration; `program` is what each line of the log begins with.
    #[must_use]
    pub fn open(config: &Config, program: &'static str) -> Self {
        Self::open_at(program, &config.logfile, &config.statfile)
    }

    /// As [`Journal::open`], with the paths given.
    #[must_use]
    pub fn open_at(_program: &'static str, _log: &Path, _stats: &Path) -> Self {
        todo!()
    }

    /// Where the log is.
    #[must_use]
    pub fn log_path(&self) -> &PathBuf {
        todo!()
    }

    /// Writes one line of the log. System and user are `-` where there is none.
    pub fn log(
        &mut self,
        _system: Option<&SystemName>,
        _user: Option<&[u8]>,
        _severity: Severity,
        _text: &str,
    ) {
        todo!()
    }

    /// Writes one line of Stats.
    pub fn transfer(&mut self, _transfer: &Transfer<'_>) {
        todo!()
    }
}
