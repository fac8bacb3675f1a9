//! Why a batch was not taken.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a batch was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Somebody has it. It is there next time.
    #[error("{} is in use", shown(.path))]
    Busy {
        /// The file, or its lock file.
        path: PathBuf,
    },
    /// There is no mail in this, and nobody reads it.
    #[error("{} is neither a file nor a directory: remove it", shown(.path))]
    Odd {
        /// What it is called.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} {}: {source}", shown(.path))]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Whoever may write there chooses the names: they are shown so that they do nothing to a terminal or to a log.
fn shown(path: &Path) -> impl fmt::Display {
    path.as_os_str().as_bytes().escape_ascii()
}

pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, CollectError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, CollectError> {
        self.map_err(|source| CollectError::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
