//! Chat scripts as values: what to expect, what to send, with every escape already read.
//!
//! Taylor UUCP manual, *Chat Scripts*. Where the manual is silent, what Taylor 1.07 was seen to do: `BREAK` and `EOT` are
//! found anywhere in a send string and suppress its carriage return, `\K` does not; an unknown escape is its letter.

mod emit;
mod escape;
mod parse;
mod unknown;

use std::time::Duration;

use super::command::Command;
use super::error::ConfigError;
use super::layer::Fresh;

pub(super) use self::escape::unescape;
use self::parse::{parse_program_word, parse_script};
pub(super) use self::unknown::unknown_escapes;

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

#[cfg(test)]
mod tests;
