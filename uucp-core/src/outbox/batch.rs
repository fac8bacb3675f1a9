//! Messages -> one batch in a file, within the limits.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Take, Write};
use std::rc::Rc;

use super::pack::PackError;
use super::{Entry, Outbox, Packing};
use crate::bsmtp::{Transaction, Writer};
use crate::codec::Encoder;
use crate::spool::{EntryName, ObservedTime, OutboxLock, SpoolError, StageKind, Staged};

/// A batch that is written to its end.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) staged: Staged,
    pub(super) messages: Vec<EntryName>,
    /// Those of them whose senders want to be told of success, which the batch cannot say.
    pub(super) unheard: Vec<EntryName>,
    /// Before compression.
    pub(super) bytes: u64,
    /// After it.
    pub(super) size: u64,
    /// How many of the names it was built from are dealt with.
    pub(super) dealt_with: usize,
}

/// Builds the batches of one run.
pub(super) struct Builder<'a> {
    pub(super) outbox: &'a Outbox<'a>,
    pub(super) lock: &'a OutboxLock,
    pub(super) how: &'a Packing,
    /// The most bytes after compression.
    pub(super) largest: Option<u64>,
    pub(super) now: ObservedTime,
    /// Messages that cannot be read now; they stay.
    pub(super) unreadable: HashSet<EntryName>,
    /// What was found wrong, for the log.
    pub(super) complaints: Vec<String>,
}

/// What came of one attempt.
enum Attempt {
    Built(Built),
    /// There was nothing to put into it.
    Empty,
    /// Once more, with so many messages at most.
    Again(usize),
}

impl Builder<'_> {
    /// A batch of the first of these messages, all of one grade; `None` if none of them is there any more.
    pub(super) fn build(&mut self, names: &[EntryName]) -> Result<Option<Built>, PackError> {
        let mut most = self.how.limits.messages.max(1);
        loop {
            match self.attempt(names, most)? {
                Attempt::Built(built) => return Ok(Some(built)),
                Attempt::Empty => return Ok(None),
                Attempt::Again(fewer) => most = fewer,
            }
        }
    }

    fn attempt(&mut self, names: &[EntryName], most: usize) -> Result<Attempt, PackError> {
        let staged = self
            .outbox
            .spool
            .stage(&self.outbox.system, StageKind::Data)?;
        let written = Rc::new(Cell::new(0));
        let out = Counted {
            staged,
            written: Rc::clone(&written),
        };
        let sink = Sink::new(out, self.how).map_err(PackError::Batch)?;
        let mut writer = Writer::new(sink, self.how.style.clone()).map_err(PackError::Batch)?;
        let (mut messages, mut unheard) = (Vec::new(), Vec::new());
        let mut dealt_with = 0;
        let largest = self.largest;
        let too_large = |size: u64| largest.is_some_and(|largest| size > largest);
        for name in names {
            if messages.len() >= most {
                break;
            }
            if let Some(mut entry) = self.open(name)? {
                let by = &mut entry.head.transaction.parameters.by;
                *by = by.map(|by| by.after(self.now.since(entry.head.observed)));
                let room = self.how.limits.bytes.saturating_sub(writer.written());
                if !messages.is_empty() && entry.head.size > room {
                    break;
                }
                let mut content = Watched::new(entry.content);
                let reason = match writer.message(&entry.head.transaction, &mut content) {
                    Ok(_) if content.rest == 0 => None,
                    Ok(_) => Some("it is cut".to_owned()),
                    Err(error) if content.failed || is_of_message(&error) => {
                        Some(error.to_string())
                    }
                    Err(error) => return Err(PackError::Batch(error)),
                };
                if let Some(reason) = reason {
                    let path = self.outbox.spool.message_path(&self.outbox.system, name);
                    self.leave(name, format!("{}: {reason}", path.display()));
                    return Ok(Attempt::Again(most));
                }
                if !self.how.style.parameters && wants_success(&entry.head.transaction) {
                    unheard.push(name.clone());
                }
                messages.push(name.clone());
            }
            dealt_with += 1;
            if messages.len() > 1 && too_large(written.get()) {
                break;
            }
        }
        if messages.is_empty() {
            return Ok(Attempt::Empty);
        }
        let end = b"QUIT".len() + self.how.style.line_end.bytes().len();
        let bytes = writer.written() + end as u64;
        let sink = writer.finish().map_err(PackError::Batch)?;
        let staged = sink.finish().map_err(PackError::Batch)?;
        if messages.len() > 1 && too_large(staged.size()) {
            let most = fewer(messages.len(), staged.size(), largest);
            return Ok(Attempt::Again(most));
        }
        Ok(Attempt::Built(Built {
            size: staged.size(),
            staged,
            messages,
            unheard,
            bytes,
            dealt_with,
        }))
    }

    /// Opens a message; `None` if it is gone, cannot be understood and was set aside, or cannot be read now and stays.
    fn open(&mut self, name: &EntryName) -> Result<Option<Entry>, PackError> {
        if self.unreadable.contains(name) {
            return Ok(None);
        }
        match self.outbox.open(name) {
            Err(error @ SpoolError::Corrupt { .. }) => {
                let kept = self.lock.set_aside(name)?;
                let text = format!("{error}; kept as {}", kept.display());
                self.complaints.push(text);
                Ok(None)
            }
            Err(error) => {
                self.leave(name, error.to_string());
                Ok(None)
            }
            Ok(entry) => Ok(entry),
        }
    }

    fn leave(&mut self, name: &EntryName, complaint: String) {
        self.complaints.push(complaint);
        self.unreadable.insert(name.clone());
    }
}

