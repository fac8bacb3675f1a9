//! Compression: what a batch is wrapped in on its way.
//!
//! Readers go by the first bytes and never by the name of the command they run under: what arrives as `rcsmtp` may be gzip,
//! and what arrives as `rsmtp` may be zstd. A line such as `#! cunbatch` or `#! zunbatch` before the data is passed over.
//!
//! * gzip (RFC 1952), all its members; bzip2, all its streams; xz, all its streams; zstd (RFC 8878), all its frames, with
//!   the dictionary that a frame names; `.Z`, what `compress` writes; anything else is plain.
//! * Everything is streamed: memory does not grow with the data, and the decoders' own windows are limited.
//! * Output is limited, by size and by the ratio to the input: a few bytes can say gigabytes.
//! * Data that is cut or damaged ends in an error, never in a short success. (`.Z` carries neither length nor check sum, so
//!   there this holds as far as the format goes: see the module `lzw`.)

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::RangeInclusive;
use std::str::FromStr;

mod decode;
pub mod dictionary;
mod encode;
mod error;
mod frames;
mod lzw;
mod members;
mod source;

pub use dictionary::{Dictionaries, Dictionary};
pub use encode::Encoder;
pub use error::CodecError;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// For a far end with classic tools.
    Gzip,
    /// Fast and small, with a dictionary also for single mails. Ours understands it; `zstd -d` too.
    Zstd,
    /// Smallest for large batches, at a price in time.
    Xz,
    /// Between gzip and xz.
    Bzip2,
}

impl Compression {
    /// All of them, by name.
    const NAMES: [(&'static str, Self); 4] = [
        ("gzip", Self::Gzip),
        ("zstd", Self::Zstd),
        ("xz", Self::Xz),
        ("bzip2", Self::Bzip2),
    ];

    /// Levels that may be asked for. zstd's levels past 19 are left out: their window is more than some readers take.
    #[must_use]
    pub fn levels(self) -> RangeInclusive<i32> {
        match self {
            Self::Gzip | Self::Bzip2 => 1..=9,
            Self::Zstd => 1..=19,
            Self::Xz => 0..=9,
        }
    }

    /// The level of who asks for none: the tool's own, but zstd's 6 rather than 3, since the line is slower than either.
    #[must_use]
    pub fn default_level(self) -> i32 {
        match self {
            Self::Gzip | Self::Zstd | Self::Xz => 6,
            Self::Bzip2 => 9,
        }
    }

    /// Its name in configuration files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, compression)| *compression)
            .ok_or_else(|| UnknownCompression(name.to_owned()))
    }
}

/// A name that is none of a [`Compression`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression \"{0}\": gzip, zstd, xz and bzip2 are known")]
pub struct UnknownCompression(String);

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Not compressed, or nothing that is known.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// compress.
    Z,
}

impl Format {
    /// The first bytes of each.
    const MAGIC: [(&'static [u8], Self); 5] = [
        (&[0x1f, 0x8b], Self::Gzip),
        (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
        (b"BZh", Self::Bzip2),
        (&[0x1f, 0x9d], Self::Z),
    ];
    /// So many bytes tell.
    const LOOK: usize = 6;

    /// What data is that begins with these bytes; they are all there is if there are less than six.
    fn of(start: &[u8]) -> Result<Self, CodecError> {
        if let [_, 0x2a, 0x4d, 0x18, ..] = start
            && start.first().is_some_and(|b| b & 0xf0 == 0x50)
        {
            // A frame to be passed over: `pzstd` begins with one.
            return Ok(Self::Zstd);
        }
        if let [b'B', b'Z', b'h', level, ..] = start
            && !(b'1'..=b'9').contains(level)
        {
            return Ok(Self::Plain);
        }
        for (magic, format) in Self::MAGIC {
            if start.starts_with(magic) {
                return Ok(format);
            }
            if !start.is_empty() && magic.starts_with(start) {
                return Err(CodecError::Truncated { format });
            }
        }
        Ok(Self::Plain)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Z => "compress (.Z)",
        })
    }
}

/// How much a decoder may give and take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of output, also of plain data: 4 GiB, unless set.
    pub output: u64,
    /// Times that the output may be as large as the input, once there are more than 64 MiB of it: 1,000, unless set. gzip
    /// cannot reach it. The others reach it with zeros, or with the same mail many hundred times.
    pub ratio: u32,
    /// Bytes of window (dictionary, in xz's words) that zstd and xz data may ask for: 128 MiB, unless set. All that these
    /// tools write with levels of one digit or two needs no more.
    pub window: u64,
}

impl Limits {
    /// The ratio counts from here on.
    const FREE: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output: 4 << 30,
            ratio: 1_000,
            window: 128 << 20,
        }
    }
}

/// Decompresses `input`, whatever it is; passes over a `#! word` line before it.
///
/// Reads the first bytes at once. What is wrong with the data comes as an [`io::Error`] with a [`CodecError`] in it, after
/// all bytes that were good; an error, once given, is given again.
///
/// # Errors
/// When the first bytes cannot be read, or are cut, or the data is more than this may read.
pub fn decoder<'a>(
    input: Box<dyn BufRead + 'a>,
    limits: Limits,
    dictionaries: &'a Dictionaries,
) -> io::Result<Box<dyn Read + 'a>> {
    decode::open(input, limits, dictionaries).map(|(_, decoder)| decoder)
}

/// As [`decoder`], and tells what the data is.
///
/// # Errors
/// As [`decoder`].
pub fn recognise<'a>(
    input: Box<dyn BufRead + 'a>,
    limits: Limits,
    dictionaries: &'a Dictionaries,
) -> io::Result<(Format, Box<dyn Read + 'a>)> {
    decode::open(input, limits, dictionaries)
}

#[cfg(test)]
mod tests;
