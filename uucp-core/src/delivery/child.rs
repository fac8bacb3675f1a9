//! A child process that may not run for ever: its own process group, killed when the time limit passes.
//!
//! [`run`] gives it one input and waits for its end; a `Dialogue` is talked to.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::said::{LOOK, Said, Watch};
use crate::ended::{Watched, pid_of};

/// How long a program that was said goodbye to may take to end.
const PARTING: Duration = Duration::from_secs(10);
/// How long one that was killed is waited for.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// It was killed after the time limit.
    TimeLimit,
}

/// How a child ended, and what it said on standard output and standard error, as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// What it said, as far as it is kept: 4,096 bytes.
    pub said: String,
}

/// Runs `command` with `input` as its standard input, from the file's beginning.
///
/// What it says goes into a file, so neither side ever waits for the other's pipe; what is too much of it is not kept. Processes
/// that it leaves behind (Exim's delivery) go on: only a child that does not end is killed, and then with its whole group.
///
/// # Errors
/// When it cannot be started, or there is no room for what it says.
pub fn run(
    mut command: Command,
    input: &File,
    scratch: &Path,
    limit: Duration,
) -> io::Result<Finished> {
    let mut input = input.try_clone()?;
    input.rewind()?;
    let said = Said::new(scratch)?;
    let child = start(
        command
            .stdin(Stdio::from(input))
            .stdout(said.for_child()?)
            .stderr(said.for_child()?),
    )?;
    let group = pid_of(&child);
    let ending = match wait(child, limit, &said, || kill_group(group))? {
        Some(status) => ending_of(status),
        None => Ending::TimeLimit,
    };
    Ok(Finished {
        ending,
        said: said.line()?,
    })
}

/// A program that is talked to over its standard input and output.
#[derive(Debug)]
pub(super) struct Dialogue {
    child: Option<Child>,
    complaints: Said,
    _watch: Watch,
}

impl Dialogue {
    /// Starts it; gives its standard input and standard output.
    pub(super) fn start(
        command: &Path,
        arguments: &[&str],
        scratch: &Path,
    ) -> io::Result<(Self, OwnedFd, OwnedFd)> {
        let complaints = Said::new(scratch)?;
        let mut child = start(
            Command::new(command)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(complaints.for_child()?),
        )?;
        let ends = child.stdin.take().zip(child.stdout.take());
        let (input, output) = ends.ok_or(io::ErrorKind::BrokenPipe)?;
        let dialogue = Self {
            child: Some(child),
            _watch: complaints.watch()?,
            complaints,
        };
        Ok((dialogue, input.into(), output.into()))
    }

    /// Starts one that is only written to; gives its standard input.
    pub(super) fn start_silent(
        command: &Path,
        arguments: &[&str],
        scratch: &Path,
    ) -> io::Result<(Self, OwnedFd)> {
        let complaints = Said::new(scratch)?;
        let mut child = start(
            Command::new(command)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(complaints.for_child()?)
                .stderr(complaints.for_child()?),
        )?;
        let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let dialogue = Self {
            child: Some(child),
            _watch: complaints.watch()?,
            complaints,
        };
        Ok((dialogue, input.into()))
    }

    /// Waits for its end, when its input is closed.
    pub(super) fn end(mut self) -> Finished {
        let ended = self.child.take().map(|child| {
            let group = pid_of(&child);
            wait(child, PARTING, &self.complaints, || kill_group(group))
        });
        let ending = match ended {
            Some(Ok(Some(status))) => ending_of(status),
            _ => Ending::TimeLimit,
        };
        Finished {
            ending,
            said: self.said(),
        }
    }

    /// What it said on standard error.
    pub(super) fn said(&self) -> String {
        self.complaints.line().unwrap_or_default()
    }

    /// Ends it, with its children, whatever it does.
    pub(super) fn kill(&mut self) {
        if let Some(child) = &self.child {
            kill_group(pid_of(child));
        }
    }
}

impl Drop for Dialogue {
    /// It was said goodbye to, or its input was closed: it ends. The deliveries that it began go on.
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let leader = pid_of(&child);
            let _ = wait(child, PARTING, &self.complaints, || {
                let _ = kill(leader, Signal::SIGKILL);
            });
        }
    }
}

fn start(command: &mut Command) -> io::Result<Child> {
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    }
    command.process_group(0).spawn()
}

fn kill_group(group: Pid) {
    let _ = killpg(group, Signal::SIGKILL);
}

/// Waits for its end; `None` where it did not end in time and `stop` was called.
fn wait(
    mut child: Child,
    limit: Duration,
    said: &Said,
    stop: impl FnOnce(),
) -> io::Result<Option<ExitStatus>> {
    let watched = Watched::new(&child);
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if watched.ends_within(left.min(LOOK))? {
            return child.wait().map(Some);
        }
        said.cut_back();
        if left.is_zero() {
            break;
        }
    }
    stop();
    // One that runs as somebody else by now (Exim) cannot be killed: it is left alone, and never waited for without end.
    if watched.ends_within(LAST_WAIT)? {
        child.wait()?;
    }
    Ok(None)
}

fn ending_of(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn shell(script: &str, limit: Duration) -> Finished {
        let folder = tempfile::tempdir().unwrap();
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"hello\n").unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, &input, folder.path(), limit).unwrap()
    }

    #[test]
    fn a_child_reads_its_input_and_is_heard() {
        let finished = shell("cat; echo second >&2; exit 3", Duration::from_mins(1));
        assert_eq!(finished.ending, Ending::Exit(3));
        assert_eq!(finished.said, "hello second");
        assert_eq!(
            shell("kill -9 $$", Duration::from_mins(1)).ending,
            Ending::Signal(9)
        );
    }

    #[test]
    fn a_child_that_hangs_is_killed_with_its_children() {
        // `wait` for a grandchild: both must go, or this test hangs on the waiter.
        let finished = shell("sleep 1000 & wait", Duration::from_millis(50));
        assert_eq!(finished.ending, Ending::TimeLimit);
    }

    /// Says three megabytes on standard error, and goes on when most of that is gone again, for good.
    const FLOOD: &str = "is_short() { [ $(stat -L -c %s /proc/self/fd/2) -lt 1000000 ]; }; \
        echo first >&2; head -c 3000000 /dev/zero | tr '\\0' x >&2; \
        for look in $(seq 10000); do is_short && break; done; \
        [ $look -lt 10000 ] && echo more >&2 && is_short && echo cut";

    #[test]
    fn of_one_that_says_too_much_the_beginning_is_kept() {
        let finished = shell(&format!("{FLOOD} && exit 7"), Duration::from_mins(2));
        assert_eq!(finished.ending, Ending::Exit(7));
        assert!(finished.said.starts_with("first xxx"), "{}", finished.said);
        assert!(finished.said.len() <= 4096, "{}", finished.said.len());
        let folder = tempfile::tempdir().unwrap();
        let script = ["-c", FLOOD];
        let (talk, _, output) =
            Dialogue::start(Path::new("/bin/sh"), &script, folder.path()).unwrap();
        let heard = io::read_to_string(File::from(output)).unwrap();
        assert_eq!(heard, "cut\n");
        let finished = talk.end();
        assert_eq!(finished.ending, Ending::Exit(0));
        assert!(finished.said.starts_with("first xxx"), "{}", finished.said);
    }

    #[test]
    fn a_child_that_does_not_read_is_no_error() {
        assert_eq!(
            shell("exit 0", Duration::from_mins(1)).ending,
            Ending::Exit(0)
        );
    }
}
