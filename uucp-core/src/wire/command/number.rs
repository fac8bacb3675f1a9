//! Numbers as C's `strtol` with base 0 reads them: `0x1f`, `017`, `15`.

/// Parses a whole word as a C-style number; `None` where it is none or does not fit.
pub(crate) fn parse_c(word: &[u8]) -> Option<u64> {
    let (digits, radix) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    // from_str_radix would take a sign.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// Parses the mode of a request: octal by its leading 0; 666 and 777 are read as octal without it, as some old
/// implementations sent them.
pub(crate) fn parse_mode(word: &[u8]) -> Option<u32> {
    let value = match word {
        b"666" => 0o666,
        b"777" => 0o777,
        word => parse_c(word)?,
    };
    u32::try_from(value).ok().map(|mode| mode & 0o7777)
}
