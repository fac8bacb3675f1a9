//! Outboxes on the disk: messages that wait, one durable file each, until they are packed into a job.
//!
//! `.Bangpath/outbox/SYSTEM/` holds `queue/NAME`, the messages; `pending/KEY.NAME`, messages whose submission record is about
//! to be written; `packed/NAME`, commit records of batches; and `lock`. What is in a message's file is not known here. States
//! and steps: INTERNALS.md, *The outbox*.

mod lock;
mod message;
mod name;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

pub use lock::OutboxLock;
pub use message::{SealedMessage, StagedMessage};
pub use name::EntryName;

use super::error::At;
use super::submission::is_key;
use super::{Spool, SpoolError, durable, regular};
use crate::name::{Grade, SystemName};

impl Spool {
    fn outbox_folder(&self, system: &SystemName) -> PathBuf {
        self.own_folder("outbox").join(system.as_str())
    }

    pub(super) fn queue_folder(&self, system: &SystemName) -> PathBuf {
        self.outbox_folder(system).join("queue")
    }

    pub(super) fn pending_folder(&self, system: &SystemName) -> PathBuf {
        self.outbox_folder(system).join("pending")
    }

    pub(super) fn pending_path(&self, system: &SystemName, key: &str, name: &EntryName) -> PathBuf {
        self.pending_folder(system).join(format!("{key}.{name}"))
    }

    fn packed_folder(&self, system: &SystemName) -> PathBuf {
        self.outbox_folder(system).join("packed")
    }

    /// Whether batches for a system are in the making, or were cut in it.
    pub(crate) fn has_cut_batches(&self, system: &SystemName) -> Result<bool, SpoolError> {
        let mut any = false;
        durable::each_name(&self.packed_folder(system), |_| {
            any = true;
            false
        })?;
        Ok(any)
    }

    /// The folders with commit records of all outboxes.
    pub(super) fn batch_records(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let names = durable::names(&self.own_folder("outbox"))?;
        let systems = names.iter().filter_map(|name| name.parse().ok());
        Ok(systems.map(|system| self.packed_folder(&system)).collect())
    }

    /// Where a message of an outbox lies.
    #[must_use]
    pub fn message_path(&self, system: &SystemName, name: &EntryName) -> PathBuf {
        self.queue_folder(system).join(name.to_string())
    }

    /// Gives a pending message its name in the queue, unless that was done.
    pub(super) fn release_message(
        &self,
        system: &SystemName,
        key: &str,
        name: &EntryName,
    ) -> Result<(), SpoolError> {
        let pending = self.pending_path(system, key, name);
        if !pending.exists() {
            return Ok(());
        }
        durable::rename_new_making(&pending, &self.message_path(system, name))?;
        durable::sync_directory(&self.queue_folder(system))
    }

    /// The messages of grade `least` and better that wait for a system, most urgent first, within a grade the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read; a system without one has no messages.
    pub fn messages(
        &self,
        system: &SystemName,
        least: Grade,
    ) -> Result<Vec<EntryName>, SpoolError> {
        let mut found = Vec::new();
        self.each_message(system, least, |name| {
            found.push(name);
            true
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Whether messages of grade `least` or better wait for a system; also in `pending/`, where a crash has left them.
    ///
    /// # Errors
    /// As for [`Spool::messages`].
    pub fn has_messages(&self, system: &SystemName, least: Grade) -> Result<bool, SpoolError> {
        let mut any = false;
        self.each_message(system, least, |_| {
            any = true;
            false
        })?;
        if !any {
            durable::each_name(&self.pending_folder(system), |text| {
                any = parse_pending(text).is_some_and(|(_, name)| name.grade() <= least);
                !any
            })?;
        }
        Ok(any)
    }

    fn each_message(
        &self,
        system: &SystemName,
        least: Grade,
        mut each: impl FnMut(EntryName) -> bool,
    ) -> Result<(), SpoolError> {
        durable::each_name(&self.queue_folder(system), |text| {
            let name = EntryName::parse(text).filter(|name| name.grade() <= least);
            name.is_none_or(&mut each)
        })
    }

    /// The systems that have an outbox with messages in it.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn systems_with_messages(&self) -> Result<Vec<SystemName>, SpoolError> {
        let mut found = Vec::new();
        for name in durable::names(&self.own_folder("outbox"))? {
            if let Ok(system) = name.parse()
                && self.has_messages(&system, Grade::LAST)?
            {
                found.push(system);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// When messages of a system last came or went; `None` where that cannot be told.
    #[must_use]
    pub fn outbox_changed(&self, system: &SystemName) -> Option<SystemTime> {
        std::fs::metadata(self.queue_folder(system))
            .and_then(|folder| folder.modified())
            .ok()
    }

    /// Opens a message's file; `None` if it is gone.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_message(
        &self,
        system: &SystemName,
        name: &EntryName,
    ) -> Result<Option<File>, SpoolError> {
        let path = self.message_path(system, name);
        match regular::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.at("open", &path).map(Some),
        }
    }

    /// Queues messages, durably: when this returns, all of them survive a crash. A thousand cost little more than one.
    ///
    /// # Errors
    /// When anything could not be written; then none is queued.
    pub fn queue_messages(
        &self,
        mut messages: Vec<SealedMessage>,
    ) -> Result<Vec<EntryName>, SpoolError> {
        let files: Vec<_> = messages.iter().map(SealedMessage::unsynced).collect();
        durable::sync_all(&files)
            .into_iter()
            .collect::<Result<(), _>>()?;
        for message in &mut messages {
            message.appear(self)?;
        }
        let folders: std::collections::BTreeSet<PathBuf> = messages
            .iter()
            .map(|message| self.queue_folder(message.system()))
            .collect();
        // Should this fail, nobody knows whether they stay: they go with their values, and the sender comes again.
        durable::sync_directories(folders.iter().map(PathBuf::as_path))?;
        Ok(messages
            .into_iter()
            .map(|mut message| {
                message.set_kept(true);
                message.id().1
            })
            .collect())
    }
}

/// The key and the name in the name of a pending message.
fn parse_pending(text: &str) -> Option<(&str, EntryName)> {
    let (key, name) = text.split_once('.')?;
    is_key(key).then_some((key, EntryName::parse(name)?))
}

#[cfg(test)]
mod tests;
