//! The packets of `j`: those of `i` in a wrapping in which certain characters do not occur (Taylor UUCP manual, *j
//! Protocol*).
//!
//! ```text
//! ^ total = length @   length bytes, some changed   pairs that tell which and how   ~
//! ```
//!
//! Before the first packet each side says which characters the line does not carry: `^\021\023~`.

/// Begins a packet.
const BEGIN: u8 = b'^';
/// Ends one.
const END: u8 = b'~';
/// Bytes before the data.
const HEADER: usize = 7;
/// Bytes around the data.
const AROUND: usize = HEADER + 1;
/// The largest packet of `i` that the pairs can point into.
pub const LARGEST: usize = 3007;
/// The largest packet of `i` that fits whatever is in it: with every byte changed it has the greatest total length.
pub const ALWAYS_FITS: usize = (TOTAL_LIMIT - AROUND) / 3;
/// The greatest number that two characters can tell.
const TOTAL_LIMIT: usize = 6079;
/// Bit 7 was taken away.
const HIGH: u8 = 0x80;
/// This bit was turned over.
const TURN: u8 = 0x20;
/// In the first character of a pair: both, in a position that has no room for saying so.
const BOTH_AT_31: u8 = 0o176;

/// The characters that must not occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avoid([u64; 4]);

impl Avoid {
    /// Characters written as escapes, as in a chat script: `\021\023`. `None` where one of them is printable, which cannot
    /// be avoided, or is no escape.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut avoid = Self::nothing();
        let mut rest = text;
        while let Some((byte, tail)) = escape(rest) {
            if matches!(byte, b' '..=b'~') {
                return None;
            }
            if let Some(part) = avoid.0.get_mut(usize::from(byte / 64)) {
                *part |= 1 << (byte % 64);
            }
            rest = tail;
        }
        rest.is_empty().then_some(avoid)
    }

    /// No characters.
    #[must_use]
    pub fn nothing() -> Self {
        Self([0; 4])
    }

    /// The characters of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (one, other) in self.0.iter_mut().zip(other.0) {
            *one |= other;
        }
        self
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        let part = self.0.get(usize::from(byte / 64));
        part.is_some_and(|part| part >> (byte % 64) & 1 == 1)
    }

    /// Appends what is said of them before the first packet.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(BEGIN);
        for byte in (0..=u8::MAX).filter(|byte| self.contains(*byte)) {
            out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        }
        out.push(END);
    }
}

/// The character that an escape at the head of the text stands for, and what follows it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (letter, rest) = match text {
        [b'\\', letter, rest @ ..] => (*letter, rest),
        _ => return None,
    };
    let byte = match letter {
        b'0'..=b'7' => {
            let digits = text.get(1..)?;
            let count = digits
                .iter()
                .take(3)
                .take_while(|b| matches!(b, b'0'..=b'7'));
            let (digits, rest) = digits.split_at_checked(count.count())?;
            let number = digits.iter().try_fold(0_u8, |number, digit| {
                number.checked_mul(8)?.checked_add(digit - b'0')
            });
            return Some((number?, rest));
        }
        b'b' => 0o010,
        b'e' => 0o033,
        b'n' => b'\n',
        b'N' => 0,
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    };
    Some((byte, rest))
}

/// A number in two printable characters.
fn number(value: usize) -> [u8; 2] {
    let character = |value: usize| u8::try_from(value % 96).unwrap_or(0) + b' ';
    [character(value / 64), character(value % 64)]
}

fn parse_number(high: u8, low: u8) -> Option<usize> {
    let high = high.checked_sub(b' ').filter(|high| *high < 95)?;
    let low = low.checked_sub(b' ').filter(|low| *low < 64)?;
    Some(usize::from(high) * 64 + usize::from(low))
}

/// What a character is changed to, and how.
fn change(byte: u8) -> (u8, u8) {
    let (byte, high) = (byte & !HIGH, byte & HIGH);
    if byte < b' ' || byte == 0x7f {
        (byte ^ TURN, high | TURN)
    } else {
        (byte, high)
    }
}

/// The pair for a change at a position below [`LARGEST`].
fn pair(position: usize, how: u8) -> [u8; 2] {
    let printable = |value: usize| u8::try_from(value).unwrap_or(0).saturating_add(b' ');
    let (high, low) = (printable(position / 32), printable(position % 32));
    match how {
        HIGH => [high, low],
        TURN => [high, low + 0o40],
        _ if position % 32 == 31 => [BOTH_AT_31, high],
        _ => [high, low + 0o100],
    }
}

/// The position that a pair names, and what happened to the byte there.
fn parse_pair(high: u8, low: u8) -> Option<(usize, u8)> {
    let high = high.checked_sub(b' ')?;
    let low = low.checked_sub(b' ')?;
    if high == BOTH_AT_31 - b' ' {
        return Some((usize::from(low) * 32 + 31, HIGH ^ TURN));
    }
    let how = match low {
        0..32 => HIGH,
        32..64 => TURN,
        64..95 => HIGH ^ TURN,
        _ => return None,
    };
    Some((usize::from(high) * 32 + usize::from(low % 32), how))
}

