//! A batch that was moved aside.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::drop_box::{ASIDE, Held, UNREAD};
use super::error::{At, CollectError};
use crate::spool::fault::step;

/// A batch that was moved aside and is locked: nobody else reads it, nobody appends to it.
#[derive(Debug)]
pub struct Batch {
    pub(super) path: PathBuf,
    pub(super) system: OsString,
    pub(super) directory: bool,
    /// Why files that were to be in it are not.
    pub(super) left: Vec<CollectError>,
    /// The file, or the directory, with its lock.
    pub(super) _open: Held,
}

impl Batch {
    /// The system it is for: the name that its file had.
    #[must_use]
    pub fn system(&self) -> &OsStr {
        &self.system
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What no other batch is called: its name.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Why files that were to be in it stayed where they were. They keep no others waiting.
    pub fn take_left(&mut self) -> Vec<CollectError> {
        std::mem::take(&mut self.left)
    }

    /// Where that is kept for a person which cannot be understood: nobody takes it for a batch.
    #[must_use]
    pub fn unread_path(&self) -> PathBuf {
        let unique = self
            .name()
            .as_bytes()
            .get(self.system.len() + ASIDE.len()..);
        let mut name = self.system.clone();
        name.push(UNREAD);
        name.push(OsStr::from_bytes(unique.unwrap_or_default()));
        self.path.with_file_name(name)
    }

    /// Its files, by name; one, unless it is a directory.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn files(&self) -> Result<Vec<PathBuf>, CollectError> {
        if !self.directory {
            return Ok(vec![self.path.clone()]);
        }
        let entries = fs::read_dir(&self.path).at("read", &self.path)?;
        let mut files = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()
            .at("read", &self.path)?;
        files.sort_unstable();
        Ok(files)
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, file: &Path) -> Result<File, CollectError> {
        // Nobody writes to the other end of a pipe.
        let open = File::options()
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
            .open(file)
            .at("open", file)?;
        if open.metadata().at("examine", file)?.is_file() {
            return Ok(open);
        }
        let path = file.to_owned();
        Err(CollectError::Odd { path })
    }

    /// How many bytes there are; more than before, when somebody who knows no locks still writes to it.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub fn size(&self) -> Result<u64, CollectError> {
        self.files()?.iter().try_fold(0, |sum, file| {
            let metadata = fs::symlink_metadata(file).at("examine", file)?;
            Ok(sum + metadata.len())
        })
    }

    /// Removes those of its files that are as long as they were when they were read.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn remove_files(&self, read: &[(PathBuf, u64)]) -> Result<(), CollectError> {
        for (file, length) in read {
            let metadata = fs::symlink_metadata(file).at("examine", file)?;
            if metadata.is_file() && metadata.len() == *length {
                remove(file)?;
            }
        }
        Ok(())
    }

    /// Removes it. Nothing of it may be needed any more.
    ///
    /// # Errors
    /// When it cannot be removed; it is found again next time, then.
    pub fn remove(self) -> Result<(), CollectError> {
        if !self.directory {
            return remove(&self.path);
        }
        for file in self.files()? {
            remove(&file)?;
        }
        step("remove", &self.path)
            .and_then(|()| fs::remove_dir(&self.path))
            .at("remove", &self.path)
    }
}

fn remove(file: &Path) -> Result<(), CollectError> {
    step("remove", file)
        .and_then(|()| fs::remove_file(file))
        .at("remove", file)
}
