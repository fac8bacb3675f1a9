//! What only one process at a time does with an outbox: packing, and taking messages out.
//!
//! Whoever gets the lock first finishes what was cut. So nobody who holds it ever sees a message that is in a job already.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use super::super::lock::{self, LockedFile};
use super::super::queue::{NewFile, Prepared, place_data};
use super::super::record::{Part, Record, RecordedJob, appear};
use super::super::work::move_aside;
use super::super::{Draft, Spool, SpoolError, durable, names};
use super::{EntryName, parse_pending};
use crate::name::{JobId, SystemName};

/// The lock of one outbox; released when dropped.
#[derive(Debug)]
pub struct OutboxLock {
    spool: Spool,
    system: SystemName,
    /// Why a message of which nobody can say whether it was promised stays where it is. The others do not wait for it.
    doubt: Option<SpoolError>,
    _lock: LockedFile,
}

impl Spool {
    /// Locks the outbox of a system, waiting until `deadline` ([`SpoolError::Locked`] then), and finishes what was cut.
    ///
    /// # Errors
    /// When it stays locked, or a batch that was cut cannot be finished.
    pub fn lock_outbox(
        &self,
        system: &SystemName,
        deadline: Instant,
    ) -> Result<OutboxLock, SpoolError> {
        let lock = lock::wait_for(&self.outbox_folder(system).join("lock"), deadline)?;
        let mut outbox = OutboxLock {
            spool: self.clone(),
            system: system.clone(),
            doubt: None,
            _lock: lock,
        };
        outbox.finish_packed()?;
        outbox.doubt = self.settle_outbox(system).err();
        Ok(outbox)
    }

    /// What becomes of the pending messages of all systems ([`Spool::settle_pending`]).
    pub(in crate::spool) fn settle_outboxes(&self) -> Result<(), SpoolError> {
        for name in durable::names(&self.own_folder("outbox"))? {
            if let Ok(system) = name.parse() {
                self.settle_outbox(&system)?;
            }
        }
        Ok(())
    }

    /// All that can be settled is, whatever cannot.
    fn settle_outbox(&self, system: &SystemName) -> Result<(), SpoolError> {
        let mut settled = Ok(());
        for text in durable::names(&self.pending_folder(system))? {
            if let Some((key, name)) = parse_pending(&text) {
                let this_one = self.settle_pending(system, key, &name);
                settled = settled.and(this_one);
            }
        }
        settled
    }
}

impl OutboxLock {
    /// What is to be said, for the log, of messages that wait in `pending/` because nobody can read what became of them.
    pub(crate) fn complaint(&self) -> Option<String> {
        let folder = self.spool.pending_folder(&self.system);
        let doubt = self.doubt.as_ref()?;
        Some(format!(
            "{doubt}; what it tells of stays in {}",
            folder.display()
        ))
    }

    /// Batches whose record is there: their jobs are made to exist, unless they were sent; their messages go; then the record.
    fn finish_packed(&self) -> Result<(), SpoolError> {
        let folder = self.spool.packed_folder(&self.system);
        for name in durable::names(&folder)? {
            let (record, parts) = Record::read(folder.join(name))?;
            self.spool.finish_jobs(&parts)?;
            self.finish(&record, &parts)?;
        }
        Ok(())
    }

    /// Removes the messages of a record whose jobs exist, and the record when they are gone for good.
    fn finish(&self, record: &Record, parts: &[Part]) -> Result<(), SpoolError> {
        let messages = parts.iter().flat_map(|part| &part.messages);
        self.remove_left(messages.map(|(_, name)| name))?;
        durable::remove(record.path())
    }

    /// The folders that tell whether messages have left `pending/`. Senders do not wait for that; who makes the messages go has to,
    /// before, lest they come back.
    fn folders(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let spool = &self.spool;
        let both = [
            spool.queue_folder(&self.system),
            spool.pending_folder(&self.system),
        ];
        both.into_iter().filter(|folder| folder.exists())
    }

    /// Turns messages into jobs, at any instant in exactly one of both: the data becomes durable, then a record of data, work
    /// files and messages, then the work files appear, then the messages go, then the record.
    ///
    /// # Errors
    /// When a step fails. Before the record is durable nothing has happened; after it, whoever locks the outbox next finishes
    /// it.
    pub fn commit(
        &self,
        drafts: Vec<Draft>,
        messages: &[EntryName],
    ) -> Result<Vec<JobId>, SpoolError> {
        let spool = &self.spool;
        let mut jobs = spool.write_jobs(drafts)?;
        let named = messages
            .iter()
            .map(|name| (self.system.clone(), name.clone()));
        let part = Part {
            jobs: jobs.iter().map(RecordedJob::of).collect(),
            messages: named.collect(),
            ..Part::default()
        };
        let path = spool.packed_folder(&self.system).join(names::unique());
        let mut record = Record::new(path);
        let mut first = record.write_first(spool, &part)?;
        let mut folders = place_data(&mut jobs)?;
        folders.extend(self.folders());
        let files: Vec<_> = jobs
            .iter()
            .flat_map(Prepared::unsynced)
            .chain(first.iter().map(NewFile::unsynced))
            .collect();
        durable::sync_round(&files, folders.iter().map(PathBuf::as_path))?;
        record.make_durable(&part, first.as_mut(), &mut |kept| {
            for file in jobs.iter_mut().flat_map(|job| &mut job.staged) {
                file.set_kept(kept);
            }
        })?;
        appear(spool, &mut jobs, |part| record.append(part))?;
        spool.sync_jobs(&jobs)?;
        self.finish(&record, &[part])?;
        Ok(jobs.into_iter().map(|job| job.id).collect())
    }

    /// Removes messages, for good.
    ///
    /// # Errors
    /// When one cannot be removed; that it is gone already is no error.
    pub fn remove<'n>(
        &self,
        messages: impl IntoIterator<Item = &'n EntryName>,
    ) -> Result<(), SpoolError> {
        let folders: Vec<PathBuf> = self.folders().collect();
        durable::sync_directories(folders.iter().map(PathBuf::as_path))?;
        self.remove_left(messages)
    }

    /// Removes messages that have left `pending/` for good.
    fn remove_left<'n>(
        &self,
        messages: impl IntoIterator<Item = &'n EntryName>,
    ) -> Result<(), SpoolError> {
        for name in messages {
            durable::remove(&self.spool.message_path(&self.system, name))?;
        }
        let folder = self.spool.queue_folder(&self.system);
        match fs::exists(&folder) {
            Ok(false) => Ok(()),
            _ => durable::sync_directory(&folder),
        }
    }

    /// Moves a message that cannot be understood into `.Corrupt/`; gives its new path, for the log.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&self, name: &EntryName) -> Result<PathBuf, SpoolError> {
        move_aside(
            &self.spool.message_path(&self.system, name),
            &self.spool.taylor_folder(".Corrupt"),
        )
    }
}
