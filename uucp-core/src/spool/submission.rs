//! Submission records: a message that an MTA delivers twice is queued once.
//!
//! An MTA repeats a delivery whose exit status was lost, perhaps with its recipients grouped anew, perhaps after the job was
//! sent. So before a job appears, a record is durable that says which recipients it covers and which files it is made of.
//! A repeat leaves out the recipients that are covered, and finishes what was cut:
//! * work file there: queued;
//! * work file not there, data file there: the work file is made, from the record;
//! * neither there: the job was sent, since the data file was durable before the record.
//!
//! A record is of parts, which are appended ([`ledger`]); a part that a crash has cut is none. Whole weeks (of observed time)
//! are forgotten at once.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::At;
use super::localmail::{self, hexadecimal};
use super::lock::{self, LockedByte};
use super::outbox::{EntryName, SealedMessage};
use super::queue::{NewFile, Prepared, is_taken, place_data};
use super::record::{Part, RecordedJob, appear};
use super::{Draft, Spool, SpoolError, durable, names};
use crate::name::{JobId, SystemName};

use self::ledger::Ledger;

mod ledger;

/// Seconds of observed time in one folder.
const WEEK: u64 = 7 * 86_400;

/// Digits of a key in names of files and in records.
const KEY_DIGITS: usize = 40;

/// Whether a text is a key as names of files have it.
pub(super) fn is_key(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// What makes two deliveries the same message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// The MTA's id of the message (for Postfix its queue id), and whatever else must be equal, such as the sender.
    pub message_id: Vec<u8>,
    /// A hash of the content.
    pub content_hash: [u8; 32],
    /// The system it is for.
    pub system: SystemName,
}

impl SubmissionKey {
    /// The key in names of files and in records: hexadecimal digits.
    pub(super) fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        for field in [
            &self.message_id[..],
            &self.content_hash,
            self.system.as_bytes(),
        ] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let mut name = hexadecimal(&hash.finalize());
        name.truncate(KEY_DIGITS);
        name
    }
}

/// Mail for this system's own MTA, such as a report about a refused recipient.
#[derive(Debug, Clone, Copy)]
pub struct LocalMailDraft<'a> {
    /// The envelope's sender; empty for the null sender.
    pub sender: &'a [u8],
    /// The envelope's recipients.
    pub recipients: &'a [Vec<u8>],
    /// The message.
    pub content: &'a [u8],
}

/// What one delivery queues.
#[derive(Debug, Default)]
pub struct Delivery<'a> {
    /// The recipients (or whatever else a repeat is to leave out) that it covers.
    pub recipients: &'a [&'a [u8]],
    /// Jobs.
    pub jobs: Vec<Draft>,
    /// Messages for outboxes.
    pub messages: Vec<SealedMessage>,
    /// Reports.
    pub mails: &'a [LocalMailDraft<'a>],
}

/// What a delivery has queued.
#[derive(Debug)]
pub struct Queued {
    /// The jobs.
    pub jobs: Vec<JobId>,
    /// The messages' names in their outboxes.
    pub messages: Vec<EntryName>,
}

/// One delivery of a message, while its record is locked.
#[derive(Debug)]
pub struct Submission {
    spool: Spool,
    /// The key, as the record has it.
    name: String,
    record: Ledger,
    /// The week in which it is continued.
    week: u64,
    covered: BTreeSet<Vec<u8>>,
    _lock: LockedByte,
}

impl Spool {
    fn submissions(&self) -> PathBuf {
        self.own_folder("submissions")
    }

    fn pending_mail_path(&self, name: &str) -> PathBuf {
        self.own_folder("local-mail-pending").join(name)
    }

    /// Begins a delivery: locks the message's record (waiting until `deadline` for a concurrent delivery of the same
    /// message), and finishes a submission that was cut.
    ///
    /// # Errors
    /// When the record cannot be read or written, or stays locked.
    pub fn begin_submission(
        &self,
        key: &SubmissionKey,
        deadline: Instant,
    ) -> Result<Submission, SpoolError> {
        let name = key.file_name();
        let lock = self.lock_submission(&name, deadline)?;
        let week = self.observed_now()?.0 / WEEK;
        let record = Ledger::new(self, &name);
        let parts = record.read()?;
        self.finish_parts(&name, &parts)?;
        Ok(Submission {
            spool: self.clone(),
            name,
            record,
            week,
            covered: parts.into_iter().flat_map(|part| part.recipients).collect(),
            _lock: lock,
        })
    }

