//! zstd: data that is made of frames, each with a dictionary of its own choice.

use std::io::{self, Read};

use super::decode::trailing;
use super::source::Source;
use super::{CodecError, Dictionaries, Dictionary, Format};

/// Frames of zstd, each with the dictionary that it names.
pub(super) struct Frames<'a> {
    state: FramesState<'a>,
    window: u64,
    dictionaries: &'a Dictionaries,
    /// The last one that was used: the next frame mostly names the same.
    dictionary: Option<Dictionary>,
}

enum FramesState<'a> {
    Between(Source<'a>),
    Within(zstd::stream::read::Decoder<'static, Source<'a>>),
    Ended,
}

impl<'a> Frames<'a> {
    pub(super) fn new(source: Source<'a>, window: u64, dictionaries: &'a Dictionaries) -> Self {
        Self {
            state: FramesState::Between(source),
            window,
            dictionaries,
            dictionary: None,
        }
    }

    fn open(
        &mut self,
        mut source: Source<'a>,
    ) -> io::Result<Option<zstd::stream::read::Decoder<'static, Source<'a>>>> {
        let format = Format::Zstd;
        let start = source.peek(FrameHeader::LONGEST)?;
        if start.is_empty() {
            return Ok(None);
        }
        if Format::of(start)? != format {
            return if source.only_padding()? {
                Ok(None)
            } else {
                Err(trailing(format))
            };
        }
        let header = FrameHeader::parse(start).ok_or(CodecError::Truncated { format })?;
        if header.window > self.window {
            let limit = self.window;
            return Err(CodecError::Window { format, limit }.into());
        }
        source.tally().begin_piece(format)?;
        let bytes = self.dictionary(header.dictionary)?;
        let mut decoder = zstd::stream::read::Decoder::with_dictionary(source, bytes)?;
        // The window was judged above; this only lifts the decoder's own limit to ours.
        decoder.window_log_max(u64::BITS - self.window.leading_zeros())?;
        Ok(Some(decoder.single_frame()))
    }

    /// The dictionary with this number; zero is none.
    fn dictionary(&mut self, id: u32) -> io::Result<&[u8]> {
        if id == 0 {
            return Ok(&[]);
        }
        if self.dictionary.as_ref().is_none_or(|last| last.id() != id) {
            self.dictionary = self.dictionaries.load(id)?;
        }
        let dictionary = self.dictionary.as_ref();
        Ok(dictionary.ok_or(CodecError::NoDictionary { id })?.bytes())
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let FramesState::Within(decoder) = &mut self.state {
                let length = decoder.read(buffer)?;
                if length > 0 {
                    return Ok(length);
                }
                decoder.finish_frame()?;
            }
            let source = match std::mem::replace(&mut self.state, FramesState::Ended) {
                FramesState::Between(source) => source,
                FramesState::Within(decoder) => decoder.finish(),
                FramesState::Ended => return Ok(0),
            };
            if let Some(decoder) = self.open(source)? {
                self.state = FramesState::Within(decoder);
            }
        }
    }
}

/// What the header of a zstd frame asks for (RFC 8878, 3.1.1.1).
struct FrameHeader {
    window: u64,
    /// Zero: none.
    dictionary: u32,
}

impl FrameHeader {
    /// Magic number, descriptor, window, dictionary id, content size.
    const LONGEST: usize = 4 + 1 + 1 + 4 + 8;

    /// `None` when it is cut.
    fn parse(start: &[u8]) -> Option<Self> {
        if start.first()? & 0xf0 == 0x50 {
            // A frame to be passed over.
            return Some(Self {
                window: 0,
                dictionary: 0,
            });
        }
        let descriptor = *start.get(4)?;
        let mut rest = start.get(5..)?;
        let mut number = |length: usize| {
            let (bytes, after) = rest.split_at_checked(length)?;
            rest = after;
            let number = bytes.iter().rev();
            Some(number.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        let single_segment = descriptor & 0x20 != 0;
        let mut window = 0;
        if !single_segment {
            let byte = number(1)?;
            let base = 1_u64 << (10 + (byte >> 3));
            window = base + base / 8 * (byte & 7);
        }
        let dictionary = number((1 << (descriptor & 3)) >> 1)?;
        if single_segment {
            let size_bytes = 1 << (descriptor >> 6);
            window = number(size_bytes)? + if size_bytes == 2 { 256 } else { 0 };
        }
        Some(Self {
            window,
            dictionary: u32::try_from(dictionary).ok()?,
        })
    }
}
