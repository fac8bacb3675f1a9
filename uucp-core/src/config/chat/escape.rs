//! Escapes that stand for a byte.

/// Reads the escapes of an expect string; logins and passwords in configuration files use the same.
#[must_use]
pub(in crate::config) fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, tail)) = next_byte(rest) {
        match byte {
            Escaped::Byte(byte) => bytes.push(byte),
            Escaped::Letter(letter) => {
                tracing::warn!(target: "uucp::chat", "unknown escape \\{}", letter.escape_ascii());
                bytes.push(letter);
            }
        }
        rest = tail;
    }
    bytes
}

/// What the beginning of a string stands for.
pub(super) enum Escaped {
    /// A byte.
    Byte(u8),
    /// A backslash and this letter, which is no escape of bytes.
    Letter(u8),
}

/// Takes one byte or escape off the beginning.
pub(super) fn next_byte(word: &[u8]) -> Option<(Escaped, &[u8])> {
    let (byte, rest) = match word {
        [] => return None,
        [b'\\', rest @ ..] => return Some(next_escape(rest)),
        [byte, rest @ ..] => (*byte, rest),
    };
    Some((Escaped::Byte(byte), rest))
}

/// Reads what follows a backslash.
fn next_escape(word: &[u8]) -> (Escaped, &[u8]) {
    let [letter, rest @ ..] = word else {
        return (Escaped::Byte(b'\\'), word);
    };
    let byte = match letter {
        b'b' => 0x08,
        b'n' => b'\n',
        b'N' => 0,
        b'r' => b'\r',
        b's' => b' ',
        b't' => b'\t',
        b'\\' | b'-' => *letter,
        b'0'..=b'7' => return number(word, 8, 3),
        b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            return number(rest, 16, usize::MAX);
        }
        _ => return (Escaped::Letter(*letter), rest),
    };
    (Escaped::Byte(byte), rest)
}

/// Reads up to `most` digits; what does not fit in a byte is cut off.
fn number(word: &[u8], radix: u32, most: usize) -> (Escaped, &[u8]) {
    let mut value = 0_u32;
    let mut count = 0;
    for digit in word.iter().take(most) {
        let Some(digit) = char::from(*digit).to_digit(radix) else {
            break;
        };
        value = (value * radix + digit) & 0xff;
        count += 1;
    }
    let rest = word.get(count..).unwrap_or_default();
    (Escaped::Byte(value.to_le_bytes()[0]), rest)
}
