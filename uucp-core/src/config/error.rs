//! What can be wrong with the configuration, told so that the reader can mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::owner::unreadable;

/// Why the configuration, or a part of it, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {source}{}", .path.display(), unreadable(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Someone who should not be able to can write the file.
    #[error("{}: {reason}", .path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Who can write it, and the mend.
        reason: String,
    },
    /// A line is not a command of its file.
    #[error(transparent)]
    Syntax(#[from] Box<Fault>),
    /// The machine's name cannot be a system's name.
    #[error(
        "the host name '{name}' cannot be the name of a UUCP system; set 'nodename' in the config file"
    )]
    NodeName {
        /// The name, escaped for display.
        name: String,
    },
}

impl ConfigError {
    /// The error on one line, for programs whose standard error is one line of a log.
    #[must_use]
    pub fn to_one_line(&self) -> String {
        match self {
            Self::Syntax(fault) => fault.to_one_line(),
            other => other.to_string(),
        }
    }

    /// Whether it may go away: every trouble with the configuration is one of ours, to be mended here, and no message's.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        true
    }
}

/// A wrong word, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The first character of the word, counted from 1.
    pub column: usize,
    /// How many characters the word has.
    pub width: usize,
    /// The line itself, escaped for display; empty where it may hold a password.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, if that can be told.
    pub mend: Option<String>,
}

impl Fault {
    /// File, line, column, message and mend on one line.
    #[must_use]
    pub fn to_one_line(&self) -> String {
        let mend = self.mend.as_deref().map(|mend| format!(" ({mend})"));
        format!(
            "{}:{}:{}: {}{}",
            self.path.display(),
            self.line,
            self.column,
            self.message,
            mend.unwrap_or_default()
        )
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: line {}, column {}: {}",
            self.path.display(),
            self.line,
            self.column,
            self.message
        )?;
        if !self.text.is_empty() {
            let indent = self.column.saturating_sub(1);
            let carets = "^".repeat(self.width.max(1));
            write!(f, "\n    {}\n    {:indent$}{carets}", self.text, "")?;
        }
        if let Some(mend) = &self.mend {
            write!(f, "\n  {mend}")?;
        }
        Ok(())
    }
}
