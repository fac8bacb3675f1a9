//! One child process: started without a shell, watched to its end, its words on standard error kept.
//!
//! A child has a process group of its own: what a terminal sends to us does not reach it, and when its time is over the
//! whole group goes. It inherits the open lock of its job, so that the job stays locked for as long as the command lives,
//! whatever becomes of us.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

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
}

/// How a child came to its end.
#[derive(Debug)]
pub enum End {
    /// It left with a status, or a signal ended it.
    Status(ExitStatus),
    /// Its time was over, and its process group was killed.
    OutOfTime,
}

impl End {
    /// The exit status, `None` where there was none.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Status(status) => status.code(),
            Self::OutOfTime => None,
        }
    }

    /// The end in words, for the log and for a report.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::OutOfTime => "Ran longer than it may".into(),
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
    time_limit: Duration,
}

impl Running {
    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn wait(self) -> io::Result<Finished> {
        watch(self)
    }
}

impl Launch<'_> {
    /// Starts the child.
    ///
    /// # Errors
    /// When it could not be started.
    pub fn start(self) -> io::Result<Running> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(&reader)?;
        let time_limit = self.time_limit;
        Ok(Running {
            child: self.spawn(writer)?,
            stderr: reader,
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

/// Watches a child until it ends or its time is over.
fn watch(running: Running) -> io::Result<Finished> {
    let pid = running.pid();
    let Running {
        mut child,
        mut stderr,
        time_limit,
    } = running;
    let watched = Watched::new(&child);
    let mut kept = Vec::new();
    let in_time = wait_until_ended(&watched, &mut stderr, &mut kept, time_limit)?;
    if !in_time {
        let _ = killpg(pid, Signal::SIGTERM);
        if !wait_until_ended(&watched, &mut stderr, &mut kept, GRACE)? {
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
    let finished = reap(&mut child, &mut stderr, kept, !in_time);
    if !in_time {
        // What of the group outlived its leader has had its time as well.
        let _ = killpg(pid, Signal::SIGKILL);
    }
    finished
}

/// True when the child ended within the time.
fn wait_until_ended(
    watched: &Watched,
    stderr: &mut PipeReader,
    kept: &mut Vec<u8>,
    limit: Duration,
) -> io::Result<bool> {
    let start = Instant::now();
    let mut listening = true;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        let news = watched.wait(listening.then_some(stderr.as_fd()), left)?;
        if news.output {
            listening = drain(stderr, kept);
        }
        if news.ended {
            return Ok(true);
        }
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

/// Takes the child's status. A daemon that it left behind may hold standard error open; nobody waits for that.
fn reap(
    child: &mut Child,
    stderr: &mut PipeReader,
    mut kept: Vec<u8>,
    out_of_time: bool,
) -> io::Result<Finished> {
    let status = child.wait()?;
    drain(stderr, &mut kept);
    let end = if out_of_time {
        End::OutOfTime
    } else {
        End::Status(status)
    };
    Ok(Finished { end, stderr: kept })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;

    fn shell(script: &str) -> Launch<'static> {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("PATH", "/bin:/usr/bin".into())],
            directory: "/".into(),
            stdin: None,
            stdout: None,
            lock: None,
            time_limit: Duration::from_mins(1),
        }
    }

    #[test]
    fn status_signal_and_words_are_seen() {
        let finished = shell("echo why >&2; exit 67")
            .start()
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(finished.end.code(), Some(67));
        assert_eq!(finished.end.describe(), "Exit status 67");
        assert_eq!(finished.stderr, b"why\n");

        let finished = shell("kill -9 $$").start().unwrap().wait().unwrap();
        assert_eq!(finished.end.code(), None);
        assert_eq!(finished.end.describe(), "Got signal 9");
    }

    #[test]
    fn a_flood_on_standard_error_is_bounded() {
        let finished = shell("head -c 3000000 /dev/zero >&2")
            .start()
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(finished.end.code(), Some(0));
        assert_eq!(finished.stderr.len(), STDERR_KEPT);
    }

    #[test]
    fn the_whole_group_goes_when_the_time_is_over() {
        let mut launch = shell("cat & echo $! ; cat");
        let (never, _open) = io::pipe().unwrap();
        let mut output = tempfile::tempfile().unwrap();
        launch.stdin = Some(File::from(std::os::fd::OwnedFd::from(never)));
        launch.stdout = Some(output.try_clone().unwrap());
        launch.time_limit = Duration::from_millis(200);
        let finished = launch.start().unwrap().wait().unwrap();
        assert!(matches!(finished.end, End::OutOfTime));
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        let grandchild = Pid::from_raw(text.trim().parse().unwrap());
        assert_eq!(gone(grandchild), Ok(()));
    }

    /// Waits, in bounds, until a process that was sent a signal is no more.
    fn gone(pid: Pid) -> Result<(), &'static str> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err("still there")
    }

    #[test]
    fn a_daemon_left_behind_is_not_waited_for() {
        let (never, open) = io::pipe().unwrap();
        let mut launch = shell("cat <&0 >&2 & exit 0");
        launch.stdin = Some(File::from(std::os::fd::OwnedFd::from(never)));
        let finished = launch.start().unwrap().wait().unwrap();
        assert_eq!(finished.end.code(), Some(0));
        drop(open);
    }

    #[test]
    fn the_environment_is_ours_alone() {
        let mut output = tempfile::tempfile().unwrap();
        let mut launch = shell("");
        launch.program = "/usr/bin/env".into();
        launch.arguments.clear();
        launch.stdout = Some(output.try_clone().unwrap());
        launch.start().unwrap().wait().unwrap();
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "PATH=/bin:/usr/bin\n");
    }

    #[test]
    fn the_child_holds_the_lock_and_no_later_child_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().lock().unwrap();
        let held = || {
            let other = File::open(file.path()).unwrap();
            other.try_lock().is_err()
        };
        let mut launch = shell("ls -l /proc/$$/fd >&2");
        launch.lock = Some(file.as_file().as_fd());
        let with = launch.start().unwrap().wait().unwrap();
        let name = file.path().to_str().unwrap();
        assert!(String::from_utf8_lossy(&with.stderr).contains(name));
        let without = shell("ls -l /proc/$$/fd >&2")
            .start()
            .unwrap()
            .wait()
            .unwrap();
        assert!(!String::from_utf8_lossy(&without.stderr).contains(name));
        assert!(held());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let mut launch = shell("");
        launch.program = "/nonexistent/rmail".into();
        assert_eq!(launch.start().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