    /// A byte of one file, by the key: so many that deliveries side by side do not meet.
    fn lock_submission(&self, name: &str, deadline: Instant) -> Result<LockedByte, SpoolError> {
        let at = name
            .get(..8)
            .and_then(|digits| i64::from_str_radix(digits, 16).ok());
        let path = self.own_folder("submission-lock");
        lock::wait_for_byte(&path, at.unwrap_or_default(), deadline)
    }

    /// The folder of one week's records.
    fn week_of_submissions(&self, week: u64) -> PathBuf {
        self.submissions().join(week.to_string())
    }

    /// The weeks that there are records of, the oldest first.
    fn weeks_of_submissions(&self) -> Result<BTreeSet<u64>, SpoolError> {
        let names = durable::names(&self.submissions())?;
        let weeks = names.iter().filter_map(|name| {
            let week: u64 = name.parse().ok()?;
            // Not `007`, which would be taken for the folder of another week.
            (week.to_string() == *name).then_some(week)
        });
        Ok(weeks.collect())
    }

    /// Brings whatever a crash has cut to its end.
    fn finish_parts(&self, key: &str, parts: &[Part]) -> Result<(), SpoolError> {
        self.finish_jobs(parts)?;
        for (system, name) in parts.iter().flat_map(|part| &part.messages) {
            self.release_message(system, key, name)?;
        }
        for mail in parts.iter().flat_map(|part| &part.mails) {
            let pending = self.pending_mail_path(mail);
            if pending.exists() {
                self.release_mail(mail)?;
            }
        }
        self.sync_recorded(parts)
    }

    /// What becomes of a pending message whose sender is gone: it is queued if its record promises it, else it goes. Nothing is
    /// done while its sender is at work.
    pub(super) fn settle_pending(
        &self,
        system: &SystemName,
        key: &str,
        name: &EntryName,
    ) -> Result<(), SpoolError> {
        let _lock = match self.lock_submission(key, Instant::now()) {
            Err(SpoolError::Locked { .. }) => return Ok(()),
            other => other?,
        };
        let parts = Ledger::new(self, key).read()?;
        let named = |part: &Part| {
            let mut messages = part.messages.iter();
            messages.any(|(for_system, entry)| for_system == system && entry == name)
        };
        if parts.iter().any(named) {
            self.release_message(system, key, name)
        } else {
            durable::remove(&self.pending_path(system, key, name))
        }
    }

    /// Makes the names durable that have just appeared; but not those of messages, which from their place in `pending/` go on
    /// as the record has it ([`Spool::settle_pending`]), whatever becomes of this rename.
    fn sync_appeared(&self, part: &Part) -> Result<(), SpoolError> {
        let folders = self.folders_of_files(part);
        durable::sync_directories(folders.iter().map(PathBuf::as_path))
    }

    /// The folders in which the names of a part's jobs and mails appear.
    fn folders_of_files(&self, part: &Part) -> BTreeSet<PathBuf> {
        let jobs = part.jobs.iter().map(|job| self.work_folder(&job.id.system));
        let mails = (!part.mails.is_empty()).then(|| self.own_folder("local-mail"));
        jobs.chain(mails).collect()
    }

    /// The folders in which the names of a part appear.
    fn folders_of(&self, part: &Part) -> BTreeSet<PathBuf> {
        let mut folders = self.folders_of_files(part);
        let messages = part.messages.iter();
        folders.extend(messages.map(|(system, _)| self.queue_folder(system)));
        folders
    }

    /// Whoever wrote a record may have died between a rename and its sync: whoever believes the record makes good for that,
    /// for folders that were just made, too.
    fn sync_recorded(&self, parts: &[Part]) -> Result<(), SpoolError> {
        let folders: BTreeSet<PathBuf> = parts
            .iter()
            .flat_map(|part| self.folders_of(part))
            .collect();
        let all: BTreeSet<&Path> = folders
            .iter()
            .flat_map(|folder| folder.ancestors())
            .filter(|path| path.starts_with(self.root()) && path.exists())
            .collect();
        durable::sync_directories(all)
    }

