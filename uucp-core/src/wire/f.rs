//! The bytes of protocol `f` (Taylor UUCP manual, *f Protocol*): printable characters and CR only. Commands end with CR; a
//! file is encoded byte by byte and ends with the sum of all of it; then the receiver says what it thinks of it.

use super::command::COMMAND_LIMIT;
use super::{Malformed, checksum};

/// Ends commands, sums and verdicts.
const CR: u8 = b'\r';

/// Begins the end of a file, when it comes twice; once, it is the prefix of the highest bytes.
const TILDE: u8 = 0o176;

/// What the receiver of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The sum is right.
    Good,
    /// It is not: send the file again.
    Resend,
    /// It is not, and that was often enough.
    Quit,
}

impl Verdict {
    fn letter(self) -> u8 {
        match self {
            Self::Good => b'G',
            Self::Resend => b'R',
            Self::Quit => b'Q',
        }
    }

    /// Reads one, without its CR.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let all = [Self::Good, Self::Resend, Self::Quit];
        all.into_iter().find(|one| text == [one.letter()])
    }

    /// Appends it.
    pub fn emit(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.letter(), CR]);
    }
}

/// Appends a command with its terminator.
pub fn emit_command(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.push(CR);
}

/// The command (or verdict) at the head of the input, and how many bytes it takes; `None` while it is incomplete.
///
/// # Errors
/// When there is no end within [`COMMAND_LIMIT`].
pub fn parse_command(input: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    match input.iter().take(COMMAND_LIMIT).position(|b| *b == CR) {
        Some(length) => Ok(input.get(..length).map(|text| (text, length + 1))),
        None if input.len() >= COMMAND_LIMIT => Err(Malformed("a command without an end")),
        None => Ok(None),
    }
}

/// Appends file data.
pub fn emit_data(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(data.len() * 2);
    for &byte in data {
        match byte {
            0o040..=0o171 => out.push(byte),
            0..=0o037 => out.extend_from_slice(&[0o172, byte + 0o100]),
            0o172..=0o177 => out.extend_from_slice(&[0o173, byte - 0o100]),
            0o200..=0o237 => out.extend_from_slice(&[0o174, byte - 0o100]),
            0o240..=0o371 => out.extend_from_slice(&[0o175, byte - 0o200]),
            0o372..=0o377 => out.extend_from_slice(&[TILDE, byte - 0o300]),
        }
    }
}

/// Appends the end of a file.
pub fn emit_file_end(sum: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("~~{sum:04x}\r").as_bytes());
}

/// The byte that a prefix and what follows it stand for; `None` where that is not what a sender says.
fn decode(prefix: u8, byte: u8) -> Option<u8> {
    let (range, add) = match prefix {
        0o172 => (0o100..=0o137, 0o300),
        0o173 => (0o072..=0o077, 0o100),
        0o174 => (0o100..=0o137, 0o100),
        0o175 => (0o040..=0o171, 0o200),
        _ => (0o072..=0o077, 0o300),
    };
    range.contains(&byte).then(|| byte.wrapping_add(add))
}

/// Where in a file the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Between two bytes.
    #[default]
    Data,
    /// Behind a prefix.
    Prefix(u8),
    /// In the sum: so many digits, and their value.
    Sum(u8, u16),
}

/// Reads a file, in pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    place: Place,
    sum: u16,
    /// Something came that no sender says: the file is damaged, whatever its sum.
    damaged: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            place: Place::Data,
            sum: checksum::rotating(b""),
            damaged: false,
        }
    }
}

impl Decoder {
    /// Moves a file's data from the input to `data`, which takes `room` more bytes; how much input was used, and at the end
    /// of the file whether it is what the sender had. A CR ends the file in any case: within one there is none.
    pub fn read(&mut self, input: &[u8], room: usize, data: &mut Vec<u8>) -> (usize, Option<bool>) {
        let (before, mut used) = (data.len(), 0);
        let mut end = None;
        for &byte in input {
            if data.len() - before >= room {
                break;
            }
            used += 1;
            if byte == CR {
                let told = matches!(self.place, Place::Sum(4, told) if told == self.sum_with(before, data));
                end = Some(told && !self.damaged);
                break;
            }
            self.take(byte, data);
        }
        self.sum = self.sum_with(before, data);
        (used, end)
    }

    fn sum_with(&self, before: usize, data: &[u8]) -> u16 {
        checksum::rotating_more(self.sum, data.get(before..).unwrap_or_default())
    }

