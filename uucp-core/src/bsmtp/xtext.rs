//! `xtext` of RFC 3461, section 4: printable ASCII, in which `+`, `=` and everything else are `+HH`.

/// The bytes as xtext.
#[must_use]
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'+' && byte != b'=' {
            text.push(byte);
        } else {
            text.extend_from_slice(&[b'+', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    text
}

/// The bytes that the xtext stands for, or `None` where it is not xtext.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => (digit(rest.next()?)? << 4) | digit(rest.next()?)?,
            b'=' => return None,
            _ if byte.is_ascii_graphic() => byte,
            _ => return None,
        });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let text = encode(&all);
        assert!(text.iter().all(u8::is_ascii_graphic));
        assert_eq!(decode(&text), Some(all));
        assert_eq!(encode(b"a+b=c d"), b"a+2Bb+3Dc+20d");
        assert_eq!(decode(b"a+2bb"), Some(b"a+b".to_vec()));
    }

    #[test]
    fn what_is_not_xtext() {
        for bad in [&b"a=b"[..], b"a b", b"a+2", b"a+", b"a+2G", b"\xff", b"a\n"] {
            assert_eq!(decode(bad), None, "{}", bad.escape_ascii());
        }
    }
}
