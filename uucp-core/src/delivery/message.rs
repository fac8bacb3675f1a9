//! A whole message, in memory or in an unnamed file: it can be read again for every part of its recipients.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// A message up to this size stays in memory, in bytes.
const MEMORY_LIMIT: usize = 256 * 1024;
/// How much is read or compared at a time, in bytes.
const BLOCK: usize = 64 * 1024;

/// The message was larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversize;

/// A message that was read to its end.
#[derive(Debug)]
pub struct Message {
    prefix: Vec<u8>,
    content: Content,
    start: u64,
    digest: [u8; 32],
    ascii: bool,
    bare_line_feeds: u64,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    File { file: File, length: u64 },
}

impl Message {
    /// A message that is already in memory.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let mut notes = Notes::default();
        notes.take(&bytes);
        notes.message(Content::Memory(bytes))
    }

    /// Reads to the end of input. What does not fit into memory goes to an unnamed file in `directory`, or in the
    /// system's temporary directory where that one cannot be used. Of a message of more than `limit` bytes the rest is read and
    /// dropped, and the beginning is given back with [`Oversize`].
    ///
    /// # Errors
    /// When the input cannot be read or the file cannot be written.
    pub fn read_from(
        input: &mut dyn Read,
        limit: u64,
        directory: &Path,
    ) -> io::Result<(Self, Result<(), Oversize>)> {
        let mut spooled = Spooled::new(directory);
        let mut notes = Notes::default();
        let mut oversize = Ok(());
        let mut block = vec![0; BLOCK];
        loop {
            let count = match input.read(&mut block) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let room = usize::try_from(limit.saturating_sub(notes.length)).unwrap_or(usize::MAX);
            if count > room {
                oversize = Err(Oversize);
            }
            let taken = block.get(..count.min(room)).unwrap_or_default();
            notes.take(taken);
            spooled.write(taken)?;
        }
        Ok((notes.message(spooled.content), oversize))
    }

    /// Leaves the first `count` bytes of the content out from now on.
    pub fn skip(&mut self, count: usize) {
        self.start = (count as u64).min(self.content.length());
    }

    /// Puts lines before the content.
    pub fn prepend(&mut self, lines: &[u8]) {
        self.prefix.splice(0..0, lines.iter().copied());
    }

    /// Length in bytes, of what is put before and what is left of the content.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.prefix.len() as u64 + self.content.length() - self.start
    }

    /// Whether there is not a byte left of the content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.length() <= self.start
    }

    /// SHA-256 of the content as it was read.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether every byte is ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.ascii && self.prefix.is_ascii()
    }

    /// How many bytes it has on the wire of SMTP before dots are doubled: every bare line feed becomes two bytes.
    #[must_use]
    pub fn smtp_size(&self) -> u64 {
        let prefix = self.prefix.split(|b| *b == b'\n').count() - 1;
        self.len() + self.bare_line_feeds + prefix as u64
    }

    /// The first bytes, at most `most`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn head(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.reader().take(most as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Reads the message from its beginning.
    #[must_use]
    pub fn reader(&self) -> MessageReader<'_> {
        MessageReader {
            prefix: &self.prefix,
            content: &self.content,
            at: self.start,
        }
    }

    /// The message as a file that a child process can be given as its standard input: every line ends in LF, and there is no
    /// other CR. Some MTAs take a message with one and never get rid of it, others hand it on to whom it may look like the end.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn to_file(&self, directory: &Path) -> io::Result<File> {
        let mut file = unnamed_file(directory)?;
        let mut reader = self.reader();
        let mut lines = CrRemover::default();
        let mut block = vec![0; BLOCK];
        let mut out = Vec::with_capacity(BLOCK + 1);
        loop {
            let count = reader.read(&mut block)?;
            if count == 0 {
                break;
            }
            lines.push(block.get(..count).unwrap_or_default(), &mut out);
            file.write_all(&out)?;
            out.clear();
        }
        lines.finish(&mut out);
        file.write_all(&out)?;
        Ok(file)
    }
}

/// Turns content, in any blocks, into lines that end in LF; a CR that ends no line becomes a blank, as it does for a server.
#[derive(Debug, Default)]
struct CrRemover {
    pending: bool,
}

impl CrRemover {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            if self.pending && byte != b'\n' {
                out.push(b' ');
            }
            self.pending = byte == b'\r';
            if !self.pending {
                out.push(byte);
            }
        }
    }

    fn finish(self, out: &mut Vec<u8>) {
        if self.pending {
            out.push(b'\n');
        }
    }
}

