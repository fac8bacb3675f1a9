//! The packets of `y`: a header of six bytes, then the data (Taylor UUCP manual, *y Protocol*). A stream with sums and
//! numbers: what is wrong is seen, and ends the call.
//!
//! ```text
//! number LE   length LE   sum LE   length bytes
//! ```

use super::{Malformed, checksum};

/// Bytes of a header.
pub const HEADER: usize = 6;

/// The most data in a packet of ours, and the most we ask for: Taylor's buffer holds no more, whatever it agrees to.
pub const LARGEST: usize = 1024;

/// Packet sizes are told in units of this.
pub const UNIT: usize = 256;

/// The version of the protocol.
const VERSION: u8 = 1;

/// A packet without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// A file has come, and every sum was right.
    Ack,
    /// A sum was wrong; the call ends.
    Error,
    /// A number or a length was wrong; the call ends.
    Bad,
}

impl Control {
    fn length(self) -> u16 {
        match self {
            Self::Ack => 0xfffe,
            Self::Error => 0xfffd,
            Self::Bad => 0xfffc,
        }
    }
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// So many bytes of data; none end a file.
    Data(usize),
    /// No data, but a meaning.
    Control(Control),
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The packet's number.
    pub sequence: u16,
    /// What it is.
    pub kind: Kind,
    checksum: u16,
}

impl Header {
    /// Reads one.
    ///
    /// # Errors
    /// When there is no such control packet.
    pub fn parse(bytes: [u8; HEADER]) -> Result<Self, Malformed> {
        let [s0, s1, l0, l1, c0, c1] = bytes;
        let length = u16::from_le_bytes([l0, l1]);
        let controls = [Control::Ack, Control::Error, Control::Bad];
        let kind = if length < 0x8000 {
            Kind::Data(length.into())
        } else {
            let known = controls.into_iter().find(|one| one.length() == length);
            Kind::Control(known.ok_or(Malformed("an unknown control packet"))?)
        };
        Ok(Self {
            sequence: u16::from_le_bytes([s0, s1]),
            kind,
            checksum: u16::from_le_bytes([c0, c1]),
        })
    }

    /// Whether the data are what the header says. Of no data there are two opinions, the manual's and Taylor's.
    #[must_use]
    pub fn is_intact(self, data: &[u8]) -> bool {
        data.is_empty() || self.checksum == checksum::rotating(data)
    }
}

fn emit(sequence: u16, length: u16, checksum: u16, out: &mut Vec<u8>) {
    for number in [sequence, length, checksum] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Appends a packet of data, at most [`LARGEST`]; none end a file.
pub fn emit_data(sequence: u16, data: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(data.len()).unwrap_or(0x7fff);
    emit(sequence, length, checksum::rotating(data), out);
    out.extend_from_slice(data);
}

/// Appends a packet without data.
pub fn emit_control(sequence: u16, control: Control, out: &mut Vec<u8>) {
    emit(sequence, control.length(), 0, out);
}

/// The data of the first packet: the most data in a packet that this side takes.
#[must_use]
pub fn sync(packet_size: usize) -> [u8; 4] {
    let units = u8::try_from(packet_size / UNIT).unwrap_or(u8::MAX);
    [VERSION, units, 0, 0]
}

/// The packet size that the peer's first packet tells.
///
/// # Errors
/// When it is too short, or the size is 0.
pub fn parse_sync(data: &[u8]) -> Result<usize, Malformed> {
    match data {
        [_, 0, _, _, ..] => Err(Malformed("a packet size of 0")),
        // Higher versions put up with this one, and say more behind it.
        [version, units, _, _, ..] if *version >= VERSION => Ok(usize::from(*units) * UNIT),
        _ => Err(Malformed("a start that makes no sense")),
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    fn parse(bytes: &[u8]) -> Result<Header, Malformed> {
        Header::parse(*bytes.first_chunk().unwrap())
    }

    #[test]
    fn packets_of_the_wire() {
        let vectors: [(&[u8], u16, &[u8]); 5] = [
            (b"\x00\x00\x04\x00\x10\x00\x01\x04\x00\x00", 0, &sync(1024)),
            (
                b"\x01\x00E\x00I#E D.0001 D.alphaN0001 uucp -C D.0001 0666 \"\" 0xb rmail joe@x.example\x00",
                1,
                b"E D.0001 D.alphaN0001 uucp -C D.0001 0666 \"\" 0xb rmail joe@x.example\x00",
            ),
            (b"\x02\x00\x0b\x00!4hello mail\n", 2, b"hello mail\n"),
            (b"\x03\x00\x00\x00\xff\xff", 3, b""),
            (b"\x03\x00\x03\x00\xba\x01CY\x00", 3, b"CY\0"),
        ];
        for (bytes, sequence, data) in vectors {
            let mut out = vec![0xa5];
            emit_data(sequence, data, &mut out);
            assert_eq!(
                out[1..].escape_ascii().to_string(),
                bytes.escape_ascii().to_string()
            );
            let header = parse(bytes).unwrap();
            assert_eq!(header.sequence, sequence);
            assert_eq!(header.kind, Kind::Data(data.len()));
            assert!(header.is_intact(data));
        }
        let ack = hex!("02 00 fe ff 00 00");
        let mut out = Vec::new();
        emit_control(2, Control::Ack, &mut out);
        assert_eq!(out, ack);
        assert_eq!(parse(&ack).unwrap().kind, Kind::Control(Control::Ack));
    }

    #[test]
    fn every_control_packet_reads_as_it_was_written() {
        for control in [Control::Ack, Control::Error, Control::Bad] {
            let mut out = Vec::new();
            emit_control(0x1234, control, &mut out);
            let header = parse(&out).unwrap();
            assert_eq!(
                (header.sequence, header.kind),
                (0x1234, Kind::Control(control))
            );
        }
        for unknown in [hex!("00 00 ff ff 00 00"), hex!("00 00 00 80 00 00")] {
            assert!(parse(&unknown).is_err());
        }
    }

    #[test]
    fn damage_is_seen() {
        let data: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        emit_data(7, &data, &mut out);
        let header = parse(&out).unwrap();
        for at in 0..data.len() {
            let mut bad = data.clone();
            bad[at] ^= 0x10;
            assert!(!header.is_intact(&bad), "byte {at}");
        }
        // The manual's sum of nothing.
        assert!(parse(&hex!("03 00 00 00 00 00")).unwrap().is_intact(b""));
    }

    #[test]
    fn the_first_packet() {
        assert_eq!(sync(1024), [1, 4, 0, 0]);
        assert_eq!(parse_sync(&[1, 128, 0, 0]), Ok(32_768));
        assert_eq!(parse_sync(&[2, 1, 9, 9, 9]), Ok(256));
        for bad in [&[1, 4, 0][..], &[1, 0, 0, 0], &[0, 4, 0, 0], &[]] {
            assert!(parse_sync(bad).is_err(), "{bad:?}");
        }
    }
}
