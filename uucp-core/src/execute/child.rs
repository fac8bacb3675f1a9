//! One child process: started without a shell, watched to its end, its words on standard error kept.
//!
//! A child has a process group of its own: what a terminal sends to us does not reach it, and when its time is over the
//! whole group goes. It inherits the open lock of its job, so that the job stays locked for as long as the command lives,
//! whatever becomes of us.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::line::{Line, Said};
use super::series;
use crate::ended::{Watched, pid_of};

/// How much of a command's standard error is kept for the report, in bytes: the beginning, where the reason stands.
pub const STDERR_KEPT: usize = 16 * 1024;

/// How long a process group is given between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// What is to be started.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The program's file; also its `argv[0]`, as with the peer's `uuxqt`.
    pub program: PathBuf,
    /// The other arguments.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Standard input; `/dev/null` without one.
    pub stdin: Option<File>,
    /// Standard output; `/dev/null` without one.
    pub stdout: Option<File>,
    /// A descriptor that the child keeps open, the job's lock.
    pub lock: Option<BorrowedFd<'a>>,
    /// How long it may run.
    pub time_limit: Duration,
    /// Whether it is offered to take further jobs when this one is done: see [`series`]. Only with a lock.
    pub may_stay: bool,
}

/// How a child came to its end.
#[derive(Debug)]
pub enum End {
    /// It left with a status, or a signal ended it.
    Status(ExitStatus),
    /// Its job is done, and it waits for the next.
    Stays,
    /// It ended without a word about its job, which was not its first.
    Silent,
    /// Its time was over, and its process group was killed.
    OutOfTime,
}

impl End {
    /// The exit status, `None` where there was none.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Status(status) => status.code(),
            Self::Stays => Some(0),
            Self::Silent | Self::OutOfTime => None,
        }
    }

    /// The end in words, for the log and for a report.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::OutOfTime => "Ran longer than it may".into(),
            Self::Stays => "Done".into(),
            Self::Silent => "Ended without a word".into(),
            Self::Status(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("Exit status {code}"),
                (None, Some(signal)) => format!("Got signal {signal}"),
                (None, None) => status.to_string(),
            },
        }
    }
}

/// A child that came to its end.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// The beginning of what it wrote on standard error.
    pub stderr: Vec<u8>,
}

/// A child that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stderr: PipeReader,
    line: Option<Line>,
    /// Whether it has done a job before this one.
    is_proven: bool,
    time_limit: Duration,
}

impl Running {
    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// Waits for the end of its job. Where that is [`End::Stays`], the child as well.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn wait(mut self) -> io::Result<(Finished, Option<Self>)> {
        let finished = self.watch()?;
        let stays = matches!(finished.end, End::Stays);
        Ok((finished, stays.then_some(self)))
    }

    /// Gives a child that stayed its next job.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn go_on(
        &mut self,
        job: &[u8],
        stdin: BorrowedFd<'_>,
        lock: BorrowedFd<'_>,
        time_limit: Duration,
    ) -> io::Result<()> {
        let line = self.line.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        line.send(job, stdin, lock)?;
        self.is_proven = true;
        self.time_limit = time_limit;
        Ok(())
    }

    /// Ends a child that stayed.
    pub(super) fn dismiss(&mut self) {
        self.line = None;
        self.time_limit = GRACE;
        let _ = self.watch();
    }
}

impl Launch<'_> {
    /// Starts the child.
    ///
    /// # Errors
    /// When it could not be started.
    pub fn start(mut self) -> io::Result<Running> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(&reader)?;
        let time_limit = self.time_limit;
        // Without the socket it does one job, like any command.
        let line = (self.may_stay && self.lock.is_some())
            .then(|| Line::open().ok())
            .flatten();
        if let (Some(line), Some(lock)) = (&line, self.lock) {
            let variable = line.variable(lock.as_raw_fd());
            self.environment.push((series::VARIABLE, variable.into()));
        }
        Ok(Running {
            child: self.spawn(writer)?,
            stderr: reader,
            line,
            is_proven: false,
            time_limit,
        })
    }

    fn spawn(self, stderr: io::PipeWriter) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(&self.directory)
            .stdin(self.stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(self.stdout.map_or_else(Stdio::null, Stdio::from))
            .stderr(stderr)
            .process_group(0);
        let Some(lock) = self.lock else {
            return command.spawn();
        };
        // No other child starts in between: a worker runs one job at a time.
        set_close_on_exec(lock, false)?;
        let child = command.spawn();
        set_close_on_exec(lock, true)?;
        child
    }
}

