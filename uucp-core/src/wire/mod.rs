//! Bytes to values and back: the handshake, the commands inside a link protocol, the packets of each protocol, checksums.
//!
//! Nothing here has state, a clock or IO. Everything parsed is a peer's word and is checked against a limit before it is
//! kept. The documents: the Taylor UUCP manual, *UUCP Protocol Internals*, and bytes seen on the wire where the manual is
//! silent (`DEVIATIONS.md`).

use thiserror::Error;

pub mod a;
pub mod checksum;
pub mod command;
pub mod e;
pub mod f;
pub mod g;
pub mod handshake;
pub mod i;
pub mod j;
pub mod mux;
pub(crate) mod quoting;
pub(crate) mod sequence;
pub mod t;
pub mod y;

/// Bytes of a peer that have no meaning in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);
