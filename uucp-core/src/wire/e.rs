//! The frames of protocol `e`: commands end with NUL, a file is its size in 20 bytes of text and then exactly so many bytes.

use super::Malformed;
use super::command::COMMAND_LIMIT;

/// Bytes of the size before a file.
pub const HEADER: usize = 20;

/// Appends a command with its terminator.
pub fn emit_command(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.push(0);
}

/// The command at the head of the input, and how many bytes it takes; `None` while it is incomplete.
///
/// # Errors
/// When there is no end within [`COMMAND_LIMIT`].
pub fn parse_command(input: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    match input.iter().take(COMMAND_LIMIT).position(|b| *b == 0) {
        Some(length) => Ok(input.get(..length).map(|text| (text, length + 1))),
        None if input.len() >= COMMAND_LIMIT => Err(Malformed("a command without an end")),
        None => Ok(None),
    }
}

/// Appends the header of a file: how many bytes follow.
pub fn emit_size(size: u64, out: &mut Vec<u8>) {
    let end = out.len() + HEADER;
    out.extend_from_slice(size.to_string().as_bytes());
    out.resize(end, 0);
}

/// Parses the header of a file: decimal digits, padded with NUL.
///
/// # Errors
/// When it is anything else, a sign included, or no file's size.
pub fn parse_size(header: &[u8; HEADER]) -> Result<u64, Malformed> {
    let bad = Malformed("a file size that is no number");
    let length = header.iter().position(|b| *b == 0).unwrap_or(HEADER);
    let (digits, padding) = header.split_at_checked(length).ok_or(bad)?;
    if !digits.iter().all(u8::is_ascii_digit) || padding.iter().any(|b| *b != 0) {
        return Err(bad);
    }
    let text = std::str::from_utf8(digits).map_err(|_| bad)?;
    text.parse()
        .ok()
        .filter(|size| i64::try_from(*size).is_ok())
        .ok_or(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_the_wire() {
        let mut out = vec![0xa5];
        emit_command(b"EY", &mut out);
        emit_size(11, &mut out);
        assert_eq!(out, [&b"\xa5EY\x0011"[..], &[0; 18]].concat());
        assert_eq!(parse_command(&out[1..]), Ok(Some((&b"EY"[..], 3))));
        assert_eq!(parse_command(b"EY"), Ok(None));
        assert_eq!(parse_size(out[4..].try_into().unwrap()), Ok(11));
    }

    #[test]
    fn sizes_are_strict() {
        let parse = |text: &[u8]| {
            let mut header = [0; HEADER];
            header[..text.len()].copy_from_slice(text);
            parse_size(&header)
        };
        assert_eq!(parse(b"0"), Ok(0));
        assert_eq!(parse(b"9223372036854775807"), Ok(i64::MAX as u64));
        for bad in [
            &b""[..],
            b"-1",
            b"+1",
            b" 1",
            b"1 ",
            b"0x1",
            b"1\x002",
            b"9223372036854775808",
            b"99999999999999999999",
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_command_without_end_is_refused() {
        assert_eq!(parse_command(&[b'x'; COMMAND_LIMIT - 1]), Ok(None));
        assert!(parse_command(&[b'x'; COMMAND_LIMIT]).is_err());
    }
}
