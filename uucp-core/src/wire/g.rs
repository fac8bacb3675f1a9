//! The packets of `g` (and `G`, `v`): a header of six bytes, then 32 to 4096 bytes of data (Taylor UUCP manual, *g
//! Protocol*).
//!
//! ```text
//! 0x10  k  c0 c1  C  x      C = tt xxx yyy,  x = k ^ c0 ^ c1 ^ C,  data: 2^(k+4) bytes, k = 9: none
//! ```

use super::{checksum, sequence};

/// Begins every packet.
pub const DLE: u8 = 0x10;
/// Bytes of a header.
pub const HEADER: usize = 6;
/// The `k` of a packet without data.
const CONTROL_SIZE: u8 = 9;
/// Bytes of the CRC that ends a packet where both sides have agreed on it.
pub const SEAL: usize = 4;
/// The smallest packet.
pub const SMALLEST: usize = 32;
/// The largest packet.
pub const LARGEST: usize = 4096;
/// What check sums are subtracted from.
const MAGIC: u16 = 0xaaaa;

/// A number of a packet, modulo 8.
pub type Sequence = sequence::Sequence<8>;

/// A packet without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The end of the protocol.
    Close,
    /// All up to this number have arrived, send again what follows.
    Rj(Sequence),
    /// Send this one again.
    Srj(Sequence),
    /// All up to this number have arrived.
    Rr(Sequence),
    /// The sender's receive window, second time.
    InitC(u8),
    /// The packet size that the sender wants to receive: 2^(n+5).
    InitB(u8),
    /// The sender's receive window.
    InitA(u8),
}

impl Control {
    fn parse(byte: u8) -> Option<Self> {
        let value = byte & 7;
        Some(match byte >> 3 & 7 {
            1 => Self::Close,
            2 => Self::Rj(Sequence::new(value)),
            3 => Self::Srj(Sequence::new(value)),
            4 => Self::Rr(Sequence::new(value)),
            5 => Self::InitC(value),
            6 => Self::InitB(value),
            7 => Self::InitA(value),
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Self::Close => 1 << 3,
            Self::Rj(number) => 2 << 3 | number.number(),
            Self::Srj(number) => 3 << 3 | number.number(),
            Self::Rr(number) => 4 << 3 | number.number(),
            Self::InitC(value) => 5 << 3 | (value & 7),
            Self::InitB(value) => 6 << 3 | (value & 7),
            Self::InitA(value) => 7 << 3 | (value & 7),
        }
    }

    /// Appends the packet.
    pub fn emit(self, sealed: bool, out: &mut Vec<u8>) {
        let byte = self.byte();
        let header = header(CONTROL_SIZE, MAGIC.wrapping_sub(byte.into()), byte);
        emit_packet(header, &[], sealed, out);
    }
}

/// A header that is right in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// A whole packet.
    Control(Control),
    /// Data follow.
    Data(DataHeader),
}

/// What the header of a data packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataHeader {
    /// Whether the data begin with the number of bytes that are not used.
    pub short: bool,
    /// The packet's number.
    pub sequence: Sequence,
    /// All up to this number have arrived at the sender.
    pub acknowledged: Sequence,
    /// How many bytes follow.
    pub size: usize,
    checksum: u16,
}

impl Header {
    /// Parses the six bytes; `None` where they are no header of this protocol, or damaged.
    #[must_use]
    pub fn parse(bytes: [u8; HEADER]) -> Option<Self> {
        let [dle, k, low, high, byte, check] = bytes;
        if dle != DLE || check != k ^ low ^ high ^ byte {
            return None;
        }
        let checksum = u16::from_le_bytes([low, high]);
        match (k, byte >> 6) {
            (CONTROL_SIZE, 0) if checksum == MAGIC.wrapping_sub(byte.into()) => {
                Control::parse(byte).map(Self::Control)
            }
            (1..=8, kind @ 2..) => Some(Self::Data(DataHeader {
                short: kind == 3,
                sequence: Sequence::new(byte >> 3 & 7),
                acknowledged: Sequence::new(byte & 7),
                size: 1 << (k + 4),
                checksum,
            })),
            _ => None,
        }
    }
}

