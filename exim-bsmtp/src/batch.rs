//! A batch on standard input: read to its end and checked before any of it is used.
//!
//! An MTA has one status for the whole run, so that either all of a batch is queued or nothing: an MTA that dies while it
//! writes, or writes what nobody understands, has queued nothing.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;
use uucp_core::bsmtp::{Cut, Event, Limits, Reader, Transaction, Verb};
use uucp_core::sysexits::{Failure, Status};

/// Batches up to this size are held in memory; mail is seldom larger.
const MEMORY: usize = 1 << 20;

/// How much is read at first: most mail is smaller, and memory that is not touched need not be had.
const FIRST_READ: usize = 8 << 10;
/// How much is read at once of larger batches.
const FURTHER_READS: usize = 64 << 10;

/// A batch that is whole.
#[derive(Debug)]
pub(crate) struct Batch {
    file: SpooledTempFile,
    /// How many messages it has; at least one.
    pub(crate) messages: u64,
}

impl Batch {
    /// Reads a batch to its end. What does not fit into memory goes into a nameless file in `folder`.
    ///
    /// # Errors
    /// When it cannot be read or kept, is cut, holds no message, or holds what is no batched SMTP.
    pub(crate) fn read(source: &mut impl Read, folder: &Path) -> Result<Self, Failure> {
        let mut file = tempfile::spooled_tempfile_in(MEMORY, folder);
        let mut reader = Reader::new(Limits::default());
        let mut pieces = Pieces::new();
        let mut fault: Option<String> = None;
        loop {
            let piece = pieces
                .next(source)
                .map_err(|e| Failure::temporary(format!("cannot read the batch: {e}")))?;
            if piece.is_empty() {
                break;
            }
            file.write_all(piece)
                .map_err(|e| Failure::temporary(format!("cannot keep the batch: {e}")))?;
            each_event(&mut reader, piece, |event| {
                match event {
                    Event::Begin(transaction) => check(&transaction)?,
                    Event::Fault(what) | Event::Broken(what) => {
                        fault.get_or_insert_with(|| what.to_string());
                    }
                    _ => {}
                }
                Ok(())
            })?;
        }
        let end = reader.finish();
        // Whoever was killed while he wrote comes again.
        if let Some(cut) = end.cut {
            return Err(Failure::temporary(
                match fault.or_else(|| refused_in(&cut)) {
                    Some(fault) => format!("{fault}; and {cut}"),
                    None => cut.to_string(),
                },
            ));
        }
        if let Some(fault) = fault {
            return Err(Failure::new(Status::DataError, fault));
        }
        if end.messages == 0 {
            return Err(Failure::temporary("no message on standard input"));
        }
        let messages = end.messages;
        Ok(Self { file, messages })
    }

    /// Goes through its messages.
    ///
    /// # Errors
    /// When it cannot be read again, or the first error of `visitor`.
    pub(crate) fn visit(mut self, visitor: &mut impl Visitor) -> Result<(), Failure> {
        self.file
            .rewind()
            .map_err(|e| Failure::temporary(format!("cannot read the batch again: {e}")))?;
        visit(&mut self.file, visitor)
    }
}

/// What is wrong in an envelope that has no end: it says more than that.
fn refused_in(cut: &Cut) -> Option<String> {
    match cut {
        Cut::Envelope { transaction, .. } => {
            let refused = transaction.refused.first()?;
            Some(format!("{refused}: '{}'", refused.text.escape_ascii()))
        }
        _ => None,
    }
}

/// Without a sender there is nobody to tell about a recipient that is refused, so that all of the batch is.
fn check(transaction: &Transaction) -> Result<(), Failure> {
    let refused = |text: String| Err(Failure::new(Status::DataError, text));
    if let Some(mail) = transaction.refused.iter().find(|r| r.verb == Verb::Mail) {
        return refused(format!("the sender: {mail}"));
    }
    if transaction.unlisted > 0 {
        let count = transaction.unlisted + transaction.recipients.len() as u64;
        return refused(format!("{count} recipients of one message are too many"));
    }
    if transaction.recipients.is_empty() && transaction.refused.is_empty() {
        return refused(format!(
            "the message {} has no recipient",
            transaction.summary()
        ));
    }
    Ok(())
}

/// What is done with the messages of a batch.
pub(crate) trait Visitor {
    /// A message begins.
    fn begin(&mut self, transaction: Transaction) -> Result<(), Failure>;
    /// More of its content.
    fn content(&mut self, text: &[u8]) -> Result<(), Failure>;
    /// It is whole.
    fn end(&mut self) -> Result<(), Failure>;
}

fn visit(source: &mut impl Read, visitor: &mut impl Visitor) -> Result<(), Failure> {
    let mut reader = Reader::new(Limits::default());
    let mut pieces = Pieces::new();
    loop {
        let piece = pieces
            .next(source)
            .map_err(|e| Failure::temporary(format!("cannot read the batch again: {e}")))?;
        if piece.is_empty() {
            return Ok(());
        }
        each_event(&mut reader, piece, |event| match event {
            Event::Begin(transaction) => visitor.begin(*transaction),
            Event::Content(text) => visitor.content(text),
            Event::End => visitor.end(),
            _ => Ok(()),
        })?;
    }
}

fn each_event<'a>(
    reader: &mut Reader,
    mut piece: &'a [u8],
    mut each: impl FnMut(Event<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        let (used, event) = reader.read(piece);
        piece = piece.get(used..).unwrap_or_default();
        match event {
            Some(event) => each(event)?,
            None => return Ok(()),
        }
    }
}

/// What is read piece by piece.
struct Pieces {
    buffer: Vec<u8>,
    /// Whether the last piece filled it.
    filled: bool,
}

impl Pieces {
    fn new() -> Self {
        Self {
            buffer: vec![0; FIRST_READ],
            filled: false,
        }
    }

    fn next(&mut self, source: &mut impl Read) -> io::Result<&[u8]> {
        if self.filled {
            self.buffer.resize(FURTHER_READS, 0);
        }
        loop {
            match source.read(&mut self.buffer) {
                Ok(count) => {
                    self.filled = count == self.buffer.len();
                    return Ok(self.buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
