//! Calls: the loop that joins a port, a conversation and the spool, and everything around it: when a system may be called,
//! over which port, who may come in, what the status file says afterwards.
//!
//! One thread for each call, `poll(2)`, nothing in it that waits but the loop in `driver`; beside it the main thread does what
//! the call asks for and may no longer do itself. In a call that goes well no timer ever expires.

mod answer;
mod behind;
mod call;
mod confine;
mod daemon;
mod debugging;
mod describe;
mod desk;
mod dial;
mod driver;
mod encryption;
mod executions;
mod hooks;
mod line;
mod neighbour;
mod notify;
mod opening;
mod outcome;
mod outside;
mod packer;
mod paths;
pub(crate) mod pattern;
mod placed;
mod placing;
mod program;
mod progress;
mod readable;
mod receive;
mod refusals;
mod relay;
mod round;
mod serial;
mod serve;
mod server;
mod signals;
mod work;

pub use answer::{Answer, answer};
pub use call::{CallError, CallOptions, Called, call};
#[cfg(feature = "cli")]
pub(crate) use confine::{can_confine, unconfined};
pub use daemon::{DaemonOptions, Reload, Reread, Waiting, daemon};
pub use debugging::{DebugSwitch, system_of_call};
pub use encryption::{Certified, answer_encrypted, certificate};
pub use executions::ExecuteEvery;
pub use line::LineInfo;
#[cfg(feature = "cli")]
pub(crate) use opening::ports;
pub use outcome::Finished;
pub use placed::after_others;
pub use placing::shuffle;
pub use round::{RoundOptions, round};
pub use serial::WaitingLine;
pub use server::{Answerer, ChildCommand, ToServer, serve};
pub use signals::Signals;
