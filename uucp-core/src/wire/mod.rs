//! Bytes to values and back: the handshake, the commands inside a link protocol, the packets of each protocol, checksums.
//!
//! Nothing here has state, a clock or IO. Everything parsed is a peer's word and is checked against a limit before it is
//! kept. The documents: the Taylor UUCP manual, *UUCP Protocol Internals*, and bytes seen on the wire where the manual is
//! silent (`DEVIATIONS.md`).

pub mod command;
pub mod handshake;
