//! Protocol `t`: TCP does the work. Commands in blocks of 512 bytes, data in blocks with a length.

use std::collections::VecDeque;

use super::stream::{Framing, Stream};
use super::{Link, parameters::Parameters};
use crate::wire::{Malformed, t};

/// A `t` link. Parameter: `timeout` (120 s).
pub(super) fn new(parameters: Parameters<'_>) -> impl Link + use<> {
    Stream::new(T::default(), parameters.seconds("timeout", 120))
}

/// Where in a file's blocks the input stands.
#[derive(Debug, Default)]
struct T {
    /// Bytes of a length that came in pieces.
    header: VecDeque<u8>,
    /// Bytes of the block that are still to come.
    block: usize,
}

impl T {
    /// The next length, once its four bytes are there; how many bytes of the input went into it.
    fn take_length(&mut self, input: &[u8]) -> Result<(usize, Option<u32>), Malformed> {
        if let (true, Some(header)) = (self.header.is_empty(), input.first_chunk()) {
            return Ok((4, Some(t::parse_length(*header)?)));
        }
        let missing = 4 - self.header.len();
        let piece = input.get(..missing).unwrap_or(input);
        self.header.extend(piece);
        let Ok(header) = <[u8; 4]>::try_from(&*self.header.make_contiguous()) else {
            return Ok((piece.len(), None));
        };
        self.header.clear();
        Ok((piece.len(), Some(t::parse_length(header)?)))
    }
}

impl Framing for T {
    const LETTER: u8 = b't';

    fn emit_command(&self, text: &[u8], out: &mut Vec<u8>) {
        t::emit_command(text, out);
    }

    fn emit_file_start(&mut self, _: Option<u64>, _: &mut Vec<u8>) -> Result<(), &'static str> {
        Ok(())
    }

    fn emit_data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        t::emit_data(data, out);
    }

    fn emit_file_end(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        out.extend_from_slice(&t::FILE_END);
        Ok(())
    }

    fn parse_command<'a>(&self, input: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Malformed> {
        t::parse_command(input)
    }

    fn expect_file(&mut self) {
        *self = Self::default();
    }

    fn parse_file(
        &mut self,
        input: &[u8],
        room: usize,
        data: &mut Vec<u8>,
    ) -> Result<(usize, bool), Malformed> {
        let (mut rest, mut room) = (input, room);
        let used = |rest: &[u8]| input.len() - rest.len();
        data.reserve(room.min(input.len()));
        while room > 0 && !rest.is_empty() {
            if self.block == 0 {
                let (length, block) = self.take_length(rest)?;
                rest = rest.get(length..).unwrap_or_default();
                match block {
                    Some(0) => return Ok((used(rest), true)),
                    Some(block) => self.block = usize::try_from(block).unwrap_or(usize::MAX),
                    None => {}
                }
            } else {
                let length = self.block.min(room).min(rest.len());
                let Some((piece, tail)) = rest.split_at_checked(length) else {
                    break;
                };
                data.extend_from_slice(piece);
                rest = tail;
                self.block -= length;
                room -= length;
            }
        }
        Ok((used(rest), false))
    }
}
