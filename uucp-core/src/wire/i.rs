//! The packets of `i`: a header of six bytes, and if there are data, their CRC behind them (Taylor UUCP manual, *i
//! Protocol*).
//!
//! ```text
//! 0x07  seq<<3|local  ack<<3|remote  type<<5|caller<<4|length>>8  length&255  check
//! ```

use super::{checksum, sequence};

/// Begins every packet.
pub const INTRODUCTION: u8 = 0x07;
/// Bytes of a header.
pub const HEADER: usize = 6;
/// Bytes of the CRC behind data.
pub const CRC: usize = 4;
/// The most data a packet can carry.
pub const LARGEST: usize = 4095;
/// The largest window that the numbers allow.
pub const WINDOW: u8 = 16;

/// A number of a packet, modulo 32.
pub type Sequence = sequence::Sequence<32>;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0: a piece of a command or file; with no data, the end of a file.
    Data,
    /// 1: what the sender wants to receive.
    Sync,
    /// 2: nothing but the acknowledgement.
    Ack,
    /// 3: the packet whose number stands here is wanted again.
    Nak,
    /// 4: the position of the data that follow.
    Spos,
    /// 5: the end of the protocol.
    Close,
}

impl Kind {
    fn parse(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Data,
            1 => Self::Sync,
            2 => Self::Ack,
            3 => Self::Nak,
            4 => Self::Spos,
            5 => Self::Close,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Sync => 1,
            Self::Ack => 2,
            Self::Nak => 3,
            Self::Spos => 4,
            Self::Close => 5,
        }
    }

    /// Whether so much data makes sense in such a packet.
    fn allows(self, length: usize) -> bool {
        match self {
            Self::Data => true,
            Self::Sync => length == 3 || length == 4,
            Self::Spos => length == 4,
            Self::Ack | Self::Nak | Self::Close => length == 0,
        }
    }
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the packet is for.
    pub kind: Kind,
    /// The packet's number; of a [`Kind::Nak`], the one that is wanted.
    pub sequence: Sequence,
    /// All up to this number have arrived at the sender.
    pub acknowledged: Sequence,
    /// The channel, as the sender counts them.
    pub local: u8,
    /// The channel, as the receiver counts them.
    pub remote: u8,
    /// Whether the sender is the one who called.
    pub caller: bool,
    /// How much data follow.
    pub length: usize,
}

/// What the two sides have agreed on about the form of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// The check byte is complemented (feature bit 0100).
    pub complement: bool,
    /// Every packet ends in a CRC, which covers the header too.
    pub sealed: bool,
}

impl Form {
    /// How many bytes of CRC stand behind so much data.
    #[must_use]
    pub fn tail(self, length: usize) -> usize {
        if self.sealed || length > 0 { CRC } else { 0 }
    }

    /// Whether the bytes behind the data are what they must be.
    #[must_use]
    pub fn is_intact(self, header: &[u8; HEADER], data: &[u8], tail: &[u8]) -> bool {
        if self.sealed {
            tail == checksum::seal(header, data)
        } else {
            tail.is_empty() || tail == checksum::i(data).to_be_bytes()
        }
    }

    fn check_byte(self, fields: [u8; 4]) -> u8 {
        let start = if self.complement { 0xff } else { 0 };
        fields.iter().fold(start, |check, byte| check ^ byte)
    }

    /// Appends a packet; the header's length is that of the data.
    pub fn emit(self, header: Header, data: &[u8], out: &mut Vec<u8>) {
        let [low, high, ..] = data.len().to_le_bytes();
        let a = header.sequence.number() << 3 | (header.local & 7);
        let b = header.acknowledged.number() << 3 | (header.remote & 7);
        let c = header.kind.number() << 5 | u8::from(header.caller) << 4 | (high & 15);
        let check = self.check_byte([a, b, c, low]);
        let bytes = [INTRODUCTION, a, b, c, low, check];
        out.extend_from_slice(&bytes);
        out.extend_from_slice(data);
        if self.sealed {
            out.extend_from_slice(&checksum::seal(&bytes, data));
        } else if !data.is_empty() {
            out.extend_from_slice(&checksum::i(data).to_be_bytes());
        }
    }

