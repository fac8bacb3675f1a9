//! Addresses: what stands between the angle brackets of SMTP, between the `!` of a UUCP path, in a `From ` line, and as a
//! word of a remote command.
//!
//! Bytes stay bytes: an address is never folded, decoded or completed here. RFC 976 for the UUCP side, RFC 5321 and
//! RFC 6531 for the other. Nothing here does IO.

mod bang;
mod envelope;
mod from_line;
mod quoting;
pub mod word;

#[cfg(test)]
mod tests;

pub use bang::BangPath;
pub use envelope::{Address, AddressError, Envelope, ReversePath};
pub use from_line::{FromLineStyle, FromLines, from_line};
