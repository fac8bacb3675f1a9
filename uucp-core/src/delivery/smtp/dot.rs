//! The content of a message as RFC 5321 wants it after `DATA`: CRLF at every line's end, leading dots doubled.
//!
//! However the lines end that come in, what goes out holds no bare CR and no bare LF, so no server can be made to see the
//! end of the message, and commands behind it, where there is none.

/// Turns content into SMTP's form, in any blocks.
#[derive(Debug, Default)]
pub(in crate::delivery) struct DotStuffer {
    in_line: bool,
    pending_cr: bool,
}

impl DotStuffer {
    /// Takes the next bytes and appends what they become.
    pub(in crate::delivery) fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            if self.pending_cr && byte != b'\n' {
                // A CR that ends no line: Postfix makes it a blank too; Sendmail hangs up on it.
                self.put(b' ', out);
            }
            self.pending_cr = byte == b'\r';
            match byte {
                b'\r' => {}
                b'\n' => self.end_line(out),
                _ => self.put(byte, out),
            }
        }
    }

    /// Ends the content: the last line where it has no end, and the lone dot.
    pub(in crate::delivery) fn finish(mut self, out: &mut Vec<u8>) {
        if self.in_line || self.pending_cr {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn put(&mut self, byte: u8, out: &mut Vec<u8>) {
        if !self.in_line && byte == b'.' {
            out.push(b'.');
        }
        self.in_line = true;
        out.push(byte);
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.in_line = false;
        self.pending_cr = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(blocks: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stuffer = DotStuffer::default();
        for block in blocks {
            stuffer.push(block, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    #[test]
    fn lines_end_in_crlf_and_dots_are_doubled() {
        for (content, expected) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a\nb\n", b"a\r\nb\r\n.\r\n"),
            (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
            (b"no end", b"no end\r\n.\r\n"),
            (b".\n", b"..\r\n.\r\n"),
            (b"\n.\n\n", b"\r\n..\r\n\r\n.\r\n"),
            (b"..x\ny.\n", b"...x\r\ny.\r\n.\r\n"),
            (b"a\n.\r\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
            (b"a\r\n.\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
            (b"a\r.\rMAIL", b"a . MAIL\r\n.\r\n"),
            (b"a\r\r\n.x", b"a \r\n..x\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
            (b"\r.\r\n", b" .\r\n.\r\n"),
            (b"nul \0 \xff\n", b"nul \0 \xff\r\n.\r\n"),
        ] {
            assert_eq!(
                stuffed(&[content]).escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_can_end_the_message_early(content in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a')], 0..40), cut in 0usize..40) {
            let out = stuffed(&[&content]);
            let (a, b) = content.split_at(cut.min(content.len()));
            prop_assert_eq!(&stuffed(&[a, b]), &out, "the cut into blocks shows");
            let body = out.strip_suffix(b".\r\n").unwrap();
            prop_assert!(body.is_empty() || body.ends_with(b"\r\n"));
            for line in body.split_inclusive(|b| *b == b'\n') {
                let line = line.strip_suffix(b"\r\n").unwrap();
                prop_assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
                prop_assert!(line != b"." && (line.first() != Some(&b'.') || line.get(1) == Some(&b'.')));
            }
        }
    }
}
