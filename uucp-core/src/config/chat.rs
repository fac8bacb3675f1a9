//! Chat scripts as values: what to expect, what to send, with every escape already read.

use std::time::Duration;

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
    /// Its own time limit (`/N`), if it has one.
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
    /// The end-of-file character (`EOT`).
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
