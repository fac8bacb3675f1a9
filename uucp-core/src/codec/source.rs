//! Compressed input with a look ahead, counted.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::{CodecError, Format};

/// What is known of the input, also while a decoder holds it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Bytes taken so far.
    pub(super) taken: Cell<u64>,
    /// Reading the input itself has failed: an error that follows is not the data's.
    pub(super) failed: Cell<bool>,
    /// Bytes of output so far.
    pub(super) given: Cell<u64>,
    /// Members and frames that were begun.
    pub(super) pieces: Cell<u64>,
}

impl Tally {
    /// How many members or frames there may be, whatever is in them.
    const FREE_PIECES: u64 = 10_000;
    /// So many bytes of output make room for another one.
    const PIECE: u64 = 1024;

    /// Counts a member or frame. Each makes its decoder anew: megabytes of them, with nothing inside, take minutes and more,
    /// and neither the output nor its ratio shows it.
    pub(super) fn begin_piece(&self, format: Format) -> Result<(), CodecError> {
        let count = self.pieces.get() + 1;
        self.pieces.set(count);
        if count > Self::FREE_PIECES + self.given.get() / Self::PIECE {
            return Err(CodecError::Pieces { format });
        }
        Ok(())
    }
}

/// The input of a decoder.
pub(super) struct Source<'a> {
    inner: Box<dyn BufRead + 'a>,
    ahead: Vec<u8>,
    /// How much of `ahead` is taken.
    at: usize,
    tally: Rc<Tally>,
}

impl<'a> Source<'a> {
    pub(super) fn new(inner: Box<dyn BufRead + 'a>) -> Self {
        Self {
            inner,
            ahead: Vec::new(),
            at: 0,
            tally: Rc::default(),
        }
    }

    pub(super) fn tally(&self) -> Rc<Tally> {
        Rc::clone(&self.tally)
    }

    /// The next bytes, not taken: `count` of them, or all that there are.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.ahead.drain(..self.at);
        self.at = 0;
        while self.ahead.len() < count {
            let missing = count - self.ahead.len();
            let more = fill(&mut *self.inner, &self.tally)?;
            let more = more.get(..missing).unwrap_or(more);
            if more.is_empty() {
                break;
            }
            let length = more.len();
            self.ahead.extend_from_slice(more);
            self.inner.consume(length);
        }
        Ok(self.ahead.get(..count).unwrap_or(&self.ahead))
    }

    /// The next byte; `None` at the end.
    pub(super) fn take_byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.fill_buf()?.first().copied();
        if byte.is_some() {
            self.consume(1);
        }
        Ok(byte)
    }

    /// Whether nothing but zero bytes follows; takes them.
    pub(super) fn only_padding(&mut self) -> io::Result<bool> {
        loop {
            let next = self.fill_buf()?;
            if next.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let length = next.len();
            if length == 0 {
                return Ok(true);
            }
            self.consume(length);
        }
    }
}

/// The input's buffer; a signal is no error.
fn fill<'b>(inner: &'b mut (dyn BufRead + '_), tally: &Tally) -> io::Result<&'b [u8]> {
    loop {
        match inner.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tally.failed.set(true);
                return Err(error);
            }
        }
    }
    inner.fill_buf().inspect_err(|_| tally.failed.set(true))
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.ahead.len() {
            return Ok(self.ahead.get(self.at..).unwrap_or_default());
        }
        fill(&mut *self.inner, &self.tally)
    }

    fn consume(&mut self, count: usize) {
        self.tally.taken.set(self.tally.taken.get() + count as u64);
        if self.at < self.ahead.len() {
            self.at = (self.at + count).min(self.ahead.len());
        } else {
            self.inner.consume(count);
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}
