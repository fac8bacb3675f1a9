//! Calls side by side, of a round or of the daemon: each is a process of its own, this program again.
//!
//! A serial line carries one call at a time. One whose line another of these calls has ends without a trace, names that one,
//! and is made again after it.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdout, ExitCode, ExitStatus, Stdio};

use nix::unistd::{Pid, getppid};

use super::placing::place;
use super::server::ChildCommand;
use crate::ended::pid_of;
use crate::name::SystemName;

/// How a call ends that is to be made again after others, whose process numbers it writes to standard output.
const AFTER_OTHERS: u8 = 75;
/// More than the numbers of all that can have a line take.
const LONGEST_WORD: usize = 4096;

/// One call under way.
#[derive(Debug)]
pub(super) struct Placed {
    system: SystemName,
    child: Child,
    output: Option<ChildStdout>,
}

impl Placed {
    /// Starts the process that calls a system.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn place(command: &ChildCommand, system: &SystemName) -> io::Result<Self> {
        let mut child = place(command, system, Stdio::piped())?;
        Ok(Self {
            system: system.clone(),
            output: child.stdout.take(),
            child,
        })
    }

    /// The number of its process.
    pub(super) fn pid(&self) -> Pid {
        pid_of(&self.child)
    }
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Ended {
    /// Who was called.
    pub(super) system: SystemName,
    /// Whether it went well.
    pub(super) good: bool,
    /// It was not made: these, if they are not over by now, have its line.
    pub(super) behind: Option<Vec<SystemName>>,
}

/// Takes the calls that are over out of `placed`. Those that others may be behind come last: a line is free only once its call
/// is known to be over.
pub(super) fn take_ended(placed: &mut Vec<Placed>) -> Vec<Ended> {
    let mut over = Vec::new();
    let mut index = 0;
    while let Some(one) = placed.get_mut(index) {
        match one.child.try_wait() {
            Ok(None) => index += 1,
            Ok(Some(status)) => over.push((placed.swap_remove(index), Some(status))),
            Err(_) => over.push((placed.swap_remove(index), None)),
        }
    }
    let (again, done): (Vec<_>, Vec<_>) = over.into_iter().partition(|(_, status)| {
        status.and_then(|status| status.code()) == Some(i32::from(AFTER_OTHERS))
    });
    let mut ended = Vec::new();
    for (one, _) in again {
        let holders = one.output.map(read_holders).unwrap_or_default();
        let others = placed.iter().chain(done.iter().map(|(one, _)| one));
        let others = others.filter(|other| holders.contains(&other.pid().as_raw()));
        ended.push(Ended {
            behind: Some(others.map(|other| other.system.clone()).collect()),
            system: one.system,
            good: true,
        });
    }
    ended.extend(done.into_iter().map(|(one, status)| Ended {
        system: one.system,
        good: status.is_some_and(|status: ExitStatus| status.success()),
        behind: None,
    }));
    ended
}

/// The calls that this one is to come after: what it wrote before its end, in one piece.
fn read_holders(mut output: ChildStdout) -> Vec<i32> {
    let mut buffer = [0; LONGEST_WORD];
    let count = output.read(&mut buffer).unwrap_or_default();
    let words = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
    let numbers = words.split_whitespace();
    numbers.filter_map(|word| word.parse().ok()).collect()
}

/// In such a call: tells whoever has placed it to make it again after those of these processes, and how to end.
#[must_use]
pub fn after_others(holders: &[i32]) -> ExitCode {
    let words: Vec<String> = holders.iter().map(ToString::to_string).collect();
    // Unheard, it is made again at once.
    let _ = io::stdout().write_all(words.join(" ").as_bytes());
    let _ = io::stdout().flush();
    ExitCode::from(AFTER_OTHERS)
}

/// Whose a lock is, as such a call sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Another call that the same process has placed.
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
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::ended::Watched;

    /// A call that has come to its end with this status, after having written this.
    fn over(system: &str, status: u8, written: &str) -> Placed {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("echo {written}; exit {status}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let watched = Watched::new(&child);
        assert!(watched.ends_within(Duration::from_mins(5)).unwrap());
        Placed {
            system: system.parse().unwrap(),
            output: child.stdout.take(),
            child,
        }
    }

    #[test]
    fn who_was_behind_a_call_that_is_over_at_the_same_time_was_behind_it() {
        let first = over("a", 0, "");
        let pid = first.pid();
        // Also behind one that is over for longer, which nobody waits for.
        let words = format!("{pid} 999999999");
        let behind = ["b", "c"].map(|system| over(system, AFTER_OTHERS, &words));
        let mut placed: Vec<Placed> = std::iter::once(first).chain(behind).collect();
        let ended = take_ended(&mut placed);
        assert!(placed.is_empty());
        let told: Vec<_> = ended
            .iter()
            .map(|one| (one.system.as_str(), one.good, one.behind.as_deref()))
            .collect();
        let others: &[SystemName] = &["a".parse().unwrap()];
        let wanted = [
            ("b", true, Some(others)),
            ("c", true, Some(others)),
            ("a", true, None),
        ];
        assert_eq!(told.last(), wanted.last());
        assert!(wanted.iter().all(|one| told.contains(one)), "{told:?}");
    }

    #[test]
    fn whose_a_lock_is_is_told_by_the_parent() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(Holder::of(Some(own)), Holder::OfRound(own));
        assert_eq!(Holder::of(Some(getppid().as_raw())), Holder::Stranger);
        assert_eq!(Holder::of(None), Holder::Nobody);
        let gone = Command::new("true").spawn().unwrap();
        let pid = pid_of(&gone).as_raw();
        assert!(gone.wait_with_output().unwrap().status.success());
        assert_eq!(Holder::of(Some(pid)), Holder::Nobody);
    }
}
