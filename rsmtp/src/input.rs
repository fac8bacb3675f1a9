//! The input, complete in a private file before anything is done with it; then decompressed into another, to its end.
//!
//! NNCP hands out a packet before it has checked all of it, so what it gives may simply end early. And whoever decompresses
//! while he delivers finds the damage when half is delivered.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use uucp_core::codec::{self, CodecError, Dictionaries, Format, Limits};
use uucp_core::sysexits::Failure;

/// How much is copied at a time, in bytes.
const BLOCK: usize = 64 * 1024;

/// A whole input.
#[derive(Debug)]
pub(crate) struct Input {
    /// As it came.
    raw: File,
    /// Decompressed, where it was compressed.
    plain: Option<File>,
    /// What it was.
    pub(crate) format: Format,
}

/// What the input turned out to be.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It can be read to its end.
    Whole(Input),
    /// It ends too early, or lacks something that can still come. Perhaps it comes again.
    Cut(Input, String),
    /// Nobody can read it.
    Damaged(Input, String),
}

impl Input {
    /// Takes all of `source`, into an unnamed file in `state`, in the system's own place for such where that is not there. A file of
    /// the spool, which is complete and changes no more, is used where it lies: `in_place`.
    pub(crate) fn take(mut source: File, state: &Path, in_place: bool) -> io::Result<Self> {
        let is_file = source.metadata()?.is_file();
        let raw = if in_place && is_file && source.stream_position()? == 0 {
            source
        } else {
            let mut copy = unnamed_file(state)?;
            pour(&mut source, &mut copy)?;
            copy
        };
        Ok(Self {
            raw,
            plain: None,
            format: Format::Plain,
        })
    }

    /// Decompresses it, whatever it is.
    pub(crate) fn open(mut self, state: &Path) -> io::Result<Opened> {
        let dictionaries = Dictionaries::in_directory(&state.join(Dictionaries::FOLDER));
        let mut raw = &self.raw;
        raw.rewind()?;
        let buffered = Box::new(BufReader::with_capacity(BLOCK, raw));
        match decompress(buffered, state, &dictionaries) {
            Ok((format, plain)) => {
                (self.format, self.plain) = (format, plain);
                Ok(Opened::Whole(self))
            }
            Err(error) => match CodecError::of(&error) {
                Some(why @ CodecError::Truncated { .. }) => Ok(Opened::Cut(self, why.to_string())),
                Some(why) if why.is_temporary() => Ok(Opened::Cut(self, why.to_string())),
                Some(why) => Ok(Opened::Damaged(self, why.to_string())),
                None => Err(error),
            },
        }
    }

    /// The batch, from its beginning.
    pub(crate) fn reader(&self) -> io::Result<File> {
        rewound(self.plain.as_ref().unwrap_or(&self.raw))
    }

    /// The input as it came, from its beginning, and its length.
    pub(crate) fn raw(&self) -> io::Result<(File, u64)> {
        let file = rewound(&self.raw)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    /// Names the input by its bytes.
    pub(crate) fn digest(&self) -> io::Result<[u8; 32]> {
        let (mut file, _) = self.raw()?;
        let mut hash = Sha256::new();
        pour(&mut file, &mut Hashing(&mut hash))?;
        Ok(hash.finalize().into())
    }
}

/// What the state of a kept message is called, behind the message's name.
const STATE: &str = "retry";

/// Whether this is not a message but the state of one that is kept beside it.
pub(crate) fn is_state(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == STATE)
}

/// Opens a batch that is named.
pub(crate) fn open_file(path: &Path) -> Result<File, Failure> {
    if is_state(path) {
        return Err(Failure::temporary(format!(
            "{} is no batch: it says when {} is offered again",
            path.display(),
            path.with_extension("").display()
        )));
    }
    File::open(path).map_err(|e| Failure::temporary(format!("cannot open {}: {e}", path.display())))
}

/// What the input is, and its bytes where they are not those of the input itself.
fn decompress<'a>(
    raw: Box<dyn io::BufRead + 'a>,
    state: &Path,
    dictionaries: &'a Dictionaries,
) -> io::Result<(Format, Option<File>)> {
    let (format, mut decoder) = codec::recognise(raw, Limits::default(), dictionaries)?;
    if format == Format::Plain {
        return Ok((format, None));
    }
    let mut plain = unnamed_file(state)?;
    pour(&mut decoder, &mut plain)?;
    Ok((format, Some(plain)))
}

fn rewound(file: &File) -> io::Result<File> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(file)
}

/// In the state directory, else in the system's own place for such files.
fn unnamed_file(state: &Path) -> io::Result<File> {
    tempfile::tempfile_in(state).or_else(|_| tempfile::tempfile())
}

fn pour(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(block.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
