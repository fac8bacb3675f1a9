//! To be told to end while mail is handed over: the message in hand is brought to its end first.
//!
//! Between the MTA's yes and the record of it a signal must not end the process: the message would be offered again. From
//! [`hold`] on `SIGTERM`, `SIGINT` and `SIGHUP` wait, and whoever has several messages asks [`is_asked`] before each. How long that
//! can take is bounded by the time limits that the MTA is given. `SIGQUIT` and `SIGKILL` end the process at once, as ever.

use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that wait make it readable. It is never read: other readers of this process are to find them, too.
static WAITING: OnceLock<SignalFd> = OnceLock::new();

/// Lets signals that mean to end this process wait, in this thread and in those that it starts. Programs that it runs start
/// with none of them blocked. There is no way back: what is done at the end of a program takes no time.
///
/// # Errors
/// When the operating system refuses.
pub fn hold() -> io::Result<()> {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
        .into_iter()
        .collect();
    signals.thread_block()?;
    if WAITING.get().is_none() {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let descriptor = SignalFd::with_flags(&signals, flags)?;
        // Another thread may have been first; one is enough.
        let _ = WAITING.set(descriptor);
    }
    Ok(())
}

/// Whether such a signal waits: nothing further is to begin.
#[must_use]
pub fn is_asked() -> bool {
    WAITING.get().is_some_and(|descriptor| {
        let mut watched = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut watched, PollTimeout::ZERO), Ok(1..))
    })
}