/// Reads a [`Message`].
#[derive(Debug)]
pub struct MessageReader<'a> {
    prefix: &'a [u8],
    content: &'a Content,
    at: u64,
}

impl Read for MessageReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.prefix.is_empty() {
            return self.prefix.read(buffer);
        }
        let count = match self.content {
            Content::Memory(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(buffer)?
            }
            Content::File { file, length } => {
                let left = usize::try_from(length.saturating_sub(self.at)).unwrap_or(usize::MAX);
                let most = buffer.len().min(left);
                file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

/// Content on its way in.
struct Spooled<'a> {
    directory: &'a Path,
    content: Content,
}

impl<'a> Spooled<'a> {
    fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            content: Content::Memory(Vec::new()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.content {
            Content::Memory(held) if held.len() + bytes.len() <= MEMORY_LIMIT => {
                held.extend_from_slice(bytes);
            }
            Content::Memory(held) => {
                let mut file = unnamed_file(self.directory)?;
                file.write_all(held)?;
                file.write_all(bytes)?;
                let length = (held.len() + bytes.len()) as u64;
                self.content = Content::File { file, length };
            }
            Content::File { file, length } => {
                file.write_all(bytes)?;
                *length += bytes.len() as u64;
            }
        }
        Ok(())
    }
}

fn unnamed_file(directory: &Path) -> io::Result<File> {
    tempfile::tempfile_in(directory).or_else(|_| tempfile::tempfile())
}

/// What is learnt while the content passes by.
#[derive(Default)]
struct Notes {
    hash: Sha256,
    length: u64,
    bare_line_feeds: u64,
    last: u8,
    eight_bit: bool,
}

impl Notes {
    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        for &byte in bytes {
            self.bare_line_feeds += u64::from(byte == b'\n' && self.last != b'\r');
            self.last = byte;
        }
        self.eight_bit |= !bytes.is_ascii();
    }

    fn message(self, content: Content) -> Message {
        Message {
            prefix: Vec::new(),
            content,
            start: 0,
            digest: self.hash.finalize().into(),
            ascii: !self.eight_bit,
            bare_line_feeds: self.bare_line_feeds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.reader().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_message_reads_the_same_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 1, MEMORY_LIMIT, MEMORY_LIMIT + 1, 3 * MEMORY_LIMIT + 7] {
            let input: Vec<u8> = (0..=255).cycle().take(length).collect();
            let (mut message, fits) =
                Message::read_from(&mut input.as_slice(), u64::MAX, folder.path()).unwrap();
            assert_eq!(fits, Ok(()));
            assert_eq!(
                message.digest(),
                Message::from_bytes(input.clone()).digest()
            );
            assert_eq!(bytes_of(&message), input);
            message.skip(10);
            message.prepend(b"two\n");
            message.prepend(b"one\n");
            let left = [b"one\ntwo\n", input.get(10..).unwrap_or_default()].concat();
            assert_eq!(bytes_of(&message), left);
            assert_eq!(message.len(), left.len() as u64);
            assert_eq!(message.head(5).unwrap(), b"one\nt");
        }
    }

    #[test]
    fn a_command_is_given_no_cr() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [
            (&b"a\r\nb\n"[..], &b"a\nb\n"[..]),
            (b"x\r.\rMAIL\n", b"x . MAIL\n"),
            (b"x\r\n.\r\r\n\0\xff", b"x\n. \n\0\xff"),
            (b"end\r", b"end\n"),
            (b"", b""),
        ] {
            // Before, within and behind the end of a block.
            for start in [0, BLOCK - 3, BLOCK - 2, BLOCK - 1] {
                let content = [&vec![b'y'; start][..], content].concat();
                let file = Message::from_bytes(content).to_file(folder.path()).unwrap();
                let mut found = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
                file.read_exact_at(&mut found, 0).unwrap();
                assert_eq!(
                    found[start..].escape_ascii().to_string(),
                    expected.escape_ascii().to_string()
                );
                assert!(found[..start].iter().all(|byte| *byte == b'y'));
            }
        }
    }

    #[test]
    fn the_size_on_the_wire_counts_line_ends_once() {
        let mut message = Message::from_bytes(b"a\r\nb\n".to_vec());
        assert_eq!(message.smtp_size(), 6);
        message.prepend(b"c\n");
        assert_eq!(message.smtp_size(), 9);
    }

    #[test]
    fn of_an_oversized_message_the_beginning_is_kept() {
        let input = vec![b'x'; 200_000];
        let (message, fits) =
            Message::read_from(&mut input.as_slice(), 100_000, Path::new("/nonexistent")).unwrap();
        assert_eq!((message.len(), fits), (100_000, Err(Oversize)));
    }
}
