//! Receipts: what was received, so that a file whose confirmation was lost is recognised when it comes again, and so that a
//! crash between two renames is finished and not guessed at.
//!
//! One append-only file a neighbour, `.Bangpath/receipts/SYSTEM`, a line a fact, each with a check sum; what a crash has cut
//! is cut off. A receipt is durable before the file gets its name.
//!
//! * `R KEY TIME CONTENT FROM TO [FROM TO] SUM`: the file(s) in the making, and the names they are to get; CONTENT is a hash of
//!   the data where the neighbour's names come back, else `-`
//! * `D KEY SUM`: they have them
//! * `V KEY SUM`: the receipt is void, the file was not taken after all
//! * `A SUM`: the neighbour has seen all confirmations up to here
//! * `E SUM`: a call has come to its end in order: the neighbour has acted on them, too, and offers none of it again

mod compact;
mod lines;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::lines::push_line;
use super::error::At;
use super::{Incoming, ObservedTime, Spool, SpoolError, durable, names, regular};
use crate::name::{SystemName, TempName};

/// What makes two offered files the same: 128 bits of a hash of temporary name, names, user, size and command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// `None` for a file without a temporary name: nothing tells it from another.
    pub(super) fn of(incoming: &Incoming<'_>) -> Option<Self> {
        let temp = incoming.temp.as_ref()?;
        let size = incoming
            .size
            .map_or_else(Vec::new, |s| s.to_be_bytes().into());
        Some(Self::hashed(&[
            temp.as_spool_name().as_bytes(),
            incoming.from,
            incoming.to,
            incoming.user,
            &size,
            incoming.command.unwrap_or_default(),
        ]))
    }

    /// What makes two files the same that a system was asked for: all but what may have changed there in between. It has no
    /// receipt; who asks twice gets two.
    pub(super) fn of_answer(incoming: &Incoming<'_>, system: &SystemName) -> Self {
        Self::hashed(&[system.as_bytes(), incoming.from, incoming.to, incoming.user])
    }

    fn hashed(fields: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for field in fields {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let hash = hash.finalize();
        let mut key = [0; 16];
        key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(key)
    }

    /// The key as 32 hexadecimal digits.
    pub(super) fn text(self) -> String {
        super::localmail::hexadecimal(&self.0)
    }

    /// 64 bits of the key, for a name that belongs to this file alone.
    pub(super) fn number(self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = super::localmail::from_hexadecimal(text)?;
        Some(Self(bytes.try_into().ok()?))
    }
}

/// 128 bits of a hash of a file's data.
pub(super) type Content = [u8; 16];

/// Whether a sender may give this temporary name to another file within weeks. Taylor's four characters come back when
/// they run out or its spool is made anew; names as long as ours do not.
pub(super) fn may_return(temp: &TempName) -> bool {
    temp.as_spool_name().as_str().len() < "D.".len() + names::UNIQUE_LENGTH
}

/// What is to be noted of a file that was received.
#[derive(Debug, Clone)]
pub(super) struct Receipt {
    pub(super) key: Key,
    pub(super) content: Option<Content>,
    pub(super) moves: Vec<Move>,
}

/// From a file in the making to its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
}

/// What is kept in memory of a receipt.
#[derive(Debug, Clone, Copy)]
struct Entry {
    time: ObservedTime,
    acknowledged: bool,
    /// Whether the call in which it came has ended in order.
    over: bool,
    content: Option<Content>,
}

impl Entry {
    /// The neighbour has acted on the confirmation.
    fn end(&mut self) {
        self.acknowledged = true;
        self.over = true;
    }
}

/// The receipts of one neighbour. Only the holder of the neighbour's lock has them open.
#[derive(Debug)]
pub(super) struct Receipts {
    root: PathBuf,
    path: PathBuf,
    file: Option<File>,
    entries: HashMap<Key, Entry>,
    /// Receipts without a `D` or `V`: what a crash has cut.
    open: HashMap<Key, Vec<Move>>,
    lines: usize,
    unacknowledged: bool,
}

impl Receipts {
    fn none(spool: &Spool, system: &SystemName) -> Self {
        Self {
            root: spool.root().to_path_buf(),
            path: spool.own_folder("receipts").join(system.as_str()),
            file: None,
            entries: HashMap::new(),
            open: HashMap::new(),
            lines: 0,
            unacknowledged: false,
        }
    }

    /// The names that received files are to get and may not have yet; for whoever does not hold the neighbour's lock, and so
    /// must not touch the file.
    pub(super) fn unfinished_moves(
        spool: &Spool,
        system: &SystemName,
    ) -> Result<Vec<PathBuf>, SpoolError> {
        let mut receipts = Self::none(spool, system);
        match regular::open(&receipts.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => {
                let file = other.at("open", &receipts.path)?;
                receipts
                    .read(BufReader::new(file))
                    .at("read", &receipts.path)?;
            }
        }
        let moves = receipts.open.into_values().flatten();
        Ok(moves.map(|each| each.to).collect())
    }

