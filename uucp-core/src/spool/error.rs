//! What can go wrong with the spool: every error names its file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::name::SystemName;
use crate::owner::shut_out;

/// Why something could not be done with the spool.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", .path.display(), shut_out(.path, .source))]
    Io {
        /// What was being done, such as `create` or `sync`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Too little room: the file system must keep `free-space` bytes free.
    #[error("{}: {free} bytes free, {needed} needed", .path.display())]
    Full {
        /// A directory of the file system.
        path: PathBuf,
        /// What is free, in bytes.
        free: u64,
        /// What would be needed, in bytes, the reserve included.
        needed: u64,
    },
    /// A neighbour has filled its part of the spool.
    #[error("{system} has {used} of its {limit} bytes in the spool: no room for this file now")]
    OverLimit {
        /// The neighbour.
        system: SystemName,
        /// What it has, in bytes.
        used: u64,
        /// What it may have: `spool-limit`.
        limit: u64,
    },
    /// A file of the spool does not say what such a file says.
    #[error("{}: {reason}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A request that cannot stand in a work file.
    #[error("a request for {system} cannot be queued: {reason}")]
    Unqueueable {
        /// The system it was for.
        system: SystemName,
        /// Why.
        reason: String,
    },
    /// The peer sent something else than it had announced.
    #[error("{}: {reason}", .path.display())]
    Peer {
        /// The file being received.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// A file outside the spool cannot take its place: somebody else's is there, or it has become a directory.
    #[error("{}: cannot be put there: {source}", .path.display())]
    Unplaceable {
        /// The place.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else holds a lock for longer than we may wait.
    #[error("{}: locked by another process", .path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

impl SpoolError {
    /// Whether it may work at another time: all but a file that is wrong for good.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(
            self,
            Self::Corrupt { .. } | Self::Unqueueable { .. } | Self::Unplaceable { .. }
        )
    }

    /// Whether the file or directory is simply not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Gives an `io::Error` its file and the word for what was being done.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, SpoolError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, SpoolError> {
        self.map_err(|source| SpoolError::Io {
            action,
            path: path.to_path_buf(),
            source: source.into(),
        })
    }
}
