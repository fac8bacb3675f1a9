//! The bodies of the engine's own programs: options, and what `run` does with them.

mod common;
mod debug;
mod queueing;
pub mod uuchk;
pub mod uucico;
pub mod uucp;
pub mod uupick;
pub mod uuto;
pub mod uux;
pub mod uuxqt;
