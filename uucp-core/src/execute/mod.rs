//! What `uuxqt` does with an execute file: permission, environment, run, retry, report.

pub mod arguments;
pub mod child;
pub mod environment;
pub mod permission;
