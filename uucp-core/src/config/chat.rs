//! Chat scripts as values: what to expect, what to send, with every escape already read.
//!
//! Taylor UUCP manual, *Chat Scripts*. Where the manual is silent, what Taylor 1.07 was seen to do: `BREAK` and `EOT` are
//! found anywhere in a send string and suppress its carriage return, `\K` does not; an unknown escape is its letter.

mod emit;

use std::time::Duration;

use super::command::Command;
use super::error::ConfigError;
use super::layer::Fresh;

/// How to get from an open line to the handshake, or how to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// What to expect and to send, in turn. Empty: nothing at all.
    pub script: Vec<Exchange>,
    /// How long to wait for an expected string that names no time of its own.
    pub timeout: Duration,
    /// Strings whose appearance ends the chat at once.
    pub fail: Vec<Vec<u8>>,
    /// A program to run before the script, as argument words.
    pub program: Option<Vec<ProgramWord>>,
    /// Whether the parity bit of what comes in is ignored.
    pub seven_bit: bool,
}

/// One step of a script: something to wait for, then something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The strings to wait for: the first, and after each subsend the next. Never empty.
    pub expect: Vec<Expect>,
    /// What is sent once one of them has come; empty where the script ends or `""` stands.
    pub send: Vec<SendItem>,
}

/// One string to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The string; empty: nothing is waited for.
    pub pattern: Vec<u8>,
    /// Its own time limit (`\WN`), if it has one.
    pub timeout: Option<Duration>,
    /// What is sent when it has not come in time, before the next one is waited for; `None` on the last: the chat fails.
    pub subsend: Option<Vec<SendItem>>,
}

/// One thing to send. The carriage return at the end of a send is among the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendItem {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A break (`BREAK`, `\K`).
    Break,
    /// The end-of-transmission character, `^D` (`EOT`).
    Eot,
    /// Wait a second or two (`\d`).
    Delay,
    /// Wait a fraction of a second (`\p`).
    Pause,
    /// Wait for the echo of every byte from here on, or no longer (`\E`, `\e`).
    EchoCheck(bool),
    /// Require carrier from here on, or no longer (`\m`, `\M`).
    RequireCarrier(bool),
    /// The login name (`\L`).
    Login,
    /// The password (`\P`).
    Password,
    /// The phone number without dialcode translation (`\D`).
    Phone,
    /// The phone number with its dialcode translated (`\T`).
    TranslatedPhone,
}

/// One argument of a chat program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramWord(pub Vec<ProgramItem>);

/// A part of an argument of a chat program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramItem {
    /// These bytes.
    Text(Vec<u8>),
    /// The login name (`\L`).
    Login,
    /// The password (`\P`).
    Password,
    /// The phone number (`\D`).
    Phone,
    /// The phone number with its dialcode translated (`\T`).
    TranslatedPhone,
    /// The port's name (`\Y`).
    Port,
    /// The system's name (`\Z`).
    System,
    /// The speed of the line (`\S`).
    Speed,
}

/// The login chat that a system has without a `chat` command.
const DEFAULT_LOGIN: [&str; 6] = [
    "\"\"",
    "\\r\\c",
    "ogin:-BREAK-ogin:-BREAK-ogin:",
    "\\L",
    "word:",
    "\\P",
];

impl Chat {
    /// The commands of a chat.
    pub(super) const COMMANDS: [&str; 5] = [
        "chat",
        "chat-timeout",
        "chat-fail",
        "chat-seven-bit",
        "chat-program",
    ];

    /// No chat at all, with the timeout of every chat but the login's.
    #[must_use]
    pub fn none() -> Self {
        Self {
            script: Vec::new(),
            timeout: Duration::from_mins(1),
            fail: Vec::new(),
            program: None,
            seven_bit: true,
        }
    }

    /// The login chat of a system that names none.
    #[must_use]
    pub fn login() -> Self {
        Self {
            script: parse_script(&DEFAULT_LOGIN.map(str::as_bytes)),
            timeout: Duration::from_secs(10),
            ..Self::none()
        }
    }

    /// Applies one of the five commands of a chat. `key` is the command without its prefix (`called-`, `complete-`,
    /// `abort-`); false if it is none of them.
    pub(super) fn apply(
        &mut self,
        key: &str,
        command: Command<'_>,
        fresh: &mut Fresh,
    ) -> Result<bool, ConfigError> {
        match key {
            "chat" => self.script = parse_script(&words(command)),
            "chat-timeout" => self.timeout = Duration::from_secs(command.one_number()?),
            "chat-fail" => {
                command.expect_arguments(1, 1)?;
                if fresh.first(&command.key()) {
                    self.fail.clear();
                }
                self.fail.push(unescape(command.bytes(1)));
            }
            "chat-seven-bit" => self.seven_bit = command.one_boolean()?,
            "chat-program" => {
                let words: Vec<_> = words(command).into_iter().map(parse_program_word).collect();
                self.program = (!words.is_empty()).then_some(words);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The script of `complete STRING` and `abort STRING`: send it, expecting nothing.
    pub(super) fn sending(string: &[u8]) -> Vec<Exchange> {
        parse_script(&[b"\"\"", string])
    }
}

fn words(command: Command<'_>) -> Vec<&[u8]> {
    let arguments = command.arguments().iter();
    arguments.map(|word| word.bytes.as_slice()).collect()
}

/// Reads the words of a `chat` command.
fn parse_script(words: &[&[u8]]) -> Vec<Exchange> {
    words
        .chunks(2)
        .map(|pair| Exchange {
            expect: parse_expect(pair.first().copied().unwrap_or_default()),
            send: pair.get(1).map(|send| parse_send(send)).unwrap_or_default(),
        })
        .collect()
}

/// Reads an expect string with its subsends: `exp-subsend-exp`.
fn parse_expect(word: &[u8]) -> Vec<Expect> {
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
fn split_at_hyphens(word: &[u8]) -> Vec<&[u8]> {
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

/// Reads the escapes of an expect string; logins and passwords in configuration files use the same.
#[must_use]
pub(super) fn unescape(word: &[u8]) -> Vec<u8> {
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
enum Escaped {
    /// A byte.
    Byte(u8),
    /// A backslash and this letter, which is no escape of bytes.
    Letter(u8),
}

/// Takes one byte or escape off the beginning.
fn next_byte(word: &[u8]) -> Option<(Escaped, &[u8])> {
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

/// Reads a send string.
fn parse_send(word: &[u8]) -> Vec<SendItem> {
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
fn parse_program_word(word: &[u8]) -> ProgramWord {
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

#[cfg(test)]
mod tests;
