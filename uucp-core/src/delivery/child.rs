//! A child process that may not run for ever: its own process group, killed when the time limit passes.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How much of what a child says is kept, in bytes.
const OUTPUT_LIMIT: u64 = 4096;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// It was killed after the time limit.
    TimeLimit,
}

/// How a child ended, and what it said on standard output and standard error, as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) ending: Ending,
    pub(super) said: String,
}

/// Runs `command` with `input` as its standard input, from the file's beginning.
///
/// What it says goes into a file, so neither side ever waits for the other's pipe. Processes that it leaves behind (Exim's
/// delivery) go on: only a child that does not end is killed, and then with its whole group.
pub(super) fn run(
    mut command: Command,
    input: &File,
    scratch: &Path,
    limit: Duration,
) -> io::Result<Finished> {
    let mut input = input.try_clone()?;
    input.rewind()?;
    let mut output = tempfile::tempfile_in(scratch).or_else(|_| tempfile::tempfile())?;
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    }
    let mut child = command
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(output.try_clone()?))
        .process_group(0)
        .spawn()?;
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    let (sender, receiver) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let _ = sender.send(child.wait());
    });
    let ending = if let Ok(status) = receiver.recv_timeout(limit) {
        ending_of(status?)
    } else {
        if group.as_raw() > 0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
        Ending::TimeLimit
    };
    let _ = waiter.join();
    output.rewind()?;
    let mut said = Vec::new();
    output.take(OUTPUT_LIMIT).read_to_end(&mut said)?;
    Ok(Finished {
        ending,
        said: one_line(&said),
    })
}

fn ending_of(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or(0)),
    }
}

fn one_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
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

    #[test]
    fn a_child_that_does_not_read_is_no_error() {
        assert_eq!(
            shell("exit 0", Duration::from_mins(1)).ending,
            Ending::Exit(0)
        );
    }
}