    /// Reads the file, as far as it is whole.
    pub(super) fn load(spool: &Spool, system: &SystemName) -> Result<Self, SpoolError> {
        let mut receipts = Self::none(spool, system);
        let file = match OpenOptions::new()
            .read(true)
            .append(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&receipts.path)
        {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(receipts),
            other => other.at("open", &receipts.path)?,
        };
        regular::check(&file).at("open", &receipts.path)?;
        let whole = receipts
            .read(BufReader::new(&file))
            .at("read", &receipts.path)?;
        // A line begun by a crash would garble the next one.
        if file.metadata().at("examine", &receipts.path)?.len() > whole {
            file.set_len(whole).at("write", &receipts.path)?;
        }
        receipts.file = Some(file);
        receipts.compact_if_grown(spool)?;
        Ok(receipts)
    }

    fn remember(&mut self, key: Key, time: ObservedTime, content: Option<Content>) {
        let entry = Entry {
            time,
            acknowledged: false,
            over: false,
            content,
        };
        self.entries.insert(key, entry);
        self.unacknowledged = true;
    }

    /// The folder of the spool.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a file was received.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.entries.contains_key(&key)
    }

    /// The content of what was received under this key, where it was noted and the neighbour may still offer it again. After
    /// a call that ended in order it does not: then the same content is another file, like two batches of equal text.
    pub(super) fn repeatable(&self, key: Key) -> Option<Content> {
        let entry = self.entries.get(&key).filter(|entry| !entry.over);
        entry.and_then(|entry| entry.content)
    }

    /// Whether a file was received, but may not have its name yet.
    pub(super) fn is_unfinished(&self, key: Key) -> bool {
        self.open.contains_key(&key)
    }

    /// The receipts whose renames may not be done.
    pub(super) fn unfinished(&self) -> Vec<(Key, Vec<Move>)> {
        self.open
            .iter()
            .map(|(key, moves)| (*key, moves.clone()))
            .collect()
    }

    /// Writes receipts: one write for all. They are durable when [`unsynced`](Self::unsynced) is synced.
    pub(super) fn receive(
        &mut self,
        receipts: &[Receipt],
        now: ObservedTime,
    ) -> Result<(), SpoolError> {
        let mut text = String::new();
        for receipt in receipts {
            push_line(&mut text, &self.receipt_line(receipt, now));
        }
        self.append(&text)?;
        for receipt in receipts {
            self.open.insert(receipt.key, receipt.moves.clone());
            self.remember(receipt.key, now, receipt.content);
        }
        Ok(())
    }

    /// The file to be synced after [`receive`](Self::receive).
    pub(super) fn unsynced(&self) -> Option<(&File, &Path)> {
        self.file.as_ref().map(|file| (file, self.path.as_path()))
    }

    /// Waits until the receipts are on the disk.
    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        self.unsynced()
            .map_or(Ok(()), |(file, path)| durable::sync(file, path))
    }

    /// Notes that the files have their names. Not synced: without it, the next look finds nothing left to rename.
    pub(super) fn done(&mut self, keys: &[Key]) -> Result<(), SpoolError> {
        self.note('D', keys)?;
        for key in keys {
            self.open.remove(key);
        }
        Ok(())
    }

    /// Takes receipts back, durably.
    pub(super) fn void(&mut self, keys: &[Key]) -> Result<(), SpoolError> {
        self.note('V', keys)?;
        if let Some(file) = &self.file {
            durable::sync(file, &self.path)?;
        }
        for key in keys {
            self.open.remove(key);
            self.entries.remove(key);
        }
        Ok(())
    }

    fn note(&mut self, verb: char, keys: &[Key]) -> Result<(), SpoolError> {
        let mut text = String::new();
        for key in keys {
            push_line(&mut text, &format!("{verb} {}", key.text()));
        }
        self.append(&text)
    }

    /// The neighbour has seen all confirmations.
    pub(super) fn acknowledged(&mut self) {
        if std::mem::take(&mut self.unacknowledged) {
            self.entries
                .values_mut()
                .for_each(|e| e.acknowledged = true);
            let mut text = String::new();
            push_line(&mut text, "A");
            // Lost, it only keeps receipts for longer.
            let _ = self.append(&text);
        }
    }

    /// The call has ended in order.
    pub(super) fn over(&mut self) {
        let counts = |entry: &Entry| entry.content.is_some() && !entry.over;
        if self.entries.values().any(counts) {
            self.entries.values_mut().for_each(Entry::end);
            let mut text = String::new();
            push_line(&mut text, "E");
            // Lost, equal files under a name that comes back are taken for one for longer.
            let _ = self.append(&text);
        }
    }

    fn append(&mut self, text: &str) -> Result<(), SpoolError> {
        if text.is_empty() {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(self.create()?);
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let before = file.metadata().at("examine", &self.path)?.len();
        if let Err(error) = durable::write_all(file, &self.path, text.as_bytes()) {
            // Half a line must not stay before the next.
            let _ = file.set_len(before);
            return Err(error);
        }
        self.lines += text.lines().count();
        Ok(())
    }

    fn create(&self) -> Result<File, SpoolError> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        durable::create_new_in(folder, &name)?;
        durable::sync_directory(folder)?;
        OpenOptions::new()
            .read(true)
            .append(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path)
            .at("open", &self.path)
    }
}

#[cfg(test)]
mod tests;
