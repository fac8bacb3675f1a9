//! A message on its way into an outbox: staged, sealed, pending, queued.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::error::At;
use super::super::fault::step;
use super::super::{Spool, SpoolError, durable, names};
use super::EntryName;
use crate::name::{Grade, SystemName};

/// A file that goes with its value, unless it is to stay.
#[derive(Debug)]
struct Transient {
    path: PathBuf,
    kept: bool,
}

impl Drop for Transient {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is swept later.
            let _ = durable::remove(&self.path);
        }
    }
}

/// A message in the making. Its content is written first, what is known of it afterwards; dropped before it is queued, it is
/// removed.
#[derive(Debug)]
pub struct StagedMessage {
    writer: BufWriter<File>,
    file: Transient,
    system: SystemName,
    unique: String,
    size: u64,
}

impl StagedMessage {
    /// How many bytes were written, so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What its name will be, but for the grade.
    #[must_use]
    pub fn unique(&self) -> &str {
        &self.unique
    }

    /// Adds what comes behind the content, and gives the message its grade. From here on it cannot be written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn seal(mut self, behind: &[u8], grade: Grade) -> Result<SealedMessage, SpoolError> {
        let written = self.write_all(behind).and_then(|()| self.writer.flush());
        written.at("write", &self.file.path)?;
        let (file, _) = self.writer.into_parts();
        durable::start_writeback(&file);
        Ok(SealedMessage {
            name: EntryName::new(grade, &self.unique),
            open: file,
            file: self.file,
            system: self.system,
        })
    }
}

impl Write for StagedMessage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step("write", &self.file.path)?;
        let written = self.writer.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A message that is written to its end, but not queued. Dropped before it is, it is removed.
#[derive(Debug)]
pub struct SealedMessage {
    open: File,
    file: Transient,
    system: SystemName,
    name: EntryName,
}

impl SealedMessage {
    /// The system it is for.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// The name that it will have.
    #[must_use]
    pub fn name(&self) -> &EntryName {
        &self.name
    }

    pub(in crate::spool) fn id(&self) -> (SystemName, EntryName) {
        (self.system.clone(), self.name.clone())
    }

    /// What must be on the disk before the message gets its name.
    pub(in crate::spool) fn unsynced(&self) -> (&File, &Path) {
        (&self.open, &self.file.path)
    }

    /// Whether the file stays, whatever becomes of this value.
    pub(in crate::spool) fn set_kept(&mut self, kept: bool) {
        self.file.kept = kept;
    }

    /// Puts it where a submission record may name it.
    pub(in crate::spool) fn make_pending(
        &mut self,
        spool: &Spool,
        key: &str,
    ) -> Result<(), SpoolError> {
        self.go_to(spool.pending_path(&self.system, key, &self.name))
    }

    /// Makes it a message of the outbox.
    pub(in crate::spool) fn appear(&mut self, spool: &Spool) -> Result<(), SpoolError> {
        self.go_to(spool.message_path(&self.system, &self.name))
    }

    fn go_to(&mut self, to: PathBuf) -> Result<(), SpoolError> {
        durable::rename_new_making(&self.file.path, &to)?;
        self.file.path = to;
        Ok(())
    }
}

impl Spool {
    /// Begins a message for the outbox of `system`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage_message(&self, system: &SystemName) -> Result<StagedMessage, SpoolError> {
        let folder = self.new_folder();
        let unique = names::unique();
        let file = durable::create_new_in(&folder, &unique)?;
        // Tells the sweeper that somebody is at work on it. It is ours, so nobody else has it.
        let _ = file.try_lock();
        Ok(StagedMessage {
            writer: BufWriter::with_capacity(durable::WRITE_BUFFER, file),
            file: Transient {
                path: folder.join(&unique),
                kept: false,
            },
            system: system.clone(),
            unique,
            size: 0,
        })
    }
}
