//! A round: one call to each system that has work, several side by side.
//!
//! Each is a process of its own, as the daemon's are: this program again. A serial line carries one call at a time; one whose
//! line another call of the round has ends without a trace, names that one, and is made again after it.

mod plan;

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};

use super::placed::{Placed, take_ended};
use super::server::ChildCommand;
use super::signals::Signals;
use crate::name::SystemName;
use plan::Plan;

/// How a round is made.
#[derive(Debug)]
pub struct RoundOptions {
    /// How many calls at once.
    pub calls: usize,
    /// What makes one; the system's name comes last.
    pub call: ChildCommand,
}

/// Calls each of the systems once, in any order; whether all went well. A signal that ends calls is handed on to them; one
/// after which no further call is to begin lets none begin. `failed` is told why a call cannot even be started.
///
/// # Errors
/// When the operating system does not let it wait. The calls go on.
pub fn round(
    systems: Vec<SystemName>,
    options: &RoundOptions,
    signals: &Signals,
    failed: &mut dyn FnMut(&SystemName, &io::Error),
) -> io::Result<bool> {
    let mut plan = Plan::new(options.calls, systems);
    let mut placed: Vec<Placed> = Vec::new();
    let mut good = true;
    loop {
        let received = signals.read();
        if received.terminate {
            tell_all(&placed, Signal::SIGTERM);
        } else if received.hang_up {
            tell_all(&placed, Signal::SIGHUP);
        }
        if received.terminate || received.interrupt {
            plan.stop();
        }
        good &= reap(&mut placed, &mut plan);
        while let Some(system) = plan.next() {
            match Placed::place(&options.call, &system) {
                Ok(one) => placed.push(one),
                Err(error) => {
                    failed(&system, &error);
                    plan.over(&system);
                    good = false;
                }
            }
        }
        if placed.is_empty() {
            return Ok(good);
        }
        // The end of a child is a signal, too.
        let mut watched = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn tell_all(placed: &[Placed], signal: Signal) {
    for one in placed {
        let _ = kill(one.pid(), signal);
    }
}

/// Looks which calls are over; whether all those went well.
fn reap(placed: &mut Vec<Placed>, plan: &mut Plan) -> bool {
    let mut good = true;
    for ended in take_ended(placed) {
        if let Some(others) = ended.behind {
            plan.after(ended.system, others);
        } else {
            plan.over(&ended.system);
            good &= ended.good;
        }
    }
    good
}
