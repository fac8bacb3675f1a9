//! Records of what is about to appear: parts with check sums, appended, read back after a crash.
//!
//! A part says which jobs, messages and mails it is about and is durable before any of them appears. So whoever reads it later
//! can finish what was cut. A part that is itself cut is none.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::At;
use super::fault::step;
use super::localmail::{from_hexadecimal, hexadecimal};
use super::outbox::EntryName;
use super::queue::{NAME_ATTEMPTS, NewFile, Prepared, is_taken};
use super::{Spool, SpoolError, durable};
use crate::name::{JobId, SpoolName, SystemName};
use crate::wire::checksum;

/// The longest record read, in bytes: that of a delivery to 100,000 recipients is a tenth of this.
pub(super) const RECORD_LIMIT: u64 = 64 << 20;

/// The word of the line that ends a part.
pub(super) const END: &str = "end ";

/// The line that vouches for these.
pub(super) fn end_line(lines: &[u8]) -> String {
    format!("{END}{:08x}\n", checksum::crc32(lines))
}

/// One job as a record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedJob {
    pub(super) id: JobId,
    pub(super) data: Vec<SpoolName>,
    pub(super) lines: Vec<u8>,
}

impl RecordedJob {
    pub(super) fn of(job: &Prepared) -> Self {
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

/// What one step is about to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    /// Recipients that it covers.
    pub(super) recipients: Vec<Vec<u8>>,
    /// Jobs that appear.
    pub(super) jobs: Vec<RecordedJob>,
    /// Messages of outboxes: those that appear in a submission's record, those that go in an outbox's.
    pub(super) messages: Vec<(SystemName, EntryName)>,
    /// Mail for our own MTA.
    pub(super) mails: Vec<String>,
}

impl Part {
    /// The part as it stands in the file; its last line vouches for the others.
    fn emit(&self) -> Vec<u8> {
        let lines = self.lines();
        [lines.as_bytes(), end_line(lines.as_bytes()).as_bytes()].concat()
    }

    /// Its lines without the last.
    pub(super) fn lines(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        for recipient in &self.recipients {
            let _ = writeln!(text, "to {}", hexadecimal(recipient));
        }
        for job in &self.jobs {
            text.push_str(&job.emit());
        }
        for (system, name) in &self.messages {
            let _ = writeln!(text, "message {system} {name}");
        }
        for mail in &self.mails {
            let _ = writeln!(text, "mail {mail}");
        }
        text
    }

    /// What lines say that a sum has vouched for.
    pub(super) fn parse(lines: &str) -> Option<Self> {
        let mut part = Self::default();
        for line in lines.lines() {
            part.take_line(line)?;
        }
        Some(part)
    }

