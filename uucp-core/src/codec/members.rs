//! Data that is made of members, one after another: gzip's, and bzip2's streams.

use std::io::{self, Read};

use super::decode::trailing;
use super::source::Source;
use super::{CodecError, Format};

/// One of several pieces of compressed data that stand one after another and are one.
pub(super) trait Member<'a>: Read + Sized {
    const FORMAT: Format;

    fn open(source: Source<'a>) -> Self;
    fn into_source(self) -> Source<'a>;
}

pub(super) struct GzipMember<'a>(flate2::bufread::GzDecoder<Source<'a>>);
pub(super) struct Bzip2Member<'a>(bzip2::bufread::BzDecoder<Source<'a>>);

impl Read for GzipMember<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Read for Bzip2Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<'a> Member<'a> for GzipMember<'a> {
    const FORMAT: Format = Format::Gzip;

    fn open(source: Source<'a>) -> Self {
        Self(flate2::bufread::GzDecoder::new(source))
    }

    fn into_source(self) -> Source<'a> {
        self.0.into_inner()
    }
}

impl<'a> Member<'a> for Bzip2Member<'a> {
    const FORMAT: Format = Format::Bzip2;

    fn open(source: Source<'a>) -> Self {
        Self(bzip2::bufread::BzDecoder::new(source))
    }

    fn into_source(self) -> Source<'a> {
        self.0.into_inner()
    }
}

/// All members, to the end of the input. Zero bytes may follow the last one, as they do after tapes, and after protocols
/// that fill their blocks.
pub(super) struct Members<'a, M> {
    current: Option<M>,
    lifetime: std::marker::PhantomData<&'a ()>,
}

impl<'a, M: Member<'a>> Members<'a, M> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            current: Some(M::open(source)),
            lifetime: std::marker::PhantomData,
        }
    }

    /// The member after one that has ended; `None` at the end of the input.
    fn next(mut source: Source<'a>) -> io::Result<Option<M>> {
        let start = source.peek(Format::LOOK)?;
        if start.is_empty() {
            return Ok(None);
        }
        match Format::of(start) {
            Ok(format) if format == M::FORMAT => {
                source.tally().begin_piece(format)?;
                Ok(Some(M::open(source)))
            }
            Err(error @ CodecError::Truncated { format }) if format == M::FORMAT => {
                Err(error.into())
            }
            _ if source.only_padding()? => Ok(None),
            _ => Err(trailing(M::FORMAT)),
        }
    }
}

impl<'a, M: Member<'a>> Read for Members<'a, M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.current {
            let length = member.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if let Some(member) = self.current.take() {
                self.current = Self::next(member.into_source())?;
            }
        }
        Ok(0)
    }
}
