//! What an SMTP server answers: lines of `250-text`, the last one `250 text`.

use std::fmt;

/// Longest line taken, in bytes; RFC 5321 allows 512.
const LINE_LIMIT: usize = 4096;
/// Most lines in one reply.
const LINES_LIMIT: usize = 200;

/// One whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerReply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

/// What the server sends is not SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotSmtp(pub(super) String);

impl ServerReply {
    /// Takes one reply off the front of what was received; `None` while it is not whole.
    pub(super) fn take(received: &mut Vec<u8>) -> Result<Option<Self>, NotSmtp> {
        let mut lines = Vec::new();
        let mut used = 0;
        for raw in received.split_inclusive(|b| *b == b'\n') {
            if raw.len() > LINE_LIMIT || lines.len() >= LINES_LIMIT {
                return Err(NotSmtp("an endless reply".to_owned()));
            }
            if !raw.ends_with(b"\n") {
                return Ok(None);
            }
            used += raw.len();
            let (code, more, text) = parse_line(raw)?;
            lines.push(text);
            if !more {
                received.drain(..used);
                return Ok(Some(Self { code, lines }));
            }
        }
        Ok(None)
    }

    /// The class: the first digit.
    pub(super) fn class(&self) -> u16 {
        self.code / 100
    }

    /// The enhanced status code that the text begins with, else one of the class and nothing more.
    pub(super) fn enhanced(&self) -> String {
        let first = self.lines.first().map(String::as_str).unwrap_or_default();
        let word = first.split(' ').next().unwrap_or_default();
        let class = self.class();
        let mut parts = word.split('.');
        let own_class = parts.next() == Some(class.to_string().as_str());
        let numbers = parts
            .by_ref()
            .take(2)
            .filter(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
            .count();
        if own_class && numbers == 2 && parts.next().is_none() {
            word.to_owned()
        } else {
            format!("{class}.0.0")
        }
    }
}

impl fmt::Display for ServerReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" "))
    }
}

/// Code, whether more lines follow, text.
fn parse_line(raw: &[u8]) -> Result<(u16, bool, String), NotSmtp> {
    let line = raw.trim_ascii_end();
    let wrong = || {
        let shown = line.get(..80).unwrap_or(line);
        NotSmtp(format!("'{}' is no SMTP reply", shown.escape_ascii()))
    };
    let (digits, rest) = line.split_at_checked(3).ok_or_else(wrong)?;
    let code: u16 = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|code| (200..600).contains(code))
        .ok_or_else(wrong)?;
    let (more, text) = match rest {
        [b'-', text @ ..] => (true, text),
        [b' ', text @ ..] => (false, text),
        [] => (false, rest),
        _ => return Err(wrong()),
    };
    Ok((code, more, String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take(text: &[u8]) -> Result<Option<ServerReply>, NotSmtp> {
        ServerReply::take(&mut text.to_vec())
    }

    #[test]
    fn replies_of_one_and_of_many_lines() {
        let mut received = b"250-hub.lab\r\n250-SIZE 100\r\n250 HELP\r\n354 go\n25".to_vec();
        let first = ServerReply::take(&mut received).unwrap().unwrap();
        assert_eq!((first.code, first.lines.len()), (250, 3));
        assert_eq!(ServerReply::take(&mut received).unwrap().unwrap().code, 354);
        assert_eq!(ServerReply::take(&mut received).unwrap(), None);
        assert_eq!(take(b"250\r\n").unwrap().unwrap().lines, [""]);
    }

    #[test]
    fn enhanced_codes_are_taken_only_when_they_are_ones() {
        for (text, expected) in [
            ("550 5.1.1 no such user\n", "5.1.1"),
            ("550 no such user\n", "5.0.0"),
            ("450 5.1.1 classes differ\n", "4.0.0"),
            ("450 4.2.0.1 x\n", "4.0.0"),
            ("450 4.2x.0 x\n", "4.0.0"),
            ("552 5.3.4\n", "5.3.4"),
            ("552-5.3.4 a\n552 5.3.4 b\n", "5.3.4"),
        ] {
            assert_eq!(
                take(text.as_bytes()).unwrap().unwrap().enhanced(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_not_smtp_is_told() {
        for text in [
            &b"HTTP/1.0 400 Bad\r\n"[..],
            b"\n",
            b"25\n",
            b"999 x\n",
            b"100 x\n",
            b"250+x\n",
            b"+50 x\n",
            &[b'2'; 5000],
        ] {
            assert!(take(text).is_err(), "{}", text.escape_ascii());
        }
        assert!(take("250-x\n".repeat(300).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = take(&bytes).map(|r| r.map(|r| (r.enhanced(), r.to_string())));
        }
    }
}
