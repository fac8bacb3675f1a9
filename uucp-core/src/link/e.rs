//! Protocol `e`: like `t` for a line that is reliable end to end, but a file is its size and then the bare bytes.

use super::stream::{Framing, Stream};
use super::{Link, parameters::Parameters};
use crate::wire::{Malformed, e};

/// An `e` link. Parameter: `timeout` (120 s).
pub(super) fn new(parameters: Parameters<'_>) -> impl Link + use<> {
    Stream::new(E::default(), parameters.seconds("timeout", 120))
}

/// How far the two files, one in each direction, have come.
#[derive(Debug, Default)]
struct E {
    /// Bytes that were announced to the peer and not sent yet.
    to_send: u64,
    /// The size of the incoming file as far as it has come.
    header: Vec<u8>,
    /// Bytes of the incoming file that are still to come, once its size is known.
    to_come: Option<u64>,
}

impl E {
    fn take_header(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let missing = e::HEADER.saturating_sub(self.header.len());
        let piece = input.get(..missing).unwrap_or(input);
        self.header.extend_from_slice(piece);
        if let Some(header) = self.header.first_chunk() {
            self.to_come = Some(e::parse_size(header)?);
        }
        Ok(piece.len())
    }
}

impl Framing for E {
    const LETTER: u8 = b'e';

    fn emit_command(&self, text: &[u8], out: &mut Vec<u8>) {
        e::emit_command(text, out);
    }

    fn emit_file_start(
        &mut self,
        size: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        self.to_send = size.ok_or("the size of a file must be known beforehand")?;
        e::emit_size(self.to_send, out);
        Ok(())
    }

    fn emit_data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        // A file that grew meanwhile is sent as long as it was: the peer counts.
        let announced = usize::try_from(self.to_send).unwrap_or(usize::MAX);
        let data = data.get(..announced).unwrap_or(data);
        out.extend_from_slice(data);
        self.to_send -= data.len() as u64;
    }

    fn emit_file_end(&mut self, _: &mut Vec<u8>) -> Result<(), &'static str> {
        // The protocol knows no way out but the end of the call.
        if self.to_send > 0 {
            return Err("the file became shorter while it was sent");
        }
        Ok(())
    }

    fn parse_command<'a>(&self, input: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Malformed> {
        e::parse_command(input)
    }

    fn expect_file(&mut self) {
        self.header.clear();
        self.to_come = None;
    }

    fn parse_file(
        &mut self,
        input: &[u8],
        room: usize,
        data: &mut Vec<u8>,
    ) -> Result<(usize, bool), Malformed> {
        let header = match self.to_come {
            None => self.take_header(input)?,
            Some(_) => 0,
        };
        let Some(to_come) = self.to_come else {
            return Ok((header, false));
        };
        let rest = input.get(header..).unwrap_or_default();
        let wanted = usize::try_from(to_come).unwrap_or(usize::MAX).min(room);
        let piece = rest.get(..wanted).unwrap_or(rest);
        data.extend_from_slice(piece);
        let left = to_come - piece.len() as u64;
        self.to_come = Some(left);
        Ok((header + piece.len(), left == 0))
    }
}
