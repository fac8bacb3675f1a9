//! The spool: work files, data files, execute files, locks, status, journal (Taylor's layout), and our own records beside
//! them in a dot-folder.
//!
//! Nothing here talks to a peer or knows a link protocol. States, steps and the instants that count: `INTERNALS.md`.

mod age;
mod attempts;
mod commit;
mod destination;
mod durable;
mod error;
mod executefile;
mod execution;
pub(crate) mod fault;
pub(crate) mod filler;
mod hourly;
mod inbox;
mod incoming;
mod journal;
mod layout;
mod localmail;
mod lock;
mod mentions;
mod names;
mod offered;
mod outbox;
mod queue;
mod quota;
mod receipt;
mod reception;
mod record;
pub(crate) mod regular;
mod rename;
mod sequence;
mod sharing;
mod status;
mod submission;
#[cfg(test)]
pub(crate) mod tests;
mod unnamed;
mod work;
mod workfile;
mod writeout;

use std::path::{Path, PathBuf};

pub use age::ObservedTime;
pub(crate) use age::observed;
pub use error::SpoolError;
pub use executefile::{ExecuteFile, RunFile};
pub use execution::{Execution, ExecutionLock, RetryState};
pub use hourly::count_in_hour;
pub use inbox::{Admission, Inbox};
pub use incoming::Incoming;
pub use journal::{Journal, LOG_TARGET, Severity, Transfer};
pub use localmail::LocalMail;
pub(crate) use lock::LockedFile;
pub use lock::{LockError, PidLock, SystemLock, Turn};
pub use offered::Offered;
pub use outbox::{EntryName, OutboxLock, SealedMessage, StagedMessage};
pub use queue::{Draft, StageKind, Staged};
pub use reception::Reception;
#[cfg(feature = "cli")]
pub(crate) use sharing::open_log;
pub(crate) use sharing::{
    OfFile, create_shared, give_to_owner, make_shared_directory, open_shared, open_to_group, share,
};
pub use status::{Status, StatusKind};
pub use submission::{Delivery, LocalMailDraft, Queued, Submission, SubmissionKey};
pub use unnamed::Collected;
pub use work::by_urgency;
pub use workfile::{ASKED_FOR, WorkFile};

use crate::config::Config;
use crate::name::SystemName;

/// Where the spool and what belongs to it lies.
#[derive(Debug, Clone)]
pub struct SpoolPaths {
    /// The name of this system.
    pub nodename: SystemName,
    /// The spool directory.
    pub root: PathBuf,
    /// Where `LCK..system` is.
    pub lockdir: PathBuf,
}

/// An open spool. Cheap to make; holds no file open.
#[derive(Debug, Clone)]
pub struct Spool {
    paths: SpoolPaths,
}

impl Spool {
    /// Opens the spool of this configuration.
    ///
    /// # Errors
    /// When the directory is not there and cannot be made.
    pub fn open(config: &Config) -> Result<Self, SpoolError> {
        Self::open_at(SpoolPaths {
            nodename: config.nodename.clone(),
            root: config.spool.clone(),
            lockdir: config.lockdir.clone(),
        })
    }

    /// As [`Spool::open`], with the paths given.
    ///
    /// # Errors
    /// As for [`Spool::open`].
    pub fn open_at(paths: SpoolPaths) -> Result<Self, SpoolError> {
        durable::make_directory(&paths.root)?;
        Ok(Self { paths })
    }

    /// The spool directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.paths.root
    }

    /// The name of this system.
    #[must_use]
    pub fn nodename(&self) -> &SystemName {
        &self.paths.nodename
    }
}
