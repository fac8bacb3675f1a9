//! Why a batch was not taken.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a batch was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Somebody has it. It is there next time.
    #[error("{} is in use", .path.display())]
    Busy {
        /// The file, or its lock file.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
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
