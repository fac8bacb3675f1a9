//! The answer comes in time, and there is one: an MTA returns the mail of a program that exceeds its limit, and Exim that of
//! one that a signal has ended. So our limit is shorter than the MTA's, and the answer to both is 75.
//!
//! A disk that hangs cannot be waited for with a limit, so the limit is kept by a thread that ends the process. Exactly one
//! of the two answers.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::program;
use crate::sysexits::{Audience, Failure, Status};

/// Whether an answer is being given.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Starts the clock, and takes the signals that would end the program; Exim starts its programs with most of them ignored.
///
/// To be called before any other thread is started. Nothing is lost by ending at any moment: what is queued already is known
/// when the MTA delivers again.
///
/// # Errors
/// When no thread can be made; without a limit the work is not begun.
pub fn watch(name: &'static str, limit: Duration) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::temporary(format!("cannot watch over the time: {error}"))
    };
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        signals.add(signal);
    }
    // A signal that is blocked is kept even where it would be ignored.
    signals.thread_block().map_err(|e| failed(&e))?;
    let descriptor = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|e| failed(&e))?;
    let until = Instant::now() + limit;
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || {
            let why = wait(&descriptor, until)
                .unwrap_or_else(|| format!("not done within {} s", limit.as_secs()));
            expire(name, why);
        })
        .map(drop)
        .map_err(|e| failed(&e))
}

/// Waits until the time is over, or gives back what has come before.
fn wait(descriptor: &SignalFd, until: Instant) -> Option<String> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        // Rounded up, so that the last round does not spin.
        let milliseconds = left.as_millis().saturating_add(1);
        let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
        match poll(
            &mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)],
            timeout,
        ) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => {
                if let Ok(Some(signal)) = descriptor.read_signal() {
                    let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
                    let shown = Signal::try_from(number).map_or("a signal", Signal::as_str);
                    return Some(format!("ended by {shown}"));
                }
            }
            // The clock still runs.
            Err(_) => std::thread::sleep(left),
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the main thread may hang in the kernel for hours"
)]
fn expire(name: &str, why: String) {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        return;
    }
    let failure = Failure::new(Status::Temporary, why);
    let _ = program::report(name, Audience::Mail, &failure);
    std::process::exit(i32::from(failure.status.exit_status(Audience::Mail)));
}

/// Before the regular answer: it waits for its end where the clock was faster.
pub fn claim() {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::park();
        }
    }
}
