//! The messages of a batch, one after the other: joins the reader, which does no IO, with what it reads from.

use std::io::{self, Read};
use std::path::Path;

use crate::bsmtp::{End, Event, Fault, Limits, Reader, Transaction};
use crate::delivery::{Message, Oversize};

/// How much is read at a time, in bytes.
const BLOCK: usize = 64 * 1024;

/// A batch that is being read.
#[derive(Debug)]
pub struct Messages<R> {
    input: R,
    reader: Reader,
    block: Vec<u8>,
    /// What of the block was not used yet.
    start: usize,
    end: usize,
    is_at_end: bool,
    /// Content that the last reader of it had no room for.
    left_over: Vec<u8>,
}

/// What a batch is made of.
#[derive(Debug)]
pub enum Item {
    /// A message that is whole.
    Message(Box<Incoming>),
    /// Something that was not understood, or a message that is not whole.
    Fault(Fault),
}

/// One whole message of a batch.
#[derive(Debug)]
pub struct Incoming {
    /// Its envelope.
    pub transaction: Transaction,
    /// Its content; the beginning, where it was too large.
    pub message: Message,
    /// Whether it was too large.
    pub fits: Result<(), Oversize>,
}

/// What the next piece of content is.
enum Piece {
    Bytes,
    End,
    Broken(Fault),
    Cut,
}

impl<R: Read> Messages<R> {
    /// Reads a batch from its beginning.
    pub fn new(input: R) -> Self {
        Self {
            input,
            reader: Reader::new(Limits::default()),
            block: vec![0; BLOCK],
            start: 0,
            end: 0,
            is_at_end: false,
            left_over: Vec::new(),
        }
    }

    /// The next message or fault; `None` at the end. Messages of more than `limit` bytes are cut short and marked; what
    /// does not fit into memory goes to an unnamed file in `scratch`.
    ///
    /// # Errors
    /// When the batch cannot be read, or that file cannot be written.
    pub fn next(&mut self, limit: u64, scratch: &Path) -> io::Result<Option<Item>> {
        loop {
            let transaction = match self.envelope()? {
                None => return Ok(None),
                Some(Ok(transaction)) => transaction,
                Some(Err(fault)) => return Ok(Some(Item::Fault(fault))),
            };
            let mut content = Content {
                batch: self,
                ended: None,
            };
            let (message, fits) = Message::read_from(&mut content, limit, scratch)?;
            match content.ended {
                Some(Piece::End) => {
                    return Ok(Some(Item::Message(Box::new(Incoming {
                        transaction: *transaction,
                        message,
                        fits,
                    }))));
                }
                Some(Piece::Broken(fault)) => return Ok(Some(Item::Fault(fault))),
                // The end of the batch tells of it.
                _ => {}
            }
        }
    }

