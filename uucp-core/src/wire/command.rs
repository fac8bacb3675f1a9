//! The commands inside a link protocol (`S`, `E`, `R`, `X`, `H` and their answers) and the same requests as lines of a
//! work file (Taylor UUCP manual, *UUCP Protocol*, "The `S` command" and following).
//!
//! Fields are bytes: decoded from the `q` quoting when parsed, quoted again when emitted. A command that does not parse is
//! [`CommandError::Garbled`]; Taylor logs it and does not answer, and neither does anyone who talks to it.

pub(crate) mod number;
mod reply;
mod request;
mod work;

use std::fmt;

use thiserror::Error;

pub use reply::{Refusal, Reply};
pub use request::{
    ExecuteRequest, ExpandRequest, ReceiveRequest, Request, RequestKind, RequestOptions,
    SendRequest,
};

/// Longest command taken or sent, in bytes without its terminator. Taylor has no limit; its longest need is the command
/// line of an `E`, which its own `uux` keeps below this.
pub const COMMAND_LIMIT: usize = 8192;

/// What the two sides agreed to use: the bits of `-N` and `ROKN`. Each side announces a constant and uses the
/// intersection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features(pub u32);

impl Features {
    /// Nothing agreed: a peer that sent no `-N`.
    pub const NONE: Self = Self(0);
    /// Sizes in `S`, `R` and `E`.
    pub const SIZES: Self = Self(0o1);
    /// A broken transfer goes on where it stopped.
    pub const RESTART: Self = Self(0o2);
    /// The `E` command.
    pub const EXECUTE: Self = Self(0o4);
    /// Sizes are to be sent in decimal (old Taylor versions); never announced by us.
    pub const DECIMAL: Self = Self(0o10);
    /// The word `dummy` stands before the size (SVR4); never announced by us.
    pub const DUMMY: Self = Self(0o20);
    /// The `q` option: fields in backslash quoting.
    pub const QUOTING: Self = Self(0o40);
    /// The check byte of `i` headers is complemented.
    pub const COMPLEMENT: Self = Self(0o100);
    /// Every packet of `g` and `i` ends in a CRC over all of it. An extension of ours: the sums of both protocols leave
    /// gaps (see `DEVIATIONS.md`) through which a bad line damages files in silence. Taylor ignores the bit.
    pub const SEALED: Self = Self(0o1000);
    /// `t` and `e` carry tagged frames, many requests at once (see [`super::mux`]). An extension of ours; Taylor ignores the bit.
    pub const MULTIPLEX: Self = Self(0o2000);
    /// A file that was asked for goes on where it stopped: `RY` names its version, and `RG` says from where on. An extension of
    /// ours; Taylor ignores the bit.
    pub const RESUMED: Self = Self(0o4000);
    /// What a bare `-N` or `ROKN` means.
    pub const BARE: Self = Self(0o11);
    /// What `ROK -R` means: an SVR4 that knows restart.
    pub const SVR4: Self = Self(0o23);
    /// What this implementation announces. Debian's Taylor announces 047, Taylor's later master 0147.
    pub const OURS: Self = Self(0o7147);

    /// Whether every bit of `other` is there.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both sides have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What to use when `self` is what we announced, `peer` what the peer did: what we have in common, and the spellings
    /// (decimal sizes, the dummy word) that this peer asks for.
    #[must_use]
    pub fn agreed(self, peer: Self) -> Self {
        Self(peer.0 & (self.0 | Self::DECIMAL.0 | Self::DUMMY.0))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features(0{:o})", self.0)
    }
}

/// Why bytes are no command, or a command cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The bytes are no command, or a field is missing or malformed. To be logged, not answered.
    #[error("garbled command '{0}'")]
    Garbled(String),
    /// Longer than [`COMMAND_LIMIT`].
    #[error("a command of {0} bytes is longer than {COMMAND_LIMIT}")]
    TooLong(usize),
    /// A field holds a byte that the peer's or the file's form of the request cannot carry.
    #[error("the {field} '{shown}' cannot be carried")]
    Uncarriable {
        /// Which field.
        field: &'static str,
        /// Its value, escaped.
        shown: String,
    },
    /// The command needs a feature that the peer does not have; for good, as far as this peer is concerned.
    #[error("the other system does not know {0}")]
    NotAgreed(&'static str),
}

fn garbled(bytes: &[u8]) -> CommandError {
    let shown = bytes.get(..80).unwrap_or(bytes);
    CommandError::Garbled(shown.escape_ascii().to_string())
}

fn uncarriable(field: &'static str, bytes: &[u8]) -> CommandError {
    let shown = bytes.get(..80).unwrap_or(bytes).escape_ascii().to_string();
    CommandError::Uncarriable { field, shown }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `S`, `E`, `R`, `X`.
    Request(Request),
    /// `H`: the master has no more work.
    HangUp,
    /// `HY`: the slave agrees to end the call.
    HangUpYes,
    /// `HN`: the slave has work and becomes the master.
    HangUpNo,
    /// An answer to a request, or the confirmation of a file.
    Reply(Reply),
}

impl Command {
    /// Parses a command (without its terminator).
    ///
    /// # Errors
    /// When the bytes are no command.
    pub fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        if bytes.len() > COMMAND_LIMIT {
            return Err(CommandError::TooLong(bytes.len()));
        }
        match bytes {
            b"H" => return Ok(Self::HangUp),
            b"HY" => return Ok(Self::HangUpYes),
            b"HN" => return Ok(Self::HangUpNo),
            _ => {}
        }
        if let Some(reply) = Reply::parse(bytes) {
            return Ok(Self::Reply(reply));
        }
        Request::parse(bytes).map(Self::Request)
    }

    /// Appends the command (without terminator) in the form that `features` allow.
    ///
    /// # Errors
    /// When the peer lacks a feature that it needs, or a field cannot be carried; `out` is unchanged then.
    pub fn emit(&self, features: Features, out: &mut Vec<u8>) -> Result<(), CommandError> {
        match self {
            Self::Request(request) => request.emit(features, out)?,
            Self::HangUp => out.extend_from_slice(b"H"),
            Self::HangUpYes => out.extend_from_slice(b"HY"),
            Self::HangUpNo => out.extend_from_slice(b"HN"),
            Self::Reply(reply) => reply.emit(features, out),
        }
        Ok(())
    }

    /// The command as bytes of its own.
    ///
    /// # Errors
    /// As for [`Command::emit`].
    pub fn to_bytes(&self, features: Features) -> Result<Vec<u8>, CommandError> {
        let mut out = Vec::new();
        self.emit(features, &mut out)?;
        Ok(out)
    }
}

impl From<Request> for Command {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Reply> for Command {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

#[cfg(test)]
mod tests;