/// Appends a packet of `i`, wrapped; at most [`ALWAYS_FITS`] bytes.
pub fn emit(packet: &[u8], avoid: &Avoid, out: &mut Vec<u8>) {
    let avoided = packet.iter().filter(|byte| avoid.contains(**byte)).count();
    let [total, length] = [packet.len() + 2 * avoided + AROUND, packet.len()].map(number);
    out.push(BEGIN);
    out.extend_from_slice(&total);
    out.push(b'=');
    out.extend_from_slice(&length);
    out.push(b'@');
    let mut pairs = Vec::with_capacity(2 * avoided);
    for (position, &byte) in packet.iter().enumerate() {
        if avoid.contains(byte) {
            let (changed, how) = change(byte);
            out.push(changed);
            pairs.extend_from_slice(&pair(position, how));
        } else {
            out.push(byte);
        }
    }
    out.append(&mut pairs);
    out.push(END);
}

/// What was found in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing more.
    Incomplete,
    /// What a packet of `i` was wrapped in; what is inside may be damaged.
    Packet(Vec<u8>),
    /// The characters that the other side wants avoided.
    Avoid(Avoid),
    /// The strings that follow the protocol; only looked for while it is being closed.
    Over,
}

/// Finds the next packet; gives back how many bytes it used, the packet included, or the garbage before an incomplete one.
#[must_use]
pub fn scan(input: &[u8], closing: bool) -> (usize, Found) {
    let mut at = 0;
    loop {
        let rest = input.get(at..).unwrap_or_default();
        let over = |b: &u8| closing && *b == 0o20;
        let Some(skip) = rest.iter().position(|b| *b == BEGIN || over(b)) else {
            return (input.len(), Found::Incomplete);
        };
        at += skip;
        let rest = rest.get(skip..).unwrap_or_default();
        match rest {
            [0o20, b'O', ..] => return (at, Found::Over),
            [_] => return (at, Found::Incomplete),
            _ => {}
        }
        match parse(rest) {
            Parsed::Incomplete => return (at, Found::Incomplete),
            Parsed::Whole(used, found) => return (at + used, found),
            Parsed::Nothing => at += 1,
        }
    }
}

enum Parsed {
    Incomplete,
    Whole(usize, Found),
    Nothing,
}

fn parse(input: &[u8]) -> Parsed {
    match input {
        // The length of a packet may begin like that too.
        [BEGIN, b'\\', _, second, ..] if *second != b'=' => parse_avoid(input),
        [BEGIN, ..] => parse_packet(input),
        _ => Parsed::Nothing,
    }
}

fn parse_avoid(input: &[u8]) -> Parsed {
    const LONGEST: usize = 4 * 256 + 2;
    let Some(end) = input.iter().take(LONGEST).position(|b| *b == END) else {
        return if input.len() < LONGEST {
            Parsed::Incomplete
        } else {
            Parsed::Nothing
        };
    };
    let text = input.get(1..end).unwrap_or_default();
    Avoid::parse(text).map_or(Parsed::Nothing, |avoid| {
        Parsed::Whole(end + 1, Found::Avoid(avoid))
    })
}

fn parse_packet(input: &[u8]) -> Parsed {
    let Some((header, _)) = input.split_first_chunk::<HEADER>() else {
        return Parsed::Incomplete;
    };
    let [BEGIN, th, tl, b'=', lh, ll, b'@'] = *header else {
        return Parsed::Nothing;
    };
    let (Some(total), Some(length)) = (parse_number(th, tl), parse_number(lh, ll)) else {
        return Parsed::Nothing;
    };
    let pairs = total.checked_sub(length + AROUND);
    if length > LARGEST || pairs.is_none_or(|pairs| pairs % 2 != 0) {
        return Parsed::Nothing;
    }
    let Some(packet) = input.get(..total) else {
        return Parsed::Incomplete;
    };
    let inside = packet.strip_suffix(&[END]).and_then(|p| p.get(HEADER..));
    match inside.and_then(|inside| unwrap(inside, length)) {
        Some(data) => Parsed::Whole(total, Found::Packet(data)),
        None => Parsed::Nothing,
    }
}

/// The bytes as they were before the change.
fn unwrap(inside: &[u8], length: usize) -> Option<Vec<u8>> {
    let (data, pairs) = inside.split_at_checked(length)?;
    let mut data = data.to_vec();
    for pair in pairs.chunks_exact(2) {
        let &[high, low] = pair else { return None };
        let (position, how) = parse_pair(high, low)?;
        *data.get_mut(position)? ^= how;
    }
    Some(data)
}

#[cfg(test)]
mod tests;
