//! A round: one call to each system that has work, several side by side.
//!
//! Each is a process of its own, as the daemon's are: this program again. A serial line carries one call at a time; one whose
//! line another call of the round has ends without a trace, names that one, and is made again after it.

mod plan;

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, ExitCode, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

use super::placing::place;
use super::server::ChildCommand;
use super::signals::Signals;
use crate::ended::pid_of;
use crate::name::SystemName;
use plan::Plan;

/// How a call ends that is to be made again after others, whose process numbers it writes to standard output.
const AFTER_OTHERS: u8 = 75;
/// More than the numbers of all that can have a line take.
const LONGEST_WORD: usize = 4096;

/// How a round is made.
#[derive(Debug)]
pub struct RoundOptions {
    /// How many calls at once.
    pub calls: usize,
    /// What makes one; the system's name comes last.
    pub call: ChildCommand,
}

/// One call under way.
#[derive(Debug)]
struct Placed {
    system: SystemName,
    child: Child,
    output: Option<ChildStdout>,
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
            match place(&options.call, &system, Stdio::piped()) {
                Ok(mut child) => placed.push(Placed {
                    system,
                    output: child.stdout.take(),
                    child,
                }),
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
        let _ = kill(pid_of(&one.child), signal);
    }
}

/// Looks which calls are over; whether all those went well.
fn reap(placed: &mut Vec<Placed>, plan: &mut Plan) -> bool {
    let mut good = true;
    let mut over = Vec::new();
    let mut index = 0;
    while let Some(one) = placed.get_mut(index) {
        match one.child.try_wait() {
            Ok(None) => index += 1,
            Ok(Some(status)) => over.push((placed.swap_remove(index), Some(status))),
            Err(_) => over.push((placed.swap_remove(index), None)),
        }
    }
    // Those that others may be behind come last: a line is free only once its call is known to be over.
    let (again, done): (Vec<_>, Vec<_>) = over.into_iter().partition(|(_, status)| {
        status.and_then(|status| status.code()) == Some(i32::from(AFTER_OTHERS))
    });
    for (one, _) in again {
        let holders = one.output.map(read_holders).unwrap_or_default();
        let of_round = |placed: &Placed| holders.contains(&pid_of(&placed.child).as_raw());
        let ended = done.iter().map(|(one, _)| one);
        let others = placed.iter().chain(ended).filter(|other| of_round(other));
        plan.after(
            one.system,
            others.map(|other| other.system.clone()).collect(),
        );
    }
    for (one, status) in done {
        plan.over(&one.system);
        good &= status.is_some_and(|status: ExitStatus| status.success());
    }
    good
}

/// The calls that this one is to come after: what it wrote before its end, in one piece.
fn read_holders(mut output: ChildStdout) -> Vec<i32> {
    let mut buffer = [0; LONGEST_WORD];
    let count = output.read(&mut buffer).unwrap_or_default();
    let words = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
    let numbers = words.split_whitespace();
    numbers.filter_map(|word| word.parse().ok()).collect()
}

/// In a call of a round: tells the round to make it again after those of these processes, and how to end.
#[must_use]
pub fn after_others(holders: &[i32]) -> ExitCode {
    let words: Vec<String> = holders.iter().map(ToString::to_string).collect();
    // Unheard, it is made again at once.
    let _ = io::stdout().write_all(words.join(" ").as_bytes());
    let _ = io::stdout().flush();
    ExitCode::from(AFTER_OTHERS)
}

/// Whose a lock is, as a call of a round sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Another call of the same round.
    OfRound(i32),
    /// Somebody else.
    Stranger,
    /// A process that is gone, or none: the lock is just being taken or given back.
    Nobody,
}

impl Holder {
    /// Whose the process of this number is.
    pub(super) fn of(pid: Option<i32>) -> Self {
        let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent_of(pid)?))) else {
            return Self::Nobody;
        };
        if parent == getppid() {
            Self::OfRound(pid)
        } else {
            Self::Stranger
        }
    }
}

fn parent_of(pid: i32) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state comes before the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    let parent = rest.split_ascii_whitespace().nth(1)?;
    parent.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_lock_is_is_told_by_the_parent() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(Holder::of(Some(own)), Holder::OfRound(own));
        assert_eq!(Holder::of(Some(getppid().as_raw())), Holder::Stranger);
        assert_eq!(Holder::of(None), Holder::Nobody);
        let gone = std::process::Command::new("true").spawn().unwrap();
        let pid = pid_of(&gone).as_raw();
        assert!(gone.wait_with_output().unwrap().status.success());
        assert_eq!(Holder::of(Some(pid)), Holder::Nobody);
    }
}
