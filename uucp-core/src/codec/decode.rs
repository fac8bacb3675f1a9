//! Choosing the decoder by the first bytes, and watching it.

use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::dictionary::DictionaryError;
use super::frames::Frames;
use super::members::{Bzip2Member, GzipMember, Members};
use super::source::{Source, Tally};
use super::{CodecError, Dictionaries, Format, Limits, lzw};

/// A `#! word` line is no longer than this; what is longer is content.
const LONGEST_LINE: usize = 256;

pub(super) fn open<'a>(
    input: Box<dyn BufRead + 'a>,
    limits: Limits,
    dictionaries: &'a Dictionaries,
) -> io::Result<(Format, Box<dyn Read + 'a>)> {
    let mut source = Source::new(input);
    skip_line(&mut source)?;
    let format = Format::of(source.peek(Format::LOOK)?)?;
    let tally = source.tally();
    let decoder: Box<dyn Read + 'a> = match format {
        Format::Plain => Box::new(source),
        Format::Gzip => Box::new(Members::<GzipMember<'a>>::new(source)),
        Format::Bzip2 => Box::new(Members::<Bzip2Member<'a>>::new(source)),
        Format::Zstd => Box::new(Frames::new(source, limits.window, dictionaries)),
        Format::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
            source,
            true,
            // The dictionary is what is limited; the decoder's own state comes on top.
            u32::try_from(limits.window / 1024 + 1024).unwrap_or(u32::MAX),
        )),
        Format::Z => Box::new(lzw::Decoder::new(source)?),
    };
    let watched = Watched {
        decoder,
        format,
        limits,
        tally,
        failed: None,
        stopped: false,
    };
    Ok((format, Box::new(watched)))
}

/// Passes over a line `#! cunbatch`, as it stands before the compressed batches of the news software and of some mailers.
fn skip_line(source: &mut Source<'_>) -> io::Result<()> {
    if source.peek(2)? != b"#!" {
        return Ok(());
    }
    let start = source.peek(LONGEST_LINE)?;
    if let Some(end) = start.iter().position(|byte| *byte == b'\n') {
        source.consume(end + 1);
    }
    Ok(())
}

/// A decoder under watch: keeps the limits, gives errors their name, and says the same again when it is asked again.
struct Watched<'a> {
    decoder: Box<dyn Read + 'a>,
    format: Format,
    limits: Limits,
    tally: Rc<Tally>,
    failed: Option<CodecError>,
    /// The input, or the directory of dictionaries, could not be read.
    stopped: bool,
}

impl Watched<'_> {
    fn check(&mut self, more: usize) -> Result<(), CodecError> {
        let format = self.format;
        let given = self.tally.given.get() + more as u64;
        self.tally.given.set(given);
        if given > self.limits.output {
            return Err(CodecError::TooLarge {
                format,
                limit: self.limits.output,
            });
        }
        let ratio = self.limits.ratio;
        let allowed = self.tally.taken.get().saturating_mul(u64::from(ratio));
        if format != Format::Plain && given > allowed.max(Limits::FREE) {
            return Err(CodecError::Bomb { format, ratio });
        }
        Ok(())
    }

    /// What a decoder's error means.
    fn name(&self, error: &io::Error) -> CodecError {
        let format = self.format;
        if let Some(known) = CodecError::of(error) {
            return known.clone();
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => CodecError::Truncated { format },
            io::ErrorKind::OutOfMemory => CodecError::Window {
                format,
                limit: self.limits.window,
            },
            _ => CodecError::Damaged {
                format,
                reason: error.to_string(),
            },
        }
    }
}

fn is_local(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<DictionaryError>)
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        if self.stopped {
            return Err(io::Error::other("reading failed before"));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let error = match self.decoder.read(buffer) {
            Ok(length) => match self.check(length) {
                Ok(()) => return Ok(length),
                Err(error) => error,
            },
            Err(error) if self.tally.failed.get() || is_local(&error) => {
                self.stopped = true;
                return Err(error);
            }
            Err(error) => self.name(&error),
        };
        self.failed = Some(error.clone());
        Err(error.into())
    }
}

/// What follows the end of the data, and is none.
pub(super) fn trailing(format: Format) -> io::Error {
    let reason = "something else follows its end".to_owned();
    CodecError::Damaged { format, reason }.into()
}
