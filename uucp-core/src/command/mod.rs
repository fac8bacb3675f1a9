//! The bodies of the engine's own programs: options, and what `run` does with them.

mod debug;
pub mod uucico;
pub mod uux;
pub mod uuxqt;
