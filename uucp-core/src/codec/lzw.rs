//! Reading what `compress` wrote (`.Z`): LZW with codes of 9 to 16 bits, the low bits first.
//!
//! Codes come in groups of eight. When their width changes, the rest of the group is padding. The format has neither a length
//! nor a check sum: what is cut between two codes cannot be told from what is whole, so whoever reads must know by the
//! content where it ends.

use std::io::{self, Read};

use super::source::Source;
use super::{CodecError, Format};

/// The code that empties the table, where the header allows it.
const CLEAR: u32 = 256;
const FIRST_WIDTH: u32 = 9;
const LAST_WIDTH: u32 = 16;

pub(super) struct Decoder<'a> {
    source: Source<'a>,
    table: Table,
    /// Codes may be at most this wide.
    max_width: u32,
    width: u32,
    /// Whether [`CLEAR`] is a code.
    clears: bool,
    /// Bits that were read and belong to no code yet.
    bits: u32,
    bit_count: u32,
    /// Codes read of the group of eight.
    in_group: u32,
    /// Output that is due, last byte first.
    due: Vec<u8>,
    ended: bool,
    /// An error that comes after the output that was good.
    failure: Option<io::Error>,
}

/// What each code stands for: the string of another, and one byte more.
struct Table {
    prefix: Vec<u16>,
    suffix: Vec<u8>,
    /// The next code to be given, and how many there may be.
    next: u32,
    size: u32,
    /// The code before, and the first byte of its string.
    previous: Option<(u16, u8)>,
}

impl Table {
    fn new(first: u32, size: u32) -> Self {
        Self {
            prefix: vec![0; size as usize],
            suffix: vec![0; size as usize],
            next: first,
            size,
            previous: None,
        }
    }

    /// Puts the string of `code` into `out`, last byte first, and gives the next code its meaning. `None`: no such code.
    fn expand(&mut self, code: u32, out: &mut Vec<u8>) -> Option<()> {
        let number = u16::try_from(code).ok()?;
        let mut at = number;
        if code >= self.next.max(CLEAR) {
            // The one code that may be used before it is given: the string before, and its first byte again.
            let (previous, first) = self.previous?;
            if code > self.next {
                return None;
            }
            out.push(first);
            at = previous;
        }
        let first = loop {
            if let Ok(byte) = u8::try_from(at) {
                break byte;
            }
            out.push(*self.suffix.get(usize::from(at))?);
            at = *self.prefix.get(usize::from(at))?;
        };
        out.push(first);
        if let Some((previous, _)) = self.previous.replace((number, first))
            && self.next < self.size
        {
            let next = self.next as usize;
            *self.prefix.get_mut(next)? = previous;
            *self.suffix.get_mut(next)? = first;
            self.next += 1;
        }
        Some(())
    }
}

impl<'a> Decoder<'a> {
    /// Reads the header.
    pub(super) fn new(mut source: Source<'a>) -> io::Result<Self> {
        let flags = match *source.peek(3)? {
            [0x1f, 0x9d, flags] => u32::from(flags),
            _ => return Err(CodecError::Truncated { format: Format::Z }.into()),
        };
        for _ in 0..3 {
            source.take_byte()?;
        }
        let max_width = flags & 0x1f;
        if !(FIRST_WIDTH..=LAST_WIDTH).contains(&max_width) {
            return Err(damaged("codes of less than 9 or more than 16 bits"));
        }
        let clears = flags & 0x80 != 0;
        Ok(Self {
            source,
            table: Table::new(first_code(clears), 1 << max_width),
            max_width,
            width: FIRST_WIDTH,
            clears,
            bits: 0,
            bit_count: 0,
            in_group: 0,
            due: Vec::new(),
            ended: false,
            failure: None,
        })
    }

    /// Sets the width of the codes that follow. The group of eight that was begun is padding to its end.
    fn change_width(&mut self, width: u32) -> io::Result<()> {
        if self.in_group > 0 {
            for _ in self.in_group..8 {
                if self.take_bits()?.is_none() {
                    break;
                }
            }
        }
        self.in_group = 0;
        self.width = width;
        Ok(())
    }

    /// The bits of one code; `None` at the end.
    fn take_bits(&mut self) -> io::Result<Option<u32>> {
        while self.bit_count < self.width {
            let Some(byte) = self.source.take_byte()? else {
                return Ok(None);
            };
            self.bits |= u32::from(byte) << self.bit_count;
            self.bit_count += 8;
        }
        let code = self.bits & ((1 << self.width) - 1);
        self.bits >>= self.width;
        self.bit_count -= self.width;
        Ok(Some(code))
    }

    fn next_code(&mut self) -> io::Result<Option<u32>> {
        if self.table.next >> self.width != 0 && self.width < self.max_width {
            self.change_width(self.width + 1)?;
        }
        let code = self.take_bits()?;
        if code.is_some() {
            self.in_group = (self.in_group + 1) % 8;
        } else if self.bit_count >= 8 || self.bits != 0 {
            // The end fills its last byte with zero bits; anything else is a part of a code.
            return Err(CodecError::Truncated { format: Format::Z }.into());
        }
        Ok(code)
    }

    fn step(&mut self) -> io::Result<()> {
        let Some(code) = self.next_code()? else {
            self.ended = true;
            return Ok(());
        };
        if code == CLEAR && self.clears {
            self.change_width(FIRST_WIDTH)?;
            self.table.next = first_code(true);
            self.table.previous = None;
            return Ok(());
        }
        let known = self.table.expand(code, &mut self.due);
        known.ok_or_else(|| damaged("a code that stands for nothing"))
    }
}

fn first_code(clears: bool) -> u32 {
    if clears { CLEAR + 1 } else { CLEAR }
}

fn damaged(reason: &str) -> io::Error {
    CodecError::Damaged {
        format: Format::Z,
        reason: reason.to_owned(),
    }
    .into()
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        for place in buffer {
            while self.due.is_empty() && !self.ended && self.failure.is_none() {
                self.failure = self.step().err();
            }
            let Some(byte) = self.due.pop() else {
                break;
            };
            *place = byte;
            written += 1;
        }
        match self.failure.take_if(|_| written == 0) {
            Some(failure) => Err(failure),
            None => Ok(written),
        }
    }
}
