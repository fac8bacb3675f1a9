//! The words of a chat -> what to expect and what to send.

use std::time::Duration;

use super::escape::{Escaped, next_byte, unescape};
use super::{Exchange, Expect, ProgramItem, ProgramWord, SendItem};

/// Reads the words of a `chat` command.
pub(super) fn parse_script(words: &[&[u8]]) -> Vec<Exchange> {
    words
        .chunks(2)
        .map(|pair| Exchange {
            expect: parse_expect(pair.first().copied().unwrap_or_default()),
            send: pair.get(1).map(|send| parse_send(send)).unwrap_or_default(),
        })
        .collect()
}

/// Reads an expect string with its subsends: `exp-subsend-exp`.
pub(super) fn parse_expect(word: &[u8]) -> Vec<Expect> {
    let parts = split_at_hyphens(word);
    let mut all: Vec<Expect> = parts
        .chunks(2)
        .map(|pair| {
            let (pattern, timeout) = parse_pattern(pair.first().copied().unwrap_or_default());
            Expect {
                pattern,
                timeout,
                subsend: pair.get(1).map(|send| parse_send(send)),
            }
        })
        .collect();
    if all.last().is_some_and(|last| last.subsend.is_some()) {
        // `exp-subsend`: once the subsend is out there is nothing more to wait for.
        all.push(Expect {
            pattern: Vec::new(),
            timeout: None,
            subsend: None,
        });
    }
    all
}

/// Hyphens separate, except after a backslash.
pub(super) fn split_at_hyphens(word: &[u8]) -> Vec<&[u8]> {
    let mut escaped = false;
    word.split(|byte| {
        let separates = *byte == b'-' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        separates
    })
    .collect()
}

/// Reads one expect string: its bytes, and its own timeout if it ends in `\WN`.
fn parse_pattern(part: &[u8]) -> (Vec<u8>, Option<Duration>) {
    if part == b"\"\"" {
        return (Vec::new(), None);
    }
    let digits = part.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (head, seconds) = part
        .split_at_checked(part.len() - digits)
        .unwrap_or_default();
    let own = head.strip_suffix(b"\\W").filter(|_| digits > 0);
    let number = std::str::from_utf8(seconds)
        .ok()
        .and_then(|s| s.parse().ok());
    match own.zip(number) {
        Some((pattern, seconds)) => (unescape(pattern), Some(Duration::from_secs(seconds))),
        None => (unescape(part), None),
    }
}

/// Reads a send string.
pub(super) fn parse_send(word: &[u8]) -> Vec<SendItem> {
    let mut items = Items::default();
    if word == b"\"\"" {
        return items.list;
    }
    let mut with_return = true;
    let mut rest = word;
    loop {
        if let Some(tail) = rest.strip_prefix(b"BREAK") {
            items.push(SendItem::Break);
            (with_return, rest) = (false, tail);
        } else if let Some(tail) = rest.strip_prefix(b"EOT") {
            items.push(SendItem::Eot);
            (with_return, rest) = (false, tail);
        } else if let Some((byte, tail)) = next_byte(rest) {
            match byte {
                Escaped::Byte(byte) => items.byte(byte),
                Escaped::Letter(b'c') => with_return = false,
                Escaped::Letter(letter) => items.letter(letter),
            }
            rest = tail;
        } else {
            break;
        }
    }
    if with_return {
        items.byte(b'\r');
    }
    items.list
}

/// A send string in the making.
#[derive(Default)]
struct Items {
    list: Vec<SendItem>,
}

impl Items {
    fn push(&mut self, item: SendItem) {
        self.list.push(item);
    }

    fn byte(&mut self, byte: u8) {
        if let Some(SendItem::Bytes(bytes)) = self.list.last_mut() {
            bytes.push(byte);
        } else {
            self.push(SendItem::Bytes(vec![byte]));
        }
    }

    fn letter(&mut self, letter: u8) {
        let item = match letter {
            b'd' => SendItem::Delay,
            b'p' => SendItem::Pause,
            b'e' => SendItem::EchoCheck(false),
            b'E' => SendItem::EchoCheck(true),
            b'K' => SendItem::Break,
            b'M' => SendItem::RequireCarrier(false),
            b'm' => SendItem::RequireCarrier(true),
            b'L' => SendItem::Login,
            b'P' => SendItem::Password,
            b'D' => SendItem::Phone,
            b'T' => SendItem::TranslatedPhone,
            other => {
                tracing::warn!(target: "uucp::chat", "unknown escape \\{} in a send string", other.escape_ascii());
                return self.byte(other);
            }
        };
        self.push(item);
    }
}

/// Reads one argument of a chat program. Only its own escapes are read; everything else stays as it is.
pub(super) fn parse_program_word(word: &[u8]) -> ProgramWord {
    let mut items: Vec<ProgramItem> = Vec::new();
    let mut text = Vec::new();
    let mut rest = word;
    while let [byte, tail @ ..] = rest {
        let (item, tail) = match rest {
            [b'\\', b'L', tail @ ..] => (Some(ProgramItem::Login), tail),
            [b'\\', b'P', tail @ ..] => (Some(ProgramItem::Password), tail),
            [b'\\', b'D', tail @ ..] => (Some(ProgramItem::Phone), tail),
            [b'\\', b'T', tail @ ..] => (Some(ProgramItem::TranslatedPhone), tail),
            [b'\\', b'Y', tail @ ..] => (Some(ProgramItem::Port), tail),
            [b'\\', b'Z', tail @ ..] => (Some(ProgramItem::System), tail),
            [b'\\', b'S', tail @ ..] => (Some(ProgramItem::Speed), tail),
            [b'\\', b'\\', tail @ ..] => {
                text.push(b'\\');
                (None, tail)
            }
            _ => {
                text.push(*byte);
                (None, tail)
            }
        };
        if let Some(item) = item {
            if !text.is_empty() {
                items.push(ProgramItem::Text(std::mem::take(&mut text)));
            }
            items.push(item);
        }
        rest = tail;
    }
    if !text.is_empty() {
        items.push(ProgramItem::Text(text));
    }
    ProgramWord(items)
}
