//! Starting programs from a process that takes its signals from a descriptor.

use std::io;
use std::process::{Child, Command};

use nix::sys::signal::SigSet;

/// Starts a program with no signal blocked. The standard library hands our own mask on, and a child that never sees
/// `SIGTERM` can only be killed.
///
/// # Errors
/// When the program cannot be started.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let ours = SigSet::thread_get_mask()?;
    SigSet::empty().thread_set_mask()?;
    let child = command.spawn();
    ours.thread_set_mask()?;
    child
}