    /// Parses the six bytes of a header; `None` where they are none, or a damaged one.
    #[must_use]
    pub fn parse(self, bytes: [u8; HEADER]) -> Option<Header> {
        let [introduction, a, b, c, d, check] = bytes;
        if introduction != INTRODUCTION || check != self.check_byte([a, b, c, d]) {
            return None;
        }
        let kind = Kind::parse(c >> 5)?;
        let length = usize::from(c & 15) << 8 | usize::from(d);
        kind.allows(length).then_some(Header {
            kind,
            sequence: Sequence::new(a >> 3),
            acknowledged: Sequence::new(b >> 3),
            local: a & 7,
            remote: b & 7,
            caller: c & 0x10 != 0,
            length,
        })
    }
}

/// What a SYNC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync {
    /// The most data in a packet that the sender wants to receive.
    pub packet_size: u16,
    /// How many packets it takes without an acknowledgement.
    pub window: u8,
    /// How many channels it can have open; an old SYNC does not tell.
    pub channels: Option<u8>,
}

impl Sync {
    /// Parses the data of the packet.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        match data {
            [high, low, window] => Some(Self {
                packet_size: u16::from_be_bytes([*high, *low]),
                window: *window,
                channels: None,
            }),
            [high, low, window, channels] => Some(Self {
                packet_size: u16::from_be_bytes([*high, *low]),
                window: *window,
                channels: Some(*channels),
            }),
            _ => None,
        }
    }

    /// The data of the packet.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let [high, low] = self.packet_size.to_be_bytes();
        let mut bytes = vec![high, low, self.window];
        bytes.extend(self.channels);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Form = Form {
        complement: false,
        sealed: false,
    };
    const COMPLEMENT: Form = Form {
        complement: true,
        sealed: false,
    };

    fn emitted(form: Form, header: Header, data: &[u8]) -> Vec<u8> {
        let mut out = vec![0xa5];
        form.emit(header, data, &mut out);
        out.split_off(1)
    }

    fn header(kind: Kind, sequence: u8, acknowledged: u8, length: usize) -> Header {
        Header {
            kind,
            sequence: Sequence::new(sequence),
            acknowledged: Sequence::new(acknowledged),
            local: 0,
            remote: 0,
            caller: false,
            length,
        }
    }

    #[test]
    fn packets_of_the_wire() {
        let sync = Sync {
            packet_size: 1024,
            window: 16,
            channels: Some(7),
        };
        let caller = |header: Header| Header {
            caller: true,
            ..header
        };
        let on = |local, remote, header: Header| Header {
            local,
            remote,
            ..header
        };
        let cases: [(&[u8], Header, &[u8]); 9] = [
            (
                b"\x07\x00\x00 \x04$\x04\x00\x10\x07\x85\x7f0F",
                header(Kind::Sync, 0, 0, 4),
                &sync.to_bytes(),
            ),
            (
                b"\x07\x00\x000\x044\x04\x00\x10\x07\x85\x7f0F",
                caller(header(Kind::Sync, 0, 0, 4)),
                &sync.to_bytes(),
            ),
            (
                b"\x07\x10\x00\x80\x04\x94\0\0\0\0\xde\xbb \xe3",
                header(Kind::Spos, 2, 0, 4),
                &[0; 4],
            ),
            (
                b"\x07\x19\x00\x00\x05\x1cback\nu\xf8\x92\xa2",
                on(1, 0, header(Kind::Data, 3, 0, 5)),
                b"back\n",
            ),
            (
                b"\x07!\x00\x00\x00!",
                on(1, 0, header(Kind::Data, 4, 0, 0)),
                b"",
            ),
            (
                b"\x07H\x09\x10\x03REY\x00\x1d\x96\x8f\xdb",
                caller(on(0, 1, header(Kind::Data, 9, 1, 3))),
                b"EY\0",
            ),
            (b"\x07\x00@@\x00\x00", header(Kind::Ack, 0, 8, 0), b""),
            (b"\x07XX\xa0\x00\xa0", header(Kind::Close, 11, 11, 0), b""),
            (
                b"\x07hH\xb0\x00\x90",
                caller(header(Kind::Close, 13, 9, 0)),
                b"",
            ),
        ];
        for (bytes, header, data) in cases {
            assert_eq!(PLAIN.parse(*bytes.first_chunk().unwrap()), Some(header));
            let emitted = emitted(PLAIN, header, data);
            assert_eq!(
                emitted.escape_ascii().to_string(),
                bytes.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn sync_with_and_without_channels() {
        let sync = Sync {
            packet_size: 4095,
            window: 8,
            channels: None,
        };
        assert_eq!(sync.to_bytes(), [0x0f, 0xff, 8]);
        assert_eq!(Sync::parse(&[0x0f, 0xff, 8]), Some(sync));
        assert_eq!(Sync::parse(&[4, 0, 16, 7]).unwrap().channels, Some(7));
        assert_eq!(Sync::parse(&[4, 0]), None);
    }

    #[test]
    fn the_complemented_check_byte_is_another_protocol() {
        let close = header(Kind::Close, 1, 2, 0);
        let bytes = emitted(COMPLEMENT, close, b"");
        assert_eq!(COMPLEMENT.parse(*bytes.first_chunk().unwrap()), Some(close));
        assert_eq!(PLAIN.parse(*bytes.first_chunk().unwrap()), None);
        // A line that makes everything NUL does not make headers of it.
        assert_eq!(COMPLEMENT.parse([INTRODUCTION, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn damage_is_seen() {
        let good = emitted(PLAIN, header(Kind::Data, 1, 2, 3), b"abc");
        for at in 0..HEADER {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert_eq!(PLAIN.parse(*bad.first_chunk().unwrap()), None);
            }
        }
        // Kinds that do not exist, and lengths that their kind does not have.
        for (c, d) in [
            (0xc0, 0),
            (0xe0, 0),
            (0x20, 5),
            (0x20, 0),
            (0x40, 1),
            (0x80, 0),
            (0xa0, 1),
        ] {
            let bytes = [INTRODUCTION, 0, 0, c, d, c ^ d];
            assert_eq!(PLAIN.parse(bytes), None, "{c:x} {d:x}");
        }
    }

    #[test]
    fn a_sealed_packet_ends_in_a_crc_over_all_of_it() {
        let form = Form {
            complement: false,
            sealed: true,
        };
        for data in [&b""[..], b"abc"] {
            let bytes = emitted(form, header(Kind::Data, 1, 2, data.len()), data);
            let (packet, crc) = bytes.split_last_chunk::<CRC>().unwrap();
            assert_eq!(*crc, crc32fast::hash(&packet[1..]).to_be_bytes());
            assert_eq!(form.tail(data.len()), CRC);
            let (head, _) = packet.split_first_chunk().unwrap();
            assert!(form.is_intact(head, data, crc));
            let mut bad = *head;
            bad[1] ^= 8;
            bad[2] ^= 8;
            assert!(form.parse(bad).is_some() && !form.is_intact(&bad, data, crc));
        }
    }

    #[test]
    fn numbers_wrap() {
        assert_eq!(Sequence::new(31).next(), Sequence::new(0));
        assert_eq!(Sequence::new(1).since(Sequence::new(30)), 3);
        assert_eq!(Sequence::new(30).after(5), Sequence::new(3));
        assert_eq!(Sequence::new(5).after(256), Sequence::new(5));
    }
}