    fn release_mail(&self, name: &str) -> Result<(), SpoolError> {
        match durable::rename_new_making(&self.pending_mail_path(name), &self.local_mail_path(name))
        {
            Err(error) if is_taken(&error) => Ok(()),
            other => other,
        }
    }

    /// Forgets records that are older than `age` of observed time. Longer than the MTA keeps its queue.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn expire_submissions(&self, age: Duration) -> Result<(), SpoolError> {
        let now = self.observed_now()?.0;
        let mut weeks = self.weeks_of_submissions()?;
        weeks.retain(|week| {
            let end = week.saturating_add(1).saturating_mul(WEEK);
            end.saturating_add(age.as_secs()) <= now
        });
        if weeks.is_empty() {
            return Ok(());
        }
        // What still waits in `pending/` waits because of its record.
        self.settle_outboxes()?;
        for week in weeks {
            let path = self.week_of_submissions(week);
            match fs::remove_dir_all(&path) {
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                other => other.at("remove", &path)?,
            }
        }
        Ok(())
    }
}

impl Submission {
    /// Whether this recipient was queued (or reported) by an earlier delivery.
    #[must_use]
    pub fn is_covered(&self, recipient: &[u8]) -> bool {
        self.covered.contains(recipient)
    }

    /// Queues jobs, messages and local mail that cover the recipients, durably and once. When this returns, all of it is
    /// queued; when it fails or is cut, the next [`Spool::begin_submission`] finishes it or knows nothing of it.
    ///
    /// # Errors
    /// When anything could not be written.
    pub fn commit(self, delivery: Delivery<'_>) -> Result<Queued, SpoolError> {
        let spool = self.spool.clone();
        let mut reports = Vec::with_capacity(delivery.mails.len());
        for mail in delivery.mails {
            reports.push(NewFile::write(&spool, &localmail::emit(mail))?);
        }
        let mut jobs = spool.write_jobs(delivery.jobs)?;
        let mut messages = delivery.messages;
        for message in &mut messages {
            message.make_pending(&spool, &self.name)?;
        }
        let part = Part {
            recipients: delivery.recipients.iter().map(|r| r.to_vec()).collect(),
            jobs: jobs.iter().map(RecordedJob::of).collect(),
            messages: messages.iter().map(SealedMessage::id).collect(),
            mails: reports.iter().map(|_| names::unique()).collect(),
        };
        let folders = place_data(&mut jobs)?;
        sync_round(&spool, &jobs, &messages, &reports, folders)?;
        for (report, name) in reports.iter_mut().zip(&part.mails) {
            report.rename(&spool.pending_mail_path(name))?;
        }
        if !reports.is_empty() {
            durable::sync_directory(&spool.own_folder("local-mail-pending"))?;
        }
        self.record.append(self.week, &part, &mut |kept| {
            for file in jobs.iter_mut().flat_map(|job| &mut job.staged) {
                file.set_kept(kept);
            }
            for message in &mut messages {
                message.set_kept(kept);
            }
        })?;
        let learn = |part: &Part| self.record.append(self.week, part, &mut |_| ());
        appear(&spool, &mut jobs, learn)?;
        for message in &mut messages {
            message.appear(&spool)?;
        }
        for name in &part.mails {
            spool.release_mail(name)?;
        }
        spool.sync_appeared(&part)?;
        Ok(Queued {
            jobs: jobs.into_iter().map(|job| job.id).collect(),
            messages: part.messages.into_iter().map(|(_, name)| name).collect(),
        })
    }
}

/// Waits, in one round, until everything is on the disk that a record is to name, and the names of data and of pending
/// messages.
fn sync_round<'a>(
    spool: &Spool,
    jobs: &'a [Prepared],
    messages: &'a [SealedMessage],
    reports: &'a [NewFile],
    mut folders: BTreeSet<PathBuf>,
) -> Result<(), SpoolError> {
    let pending = messages
        .iter()
        .map(|message| spool.pending_folder(message.system()));
    folders.extend(pending);
    let data = jobs.iter().flat_map(Prepared::unsynced);
    let messages = messages.iter().map(SealedMessage::unsynced);
    let reports = reports.iter().map(NewFile::unsynced);
    let files: Vec<_> = data.chain(messages).chain(reports).collect();
    durable::sync_round(&files, folders.iter().map(PathBuf::as_path))
}

#[cfg(test)]
mod tests;