    fn take(&mut self, byte: u8, data: &mut Vec<u8>) {
        self.place = match (self.place, byte) {
            (Place::Data, 0o040..=0o171) => {
                data.push(byte);
                Place::Data
            }
            (Place::Data, 0o172..=TILDE) => Place::Prefix(byte),
            (Place::Prefix(TILDE), TILDE) => Place::Sum(0, 0),
            (Place::Prefix(prefix), _) => {
                match decode(prefix, byte) {
                    Some(byte) => data.push(byte),
                    None => self.damaged = true,
                }
                Place::Data
            }
            (Place::Sum(digits @ 0..4, sum), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Place::Sum(digits + 1, sum << 4 | u16::try_from(digit).unwrap_or(0))
            }
            (place, _) => {
                self.damaged = true;
                place
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        emit_data(data, &mut out);
        emit_file_end(checksum::rotating(data), &mut out);
        out
    }

    /// What is made of a file that comes in pieces of this size, with room for so much at a time.
    fn read(input: &[u8], piece: usize, room: usize) -> (Vec<u8>, usize, Option<bool>) {
        let (mut decoder, mut all, mut at) = (Decoder::default(), Vec::new(), 0);
        while at < input.len() {
            let mut data = Vec::new();
            let next = &input[at..input.len().min(at + piece)];
            let (used, end) = decoder.read(next, room, &mut data);
            assert!(data.len() <= room && used > 0);
            all.extend(data);
            at += used;
            if end.is_some() {
                return (all, at, end);
            }
        }
        (all, at, None)
    }

    #[test]
    fn bytes_of_the_wire() {
        assert_eq!(file(b"hello mail\n"), b"hello mailzJ~~3421\r");
        assert_eq!(file(b"file contents\n"), b"file contentszJ~~3519\r");
        assert_eq!(file(b"back\n"), b"backzJ~~0b84\r");
        let mut out = Vec::new();
        emit_command(b"EY", &mut out);
        Verdict::Good.emit(&mut out);
        assert_eq!(out, b"EY\rG\r");
        assert_eq!(parse_command(&out), Ok(Some((&b"EY"[..], 3))));
        assert_eq!(parse_command(b"EY"), Ok(None));
        assert!(parse_command(&[b'x'; COMMAND_LIMIT]).is_err());
    }

    #[test]
    fn the_manuals_table() {
        let rows: [(u8, &[u8]); 12] = [
            (0, b"z\x40"),
            (0o037, b"z\x5f"),
            (0o040, b" "),
            (0o171, b"y"),
            (0o172, b"{:"),
            (0o177, b"{?"),
            (0o200, b"|@"),
            (0o237, b"|_"),
            (0o240, b"} "),
            (0o371, b"}y"),
            (0o372, b"~:"),
            (0o377, b"~?"),
        ];
        for (byte, bytes) in rows {
            let mut out = Vec::new();
            emit_data(&[byte], &mut out);
            assert_eq!(out, bytes, "{byte:o}");
        }
        let every: Vec<u8> = (0..=255).collect();
        let encoded = file(&every);
        assert!(encoded.iter().all(|b| matches!(b, 0o040..=0o176 | b'\r')));
        assert_eq!(read(&encoded, 7, 3), (every, encoded.len(), Some(true)));
    }

    #[test]
    fn verdicts() {
        for verdict in [Verdict::Good, Verdict::Resend, Verdict::Quit] {
            let mut out = Vec::new();
            verdict.emit(&mut out);
            assert_eq!(Verdict::parse(&out[..1]), Some(verdict));
        }
        for other in [&b""[..], b"X", b"GG", b"CY"] {
            assert_eq!(Verdict::parse(other), None);
        }
    }

    #[test]
    fn whatever_ends_in_cr_ends_the_file() {
        for bad in [
            &b"hello~~342\r"[..],
            b"hello\r",
            b"\r",
            b"he~\r",
            b"~~\r",
            b"~~ffff0\r",
            b"a~~3421\r",
            b"\x7f~~ffff\r",
            b"\xc1~~ffff\r",
            b"z ~~ffff\r",
        ] {
            let (_, used, end) = read(bad, 100, 100);
            assert_eq!(
                (used, end),
                (bad.len(), Some(false)),
                "{}",
                bad.escape_ascii()
            );
        }
        assert_eq!(read(b"~~ffff\rSY\r", 100, 100), (Vec::new(), 7, Some(true)));
    }

    proptest! {
        #[test]
        fn how_a_file_is_cut_does_not_matter(
            data in prop::collection::vec(any::<u8>(), 0..600),
            piece in 1..700_usize,
            room in 1..100_usize,
        ) {
            let encoded = file(&data);
            prop_assert_eq!(read(&encoded, piece, room), (data, encoded.len(), Some(true)));
        }

        #[test]
        fn a_damaged_byte_is_seen(
            data in prop::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            bit in 0..7_u8,
        ) {
            let mut encoded = file(&data);
            let at = at.index(encoded.len() - 1);
            encoded[at] ^= 1 << bit;
            // The digits of a sum may be upper case, too.
            let (read, _, end) = read(&encoded, 1000, 1000);
            // Where a byte became two or two became one, 16 bits now and then do not tell.
            let by_chance = read.len() != data.len()
                && checksum::rotating(&read) == checksum::rotating(&data);
            prop_assert!(end != Some(true) || read == data || by_chance);
        }
    }
}
