//! Signals, read from a descriptor: what a handler would do is done where it is safe.
//!
//! `SIGTERM`, `SIGQUIT` and `SIGHUP` end the call that is under way; after `SIGHUP` the next may begin. `SIGINT` lets the
//! call finish and no other begin.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that this process has got.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
    /// No further call is to begin.
    stop: AtomicBool,
}

/// Which signals have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// `SIGTERM` or `SIGQUIT`.
    pub(super) terminate: bool,
    /// `SIGINT`.
    pub(super) interrupt: bool,
    /// `SIGHUP`.
    pub(super) hang_up: bool,
}

impl Signals {
    /// Takes the signals from now on. Children start with none of them blocked.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn take() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGQUIT,
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGCHLD,
        ] {
            set.add(signal);
        }
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self {
            descriptor: SignalFd::with_flags(&set, flags)?,
            stop: AtomicBool::new(false),
        })
    }

    /// Reads what has come.
    #[must_use]
    pub(super) fn read(&self) -> Received {
        let mut received = Received::default();
        while let Ok(Some(info)) = self.descriptor.read_signal() {
            match i32::try_from(info.ssi_signo).map(Signal::try_from) {
                Ok(Ok(Signal::SIGTERM | Signal::SIGQUIT)) => received.terminate = true,
                Ok(Ok(Signal::SIGHUP)) => received.hang_up = true,
                Ok(Ok(Signal::SIGINT)) => received.interrupt = true,
                _ => {}
            }
        }
        if received.terminate || received.interrupt {
            self.stop.store(true, Ordering::Relaxed);
        }
        received
    }

    /// Reads what has come; whether the call that is under way is to end.
    #[must_use]
    pub fn ends_call(&self) -> bool {
        let received = self.read();
        received.terminate || received.hang_up
    }

    /// Lets time pass; less, when a signal comes.
    pub fn pause(&self, time: Duration) {
        let mut watched = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        // Whatever ends it, the time is over.
        let _ = poll(&mut watched, time);
    }

    /// Whether no further call is to begin.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.ends_call() || self.stop.load(Ordering::Relaxed)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
