//! One file that is being received: where its bytes go until it is committed.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::fstatvfs;
use sha2::{Digest, Sha256};

use super::destination::Destination;
use super::error::At;
use super::fault::step;
use super::quota::{Claim, NoRoom};
use super::receipt::{Content, Key, Move};
use super::writeout::WriteOut;
use super::{ExecuteFile, Spool, SpoolError, durable, names};
use crate::name::{SpoolKind, SpoolName, SystemName};

/// How many bytes are written between two looks at the free space.
const SPACE_INTERVAL: u64 = 1 << 20;

/// Where a received file goes.
#[derive(Debug)]
pub(super) enum Target {
    /// A spool file of this name: a data file or an execute file.
    Spool(SpoolName),
    /// The standard input of a command: the execute file is ours to write.
    Execution(Box<ExecuteFile>),
    /// A file outside the spool.
    Outside(Destination),
}

/// A file that is being received. Dropped unfinished, what has come is kept for a restart where that is safe.
#[derive(Debug)]
pub struct Reception {
    pub(super) spool: Spool,
    pub(super) system: SystemName,
    pub(super) key: Option<Key>,
    /// Whether the sender may give the temporary name to another file.
    pub(super) returning: bool,
    /// The content of a file that came under the same key before.
    pub(super) earlier: Option<Content>,
    /// The content of this one, once it is complete, where it matters.
    pub(super) content: Option<Content>,
    pub(super) target: Target,
    pub(super) file: File,
    /// The name of the file in the making, in the folder that `target` tells.
    pub(super) staged_name: String,
    pub(super) announced: Option<u64>,
    pub(super) mode: u32,
    pub(super) free_space: u64,
    /// Where the last bytes ended: the size of the file.
    pub(super) end: u64,
    pub(super) unchecked: u64,
    pub(super) write_out: WriteOut,
    /// Filled when the file is complete: from where to where.
    pub(super) moves: Vec<Move>,
    /// The execute file that goes with it.
    pub(super) execute_file: Option<File>,
    /// Its part of the room that the neighbour has.
    pub(super) claim: Option<Claim>,
    /// Whether what has come can be continued, should it be cut: it is known again by its name.
    pub(super) restart: bool,
    /// Whether what is there stays when this value goes.
    pub(super) kept: bool,
}

impl Reception {
    /// Writes bytes at `position`, or right after the last ones.
    ///
    /// # Errors
    /// When the disk is full (also: when `free_space` would be used up) or fails, or the position leaves a hole.
    pub fn write(&mut self, position: Option<u64>, bytes: &[u8]) -> Result<(), SpoolError> {
        let path = self.staged_path();
        let start = position.unwrap_or(self.end);
        if start > self.end {
            return Err(SpoolError::Peer {
                path,
                reason: format!("data for byte {start} came after byte {}", self.end),
            });
        }
        self.unchecked += bytes.len() as u64;
        if self.unchecked >= SPACE_INTERVAL {
            self.unchecked = 0;
            check_space(&self.file, &path, bytes.len() as u64, self.free_space)?;
        }
        self.grow_to(start + bytes.len() as u64)?;
        step("write", &path).at("write", &path)?;
        self.file.write_all_at(bytes, start).at("write", &path)?;
        // A sender that streams ahead begins at 0 before it hears where to go on; what was kept stays kept.
        self.end = self.end.max(start + bytes.len() as u64);
        self.write_out.grown(&self.file, self.end);
        Ok(())
    }

    /// What has come is damaged, and the file begins anew.
    pub fn begin_anew(&mut self) {
        self.go_on_at(0);
    }

    /// So much of the file is there; what comes after it is new.
    pub(super) fn go_on_at(&mut self, end: u64) {
        self.end = end;
        self.write_out = WriteOut::after(end);
    }

    /// More bytes than were announced need more room.
    fn grow_to(&mut self, end: u64) -> Result<(), SpoolError> {
        let Some(claim) = &mut self.claim else {
            return Ok(());
        };
        claim
            .grow_to(end)
            .map_err(|NoRoom { used, limit }| SpoolError::OverLimit {
                system: self.system.clone(),
                used,
                limit,
            })
    }

    /// The file is complete. Starts to write it out; [`Inbox::commit`](super::Inbox::commit) makes it count.
    ///
    /// # Errors
    /// When fewer bytes came than were announced, or the execute file cannot be written.
    pub fn finish(&mut self) -> Result<(), SpoolError> {
        let path = self.staged_path();
        if let Some(announced) = self.announced.filter(|announced| self.end < *announced) {
            return Err(SpoolError::Peer {
                path,
                reason: format!("{announced} bytes were announced, {} came", self.end),
            });
        }
        self.file.set_len(self.end).at("write", &path)?;
        let mode = match &self.target {
            Target::Outside(_) if self.mode & 0o111 != 0 => 0o777,
            Target::Outside(_) => 0o666,
            _ => durable::FILE_MODE,
        };
        self.file
            .set_permissions(Permissions::from_mode(mode))
            .at("set the mode of", &path)?;
        self.write_out.start(&self.file, self.end);
        if self.returning && !matches!(self.target, Target::Outside(_)) {
            self.content = Some(content_of(&self.file).at("read", &path)?);
            if self.is_repetition() {
                if !self.completes_a_job()? {
                    return Ok(());
                }
                // The data came anew, and was another: so is this, whatever it says.
                self.earlier = None;
            }
        }
        self.moves = self.decide_moves(path)?;
        Ok(())
    }