fn wants_success(transaction: &Transaction) -> bool {
    let mut recipients = transaction.recipients.iter();
    recipients.any(|recipient| recipient.notify.is_some_and(|notify| notify.success))
}

/// Whether it is this message that cannot be written into a batch, and no other.
fn is_of_message(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

/// How many messages will fit where `count` have become `size` bytes: a little less than proportion says.
fn fewer(count: usize, size: u64, largest: Option<u64>) -> usize {
    let largest = u128::from(largest.unwrap_or(size));
    let fit = count as u128 * largest * 9 / (u128::from(size.max(1)) * 10);
    usize::try_from(fit)
        .unwrap_or(count)
        .clamp(1, count.saturating_sub(1).max(1))
}

/// Tells errors of reading a message from those of writing the batch.
struct Watched {
    content: Take<File>,
    /// Bytes that are still to come.
    rest: u64,
    failed: bool,
}

impl Watched {
    fn new(content: Take<File>) -> Self {
        Self {
            rest: content.limit(),
            content,
            failed: false,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.read(buffer) {
            Ok(count) => {
                self.rest = self.rest.saturating_sub(count as u64);
                Ok(count)
            }
            Err(error) => {
                self.failed |= error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }
}

/// A data file, with its size where the encoder before it can be asked for nothing.
struct Counted {
    staged: Staged,
    written: Rc<Cell<u64>>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.staged.write(bytes)?;
        self.written.set(self.staged.size());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.flush()
    }
}

/// Where a batch goes: through an encoder or not.
enum Sink {
    Plain(Counted),
    Compressed(Box<Encoder<Counted>>),
}

impl Sink {
    fn new(out: Counted, how: &Packing) -> io::Result<Self> {
        let Some(compression) = how.compression else {
            return Ok(Self::Plain(out));
        };
        let encoder = Encoder::new(out, compression, how.level, how.dictionary.as_ref())?;
        Ok(Self::Compressed(Box::new(encoder)))
    }

    fn finish(self) -> io::Result<Staged> {
        let mut out = match self {
            Self::Plain(out) => out,
            Self::Compressed(encoder) => encoder.finish()?,
        };
        out.flush()?;
        Ok(out.staged)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Compressed(encoder) => encoder.write(bytes),
        }
    }

    /// The writer flushes at the end; an encoder would lose by it, and is finished then.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
