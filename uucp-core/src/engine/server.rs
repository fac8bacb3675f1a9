//! Waiting for calls: a process for each that has something to say, so many and no more.
//!
//! The process is this program again with the connection as its standard input: what an open call holds in memory dies with
//! it, and a fault in one call is no fault in another. Whoever says nothing costs a descriptor here and no process.

mod complaints;
mod door;
mod origin;
mod report;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::signals::Signals;
use crate::port::Listener;
use crate::spool::{Journal, Severity};
pub(super) use door::Door;
pub use report::ToServer;

/// How many connections are taken in one go before anything else is looked at.
const AT_ONCE: usize = 64;

/// A program and its arguments.
#[derive(Debug, Clone)]
pub struct ChildCommand {
    /// Its path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<std::ffi::OsString>,
}

/// How calls that come in are answered.
#[derive(Debug, Clone)]
pub struct Answerer {
    /// The program that answers one call; its standard output goes to [`ToServer`]'s other end.
    pub command: ChildCommand,
    /// What the caller is told before anything is started for it; the program follows its first line. Empty: the caller
    /// speaks first, and not in lines.
    pub greeting: Vec<u8>,
}

/// Takes the connections that are there.
pub(super) fn take_all(
    listener: &Listener,
    answerer: &Rc<Answerer>,
    door: &mut Door,
    log: &mut dyn FnMut(&str),
) {
    for _ in 0..AT_ONCE {
        let Some((stream, from)) = listener.try_accept() else {
            return;
        };
        door.arrive(Instant::now(), answerer, stream, from, log);
    }
}

/// Takes calls until a signal ends it. Calls that are under way go on.
///
/// # Errors
/// When the sockets fail.
pub fn serve(
    listener: &Listener,
    answerer: Answerer,
    journal: &mut Journal,
    signals: &Signals,
) -> std::io::Result<()> {
    use std::os::fd::AsFd;
    let mut door = Door::open()?;
    let answerer = Rc::new(answerer);
    let mut log = |text: &str| journal.log(None, None, Severity::Error, text);
    while !signals.stops() {
        take_all(listener, &answerer, &mut door, &mut log);
        door.look(Instant::now(), &mut log);
        let others = [signals.as_fd(), door.as_fd()];
        let mut watched: Vec<PollFd<'_>> = listener
            .descriptors()
            .chain(others)
            .map(|one| PollFd::new(one, PollFlags::POLLIN))
            .collect();
        match poll(&mut watched, patience(door.deadline())) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The time until then, rounded up: waking a moment early would only mean to wait once more.
fn patience(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
