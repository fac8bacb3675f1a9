//! Writing compressed data.

use std::io::{self, Write};

use lzma_rust2::{XzOptions, XzWriter};

use super::{Compression, Dictionary};

/// Compresses what is written to it.
///
/// The data is whole only after [`Encoder::finish`]. What was dropped before that is visibly cut: it has no end, so no
/// reader takes it for the whole.
pub struct Encoder<W: Write> {
    /// `None` only after [`Encoder::finish`].
    format: Option<Encoding<W>>,
}

impl<W: Write> std::fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

enum Encoding<W: Write> {
    Gzip(flate2::write::GzEncoder<Gate<W>>),
    Zstd(zstd::stream::write::Encoder<'static, Gate<W>>),
    Xz(Box<XzWriter<Gate<W>>>),
    Bzip2(bzip2::write::BzEncoder<Gate<W>>),
}

/// Lets nothing through any more once it is shut: some encoders write an end when they are dropped.
struct Gate<W> {
    out: W,
    shut: bool,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.shut {
            return Ok(bytes.len());
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.shut { Ok(()) } else { self.out.flush() }
    }
}

impl<W: Write> Encoder<W> {
    /// Begins to write to `out`. Without a level, [`Compression::default_level`] is taken.
    ///
    /// # Errors
    /// When there is no such level, or a dictionary is given to anything but zstd.
    pub fn new(
        out: W,
        compression: Compression,
        level: Option<i32>,
        dictionary: Option<&Dictionary>,
    ) -> io::Result<Self> {
        let level = level.unwrap_or_else(|| compression.default_level());
        if !compression.levels().contains(&level) {
            let (first, last) = compression.levels().into_inner();
            return Err(refuse(format!(
                "{compression} has no level {level}: its levels are {first} to {last}"
            )));
        }
        if dictionary.is_some() && compression != Compression::Zstd {
            return Err(refuse(format!(
                "{compression} knows no dictionaries: only zstd does"
            )));
        }
        let gate = Gate { out, shut: false };
        // Levels are small and, but for zstd's, not negative.
        let plain_level = level.unsigned_abs();
        let format = match compression {
            Compression::Gzip => Encoding::Gzip(flate2::write::GzEncoder::new(
                gate,
                flate2::Compression::new(plain_level),
            )),
            Compression::Zstd => {
                let bytes = dictionary.map_or(&[][..], Dictionary::bytes);
                let mut encoder =
                    zstd::stream::write::Encoder::with_dictionary(gate, level, bytes)?;
                encoder.include_checksum(true)?;
                Encoding::Zstd(encoder)
            }
            Compression::Xz => {
                let options = XzOptions::with_preset(plain_level);
                Encoding::Xz(Box::new(XzWriter::new(gate, options)?))
            }
            Compression::Bzip2 => Encoding::Bzip2(bzip2::write::BzEncoder::new(
                gate,
                bzip2::Compression::new(plain_level),
            )),
        };
        Ok(Self {
            format: Some(format),
        })
    }

    /// Ends the data and gives back what it was written to.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let gate = match self.format.take().ok_or_else(finished)? {
            Encoding::Gzip(encoder) => encoder.finish(),
            Encoding::Zstd(encoder) => encoder.finish(),
            Encoding::Xz(encoder) => encoder.finish(),
            Encoding::Bzip2(encoder) => encoder.finish(),
        }?;
        Ok(gate.out)
    }

    fn writer(&mut self) -> io::Result<&mut dyn Write> {
        Ok(match self.format.as_mut().ok_or_else(finished)? {
            Encoding::Gzip(encoder) => encoder,
            Encoding::Zstd(encoder) => encoder,
            Encoding::Xz(encoder) => encoder,
            Encoding::Bzip2(encoder) => encoder,
        })
    }
}

fn refuse(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn finished() -> io::Error {
    io::Error::other("the compressed data is already ended")
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer()?.write(bytes)
    }

    /// Writes out what is complete. It costs compression: readers get all they can get so far.
    fn flush(&mut self) -> io::Result<()> {
        self.writer()?.flush()
    }
}

impl<W: Write> Drop for Encoder<W> {
    fn drop(&mut self) {
        match &mut self.format {
            Some(Encoding::Gzip(encoder)) => encoder.get_mut().shut = true,
            Some(Encoding::Zstd(encoder)) => encoder.get_mut().shut = true,
            Some(Encoding::Xz(encoder)) => encoder.inner_mut().shut = true,
            Some(Encoding::Bzip2(encoder)) => encoder.get_mut().shut = true,
            None => {}
        }
    }
}
