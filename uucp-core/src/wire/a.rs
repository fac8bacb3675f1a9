//! The packets of `a`, which are like those of Zmodem: headers, and subpackets of data, each with a CRC (Taylor UUCP manual,
//! *Protocol Selection*; the bytes from the wire).
//!
//! ```text
//! hex header     * * ZDLE B  type position CRC in hex digits  CR  [XON]
//! binary header  *   ZDLE A  type position CRC
//! subpacket      data  ZDLE end  CRC  [CR XON]
//! ```
//!
//! A position is four bytes, the lowest first; so is a CRC. In binary parts some bytes are sent as ZDLE and the byte with
//! bit 6 turned over.

use crc32fast::hash;

/// Begins a header; twice before hex.
const PAD: u8 = b'*';
/// Begins what is no data.
const ZDLE: u8 = 0o30;
/// Turned over in a byte behind ZDLE.
const TURN: u8 = 0x40;
const XON: u8 = 0o21;
const XOFF: u8 = 0o23;
/// Begins the strings that follow the protocol.
const DLE: u8 = 0o20;

/// The most data in a subpacket.
pub const LARGEST: usize = 1024;

/// No header is longer, with every byte of it escaped.
const HEADER_LIMIT: usize = 3 + 2 * 9;

/// No subpacket is longer: data, end and CRC, and what an XON now and then adds.
const SUBPACKET_LIMIT: usize = 2 * LARGEST + 2 * 4 + 64;

/// What a header is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0: the start.
    Init,
    /// 1: data follow, which belong at the position.
    Data,
    /// 2: go back to the position.
    Back,
    /// 3: everything before the position has arrived.
    Ack,
    /// 4: something came that made no sense.
    Nak,
    /// 6: the end of the start.
    InitEnd,
    /// 7: the end of the protocol.
    Fin,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Init,
        Self::Data,
        Self::Back,
        Self::Ack,
        Self::Nak,
        Self::InitEnd,
        Self::Fin,
    ];

    fn number(self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Data => 1,
            Self::Back => 2,
            Self::Ack => 3,
            Self::Nak => 4,
            Self::InitEnd => 6,
            Self::Fin => 7,
        }
    }
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// A position, or what [`Header::init`] puts in its place.
    pub position: u32,
}

/// In the header of the start: all control characters are to be escaped.
const ESCAPES: u32 = 1 << 16;
/// In the header of the start: the version.
const VERSION: u32 = 1 << 24;

impl Header {
    /// A header.
    #[must_use]
    pub fn new(kind: Kind, position: u32) -> Self {
        Self { kind, position }
    }

    /// The first header.
    #[must_use]
    pub fn init(escape_control: bool) -> Self {
        let flags = if escape_control { ESCAPES } else { 0 };
        Self::new(Kind::Init, VERSION | flags)
    }

    /// Whether this first header asks for control characters to be escaped.
    #[must_use]
    pub fn wants_escapes(self) -> bool {
        self.position & ESCAPES != 0
    }

    fn bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.position.to_le_bytes();
        [self.kind.number(), a, b, c, d]
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[number, a, b, c, d], crc) = bytes.split_first_chunk()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.number() == number)?;
        let header = Self::new(kind, u32::from_le_bytes([a, b, c, d]));
        (crc == hash(&header.bytes()).to_le_bytes()).then_some(header)
    }

    /// Appends it in hex, as everything goes but data.
    pub fn emit_hex(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[PAD, PAD, ZDLE, b'B']);
        let bytes = self.bytes();
        for byte in bytes.into_iter().chain(hash(&bytes).to_le_bytes()) {
            out.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        out.push(b'\r');
        if !matches!(self.kind, Kind::Ack | Kind::Fin) {
            out.push(XON);
        }
    }

    /// Appends it in binary.
    pub fn emit_binary(self, escapes: Escapes, out: &mut Vec<u8>) {
        out.extend_from_slice(&[PAD, ZDLE, b'A']);
        let bytes = self.bytes();
        escapes.emit(&bytes, out);
        escapes.emit(&hash(&bytes).to_le_bytes(), out);
    }
}

/// How a subpacket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `h`: a header follows.
    Frame,
    /// `i`: more data follow.
    More,
    /// `j`: more data follow, and an acknowledgement is wanted.
    MoreAck,
    /// `k`: a header follows, and an acknowledgement is wanted.
    FrameAck,
    /// `l`: the message is complete; an acknowledgement is wanted.
    Message,
}

impl End {
    fn parse(byte: u8) -> Option<Self> {
        Some(match byte {
            b'h' => Self::Frame,
            b'i' => Self::More,
            b'j' => Self::MoreAck,
            b'k' => Self::FrameAck,
            b'l' => Self::Message,
            _ => return None,
        })
    }

    fn letter(self) -> u8 {
        match self {
            Self::Frame => b'h',
            Self::More => b'i',
            Self::MoreAck => b'j',
            Self::FrameAck => b'k',
            Self::Message => b'l',
        }
    }
}

/// Which bytes are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// ZDLE, DLE, XON, XOFF and CR.
    Few,
    /// Every control character, those with bit 7 too.
    Control,
}

impl Escapes {
    fn covers(self, byte: u8) -> bool {
        match self {
            Self::Few => matches!(byte, ZDLE | DLE | XON | XOFF | b'\r'),
            Self::Control => byte & 0x60 == 0,
        }
    }

