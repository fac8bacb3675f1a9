//! The message itself: the sample, and the comparison of what was sent with what arrived.

use std::fmt::Write as _;

/// A message with all that careless programs have harmed: 8-bit text, a lone dot, `From ` at the start of a line, a long
/// line, blanks at the end of one, and an attachment of every byte value.
pub(crate) fn sample() -> Vec<u8> {
    let now = uucp_core::clock::now();
    let date = jiff::fmt::rfc2822::to_string(&now).expect("the date as RFC 2822 writes it");
    let attachment: Vec<u8> = (0..12_288_u32)
        .map(|n| (n ^ (n >> 8)).to_le_bytes()[0])
        .collect();
    let mut text = format!(
        "From: Ann <ann@leaf.example>\n\
         To: Bob <bob@hub.example>\n\
         Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= from a place without SMTP\n\
         Date: {date}\n\
         Message-ID: <{id}@leaf.example>\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"station\"\n\n\
         --station\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         Hello Bob,\n\n\
         grüße from leaf. Careless programs have cut, quoted or doubled these lines:\n\
         .\n..\nFrom here it could look like the next message.\n>From there, too.\n\
         A line with blanks at its end:   \n",
        id = now.timestamp().as_nanosecond(),
    );
    let _ = writeln!(text, "A long line: {}", "0123456789".repeat(120));
    text.push_str(
        "\nAnn\n\n--station\nContent-Type: application/octet-stream; name=\"every-byte.bin\"\n\
         Content-Disposition: attachment; filename=\"every-byte.bin\"\nContent-Transfer-Encoding: base64\n\n",
    );
    for line in attachment.chunks(57) {
        text.push_str(&base64(line));
        text.push('\n');
    }
    text.push_str("\n--station--\n");
    text.into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place) & 63) as usize);
            let filled = place <= group.len();
            text.push(
                digit
                    .filter(|_| filled)
                    .map_or('=', |digit| char::from(*digit)),
            );
        }
    }
    text
}

/// Why `arrived` is not `sent` below nothing but new header fields; `None` when it is.
pub(crate) fn difference(sent: &[u8], arrived: &[u8]) -> Option<String> {
    let Some(added) = arrived.strip_suffix(sent) else {
        let same = sent
            .iter()
            .rev()
            .zip(arrived.iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        return Some(format!(
            "{} bytes were sent, {} arrived, and only the last {} are alike",
            grouped(sent.len()),
            grouped(arrived.len()),
            grouped(same)
        ));
    };
    let is_field = |line: &[u8]| {
        line.starts_with(b" ")
            || line.starts_with(b"\t")
            || line.split(|b| *b == b':').next().is_some_and(|name| {
                name.len() < line.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
            })
    };
    let mut lines = added.split_inclusive(|byte| *byte == b'\n');
    let strange = lines.find(|line| !is_field(line) || !line.ends_with(b"\n"))?;
    Some(format!(
        "above it stands a line that is no header field: {}",
        strange.escape_ascii()
    ))
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_header_fields_may_be_added() {
        let sent = b"Subject: x\n\nbody\n";
        assert_eq!(difference(sent, sent), None);
        assert_eq!(
            difference(sent, b"Received: from leaf\n\tby hub\nSubject: x\n\nbody\n"),
            None
        );
        for arrived in [
            b"Subject: x\n\nbody".as_slice(),
            b"Subject: x\n\nb0dy\n",
            b"From ann Fri\nSubject: x\n\nbody\n",
            b"Received: from leafSubject: x\n\nbody\n",
            b"",
        ] {
            assert!(
                difference(sent, arrived).is_some(),
                "{}",
                arrived.escape_ascii()
            );
        }
    }

    #[test]
    fn the_sample_holds_what_it_promises() {
        let sample = sample();
        for needle in ["\n.\n", "\nFrom ", "ü", "base64", "--station--\n"] {
            let found = sample
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(found, "{needle:?}");
        }
    }

    #[test]
    fn base64_and_numbers_are_written_as_usual() {
        assert_eq!(base64(b"abc"), "YWJj");
        assert_eq!(base64(b"ab"), "YWI=");
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
    }
}
