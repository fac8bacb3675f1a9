//! Submission records: a message that an MTA delivers twice is queued once.
//!
//! An MTA repeats a delivery whose exit status was lost, perhaps with its recipients grouped anew, perhaps after the job was
//! sent. So before a job appears, a record is durable that says which recipients it covers and which files it is made of.
//! A repeat leaves out the recipients that are covered, and finishes what was cut:
//! * work file there: queued;
//! * work file not there, data file there: the work file is made, from the record;
//! * neither there: the job was sent, since the data file was durable before the record.
//!
//! One file a message, `.Bangpath/submissions/WEEK/KEY`, to which parts are appended; a part that a crash has cut is none.
//! Whole weeks (of observed time) are forgotten at once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::At;
use super::localmail::{self, from_hexadecimal, hexadecimal};
use super::lock::LockedFile;
use super::queue::{NewFile, Prepared, is_taken, place_data, sync_files};
use super::{Draft, Spool, SpoolError, durable, names};
use crate::name::{JobId, SpoolName, SystemName};

/// Seconds of observed time in one folder.
const WEEK: u64 = 7 * 86_400;

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
    fn file_name(&self) -> String {
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
        name.truncate(40);
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

/// One job as the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RecordedJob {
    id: JobId,
    data: Vec<SpoolName>,
    lines: Vec<u8>,
}

impl RecordedJob {
    fn of(job: &Prepared) -> Self {
        Self {
            id: job.id.clone(),
            data: job.staged.iter().map(|s| s.name().clone()).collect(),
            lines: job.lines.clone(),
        }
    }

    fn emit(&self) -> String {
        let data: Vec<&str> = self.data.iter().map(SpoolName::as_str).collect();
        format!(
            "job {} {} {} {}\n",
            self.id.system,
            self.id.work,
            data.join(","),
            hexadecimal(&self.lines)
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let system = words.next()?.parse().ok()?;
        let work = words.next()?.parse().ok()?;
        let data = words
            .next()?
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| name.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            id: JobId { system, work },
            data,
            lines: from_hexadecimal(words.next()?)?,
        })
    }
}

/// What one delivery has queued.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Part {
    recipients: Vec<Vec<u8>>,
    jobs: Vec<RecordedJob>,
    mails: Vec<String>,
}

impl Part {
    /// The part as it stands in the file; its last line vouches for the others.
    fn emit(&self) -> Vec<u8> {
        use std::fmt::Write;
        let mut text = String::new();
        for recipient in &self.recipients {
            let _ = writeln!(text, "to {}", hexadecimal(recipient));
        }
        for job in &self.jobs {
            text.push_str(&job.emit());
        }
        for mail in &self.mails {
            let _ = writeln!(text, "mail {mail}");
        }
        let check = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "end {check:08x}");
        text.into_bytes()
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "to" => self.recipients.push(from_hexadecimal(rest)?),
            "job" => self.jobs.push(RecordedJob::parse(rest)?),
            "mail" => self.mails.push(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }
}

/// The whole parts of a record, and how long they are together: what follows was cut.
fn parse_parts(content: &[u8]) -> (Vec<Part>, u64) {
    let mut parts = Vec::new();
    let (mut part, mut begin, mut at) = (Part::default(), 0, 0);
    for line in content.split_inclusive(|b| *b == b'\n') {
        let text = std::str::from_utf8(line).ok();
        let Some(text) = text.and_then(|text| text.strip_suffix('\n')) else {
            break;
        };
        if let Some(check) = text.strip_prefix("end ") {
            let body = content.get(begin..at).unwrap_or_default();
            if format!("{:08x}", crc32fast::hash(body)) != check {
                break;
            }
            parts.push(std::mem::take(&mut part));
            begin = at + line.len();
        } else if part.take_line(text).is_none() {
            break;
        }
        at += line.len();
    }
    (parts, begin as u64)
}