impl DataHeader {
    fn byte(self) -> u8 {
        let kind = if self.short { 3 } else { 2 };
        kind << 6 | self.sequence.number() << 3 | self.acknowledged.number()
    }

    /// Whether the data are what the header says. Of a sealed packet's data the header says nothing.
    #[must_use]
    pub fn is_intact(self, data: &[u8], sealed: bool) -> bool {
        self.checksum == data_checksum(data, sealed, self.byte())
    }

    /// The part of the packet's data that counts; `None` where the count of unused bytes makes no sense.
    #[must_use]
    pub fn used(self, data: &[u8]) -> Option<&[u8]> {
        if !self.short {
            return Some(data);
        }
        let (unused, data) = match data {
            [low, high, rest @ ..] if low & 0x80 != 0 => {
                (usize::from(low & 0x7f) | usize::from(*high) << 7, rest)
            }
            [unused, rest @ ..] => (usize::from(*unused), rest),
            [] => return None,
        };
        data.get(..self.size.checked_sub(unused)?)
    }
}

/// What stands in the header of a data packet. The CRC of a sealed one covers its data; the sum over them, slow to compute
/// and weak, would add nothing.
fn data_checksum(data: &[u8], sealed: bool, byte: u8) -> u16 {
    let sum = if sealed { 0 } else { checksum::g(data) };
    MAGIC.wrapping_sub(sum ^ u16::from(byte))
}

fn header(k: u8, checksum: u16, byte: u8) -> [u8; HEADER] {
    let [low, high] = checksum.to_le_bytes();
    [DLE, k, low, high, byte, k ^ low ^ high ^ byte]
}

fn emit_packet(header: [u8; HEADER], data: &[u8], sealed: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&header);
    out.extend_from_slice(data);
    if sealed {
        out.extend_from_slice(&checksum::seal(&header, data));
    }
}

/// The packet size that INITB's number stands for.
#[must_use]
pub fn size_of_code(code: u8) -> usize {
    SMALLEST << (code & 7)
}

/// INITB's number for a packet size, rounded down to one that exists.
#[must_use]
pub fn code_of_size(size: usize) -> u8 {
    let size = size.clamp(SMALLEST, LARGEST);
    u8::try_from(size.ilog2() - 5).unwrap_or(0)
}

/// A data packet that is ready but for its numbers; kept until the peer has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    short: bool,
    k: u8,
    data: Vec<u8>,
}

impl Body {
    /// A packet of `size` bytes with `text` in it: as it is where it fills the packet or is to be padded with NUL (a
    /// command), else as a short packet. `text` must not be longer than `size`, nor be `size` where it is short.
    fn new(short: bool, size: usize, text: &[u8]) -> Self {
        let mut data = Vec::with_capacity(size);
        let unused = size.saturating_sub(text.len());
        match u8::try_from(unused) {
            _ if !short => {}
            Ok(count @ 0..=0x7f) => data.push(count),
            _ => {
                let [low, ..] = unused.to_le_bytes();
                let [high, ..] = (unused >> 7).to_le_bytes();
                data.extend_from_slice(&[0x80 | low, high]);
            }
        }
        data.extend_from_slice(text);
        data.resize(size, 0);
        Self {
            short,
            k: code_of_size(size) + 1,
            data,
        }
    }

    /// A piece of a command: padded with NUL. `text` must fit.
    #[must_use]
    pub fn command(size: usize, text: &[u8]) -> Self {
        Self::new(false, size, text)
    }

    /// A piece of a file; an empty one ends the file. `text` must fit.
    #[must_use]
    pub fn file(size: usize, text: &[u8]) -> Self {
        Self::new(text.len() < size, size, text)
    }

    /// Appends the packet.
    pub fn emit(
        &self,
        sequence: Sequence,
        acknowledged: Sequence,
        sealed: bool,
        out: &mut Vec<u8>,
    ) {
        let kind = if self.short { 3 } else { 2 };
        let byte = kind << 6 | sequence.number() << 3 | acknowledged.number();
        let checksum = data_checksum(&self.data, sealed, byte);
        emit_packet(header(self.k, checksum, byte), &self.data, sealed, out);
    }
}

#[cfg(test)]
mod tests;
