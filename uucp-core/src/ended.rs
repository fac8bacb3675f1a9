//! The end of a child process, seen by poll(2) beside its output and the clock.
//!
//! Linux gives a descriptor for that (`pidfd_open(2)`, since 5.3). Where it does not, as in older kernels and some sandboxes,
//! the child is looked at every few milliseconds. A thread that waits would do as well, but in a virtual machine it costs a
//! short command a fifth of its time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

/// How often a child is looked at that has no descriptor.
const LOOK: Duration = Duration::from_millis(5);

/// Watches one child, and leaves it to be reaped: until then its number cannot be another's, and killing it is safe.
#[derive(Debug)]
pub(crate) struct Watched {
    pid: Pid,
    descriptor: Option<OwnedFd>,
}

/// What one look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct News {
    /// The child has ended.
    pub(crate) ended: bool,
    /// The output can be read, or is at its end.
    pub(crate) output: bool,
    /// So is the other one.
    pub(crate) other: bool,
}

/// The number of a child, which is also its process group's where it leads one.
pub(crate) fn pid_of(child: &Child) -> Pid {
    // Numbers of processes are positive and fit.
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

impl Watched {
    /// Begins to watch.
    pub(crate) fn new(child: &Child) -> Self {
        let pid = pid_of(child);
        let number = rustix::process::Pid::from_raw(pid.as_raw());
        let descriptor = number.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { pid, descriptor }
    }

    /// Waits until the child ends, its output can be read, or the time is over.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub(crate) fn wait(&self, output: Option<BorrowedFd<'_>>, limit: Duration) -> io::Result<News> {
        self.wait_for_either(output, None, limit)
    }

    /// As [`Self::wait`], with another descriptor beside the output.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub(crate) fn wait_for_either(
        &self,
        output: Option<BorrowedFd<'_>>,
        other: Option<BorrowedFd<'_>>,
        limit: Duration,
    ) -> io::Result<News> {
        let limit = match self.descriptor {
            Some(_) => limit,
            None => limit.min(LOOK),
        };
        // Rounded up, so that the last round does not spin.
        let timeout = PollTimeout::try_from(limit.saturating_add(Duration::from_millis(1)))
            .unwrap_or(PollTimeout::MAX);
        let end = self.descriptor.as_ref().map(AsFd::as_fd);
        let mut descriptors: Vec<_> = output
            .into_iter()
            .chain(other)
            .chain(end)
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut seen = descriptors.iter().map(|one| one.any().unwrap_or(false));
        let output = output.is_some() && seen.next().unwrap_or(false);
        let other = other.is_some() && seen.next().unwrap_or(false);
        let ended = match self.descriptor {
            Some(_) => seen.next().unwrap_or(false),
            None => self.has_ended(),
        };
        Ok(News {
            ended,
            output,
            other,
        })
    }

    /// True when the child has ended by then.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub(crate) fn ends_within(&self, limit: Duration) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if self.wait(None, left)?.ended {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
        }
    }

    fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        !matches!(
            waitid(Id::Pid(self.pid), flags),
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn cat() -> Child {
        let mut command = Command::new("/bin/cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().unwrap()
    }

    /// With the descriptor, and as on a kernel that has none.
    fn both_ways(child: &Child) -> [Watched; 2] {
        let with = Watched::new(child);
        assert!(with.descriptor.is_some());
        let without = Watched {
            pid: with.pid,
            descriptor: None,
        };
        [with, without]
    }

    #[test]
    fn a_child_that_runs_is_not_ended_and_one_that_ended_is() {
        let mut child = cat();
        for watched in both_ways(&child) {
            assert!(!watched.ends_within(Duration::ZERO).unwrap());
        }
        drop(child.stdin.take());
        for watched in both_ways(&child) {
            assert!(watched.ends_within(Duration::from_mins(1)).unwrap());
        }
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn output_is_seen_before_the_end() {
        let mut child = cat();
        let output = child.stdout.take().unwrap();
        let hour = Duration::from_hours(1);
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        for watched in both_ways(&child) {
            let news = loop {
                let news = watched.wait(Some(output.as_fd()), hour).unwrap();
                if news.output {
                    break news;
                }
            };
            assert!(!news.ended);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