    /// Passes over the content; `each` is shown every envelope whose message is whole, and every fault.
    ///
    /// # Errors
    /// When the batch cannot be read.
    pub fn survey(mut self, mut each: impl FnMut(Sight<'_>)) -> io::Result<End> {
        let mut ignored = vec![0; BLOCK];
        while let Some(next) = self.envelope()? {
            let transaction = match next {
                Ok(transaction) => transaction,
                Err(fault) => {
                    each(Sight::Fault(&fault));
                    continue;
                }
            };
            let mut content = Content {
                batch: &mut self,
                ended: None,
            };
            let mut bytes = 0;
            loop {
                match content.read(&mut ignored)? {
                    0 => break,
                    count => bytes += count as u64,
                }
            }
            match content.ended {
                Some(Piece::End) => each(Sight::Message(&transaction, bytes)),
                Some(Piece::Broken(fault)) => each(Sight::Fault(&fault)),
                _ => {}
            }
        }
        Ok(self.reader.finish())
    }

    /// The envelope of the next message.
    fn envelope(&mut self) -> io::Result<Option<Result<Box<Transaction>, Fault>>> {
        loop {
            let Self {
                reader,
                block,
                start,
                end,
                ..
            } = self;
            let input = block.get(*start..*end).unwrap_or_default();
            let (used, event) = reader.read(input);
            *start += used;
            match event {
                Some(Event::Begin(transaction)) => return Ok(Some(Ok(transaction))),
                Some(Event::Fault(fault) | Event::Broken(fault)) => return Ok(Some(Err(fault))),
                Some(_) => {}
                None if self.is_at_end => return Ok(None),
                None => self.fill()?,
            }
        }
    }

    /// More content: as much as fits into `buffer`, the rest is left over.
    fn piece(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Piece)> {
        if !self.left_over.is_empty() {
            let count = self.left_over.as_slice().read(buffer)?;
            self.left_over.drain(..count);
            return Ok((count, Piece::Bytes));
        }
        loop {
            let Self {
                reader,
                block,
                start,
                end,
                left_over,
                ..
            } = self;
            let input = block.get(*start..*end).unwrap_or_default();
            let (used, event) = reader.read(input);
            *start += used;
            match event {
                Some(Event::Content(mut bytes)) => {
                    let count = bytes.read(buffer)?;
                    left_over.extend_from_slice(bytes);
                    return Ok((count, Piece::Bytes));
                }
                Some(Event::End) => return Ok((0, Piece::End)),
                Some(Event::Broken(fault)) => return Ok((0, Piece::Broken(fault))),
                Some(_) => {}
                None if self.is_at_end => return Ok((0, Piece::Cut)),
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = loop {
            match self.input.read(&mut self.block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        (self.start, self.end) = (0, count);
        self.is_at_end = count == 0;
        Ok(())
    }
}

/// What a look at a batch shows.
#[derive(Debug)]
pub enum Sight<'a> {
    /// A whole message, and how many bytes it has.
    Message(&'a Transaction, u64),
    /// Something that was not understood, or a message that is not whole.
    Fault(&'a Fault),
}

/// The content of one message, to be read to its end.
struct Content<'a, R> {
    batch: &'a mut Messages<R>,
    ended: Option<Piece>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.is_some() || buffer.is_empty() {
            return Ok(0);
        }
        let (count, piece) = self.batch.piece(buffer)?;
        if !matches!(piece, Piece::Bytes) {
            self.ended = Some(piece);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of this size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(batch: &[u8], size: usize) -> Vec<String> {
        let mut messages = Messages::new(Pieces(batch, size));
        let mut seen = Vec::new();
        while let Some(item) = messages.next(100_000, Path::new("/nonexistent")).unwrap() {
            seen.push(match item {
                Item::Message(incoming) => {
                    let content = incoming.message.head(usize::MAX).unwrap();
                    let fits = incoming.fits.is_ok();
                    let summary = incoming.transaction.summary();
                    format!("{summary}: {} {fits}", String::from_utf8_lossy(&content))
                }
                Item::Fault(fault) => fault.to_string(),
            });
        }
        seen
    }

    #[test]
    fn messages_and_faults_in_any_pieces() {
        let batch =
            b"MAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\none\n..\n.\nMAIL FROM:<>\nMAIL FROM:<c@x>\n\
                      RCPT TO:<d@y>\nDATA\ntwo\n.\nMAIL FROM:<e@x>\nRCPT TO:<f@y>\nDATA\ncut";
        let whole = read(batch, usize::MAX);
        assert_eq!(whole.len(), 3, "{whole:?}");
        assert_eq!(whole[0], "from a@x to b@y: one\n.\n true");
        assert!(whole[1].contains("no content"), "{whole:?}");
        assert_eq!(whole[2], "from c@x to d@y: two\n true");
        for size in 1..20 {
            assert_eq!(read(batch, size), whole, "{size}");
        }
    }

    #[test]
    fn a_message_that_is_too_large_does_not_hide_the_next() {
        let large = "x".repeat(200_000);
        let batch = format!(
            "MAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\n{large}\n.\nMAIL FROM:<>\nRCPT TO:<b@y>\nDATA\n.\nQUIT\n"
        );
        let seen = read(batch.as_bytes(), 1000);
        assert!(seen[0].ends_with("x false") && seen[0].len() < 101_000);
        assert_eq!(seen[1], "from <> to b@y:  true");
    }

    #[test]
    fn a_survey_sees_what_a_reader_gets() {
        let batch = b"HELO x\nNOOP bangpath\nMAIL FROM:<a@x>\nRCPT TO:<b@y>\nDATA\n12345\n.\n";
        let mut seen = Vec::new();
        let end = Messages::new(&batch[..]).survey(|sight| {
            if let Sight::Message(transaction, bytes) = sight {
                seen.push((transaction.recipients.len(), bytes));
            }
        });
        let end = end.unwrap();
        assert_eq!((seen, end.messages, end.ours), (vec![(1, 6)], 1, true));
        assert!(end.cut.unwrap().to_string().contains("no QUIT"));
    }
}
