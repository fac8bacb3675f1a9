//! What can be wrong with the configuration, told so that the reader can mend it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the configuration, or a part of it, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {source}", .path.display())]
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
        /// The name.
        name: String,
    },
}

/// A wrong word, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The first byte of the word, counted from 1.
    pub column: usize,
    /// How many characters the word has.
    pub width: usize,
    /// The line itself.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, if that can be told.
    pub mend: Option<String>,
}

impl std::error::Error for Fault {}

impl std::fmt::Display for Fault {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}

impl ConfigError {
    /// The error on one line, for programs whose standard error is one line of a log.
    #[must_use]
    pub fn to_one_line(&self) -> String {
        todo!()
    }

    /// Whether it may go away by itself: every trouble with the configuration is one of ours, to be mended here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        true
    }
}