    fn take_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "to" => self.recipients.push(from_hexadecimal(rest)?),
            "job" => self.jobs.push(RecordedJob::parse(rest)?),
            "message" => {
                let (system, name) = rest.split_once(' ')?;
                self.messages
                    .push((system.parse().ok()?, EntryName::parse(name)?));
            }
            "mail" => self.mails.push(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }
}

/// The whole parts of a record, and how long they are together: what follows was cut.
pub(super) fn parse_parts(content: &[u8]) -> (Vec<Part>, u64) {
    let mut parts = Vec::new();
    let (mut part, mut begin, mut at) = (Part::default(), 0, 0);
    for line in content.split_inclusive(|b| *b == b'\n') {
        let text = std::str::from_utf8(line).ok();
        let Some(text) = text.and_then(|text| text.strip_suffix('\n')) else {
            break;
        };
        if text.starts_with(END) {
            let body = content.get(begin..at).unwrap_or_default();
            if end_line(body).as_bytes() != line {
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

/// A record on the disk, while whoever uses it holds its lock.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    /// Where whole parts end.
    length: u64,
}

impl Record {
    /// The record at a path and its whole parts; a missing one has none.
    pub(super) fn read(path: PathBuf) -> Result<(Self, Vec<Part>), SpoolError> {
        let content = durable::read_small(&path, RECORD_LIMIT)?.unwrap_or_default();
        let (parts, length) = parse_parts(&content);
        Ok((Self { path, length }, parts))
    }

    /// A record that is not there yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, length: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A first part is written beside what it tells of, to share its syncs; `None` where the record is there already.
    pub(super) fn write_first(
        &self,
        spool: &Spool,
        part: &Part,
    ) -> Result<Option<NewFile>, SpoolError> {
        if self.path.exists() {
            return Ok(None);
        }
        NewFile::write(spool, &part.emit()).map(Some)
    }

    /// Makes a part durable. From the moment that it may be on the disk, what it names must stay: a record without data
    /// would say "sent". `keep` is told so, and told otherwise if the part certainly is not there.
    pub(super) fn make_durable(
        &mut self,
        part: &Part,
        first: Option<&mut NewFile>,
        keep: &mut dyn FnMut(bool),
    ) -> Result<(), SpoolError> {
        keep(true);
        let before = self.length;
        let recorded = match first {
            Some(first) => self.name_first(first, part),
            None => self.append(part),
        };
        if let Err(error) = recorded {
            if self.cut_back(before).is_ok() {
                keep(false);
            }
            return Err(error);
        }
        Ok(())
    }

    fn cut_back(&self, length: u64) -> Result<(), SpoolError> {
        step("cut", &self.path).at("write", &self.path)?;
        match OpenOptions::new()
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path)
        {
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

    pub(super) fn append(&mut self, part: &Part) -> Result<(), SpoolError> {
        let (mut file, made) = self.open()?;
        // What a crash has cut would garble what follows it.
        file.set_len(self.length).at("write", &self.path)?;
        file.seek(io::SeekFrom::Start(self.length))
            .at("write", &self.path)?;
        let bytes = part.emit();
        durable::write_all(&file, &self.path, &bytes)?;
        durable::sync(&file, &self.path)?;
        if made && let Some(folder) = self.path.parent() {
            durable::sync_directory(folder)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn open(&self) -> Result<(File, bool), SpoolError> {
        match OpenOptions::new()
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path)
        {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other.at("open", &self.path).map(|file| (file, false)),
        }
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        durable::create_new_in(folder, &name).map(|file| (file, true))
    }
}

/// Makes jobs exist that a record names. Where a work file's name is taken, the record learns the new one first.
pub(super) fn appear(
    spool: &Spool,
    jobs: &mut [Prepared],
    mut learn: impl FnMut(&Part) -> Result<(), SpoolError>,
) -> Result<(), SpoolError> {
    for job in jobs {
        let mut attempt = 0;
        while let Err(error) = job.appear(spool) {
            attempt += 1;
            if !is_taken(&error) || attempt > NAME_ATTEMPTS {
                return Err(error);
            }
            job.rename(attempt);
            learn(&Part {
                jobs: vec![RecordedJob::of(job)],
                ..Part::default()
            })?;
        }
    }
    Ok(())
}

impl Spool {
    /// Brings jobs to their end that a crash has cut. One that was recorded twice (its first name was taken) goes by its
    /// last record.
    pub(super) fn finish_jobs(&self, parts: &[Part]) -> Result<(), SpoolError> {
        let mut seen = BTreeSet::new();
        for job in parts.iter().rev().flat_map(|part| &part.jobs) {
            if seen.insert(&job.data) {
                self.finish_job_of_record(job)?;
            }
        }
        Ok(())
    }

    fn finish_job_of_record(&self, job: &RecordedJob) -> Result<(), SpoolError> {
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
}

#[cfg(test)]
mod tests {
    use super::super::fault::{self, Trouble};
    use super::*;

    /// So long that the half of it which a full disk takes is longer than a short one.
    fn part(count: usize) -> Part {
        Part {
            recipients: vec![b"joe@x.example".to_vec(); count],
            ..Part::default()
        }
    }

    #[test]
    fn what_was_cut_is_not_there_before_or_behind_what_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let whole = [part(1).emit(), part(2).emit()].concat();
        for trouble in [Trouble::DiskFull, Trouble::Death] {
            std::fs::write(&path, part(1).emit()).unwrap();
            let (mut record, _) = Record::read(path.clone()).unwrap();
            let mut kept = Vec::new();
            fault::arm(0, trouble);
            record
                .make_durable(&part(20), None, &mut |keep| kept.push(keep))
                .unwrap_err();
            fault::disarm();
            let is_cut_back = std::fs::read(&path).unwrap() == part(1).emit();
            assert_eq!(is_cut_back, trouble == Trouble::DiskFull);
            // What it names may go only where it is certainly not on the disk.
            assert_eq!(kept.last(), Some(&!is_cut_back));
            let (mut record, parts) = Record::read(path.clone()).unwrap();
            assert_eq!(parts, [part(1)]);
            record.make_durable(&part(2), None, &mut |_| {}).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{trouble:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_record_or_not_but_never_a_panic(content: Vec<u8>) {
            let (_, length) = parse_parts(&content);
            proptest::prop_assert!(length <= content.len() as u64);
        }

        #[test]
        fn parts_come_back(recipients in proptest::collection::vec(proptest::collection::vec(0..=255u8, 0..9), 0..4)) {
            let beta: SystemName = "beta".parse().unwrap();
                let entry = EntryName::parse("N0123456789ABC").unwrap();
                let part = Part {
                    recipients,
                    messages: vec![(beta, entry)],
                    mails: vec!["M".to_owned()],
                    ..Part::default()
                };
            let content = [part.emit(), part.emit()].concat();
            let (parts, length) = parse_parts(&content);
            proptest::prop_assert_eq!(parts, [part.clone(), part]);
            proptest::prop_assert_eq!(length, content.len() as u64);
        }
    }
}
