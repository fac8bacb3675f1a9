//! The file in the making, and the room for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use super::{Admission, Inbox, Stop};
use crate::spool::error::At;
use crate::spool::fault::step;
use crate::spool::quota::Claim;
use crate::spool::receipt::Key;
use crate::spool::reception::{Reception, Target};
use crate::spool::writeout::WriteOut;
use crate::spool::{Incoming, SpoolError, durable, names};
use crate::wire::command::Refusal;

impl Inbox {
    /// Room in the neighbour's part of the spool; files outside the spool are not of that part.
    pub(super) fn claim_room(
        &mut self,
        key: Option<Key>,
        target: &Target,
        size: Option<u64>,
    ) -> Result<Option<Claim>, Stop> {
        let kept = key.map_or(0, |key| {
            let path = self.spool.receive_folder(&self.system);
            let kept = path.join(format!("{}-{}", key.text(), self.boot));
            kept.metadata().map_or(0, |found| found.len())
        });
        let (Some(quota), false) = (&mut self.quota, matches!(target, Target::Outside(_))) else {
            return Ok(None);
        };
        let size = size.unwrap_or(0);
        let refused = |refusal, reason| Err(Stop::Answer(Admission::refuse(refusal, reason)));
        let limit = quota.limit();
        if size > limit {
            let reason = format!("{size} bytes are more than all its room in the spool ({limit})");
            return refused(Refusal::TooLarge, reason);
        }
        match quota.claim(&self.spool, &self.system, (size, kept), Instant::now())? {
            Ok(claim) => Ok(Some(claim)),
            Err(full) => {
                let error = full.told_of(&self.system);
                refused(Refusal::TooLargeNow, error.to_string())
            }
        }
    }

    /// Opens the file in the making. What Taylor keeps under `.Temp/` is never continued: it is bound to a name only.
    pub(super) fn open(
        &self,
        key: Option<Key>,
        target: Target,
        incoming: &Incoming<'_>,
    ) -> Result<Reception, Stop> {
        let Staging {
            name: staged_name,
            restart,
        } = self.staging(key, &target, incoming);
        let (file, path) = if let Target::Outside(destination) = &target {
            let path = destination.staged_path(&staged_name);
            let file = destination.open_staged(&staged_name).map_err(|error| {
                let reason = format!("{}: {error}", path.display());
                Stop::Answer(Admission::refuse(Refusal::CannotCreate, reason))
            })?;
            (file, path)
        } else {
            let path = self.spool.receive_folder(&self.system).join(&staged_name);
            (open_staged(&path)?, path)
        };
        match file.try_lock() {
            Ok(()) => {}
            // Whoever asks twice for a file gets it twice.
            Err(TryLockError::WouldBlock) if incoming.version.is_some() => {
                let whole = Incoming {
                    version: None,
                    restart: false,
                    ..incoming.clone()
                };
                return self.open(key, target, &whole);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Stop::Answer(Admission::refuse(
                    Refusal::CannotCreate,
                    "the same file is being received already",
                )));
            }
            Err(TryLockError::Error(error)) => return Err(error).at("lock", &path)?,
        }
        let end = file.metadata().at("examine", &path)?.len();
        Ok(Reception {
            spool: self.spool.clone(),
            system: self.system.clone(),
            key,
            returning: false,
            earlier: None,
            content: None,
            target,
            file,
            staged_name,
            announced: incoming.size,
            mode: incoming.mode,
            free_space: incoming.free_space,
            end,
            unchecked: 0,
            write_out: WriteOut::default(),
            moves: Vec::new(),
            execute_file: None,
            claim: None,
            restart,
            kept: false,
        })
    }

    /// What the file is called while it is in the making.
    fn staging(&self, key: Option<Key>, target: &Target, incoming: &Incoming<'_>) -> Staging {
        let boot = &self.boot;
        // Under another name, should we be killed: what cannot be trusted is not continued.
        let whole = if incoming.restart { "" } else { "-whole" };
        let name = match (key, incoming.version) {
            (Some(key), _) => Some(format!("{}-{boot}{whole}", key.text())),
            (None, Some(version)) => {
                let request = Key::of_answer(incoming, &self.system).text();
                let name = format!("{request}-{version:016x}-{boot}");
                if let Target::Outside(destination) = target {
                    destination.sweep(
                        &format!(".bangpath-{request}-"),
                        &format!(".bangpath-{name}"),
                    );
                }
                Some(name)
            }
            (None, None) => None,
        };
        let restart = incoming.restart && name.is_some();
        let name = name.unwrap_or_else(|| format!("{}-{boot}{whole}", names::unique()));
        match target {
            Target::Outside(_) => Staging {
                name: format!(".bangpath-{name}"),
                restart,
            },
            _ => Staging { name, restart },
        }
    }
}

/// The name of a file in the making.
struct Staging {
    name: String,
    /// Whether another attempt will know it by this name.
    restart: bool,
}

/// Opens a file in the making in our own folder: a fresh one, or what was kept of an earlier attempt.
fn open_staged(path: &Path) -> Result<File, SpoolError> {
    let open = || {
        step("create", path)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(durable::FILE_MODE)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
    };
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            durable::make_directory(path.parent().unwrap_or_else(|| Path::new(".")))?;
            open()
        }
        other => other,
    }
    .at("create", path)
}
