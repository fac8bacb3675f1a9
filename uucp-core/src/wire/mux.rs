//! What `t` and `e` look like between two sides that both announced feature bit 02000 ("multiplexed"): frames that say what they
//! are and whom they belong to, so that many requests are under way at once, in both directions, over a line that TCP keeps
//! in order.
//!
//! ```text
//! 0     1         2          6
//! +-----+---------+----------+---------- - -
//! | kind| exchange| length BE| length bytes
//! +-----+---------+----------+---------- - -
//! ```
//!
//! | kind | the bytes |
//! |---|---|
//! | 1 | a command, without terminator, at most [`COMMAND_LIMIT`] |
//! | 2 | data of a file, right after what came before; at least one byte |
//! | 3 | eight bytes, big endian: the offset at which data of the file goes on |
//! | 4 | none: the file ends |
//! | 5 | four bytes, big endian: how many commands of the receiver of this frame have come in so far, modulo 2^32 |
//!
//! The exchange is a number below [`CHANNELS`] that whoever made the request has chosen; 0x80 is added where that is the
//! receiver of the frame. A file begins at offset 0 unless a frame of kind 3 says otherwise.

use super::Malformed;
use super::command::COMMAND_LIMIT;

/// The length of what stands before each frame.
pub const HEADER: usize = 6;

/// How many exchanges there can be for either side's requests.
pub const CHANNELS: u8 = 64;

/// The greatest length of a frame of data.
pub const DATA_LIMIT: usize = 1 << 20;

/// The requests of the frame's receiver.
const YOURS: u8 = 0x80;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command.
    Command,
    /// File data.
    Data,
    /// Where data goes on.
    Offset,
    /// The end of a file.
    FileEnd,
    /// How many commands have come in.
    Received,
}

impl Kind {
    fn parse(byte: u8) -> Option<Self> {
        [
            Self::Command,
            Self::Data,
            Self::Offset,
            Self::FileEnd,
            Self::Received,
        ]
        .into_iter()
        .find(|kind| kind.to_byte() == byte)
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Command => 1,
            Self::Data => 2,
            Self::Offset => 3,
            Self::FileEnd => 4,
            Self::Received => 5,
        }
    }

    /// Whether a frame of this kind may have this length.
    fn fits(self, length: usize) -> bool {
        match self {
            Self::Command => (1..=COMMAND_LIMIT).contains(&length),
            Self::Data => (1..=DATA_LIMIT).contains(&length),
            Self::Offset => length == 8,
            Self::FileEnd => length == 0,
            Self::Received => length == 4,
        }
    }
}

/// What stands before a frame's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the bytes are.
    pub kind: Kind,
    /// The exchange, below [`CHANNELS`].
    pub channel: u8,
    /// Whether the exchange is one that the sender of the frame began.
    pub by_sender: bool,
    /// How many bytes follow.
    pub length: usize,
}

impl Header {
    /// Appends it.
    pub fn emit(self, out: &mut Vec<u8>) {
        let whose = if self.by_sender { 0 } else { YOURS };
        out.push(self.kind.to_byte());
        out.push(self.channel | whose);
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }

    /// Reads one.
    ///
    /// # Errors
    /// When there is no such kind or exchange, or the length is not one of that kind.
    pub fn parse(bytes: [u8; HEADER]) -> Result<Self, Malformed> {
        let [kind, exchange, a, b, c, d] = bytes;
        let kind = Kind::parse(kind).ok_or(Malformed("a frame of an unknown kind"))?;
        let channel = exchange & !YOURS;
        if channel >= CHANNELS {
            return Err(Malformed("a frame of an unknown exchange"));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if !kind.fits(length) {
            return Err(Malformed("a frame of an impossible length"));
        }
        Ok(Self {
            kind,
            channel,
            by_sender: exchange & YOURS == 0,
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    fn header(kind: Kind, channel: u8, by_sender: bool, length: usize) -> Header {
        Header {
            kind,
            channel,
            by_sender,
            length,
        }
    }

    #[test]
    fn vectors() {
        let vectors = [
            (header(Kind::Command, 1, true, 2), hex!("01 01 00000002")),
            (
                header(Kind::Data, 63, false, 1 << 20),
                hex!("02 bf 00100000"),
            ),
            (header(Kind::Offset, 0, true, 8), hex!("03 00 00000008")),
            (header(Kind::FileEnd, 7, false, 0), hex!("04 87 00000000")),
            (header(Kind::Received, 0, true, 4), hex!("05 00 00000004")),
        ];
        for (header, bytes) in vectors {
            let mut out = Vec::new();
            header.emit(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(Header::parse(bytes), Ok(header));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bytes in [
            hex!("00 00 00000000"),
            hex!("06 00 00000000"),
            hex!("01 40 00000001"),
            hex!("01 00 00000000"),
            hex!("01 00 00002001"),
            hex!("02 00 00000000"),
            hex!("02 00 00100001"),
            hex!("02 00 ffffffff"),
            hex!("03 00 00000007"),
            hex!("04 00 00000001"),
            hex!("05 00 00000005"),
        ] {
            assert!(Header::parse(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
