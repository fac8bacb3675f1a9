//! Packing: every message that waits becomes part of one batch, at any instant in exactly one place.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::time::Instant;

use thiserror::Error;

use super::batch::{Builder, Built};
use super::notice::Notice;
use super::{Outbox, Packing};
use crate::name::{Grade, JobId};
use crate::report::Kind;
use crate::spool::{Draft, EntryName, OutboxLock, SpoolError};

/// How much of an outbox is packed.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Messages of this grade and better.
    pub least: Grade,
    /// How long to wait for whoever is packing now ([`SpoolError::Locked`] then).
    pub wait: Instant,
    /// After this no more batches are begun; one is packed in any case. `None`: all.
    pub until: Option<Instant>,
    /// The most bytes of a batch after compression, besides what [`Packing`] says.
    pub largest: Option<u64>,
}

impl Scope {
    /// Everything, without waiting for anybody.
    #[must_use]
    pub fn all() -> Self {
        Self {
            least: Grade::LAST,
            wait: Instant::now(),
            until: None,
            largest: None,
        }
    }
}

/// A batch that was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its grade.
    pub grade: Grade,
    /// The messages in it.
    pub messages: Vec<EntryName>,
    /// Its bytes before compression.
    pub bytes: u64,
    /// Its bytes after compression.
    pub size: u64,
    /// The job that it has become; `None` where another carrier takes it.
    pub job: Option<JobId>,
}

/// What came of packing.
#[derive(Debug, Default)]
pub struct Packed {
    /// The batches, in order.
    pub batches: Vec<Batch>,
    /// Whether the time was over before everything was packed.
    pub unfinished: bool,
    /// What was found wrong, for the log: messages that were set aside, or cannot be read now.
    pub complaints: Vec<String>,
}

/// Why packing ended early. Batches before that are packed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PackError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The batch could not be written.
    #[error("cannot write a batch: {0}")]
    Batch(#[source] io::Error),
    /// The carrier has not taken the batch, as far as is known.
    #[error("{0}")]
    Carrier(#[source] io::Error),
}

impl PackError {
    /// Whether somebody else is packing this outbox.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Spool(SpoolError::Locked { .. }))
    }
}

impl Outbox<'_> {
    /// Packs into jobs for uucico. `told` hears of each batch when it is queued.
    ///
    /// # Errors
    /// When a step fails; whoever packs next finishes what was cut.
    pub fn pack(
        &self,
        how: &Packing,
        scope: Scope,
        told: &mut dyn FnMut(&Batch),
    ) -> Result<Packed, PackError> {
        self.pack_by(how, scope, &mut |lock, grade, built| {
            let request = how.request(self.spool, &built.staged, grade);
            let draft = Draft {
                system: self.system.clone(),
                grade,
                requests: vec![request],
                staged: vec![built.staged],
            };
            let jobs = lock.commit(vec![draft], &built.messages)?;
            let batch = Batch {
                grade,
                messages: built.messages,
                bytes: built.bytes,
                size: built.size,
                job: jobs.into_iter().next(),
            };
            told(&batch);
            Ok(batch)
        })
    }

    /// Packs into files that `carrier` takes, at their beginning. Only when it has said yes do the messages go; if that is lost
    /// they go again, with the same ids, by which our rsmtp knows them.
    ///
    /// # Errors
    /// When a step fails, or the carrier says no.
    pub fn pack_with(
        &self,
        how: &Packing,
        scope: Scope,
        carrier: &mut dyn FnMut(&Batch, File) -> io::Result<()>,
    ) -> Result<Packed, PackError> {
        self.pack_by(how, scope, &mut |lock, grade, mut built| {
            let file = built.staged.read_back()?;
            let batch = Batch {
                grade,
                messages: built.messages,
                bytes: built.bytes,
                size: built.size,
                job: None,
            };
            carrier(&batch, file).map_err(PackError::Carrier)?;
            lock.remove(&batch.messages)?;
            Ok(batch)
        })
    }

    fn pack_by(
        &self,
        how: &Packing,
        scope: Scope,
        deliver: &mut dyn FnMut(&OutboxLock, Grade, Built) -> Result<Batch, PackError>,
    ) -> Result<Packed, PackError> {
        let mut packed = Packed::default();
        // What was cut when the last message had gone is finished too, though nothing waits.
        let waits = self.spool.has_messages(&self.system, scope.least)?;
        if !waits && !self.spool.has_cut_batches(&self.system)? {
            return Ok(packed);
        }
        let lock = match self.spool.lock_outbox(&self.system, scope.wait) {
            // Whoever has it is at that.
            Err(SpoolError::Locked { .. }) if !waits => return Ok(packed),
            other => other?,
        };
        let names = self.spool.messages(&self.system, scope.least)?;
        let limits = [how.limits.compressed_bytes, scope.largest];
        let mut builder = Builder {
            outbox: self,
            lock: &lock,
            how,
            largest: limits.into_iter().flatten().min(),
            now: self.spool.observed_now()?,
            unreadable: HashSet::new(),
            complaints: lock.complaint().into_iter().collect(),
        };
        for same in names.chunk_by(|a, b| a.grade() == b.grade()) {
            let mut rest = same;
            while let Some(grade) = rest.first().map(EntryName::grade) {
                let over = scope.until.is_some_and(|until| Instant::now() >= until);
                if over && !packed.batches.is_empty() {
                    packed.unfinished = true;
                    packed.complaints = builder.complaints;
                    return Ok(packed);
                }
                let Some(built) = builder.build(rest)? else {
                    break;
                };
                rest = rest.get(built.dealt_with..).unwrap_or_default();
                for name in &built.unheard {
                    if let Err(error) = self.tell_of_relay(how, name) {
                        let text = format!("the sender of {name} cannot be told of it: {error}");
                        builder.complaints.push(text);
                    }
                }
                packed.batches.push(deliver(&lock, grade, built)?);
            }
        }
        packed.complaints = builder.complaints;
        Ok(packed)
    }

    /// Tells the sender of a message, who wants to be told of success, that it goes to where his wish is not understood
    /// (RFC 3461, 5.2.2).
    fn tell_of_relay(&self, how: &Packing, name: &EntryName) -> Result<(), SpoolError> {
        let Some(entry) = self.open(name)? else {
            return Ok(());
        };
        let notice = Notice {
            word: "relayed",
            kind: Kind::Relayed,
            status: "2.0.0",
            diagnostic: String::new(),
            wants: |notify| notify.is_some_and(|notify| notify.success),
            domain: &how.style.hello,
            postmaster: how.notify.as_ref(),
        };
        self.tell_sender(name, entry, &notice).map(drop)
    }
}
