//! Messages -> a batch.

use std::io::{self, Read, Write};

use super::find::find_dotted;
use super::{LineEnd, MARK, Transaction};

/// How much is written at once, and read at once.
const BUFFER: usize = 64 << 10;

/// How a batch is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// How its lines end.
    pub line_end: LineEnd,
    /// Whether the far end is known to understand EHLO and parameters: `exim -bS` abandons the batch at the first one.
    pub parameters: bool,
    /// The name behind HELO: who writes.
    pub hello: String,
}

impl Style {
    /// Plain SMTP with LF: what every receiver over UUCP takes.
    pub fn plain(hello: impl Into<String>) -> Self {
        Self {
            line_end: LineEnd::Lf,
            parameters: false,
            hello: hello.into(),
        }
    }
}

/// Writes a batch: HELO first, QUIT last, so that a cut shows.
///
/// Content is in house form: lines end in LF. A last line without one gets one, since DATA knows no other content; a CR that
/// stands there is content.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    style: Style,
    /// What is not yet in `out`.
    buffer: Vec<u8>,
    /// Bytes that went into the batch.
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a batch.
    ///
    /// # Errors
    /// When `out` takes no more, or the name cannot stand in a command.
    pub fn new(out: W, style: Style) -> io::Result<Self> {
        let word = style.hello.bytes().all(|b| b > b' ' && b != 0x7f);
        if !word || style.hello.is_empty() {
            let text = format!("'{}' cannot stand behind HELO", style.hello.escape_debug());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut writer = Self {
            out,
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
            style,
        };
        let verb: &[u8] = if writer.style.parameters {
            b"EHLO "
        } else {
            b"HELO "
        };
        let hello = [verb, writer.style.hello.as_bytes()].concat();
        writer.command(&hello)?;
        writer.command(&[b"NOOP ", MARK].concat())?;
        Ok(writer)
    }

    /// Writes one message, and gives back how many bytes it takes in the batch.
    ///
    /// When it fails, the batch is not whole and must be thrown away, unless nothing of the message was written: then it
    /// fails with [`io::ErrorKind::InvalidInput`].
    ///
    /// # Errors
    /// When the content cannot be read, `out` takes no more, or a parameter can stand in no command.
    pub fn message(
        &mut self,
        transaction: &Transaction,
        content: &mut dyn Read,
    ) -> io::Result<u64> {
        let begin = self.written;
        let mut envelope = Vec::new();
        transaction
            .emit(self.style.line_end, self.style.parameters, &mut envelope)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.write(&envelope)?;
        self.command(b"DATA")?;
        self.content(content)?;
        self.command(b".")?;
        Ok(self.written - begin)
    }

    /// Bytes of the batch so far, without the QUIT to come.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends the batch with QUIT, and gives back what it was written to, flushed.
    ///
    /// # Errors
    /// When `out` takes no more.
    pub fn finish(mut self) -> io::Result<W> {
        self.command(b"QUIT")?;
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn command(&mut self, line: &[u8]) -> io::Result<()> {
        self.write(line)?;
        self.write(self.style.line_end.bytes())
    }

    /// Dots are stuffed and line ends made in whatever pieces the content comes; the only thing kept is whether a line has
    /// just begun.
    fn content(&mut self, content: &mut dyn Read) -> io::Result<()> {
        let mut chunk = vec![0; BUFFER];
        let mut line_start = true;
        loop {
            let count = match content.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = chunk.get(..count).unwrap_or_default();
            if line_start && bytes.first() == Some(&b'.') {
                self.write(b".")?;
            }
            match self.style.line_end {
                LineEnd::Lf => self.stuff(bytes)?,
                LineEnd::CrLf => self.stuff_lines(bytes)?,
            }
            line_start = bytes.last() == Some(&b'\n');
        }
        if line_start {
            Ok(())
        } else {
            self.write(self.style.line_end.bytes())
        }
    }

    fn stuff(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(at) = find_dotted(rest) {
            let (line, next) = rest.split_at(at + 1);
            self.write(line)?;
            self.write(b".")?;
            // The dot itself stays; it is not searched again, since no LF is before it.
            rest = next;
        }
        self.write(rest)
    }

    fn stuff_lines(&mut self, bytes: &[u8]) -> io::Result<()> {
        for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            if number > 0 && line.first() == Some(&b'.') {
                self.write(b".")?;
            }
            match line.split_last() {
                Some((b'\n', text)) => {
                    self.write(text)?;
                    self.write(b"\r\n")?;
                }
                _ => self.write(line)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        if bytes.len() >= BUFFER {
            return self.out.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}
