//! What the receivers, `rmail` and `rsmtp`, have in common: who runs them, which words of a command line count, this
//! system as it is configured, the trace line, and the message of RFC 976.
//!
//! Station: receiver. The hand-over itself is [`crate::delivery`]'s.

pub mod bang_mail;
mod origin;
mod site;
mod trace;
pub mod words;

pub use origin::Origin;
pub use site::{DeliveryOptions, Site};
pub use trace::{Stamp, Trace, received_line};
