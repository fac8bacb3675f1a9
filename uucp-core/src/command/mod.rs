//! The bodies of the engine's own programs: options, and what `run` does with them.

pub mod uux;