fn set_close_on_exec(descriptor: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = if on {
        FdFlag::FD_CLOEXEC
    } else {
        FdFlag::empty()
    };
    fcntl(descriptor, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

fn set_nonblocking(descriptor: impl AsFd) -> io::Result<()> {
    let flags = fcntl(&descriptor, FcntlArg::F_GETFL)?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(&descriptor, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Ended,
    Done,
    TimeOver,
}

impl Running {
    /// Watches the child until it ends, says that its job is done, or its time is over.
    fn watch(&mut self) -> io::Result<Finished> {
        let pid = self.pid();
        let watched = Watched::new(&self.child);
        let mut kept = Vec::new();
        let limit = self.time_limit;
        let is_late = match self.wait_until(&watched, &mut kept, limit)? {
            Seen::Ended => false,
            Seen::Done => {
                drain(&mut self.stderr, &mut kept);
                return Ok(Finished {
                    end: End::Stays,
                    stderr: kept,
                });
            }
            Seen::TimeOver => true,
        };
        if is_late {
            self.line = None;
            let _ = killpg(pid, Signal::SIGTERM);
            if self.wait_until(&watched, &mut kept, GRACE)? == Seen::TimeOver {
                let _ = killpg(pid, Signal::SIGKILL);
            }
        }
        let finished = self.reap(kept, is_late);
        if is_late {
            // What of the group outlived its leader has had its time as well.
            let _ = killpg(pid, Signal::SIGKILL);
        }
        finished
    }

    fn wait_until(
        &mut self,
        watched: &Watched,
        kept: &mut Vec<u8>,
        limit: Duration,
    ) -> io::Result<Seen> {
        let start = Instant::now();
        let mut listening = true;
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(Seen::TimeOver);
            }
            let output = listening.then_some(self.stderr.as_fd());
            let line = self.line.as_ref().map(Line::as_fd);
            let news = watched.wait_for_either(output, line, left)?;
            if news.output {
                listening = drain(&mut self.stderr, kept);
            }
            // Before its end: the word may be the last that it said.
            if news.other && self.hear() {
                return Ok(Seen::Done);
            }
            if news.ended {
                return Ok(Seen::Ended);
            }
        }
    }

    /// Whether the child says that its job is done.
    fn hear(&mut self) -> bool {
        let pid = self.pid();
        match self.line.as_mut().map(|line| line.hear(pid)) {
            Some(Said::Done) => return true,
            Some(Said::Gone) => self.line = None,
            Some(Said::Nothing) | None => {}
        }
        false
    }

    /// Takes the child's status. A daemon that it left behind may hold standard error open; nobody waits for that.
    fn reap(&mut self, mut kept: Vec<u8>, is_late: bool) -> io::Result<Finished> {
        let status = self.child.wait()?;
        drain(&mut self.stderr, &mut kept);
        let end = if is_late {
            End::OutOfTime
        } else if self.is_proven && status.success() {
            End::Silent
        } else {
            End::Status(status)
        };
        Ok(Finished { end, stderr: kept })
    }
}

/// Reads what is there without waiting, keeps the beginning; false at the end of the output.
fn drain(stderr: &mut PipeReader, kept: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    // A command that floods is read for a while, then the clock and its end are looked at again.
    for _ in 0..64 {
        match stderr.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let room = STDERR_KEPT.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

#[cfg(test)]
mod tests;