    /// Whether this very file was received before: it is confirmed, and not kept.
    pub(super) fn is_repetition(&self) -> bool {
        self.earlier.is_some() && self.earlier == self.content
    }

    /// Chooses the final names, and writes the execute file of an `E`.
    fn decide_moves(&mut self, staged: PathBuf) -> Result<Vec<Move>, SpoolError> {
        let to_be = |name: &SpoolName| self.spool.data_path(&self.system, name);
        let to = match &mut self.target {
            Target::Outside(destination) => destination.path(),
            Target::Spool(name) => {
                // A data file of that name was refused at the start; another name for an execute file is as good.
                if name.kind() == SpoolKind::Execute && to_be(name).exists() {
                    let grade = names::grade_of(name, &self.system);
                    *name = names::peer_name(SpoolKind::Execute, &self.system, grade);
                }
                to_be(name)
            }
            Target::Execution(execution) => {
                let Some(data) = execution.files.first_mut() else {
                    return Ok(Vec::new());
                };
                let grade = names::grade_of(&data.name, &self.system);
                if to_be(&data.name).exists() {
                    data.name = names::peer_name(SpoolKind::Data, &self.system, grade);
                    execution.stdin = Some(data.name.as_bytes().to_vec());
                }
                let data_move = Move {
                    from: staged.clone(),
                    to: to_be(&data.name),
                };
                let own = self
                    .key
                    .filter(|_| !self.returning)
                    .map(|key| names::execute_name(&self.system, grade, key.number()))
                    .filter(|name| !to_be(name).exists());
                let execute_name = own
                    .unwrap_or_else(|| names::peer_name(SpoolKind::Execute, &self.system, grade));
                let execute_move = Move {
                    from: staged.with_extension("X"),
                    to: to_be(&execute_name),
                };
                let content = execution.emit()?;
                self.execute_file = Some(write_fresh(&execute_move.from, &content)?);
                return Ok(vec![data_move, execute_move]);
            }
        };
        Ok(vec![Move { from: staged, to }])
    }

    /// How many bytes the file has, those of an earlier attempt included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end
    }

    /// Where the file will be, or is: for the log.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match (&self.target, self.moves.first()) {
            (_, Some(first)) => first.to.clone(),
            (Target::Outside(destination), None) => destination.path(),
            (_, None) => self.staged_path(),
        }
    }

    /// Forgets what has come: not even a partial file is kept.
    pub fn discard(mut self) {
        self.forget();
    }

    /// What has come goes when this value goes.
    pub(super) fn forget(&mut self) {
        self.kept = false;
        self.key = None;
        self.restart = false;
    }

    pub(super) fn staged_path(&self) -> PathBuf {
        match &self.target {
            Target::Outside(destination) => destination.staged_path(&self.staged_name),
            _ => self
                .spool
                .receive_folder(&self.system)
                .join(&self.staged_name),
        }
    }

    /// What must be on the disk before the file counts: its data, and the execute file that goes with it.
    pub(super) fn files(&self) -> Vec<(&File, PathBuf)> {
        let mut files = Vec::with_capacity(2);
        if !self.moves.is_empty() {
            files.push((&self.file, self.staged_path()));
        }
        if let (Some(file), Some(execute)) = (&self.execute_file, self.moves.get(1)) {
            files.push((file, execute.from.clone()));
        }
        files
    }

    fn remove_staged(&self) {
        let _ = match &self.target {
            Target::Outside(destination) => destination
                .remove_staged(&self.staged_name)
                .at("remove", &self.staged_path()),
            _ => durable::remove(&self.staged_path()),
        };
        if let Some(execute) = self.moves.get(1) {
            let _ = durable::remove(&execute.from);
        }
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        let _ = self.file.unlock();
        // A file with a name of its own can be continued; one without can never be told from another.
        if !self.kept && !self.restart {
            self.remove_staged();
        }
    }
}

fn content_of(file: &File) -> io::Result<Content> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            break;
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        at += count as u64;
    }
    let mut content = Content::default();
    content
        .iter_mut()
        .zip(hash.finalize())
        .for_each(|(to, from)| *to = from);
    Ok(content)
}

/// A file with this content, in the place of what an earlier attempt may have left.
fn write_fresh(path: &Path, content: &[u8]) -> Result<File, SpoolError> {
    durable::remove(path)?;
    let file = durable::create_new(path, durable::FILE_MODE).at("create", path)?;
    durable::write_all(&file, path, content)?;
    durable::start_writeback(&file);
    Ok(file)
}

/// Whether `more` bytes fit in the file system and leave `reserve` free.
pub(super) fn check_space(
    file: &File,
    path: &Path,
    more: u64,
    reserve: u64,
) -> Result<(), SpoolError> {
    let system = fstatvfs(file).at("examine", path)?;
    let free = system
        .blocks_available()
        .saturating_mul(system.fragment_size());
    let needed = more.saturating_add(reserve);
    if free < needed {
        return Err(SpoolError::Full {
            path: path.to_path_buf(),
            free,
            needed,
        });
    }
    Ok(())
}
