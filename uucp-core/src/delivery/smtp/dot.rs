//! The content of a message as RFC 5321 wants it after `DATA`: CRLF at every line's end, leading dots doubled.
//!
//! However the lines end that come in, what goes out holds no bare CR and no bare LF, so no server can be made to see the
//! end of the message, and commands behind it, where there is none.

use std::io::{self, Read};

use crate::delivery::Message;
use crate::delivery::message::MessageReader;

/// How much content is made ready at a time, in bytes.
const BLOCK: usize = 64 * 1024;
/// How much of it is read at a time, in bytes.
const PIECE: usize = 8 * 1024;

/// A message's content in SMTP's form, to the final dot. Its next block can be made ready before it is wanted.
pub(in crate::delivery) struct Stuffed<'m> {
    reader: MessageReader<'m>,
    /// `None` behind the final dot.
    stuffer: Option<DotStuffer>,
    /// How long a block may become without its memory being moved.
    room: usize,
    ready: io::Result<Vec<u8>>,
}

impl<'m> Stuffed<'m> {
    pub(in crate::delivery) fn new(message: &'m Message) -> Self {
        let length = usize::try_from(message.smtp_size()).unwrap_or(usize::MAX);
        Self {
            reader: message.reader(),
            stuffer: Some(DotStuffer::default()),
            room: length.min(BLOCK).saturating_add(PIECE),
            ready: Ok(Vec::new()),
        }
    }

    /// Makes the next block ready, where none is. What goes wrong is told by [`next`](Self::next).
    pub(in crate::delivery) fn prepare(&mut self) {
        if self.ready.as_ref().is_ok_and(Vec::is_empty) {
            self.ready = self.fill();
        }
    }

    /// The next block; `None` behind the final dot.
    ///
    /// # Errors
    /// When the message cannot be read. Nothing of it can be given after that.
    pub(in crate::delivery) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.prepare();
        let block = std::mem::replace(&mut self.ready, Ok(Vec::new()))?;
        Ok((!block.is_empty()).then_some(block))
    }

    fn fill(&mut self) -> io::Result<Vec<u8>> {
        let Some(mut stuffer) = self.stuffer.take() else {
            return Ok(Vec::new());
        };
        let mut block = Vec::with_capacity(self.room);
        let mut piece = [0; PIECE];
        while block.len() < BLOCK {
            let count = self.reader.read(&mut piece)?;
            if count == 0 {
                stuffer.finish(&mut block);
                return Ok(block);
            }
            stuffer.push(piece.get(..count).unwrap_or_default(), &mut block);
        }
        self.stuffer = Some(stuffer);
        Ok(block)
    }
}

/// Turns content into SMTP's form, in any blocks.
#[derive(Debug, Default)]
struct DotStuffer {
    in_line: bool,
    pending_cr: bool,
}

impl DotStuffer {
    /// Takes the next bytes and appends what they become.
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
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
    fn finish(mut self, out: &mut Vec<u8>) {
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

    #[test]
    fn a_block_that_was_made_ready_is_the_next_one() {
        let content = b".a line\n".repeat(BLOCK / 3);
        let message = Message::from_bytes(content.clone());
        let mut form = Stuffed::new(&message);
        let mut blocks = Vec::new();
        for _ in 0..2 {
            form.prepare();
        }
        while let Some(block) = form.next().unwrap() {
            form.prepare();
            blocks.push(block);
        }
        assert!(blocks.len() > 2);
        assert!(blocks.iter().all(|b| b.len() <= BLOCK + 2 * PIECE));
        assert!(blocks.concat() == stuffed(&[&content]));
        assert_eq!(form.next().unwrap(), None);
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