/// One delivery of a message, while its record is locked.
#[derive(Debug)]
pub struct Submission {
    spool: Spool,
    path: PathBuf,
    /// Where whole parts end.
    length: u64,
    covered: BTreeSet<Vec<u8>>,
    _lock: LockedFile,
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
        let path = self
            .find_submission(&name)?
            .unwrap_or_else(|| self.submissions().join(week.to_string()).join(&name));
        let content = durable::read_small(&path, 64 << 20)?.unwrap_or_default();
        let (parts, length) = parse_parts(&content);
        self.finish_parts(&parts)?;
        Ok(Submission {
            spool: self.clone(),
            path,
            length,
            covered: parts.into_iter().flat_map(|part| part.recipients).collect(),
            _lock: LockedFile(lock),
        })
    }

    /// One of 256 lock files, by the key: few enough to stay, many enough that deliveries side by side seldom meet.
    fn lock_submission(&self, name: &str, deadline: Instant) -> Result<File, SpoolError> {
        let shard = name.get(..2).unwrap_or("00");
        let path = self.own_folder("submission-locks").join(shard);
        let open = || {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(durable::FILE_MODE)
                .open(&path)
        };
        let file = match open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                durable::make_directory(path.parent().unwrap_or_else(|| Path::new(".")))?;
                open()
            }
            other => other,
        }
        .at("open", &path)?;
        // Made under a umask of 077 it must still open for others of the group.
        let _ = file.set_permissions(fs::Permissions::from_mode(durable::FILE_MODE));
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked { path }),
                Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
            }
        }
    }

    fn find_submission(&self, name: &str) -> Result<Option<PathBuf>, SpoolError> {
        let folder = self.submissions();
        let found = durable::names(&folder)?
            .into_iter()
            .map(|week| folder.join(week).join(name))
            .find(|path| path.exists());
        Ok(found)
    }

    /// Brings whatever a crash has cut to its end. A job that was recorded twice (its first name was taken) goes by its
    /// last record.
    fn finish_parts(&self, parts: &[Part]) -> Result<(), SpoolError> {
        let mut seen = BTreeSet::new();
        for job in parts.iter().rev().flat_map(|part| &part.jobs) {
            if seen.insert(&job.data) {
                self.finish_recorded(job)?;
            }
        }
        for mail in parts.iter().flat_map(|part| &part.mails) {
            let pending = self.pending_mail_path(mail);
            if pending.exists() {
                self.release_mail(mail)?;
                durable::sync_directory(&self.own_folder("local-mail"))?;
            }
        }
        Ok(())
    }

    fn finish_recorded(&self, job: &RecordedJob) -> Result<(), SpoolError> {
        let system = &job.id.system;
        let work = self.data_path(system, &job.id.work);
        let data_there =
            !job.data.is_empty() && job.data.iter().all(|n| self.data_path(system, n).exists());
        if work.exists() || !data_there {
            return Ok(());
        }
        let mut new = NewFile::write(self, &job.lines)?;
        new.sync()?;
        match new.rename(&work) {
            Err(error) if !is_taken(&error) => return Err(error),
            _ => {}
        }
        durable::sync_directory(&self.work_folder(system))
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
        let folder = self.submissions();
        for name in durable::names(&folder)? {
            let path = folder.join(&name);
            let expired = name
                .parse::<u64>()
                .is_ok_and(|week| (week + 1) * WEEK + age.as_secs() <= now);
            if expired {
                fs::remove_dir_all(&path).at("remove", &path)?;
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

    /// Queues jobs and local mail that cover `recipients`, durably and once. When this returns, all of it is queued; when
    /// it fails or is cut, the next [`Spool::begin_submission`] finishes it or knows nothing of it.
    ///
    /// # Errors
    /// When anything could not be written.
    pub fn commit(
        mut self,
        recipients: &[&[u8]],
        jobs: Vec<Draft>,
        mails: &[LocalMailDraft<'_>],
    ) -> Result<Vec<JobId>, SpoolError> {
        let spool = self.spool.clone();
        let mut reports = Vec::with_capacity(mails.len());
        for mail in mails {
            reports.push(NewFile::write(&spool, &localmail::emit(mail))?);
        }
        let mut jobs = spool.write_jobs(jobs)?;
        let part = Part {
            recipients: recipients.iter().map(|r| r.to_vec()).collect(),
            jobs: jobs.iter().map(RecordedJob::of).collect(),
            mails: reports.iter().map(|_| names::unique()).collect(),
        };
        // A first record is written beside the rest, to share its syncs; it gets its name when the data has.
        let mut first = None;
        if !self.path.exists() {
            first = Some(NewFile::write(&spool, &part.emit())?);
        }
        sync_files(&jobs, reports.iter().chain(&first))?;
        for (report, name) in reports.iter_mut().zip(&part.mails) {
            report.rename(&spool.pending_mail_path(name))?;
        }
        if !reports.is_empty() {
            durable::sync_directory(&spool.own_folder("local-mail-pending"))?;
        }
        place_data(&mut jobs)?;
        self.record_or_withdraw(&part, first.as_mut(), &mut jobs)?;
        self.appear(&mut jobs)?;
        for name in &part.mails {
            spool.release_mail(name)?;
        }
        spool.sync_jobs(&jobs)?;
        if !part.mails.is_empty() {
            durable::sync_directory(&spool.own_folder("local-mail"))?;
        }
        Ok(jobs.into_iter().map(|job| job.id).collect())
    }

    /// Makes the record durable. From the moment that it may be on the disk, its data must stay: a record without data
    /// would say "sent". If it certainly is not there, the data goes with the drafts.
    fn record_or_withdraw(
        &mut self,
        part: &Part,
        first: Option<&mut NewFile>,
        jobs: &mut [Prepared],
    ) -> Result<(), SpoolError> {
        let mut staged: Vec<_> = jobs.iter_mut().flat_map(|job| &mut job.staged).collect();
        for file in &mut staged {
            file.set_kept(true);
        }
        let before = self.length;
        let recorded = match first {
            Some(first) => self.name_first(first, part),
            None => self.append(part),
        };
        if let Err(error) = recorded {
            if self.cut_back(before).is_ok() {
                for file in staged {
                    file.set_kept(false);
                }
            }
            return Err(error);
        }
        Ok(())
    }

    fn cut_back(&self, length: u64) -> Result<(), SpoolError> {
        super::fault::step("cut", &self.path).at("write", &self.path)?;
        match OpenOptions::new().write(true).open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => {
                let file = other.at("open", &self.path)?;
                file.set_len(length).at("write", &self.path)?;
                durable::sync(&file, &self.path)
            }
        }
    }

    fn name_first(&mut self, first: &mut NewFile, part: &Part) -> Result<(), SpoolError> {
        first.rename(&self.path)?;
        self.length = part.emit().len() as u64;
        self.path.parent().map_or(Ok(()), durable::sync_directory)
    }

    fn append(&mut self, part: &Part) -> Result<(), SpoolError> {
        let (mut file, made) = self.open_record()?;
        // What a crash has cut would garble what follows it.
        file.set_len(self.length).at("write", &self.path)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(self.length)).at("write", &self.path)?;
        let bytes = part.emit();
        durable::write_all(&file, &self.path, &bytes)?;
        durable::sync(&file, &self.path)?;
        if made && let Some(folder) = self.path.parent() {
            durable::sync_directory(folder)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn open_record(&self) -> Result<(File, bool), SpoolError> {
        match OpenOptions::new().write(true).open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other.at("open", &self.path).map(|file| (file, false)),
        }
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        durable::create_new_in(folder, &name).map(|file| (file, true))
    }

    /// Makes the jobs exist. Where a work file's name is taken, the record learns the new one first.
    fn appear(&mut self, jobs: &mut [Prepared]) -> Result<(), SpoolError> {
        for job in jobs {
            let mut attempt = 0;
            while let Err(error) = job.appear(&self.spool) {
                attempt += 1;
                if !is_taken(&error) || attempt > super::queue::NAME_ATTEMPTS {
                    return Err(error);
                }
                job.rename(attempt);
                self.append(&Part {
                    jobs: vec![RecordedJob::of(job)],
                    ..Part::default()
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
