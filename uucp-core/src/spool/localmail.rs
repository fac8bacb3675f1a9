//! Mail for this system's own MTA that waits in the spool until it is handed over: reports that must not be lost and may
//! not depend on an MTA that hangs.

use super::submission::LocalMailDraft;
use super::{Spool, SpoolError};

/// One waiting mail, locked while this value lives; dropped without [`LocalMail::remove`], it waits on.
#[derive(Debug)]
pub struct LocalMail {
    /// The envelope's sender; empty for the null sender.
    pub sender: Vec<u8>,
    /// The envelope's recipients.
    pub recipients: Vec<Vec<u8>>,
    /// The message.
    pub content: Vec<u8>,
}

impl LocalMail {
    /// It was handed over: removes it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<(), SpoolError> {
        todo!()
    }
}

impl Spool {
    /// Queues mail for the local MTA, durably.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enqueue_local_mail(&self, _mail: &LocalMailDraft<'_>) -> Result<(), SpoolError> {
        todo!()
    }

    /// The names of the mails that wait; most find none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn local_mail_names(&self) -> Result<Vec<String>, SpoolError> {
        todo!()
    }

    /// Takes one of them up; `None` if it is gone or somebody else has it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn take_local_mail(&self, _name: &str) -> Result<Option<LocalMail>, SpoolError> {
        todo!()
    }
}
