//! Bangpath: mail over UUCP.
//!
//! ```text
//! MTA ──> sender ──> spool ──> engine ──> wire ──> engine ──> spool ──> execution ──> receiver ──> MTA
//!
//! a message a job:
//! Postfix  postfix-uucp  C. D.   uucico                uucico    X. D.      uuxqt       rmail      Postfix
//!
//! in batches, packed and compressed when a call begins:
//! Exim     exim-bsmtp    outbox  uucico                uucico    X. D.      uuxqt       rsmtp      Exim
//!                        ──> C. D.
//! ```
//!
//! Either sender can do both, and either MTA can be at either end. Batches also go over NNCP, which then takes the place of
//! engine, wire, spool and execution.
//!
//! Every module is a station of this line; nothing imports from a station to its right, except through the spool.

pub mod address;
pub mod bsmtp;
pub mod clock;
pub mod codec;
pub mod collect;
#[cfg(feature = "cli")]
pub mod command;
pub mod config;
pub mod conversation;
pub mod delivery;
mod ended;
pub mod engine;
pub mod execute;
mod limits;
pub mod link;
pub mod name;
pub mod outbox;
pub mod owner;
pub mod port;
pub mod program;
#[cfg(test)]
mod pty;
pub mod receive;
pub mod report;
#[cfg(test)]
mod runnable;
pub mod send;
#[cfg(test)]
mod skip;
pub mod spool;
pub mod stop;
pub mod sysexits;
pub mod wire;