    fn emit(self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            if self.covers(byte) {
                out.extend_from_slice(&[ZDLE, byte ^ TURN]);
            } else {
                out.push(byte);
            }
        }
    }

    /// Appends a subpacket; at most [`LARGEST`] bytes of data.
    pub fn emit_data(self, data: &[u8], end: End, out: &mut Vec<u8>) {
        out.reserve(data.len() + 16);
        self.emit(data, out);
        out.extend_from_slice(&[ZDLE, end.letter()]);
        let mut crc = crc32fast::Hasher::new();
        crc.update(data);
        crc.update(&[end.letter()]);
        self.emit(&crc.finalize().to_le_bytes(), out);
        if matches!(end, End::Frame | End::FrameAck | End::Message) {
            out.extend_from_slice(b"\r\x11");
        }
    }
}

/// One item of a binary part.
enum Item {
    Byte(u8),
    End(End),
}

/// Reads a binary part item by item.
struct Items<'a> {
    input: &'a [u8],
    at: usize,
}

/// Why there is no next item.
enum Trouble {
    Incomplete,
    Damaged,
}

impl Items<'_> {
    /// The next item. XON and XOFF come from the line, not from the sender.
    fn next(&mut self) -> Result<Item, Trouble> {
        loop {
            let byte = self.byte()?;
            if matches!(byte, XON | XOFF) {
                continue;
            }
            if byte != ZDLE {
                return Ok(Item::Byte(byte));
            }
            let escaped = self.byte()?;
            return match End::parse(escaped) {
                Some(end) => Ok(Item::End(end)),
                None if escaped & 0x60 == TURN => Ok(Item::Byte(escaped ^ TURN)),
                None => Err(Trouble::Damaged),
            };
        }
    }

    fn byte(&mut self) -> Result<u8, Trouble> {
        let byte = self.input.get(self.at).ok_or(Trouble::Incomplete)?;
        self.at += 1;
        Ok(*byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Trouble> {
        let mut bytes = [0; N];
        for place in &mut bytes {
            match self.next()? {
                Item::Byte(byte) => *place = byte,
                Item::End(_) => return Err(Trouble::Damaged),
            }
        }
        Ok(bytes)
    }
}

/// What was found where a header should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing more.
    Incomplete,
    /// A header.
    Header(Header),
    /// Something that began like a header.
    Damaged,
    /// The strings that follow the protocol; only looked for while it is being closed.
    Over,
}

/// Finds the next header; gives back how many bytes it used, the header included, or the garbage before an incomplete one;
/// and how much of that was garbage.
#[must_use]
pub fn scan_header(input: &[u8], closing: bool) -> (usize, usize, Found) {
    let mut garbage = 0;
    let mut at = 0;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        let (used, found) = match rest {
            [] | [DLE] => return (at, garbage, Found::Incomplete),
            [DLE, b'O', ..] if closing => return (at, garbage, Found::Over),
            [PAD, ZDLE, b'A', binary @ ..] => parse(binary, false),
            [PAD, PAD, ZDLE, b'B', hex @ ..] => parse(hex, true),
            [PAD] | [PAD, ZDLE | PAD] | [PAD, PAD, ZDLE] => {
                return (at, garbage, Found::Incomplete);
            }
            // What ends headers and subpackets, and what the line puts in, is no garbage.
            [b'\r' | b'\n' | 0o212 | XON | XOFF, ..] => {
                at += 1;
                continue;
            }
            _ => {
                at += 1;
                garbage += 1;
                continue;
            }
        };
        return match found {
            Found::Incomplete => (at, garbage, found),
            _ => (at + used, garbage, found),
        };
    }
}

/// Parses what follows the letter of a header.
fn parse(input: &[u8], hex: bool) -> (usize, Found) {
    let before = if hex { 4 } else { 3 };
    let mut items = Items { input, at: 0 };
    let bytes = if hex {
        items.bytes().map(|digits: [u8; 18]| decode_hex(&digits))
    } else {
        items.bytes().map(Some)
    };
    match bytes {
        Err(Trouble::Incomplete) if input.len() < HEADER_LIMIT => (0, Found::Incomplete),
        Ok(Some(bytes)) => match Header::parse(&bytes) {
            Some(header) => (before + items.at, Found::Header(header)),
            None => (before, Found::Damaged),
        },
        _ => (before, Found::Damaged),
    }
}

fn decode_hex(digits: &[u8; 18]) -> Option<[u8; 9]> {
    let mut bytes = [0; 9];
    for (place, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let text = std::str::from_utf8(pair).ok()?;
        *place = u8::from_str_radix(text, 16).ok()?;
    }
    Some(bytes)
}

/// What was found where a subpacket should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subpacket {
    /// It is not all there.
    Incomplete,
    /// Its data, how it ends, and how many bytes it took.
    Whole(Vec<u8>, End, usize),
    /// It is not what was sent; so many bytes of it certainly belong to nothing else.
    Damaged(usize),
}

/// Parses a subpacket at the head of the input.
#[must_use]
pub fn parse_data(input: &[u8]) -> Subpacket {
    let mut items = Items { input, at: 0 };
    let mut data = Vec::new();
    let end = loop {
        match items.next() {
            Ok(Item::Byte(byte)) if data.len() < LARGEST => data.push(byte),
            Ok(Item::End(end)) => break end,
            Err(Trouble::Incomplete) if items.at < SUBPACKET_LIMIT => return Subpacket::Incomplete,
            _ => return Subpacket::Damaged(1),
        }
    };
    let crc = match items.bytes() {
        Ok(crc) => crc,
        Err(Trouble::Incomplete) => return Subpacket::Incomplete,
        Err(Trouble::Damaged) => return Subpacket::Damaged(1),
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&data);
    hasher.update(&[end.letter()]);
    if crc == hasher.finalize().to_le_bytes() {
        Subpacket::Whole(data, end, items.at)
    } else {
        Subpacket::Damaged(1)
    }
}

#[cfg(test)]
mod tests;
