//! The answer comes in time: Postfix bounces the mail of a program that exceeds its limit, so ours is shorter and its answer
//! is 75.
//!
//! A disk that hangs cannot be waited for with a limit, so the limit is kept by a thread that ends the process. Exactly one
//! of the two answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uucp_core::program;
use uucp_core::sysexits::{Audience, Failure, Status};

/// Whether an answer is being given.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Starts the clock.
///
/// # Errors
/// When no thread can be made; without a limit the work is not begun.
pub(crate) fn watch(limit: Duration) -> Result<(), Failure> {
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || {
            std::thread::sleep(limit);
            expire(limit);
        })
        .map(drop)
        .map_err(|error| Failure::temporary(format!("cannot start a thread: {error}")))
}

/// Nothing is lost by ending here: a job that is queued already is known when Postfix delivers again.
#[expect(
    clippy::exit,
    reason = "the main thread may hang in the kernel for hours"
)]
fn expire(limit: Duration) {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        return;
    }
    let failure = Failure::new(
        Status::Temporary,
        format!("not done within {} s", limit.as_secs()),
    );
    let _ = program::report("postfix-uucp", Audience::Mail, &failure);
    std::process::exit(i32::from(failure.status.exit_status(Audience::Mail)));
}

/// Before the regular answer: it waits for its end where the clock was faster.
pub(crate) fn claim() {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::park();
        }
    }
}
