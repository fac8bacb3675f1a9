//! The outbox: mail for a system that takes batches waits here, message by message, until it is packed at the last moment.
//!
//! Station: between the senders and the spool. What is on the disk, and in which order, is the spool's; here is what it means.
//! A message is a file of its content, then its envelope as SMTP writes it, so it can be listed, shown and cancelled one by
//! one. Packing turns messages into batches (RFC 2442), grade by grade, compressed, for uucico or for another carrier.

mod batch;
mod expire;
mod head;
mod notice;
mod pack;
mod packing;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::io::{self, Read, Take, Write};
use std::time::Instant;

pub use expire::{Expired, expire, expire_all};
pub use head::EntryHead;
pub use pack::{Batch, PackError, Packed, Scope};
pub use packing::{Packing, PackingError};

use crate::bsmtp::Transaction;
use crate::config::mail::{Carrier, MailConfig};
use crate::name::{Grade, SystemName};
use crate::spool::{EntryName, SealedMessage, Spool, SpoolError, StagedMessage};

/// The messages that wait for one system.
#[derive(Debug, Clone)]
pub struct Outbox<'s> {
    spool: &'s Spool,
    system: SystemName,
}

/// A message of an outbox.
#[derive(Debug)]
pub struct Entry {
    /// What is known of it.
    pub head: EntryHead,
    /// Its content: lines end in LF.
    pub content: Take<File>,
}

impl<'s> Outbox<'s> {
    /// The outbox of a system, whether or not there is anything in it.
    #[must_use]
    pub fn new(spool: &'s Spool, system: &SystemName) -> Self {
        Self {
            spool,
            system: system.clone(),
        }
    }

    /// Whether nothing waits.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_empty(&self) -> Result<bool, SpoolError> {
        Ok(!self.spool.has_messages(&self.system, Grade::LAST)?)
    }

    /// Finishes what somebody's death or a power failure has cut, so that a list shows what waits and nothing else. Whoever is
    /// at work meanwhile is not waited for.
    ///
    /// # Errors
    /// When what was cut cannot be finished.
    pub fn settle(&self) -> Result<(), SpoolError> {
        if self.is_empty()? && !self.spool.has_cut_batches(&self.system)? {
            return Ok(());
        }
        match self.spool.lock_outbox(&self.system, Instant::now()) {
            Ok(_) | Err(SpoolError::Locked { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names of the messages, in the order in which they will be packed. A name tells grade and time.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<EntryName>, SpoolError> {
        self.spool.messages(&self.system, Grade::LAST)
    }

    /// Opens a message; `None` if it is gone. [`SpoolError::Corrupt`] if it cannot be understood.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn open(&self, name: &EntryName) -> Result<Option<Entry>, SpoolError> {
        let Some(mut file) = self.spool.open_message(&self.system, name)? else {
            return Ok(None);
        };
        let path = self.spool.message_path(&self.system, name);
        let mut head = head::read(&mut file, &path)?;
        // The name is never given again, so it tells the receiver whether it has the message already.
        head.transaction.parameters.id = Some(name.unique().as_bytes().to_vec());
        let content = file.take(head.size);
        Ok(Some(Entry { head, content }))
    }

    /// Takes a message out, for good; whether it was there. What is packed is a job, and no longer here. Waits until
    /// `deadline` for whoever is packing ([`SpoolError::Locked`] then).
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn cancel(&self, name: &EntryName, deadline: Instant) -> Result<bool, SpoolError> {
        let lock = self.spool.lock_outbox(&self.system, deadline)?;
        let there = self.spool.message_path(&self.system, name).exists();
        if there {
            lock.remove([name])?;
        }
        Ok(there)
    }
}

/// Whether messages of grade `least` and better wait that uucico carries.
///
/// # Errors
/// When the folder cannot be read.
pub fn has_work(
    spool: &Spool,
    mail: &MailConfig,
    system: &SystemName,
    least: Grade,
) -> Result<bool, SpoolError> {
    Ok(mail.sending(system).carrier == Carrier::Uucp && spool.has_messages(system, least)?)
}

/// The systems with messages that uucico carries.
///
/// # Errors
/// When the folders cannot be read.
pub fn systems_with_work(spool: &Spool, mail: &MailConfig) -> Result<Vec<SystemName>, SpoolError> {
    let mut systems = spool.systems_with_messages()?;
    systems.retain(|system| mail.sending(system).carrier == Carrier::Uucp);
    Ok(systems)
}

/// A message in the making: its content is written to it, then it is sealed with its envelope. Dropped before it is queued,
/// it is removed.
///
/// Queued by [`Spool::queue_messages`], or with a record against repeats by
/// [`Submission::commit`](crate::spool::Submission::commit).
#[derive(Debug)]
pub struct OutboxDraft {
    spool: Spool,
    system: SystemName,
    staged: StagedMessage,
}

impl OutboxDraft {
    /// Begins a message.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(spool: &Spool, system: &SystemName) -> Result<Self, SpoolError> {
        Ok(Self {
            spool: spool.clone(),
            system: system.clone(),
            staged: spool.stage_message(system)?,
        })
    }

    /// How many bytes of content were written so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.staged.size()
    }

    /// Adds the envelope: what was refused in it is not kept, and its id is not either, since it gets one here.
    ///
    /// # Errors
    /// When it cannot be written, now or (an envelope that SMTP cannot say) ever.
    pub fn seal(
        self,
        transaction: &Transaction,
        grade: Grade,
    ) -> Result<SealedMessage, SpoolError> {
        let now = self.spool.observed_now()?;
        let behind = head::emit(transaction, self.size(), now).map_err(|reason| {
            SpoolError::Unqueueable {
                system: self.system.clone(),
                reason,
            }
        })?;
        self.staged.seal(&behind, grade)
    }
}

impl Write for OutboxDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.staged.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.flush()
    }
}
