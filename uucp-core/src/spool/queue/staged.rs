//! Data files in the making.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, access, geteuid, linkat};

use super::super::error::At;
use super::super::fault::step;
use super::super::{Spool, SpoolError, durable, names, regular};
use crate::name::{SpoolName, SystemName};
use crate::owner::as_starter;

/// What a staged file is to become over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageKind {
    /// A data file.
    Data,
    /// A file that is sent to become an execute file (`D.X/D.X...`).
    Execute,
}

/// A data file in the making. Written through `io::Write`; dropped before it is queued, it is removed.
#[derive(Debug)]
pub struct Staged {
    writer: BufWriter<File>,
    /// Where the file is now.
    pub(super) path: PathBuf,
    /// Where it is to be.
    place: PathBuf,
    pub(super) name: SpoolName,
    pub(super) system: SystemName,
    size: u64,
    /// Whether its job exists, so that it must stay.
    kept: bool,
}

impl Staged {
    /// The name that the file will have in the spool, and that requests give as `from` and `temp`.
    #[must_use]
    pub fn name(&self) -> &SpoolName {
        &self.name
    }

    /// How many bytes were written, so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The system it is for.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.system
    }

    /// Everything that was written, from the beginning, for whoever is to read it before or instead of the peer.
    ///
    /// # Errors
    /// When it cannot be written out or opened.
    pub fn read_back(&mut self) -> Result<File, SpoolError> {
        self.writer.flush().at("write", &self.path)?;
        File::open(&self.path).at("open", &self.path)
    }

    /// Everything is handed to the operating system and on its way to the disk.
    pub(in crate::spool) fn start_sync(&mut self) -> Result<(), SpoolError> {
        self.writer.flush().at("write", &self.path)?;
        durable::start_writeback(self.writer.get_ref());
        Ok(())
    }

    /// What must be on the disk before anybody is told the file's name.
    pub(in crate::spool) fn unsynced(&self) -> (&File, &Path) {
        (self.writer.get_ref(), &self.path)
    }

    /// Gives the file its name in the spool.
    pub(in crate::spool) fn place(&mut self) -> Result<(), SpoolError> {
        durable::rename_new_making(&self.path, &self.place)?;
        self.path.clone_from(&self.place);
        Ok(())
    }

    pub(in crate::spool) fn folder(&self) -> Option<&Path> {
        self.place.parent()
    }

    /// Whether the file stays, whatever becomes of this value.
    pub(in crate::spool) fn set_kept(&mut self, kept: bool) {
        self.kept = kept;
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step("write", &self.path)?;
        let written = self.writer.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is swept later.
            let _ = durable::remove(&self.path);
        }
    }
}

impl Spool {
    /// Begins a data file for `system`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, system: &SystemName, kind: StageKind) -> Result<Staged, SpoolError> {
        let name = names::data_name(kind == StageKind::Execute);
        let folder = self.new_folder();
        let file = durable::create_new_in(&folder, name.as_str())?;
        // Tells the sweeper that somebody is at work on it. It is ours, so nobody else has it.
        let _ = file.try_lock();
        Ok(Staged {
            writer: BufWriter::with_capacity(durable::WRITE_BUFFER, file),
            path: folder.join(name.as_str()),
            place: self.data_path(system, &name),
            name,
            system: system.clone(),
            size: 0,
            kept: false,
        })
    }

    /// Begins a data file for `system` that is a second link to a user's file. Nothing is to be written to it. `None` where
    /// it cannot be linked, being on another file system or another user's, and where the owner of the spool could not
    /// read it.
    ///
    /// # Errors
    /// When the spool is in trouble.
    pub fn stage_link(
        &self,
        system: &SystemName,
        file: &Path,
    ) -> Result<Option<Staged>, SpoolError> {
        let name = names::data_name(false);
        let folder = self.new_folder();
        durable::make_directory(&folder)?;
        let path = folder.join(name.as_str());
        let Some(linked) = as_starter(|| open_own(file)).filter(|file| self.is_readable(file))
        else {
            return Ok(None);
        };
        step("link", &path).at("create", &path)?;
        // That file, whatever its name has come to mean meanwhile.
        let open = format!("/proc/self/fd/{}", linked.as_raw_fd());
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        if linkat(AT_FDCWD, open.as_str(), AT_FDCWD, &path, follow).is_err() {
            return Ok(None);
        }
        // As in `stage`; one that somebody else has locked is in use in any case.
        let _ = linked.try_lock();
        Ok(Some(Staged {
            size: linked.metadata().at("read", &path)?.len(),
            writer: BufWriter::with_capacity(0, linked),
            path,
            place: self.data_path(system, &name),
            name,
            system: system.clone(),
            kept: false,
        }))
    }

    /// Whether the owner of the spool, as whom uucico runs, can read this.
    fn is_readable(&self, file: &File) -> bool {
        let owner = std::fs::metadata(self.root()).map(|root| root.uid());
        file.metadata().is_ok_and(|file| {
            let by_owner = owner.is_ok_and(|owner| owner == file.uid()) && file.mode() & 0o400 != 0;
            by_owner || file.mode() & 0o004 != 0
        })
    }
}

/// Opens a file that who has started this could link to himself, by the rule of careful systems: his own, or one that he may both read
/// and write.
fn open_own(path: &Path) -> Option<File> {
    let file = regular::open(path).ok()?;
    let is_own = file.metadata().ok()?.uid() == geteuid().as_raw();
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    (is_own || access(open.as_str(), AccessFlags::W_OK).is_ok()).then_some(file)
}
