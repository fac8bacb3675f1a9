//! A program whose standard input and output are the line: ssh, a modem dialler, another uucico.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::line::Line;
use super::{LineTraits, Port, PortError, PortRead, spawn};

/// How long the program may take to end by itself once its input is closed.
const EXIT_LIMIT: Duration = Duration::from_secs(3);
/// How long it may take after it was asked to.
const KILL_LIMIT: Duration = Duration::from_secs(1);
/// Room in each pipe: a window of any protocol fits.
const PIPE_SIZE: i32 = 256 * 1024;

/// A running program.
#[derive(Debug)]
pub struct PipePort {
    line: Line,
    child: Option<Child>,
    /// What the configuration says of it.
    traits: LineTraits,
}

impl PipePort {
    /// Starts the program in a process group of its own. The words `\H` and `\Z` stand for the system's address and name.
    ///
    /// # Errors
    /// When there is no program, or it cannot be started.
    pub fn open(
        command: &[Vec<u8>],
        address: &[u8],
        system: &[u8],
        traits: LineTraits,
    ) -> Result<Self, PortError> {
        use std::os::unix::ffi::OsStrExt;
        let words: Vec<&[u8]> = command
            .iter()
            .map(|word| match word.as_slice() {
                b"\\H" => address,
                b"\\Z" => system,
                other => other,
            })
            .collect();
        let Some((program, arguments)) = words.split_first() else {
            return Err(PortError::Address("the pipe port has no command".into()));
        };
        let fault = |source| PortError::Program {
            program: program.escape_ascii().to_string(),
            source,
        };
        let os = std::ffi::OsStr::from_bytes;
        let mut command = Command::new(os(program));
        command
            .args(arguments.iter().map(|word| os(word)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        tracing::debug!(target: "uucp::port", ?command, "starting");
        let mut child = spawn(&mut command).map_err(fault)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fault(io::ErrorKind::BrokenPipe.into()));
        };
        let (input, output) = (OwnedFd::from(stdout), OwnedFd::from(stdin));
        for pipe in [&input, &output] {
            // Larger pipes are a matter of speed; a limit of the system is no error.
            let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        }
        Ok(Self {
            line: Line::new(input, output, false).map_err(fault)?,
            child: Some(child),
            traits,
        })
    }
}

impl Port for PipePort {
    fn traits(&self) -> LineTraits {
        self.traits
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.line.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.line.descriptors()
    }

    /// Closes the program's input and waits for its end; a program that does not end is ended, its children with it.
    fn hang_up(&mut self) {
        self.line.close_output();
        let Some(mut child) = self.child.take() else {
            return;
        };
        if self.line.drain(EXIT_LIMIT) && exits(&mut child, EXIT_LIMIT) {
            return;
        }
        let group = i32::try_from(child.id()).map(Pid::from_raw);
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if let Ok(group) = group {
                let _ = killpg(group, signal);
            }
            if exits(&mut child, KILL_LIMIT) {
                return;
            }
        }
    }
}

impl Drop for PipePort {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Whether the child ends within the limit. Its output is closed already, so this is a matter of moments.
fn exits(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                tracing::debug!(target: "uucp::port", %status, "pipe command ended");
                return true;
            }
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}
