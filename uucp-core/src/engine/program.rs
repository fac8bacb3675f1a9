//! Chat programs: run with the line as their standard input and output, for so long and no longer.
//! Hooks are run in the same way, without the line.
//!
//! While one runs the line is its own, so the loop has nothing to do; what can still happen is its end, the end of its time,
//! words on its standard error, and a signal to us. One poll(2) sees all four.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::termios::tcgetsid;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getsid};

use super::desk::Desk;
use super::relay::{self, Leavings};
use super::signals::Signals;
use crate::config::chat::{ProgramItem, ProgramWord};
use crate::name::SystemName;
use crate::port::{Port, spawn};
use crate::spool::Severity;

/// How long a program has between the request to end and the end: time to put a modem's hook down.
const GRACE: Duration = Duration::from_secs(3);
/// Longest line of standard error that goes into the log as one.
const LINE_LIMIT: usize = 1024;
/// How many lines of it do.
const LINES: usize = 1000;

/// What a chat program is called, and where its time is set.
const CHAT: (&str, &str) = ("Chat program", "'chat-timeout'");

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Well.
    Good,
    /// Not well: why, for the log and the status.
    Bad(String),
    /// A signal to us has ended it.
    Interrupted,
}

/// Runs a chat program to its end, or to the end of its time. What it says on standard error goes into the log.
pub(super) fn run(
    port: &mut dyn Port,
    words: &[ProgramWord],
    limit: Duration,
    desk: &mut Desk<'_>,
    signals: Option<&Signals>,
) -> (Ending, Leavings) {
    let words: Vec<Vec<u8>> = words.iter().map(|word| expand(word, desk)).collect();
    if let Some(name) = words.first() {
        // Its arguments may be passwords.
        let program = name.escape_ascii();
        tracing::debug!(target: "uucp::execute", %program, ?limit, "running a chat program");
    }
    let mut log = |line: &str| desk.log(None, Severity::Info, &format!("chat: {line}"));
    let ended = if port.is_plain() {
        run_words(port.descriptors(), &words, limit, signals, &mut log)
            .map(|ending| (ending, Leavings::default()))
    } else {
        let run = |line: BorrowedFd<'_>| run_words((line, line), &words, limit, signals, &mut log);
        relay::beside(port, run).and_then(|(ending, left)| Ok((ending?, left)))
    };
    ended.unwrap_or_else(|error| {
        let name = words.first().map(|word| word.escape_ascii().to_string());
        let reason = format!(
            "Chat program {} cannot be run: {error}",
            name.unwrap_or_default()
        );
        (Ending::Bad(reason), Leavings::default())
    })
}

fn run_words(
    line: (BorrowedFd<'_>, BorrowedFd<'_>),
    words: &[Vec<u8>],
    limit: Duration,
    signals: Option<&Signals>,
    log: &mut dyn FnMut(&str),
) -> io::Result<Ending> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(Ending::Good);
    };
    let (input, output) = (line.0.try_clone_to_owned()?, line.1.try_clone_to_owned()?);
    // On our own terminal a group of its own would be stopped as soon as it reads.
    let own_group = !is_our_terminal(&input);
    // The program expects a line that waits; the flag is shared, so it is put back.
    set_flag(&input, OFlag::O_NONBLOCK, false)?;
    set_flag(&output, OFlag::O_NONBLOCK, false)?;
    let mut command = Command::new(OsStr::from_bytes(program));
    command
        .args(arguments.iter().map(|word| OsStr::from_bytes(word)))
        .stdin(Stdio::from(File::from(input)))
        .stdout(Stdio::from(File::from(output)));
    let ending = run_program(&mut command, own_group, CHAT, limit, signals, log);
    set_flag(line.0, OFlag::O_NONBLOCK, true)?;
    set_flag(line.1, OFlag::O_NONBLOCK, true)?;
    ending
}

/// Runs a program to its end, or to the end of its time. What it says on standard error goes into the log.
///
/// `names` are what it is, and where its time is set.
pub(super) fn run_program(
    command: &mut Command,
    own_group: bool,
    names: (&'static str, &'static str),
    limit: Duration,
    signals: Option<&Signals>,
    log: &mut dyn FnMut(&str),
) -> io::Result<Ending> {
    let (stderr, writer) = io::pipe()?;
    set_flag(&stderr, OFlag::O_NONBLOCK, true)?;
    command.stderr(writer);
    if own_group {
        command.process_group(0);
    }
    let started = spawn(command);
    // It holds the other end of the pipe, and our own copies of the line.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let program = Program {
        child: started?,
        own_group,
        names,
        stderr: Some(stderr),
        said: Words::default(),
        log,
    };
    program.watch(limit, signals)
}

/// Whether this is the terminal that we were started on.
fn is_our_terminal(input: &OwnedFd) -> bool {
    matches!((tcgetsid(input), getsid(None)), (Ok(theirs), Ok(ours)) if theirs == ours)
}

fn set_flag(descriptor: impl AsFd, flag: OFlag, on: bool) -> io::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL)?);
    flags.set(flag, on);
    fcntl(&descriptor, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// A running program.
struct Program<'a> {
    child: Child,
    own_group: bool,
    /// What it is, and where its time is set.
    names: (&'static str, &'static str),
    /// Its standard error, until that ends.
    stderr: Option<PipeReader>,
    said: Words,
    log: &'a mut dyn FnMut(&str),
}

/// Why the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Ended,
    OutOfTime,
    Signalled,
}

impl Program<'_> {
    /// A thread waits for the process and closes a pipe when it has ended. The process is left to be reaped here: until then
    /// its number cannot be another's, and killing it is safe.
    fn watch(mut self, limit: Duration, signals: Option<&Signals>) -> io::Result<Ending> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        let (ended, running) = io::pipe()?;
        let waiter = std::thread::Builder::new().spawn(move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
            drop(running);
        });
        if let Err(error) = waiter {
            self.signal(pid, Signal::SIGKILL);
            let _ = self.child.wait();
            return Err(error);
        }
        let woken = self.wait(&ended, limit, signals)?;
        if woken != Woken::Ended {
            self.signal(pid, Signal::SIGTERM);
            self.wait(&ended, GRACE, None)?;
            // Also what of the group has outlived its leader.
            self.signal(pid, Signal::SIGKILL);
        }
        let status = self.child.wait()?;
        let (what, setting) = self.names;
        self.listen();
        self.said.end(self.log);
        Ok(match woken {
            Woken::Ended => judged(what, status),
            Woken::Signalled => Ending::Interrupted,
            Woken::OutOfTime => Ending::Bad(format!(
                "{what} did not end within {} seconds and was killed; see {setting}",
                limit.as_secs()
            )),
        })
    }

    /// Waits for the end, for so long.
    fn wait(
        &mut self,
        ended: &PipeReader,
        limit: Duration,
        signals: Option<&Signals>,
    ) -> io::Result<Woken> {
        let begun = Instant::now();
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
            let mut descriptors = vec![readable(ended.as_fd())];
            descriptors.extend(self.stderr.iter().map(|stderr| readable(stderr.as_fd())));
            descriptors.extend(signals.map(|signals| readable(signals.as_fd())));
            // Rounded up: waking a moment early would only mean to wait once more.
            let timeout = PollTimeout::try_from(left.as_micros().div_ceil(1000));
            match poll(&mut descriptors, timeout.unwrap_or(PollTimeout::MAX)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let is_over = descriptors.first().and_then(PollFd::any).unwrap_or(false);
            self.listen();
            if is_over {
                return Ok(Woken::Ended);
            }
            if signals.is_some_and(Signals::ends_call) {
                return Ok(Woken::Signalled);
            }
            if left.is_zero() {
                return Ok(Woken::OutOfTime);
            }
        }
    }

    fn signal(&self, pid: Pid, signal: Signal) {
        let _ = if self.own_group {
            killpg(pid, signal)
        } else {
            kill(pid, signal)
        };
    }

    /// Logs what is there without waiting.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        let Some(stderr) = &mut self.stderr else {
            return;
        };
        // A program that floods is read for a while, then the clock and its end are looked at again.
        for _ in 0..16 {
            match stderr.read(&mut buffer) {
                Ok(0) => {
                    self.stderr = None;
                    return;
                }
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.said.take(bytes, self.log);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

fn judged(what: &str, status: ExitStatus) -> Ending {
    if status.success() {
        Ending::Good
    } else {
        Ending::Bad(format!("{what} failed ({status})"))
    }
}

/// Standard error, cut into lines.
#[derive(Debug, Default)]
struct Words {
    line: Vec<u8>,
    lines: usize,
}

impl Words {
    fn take(&mut self, bytes: &[u8], log: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() >= LINE_LIMIT {
                self.tell(log);
            }
        }
    }

    fn tell(&mut self, log: &mut dyn FnMut(&str)) {
        let line = std::mem::take(&mut self.line);
        self.lines += 1;
        if self.lines <= LINES {
            log(&String::from_utf8_lossy(&line));
        } else if self.lines == LINES + 1 {
            log("(what else it says is left out)");
        }
    }

    /// The last line may have no end.
    fn end(&mut self, log: &mut dyn FnMut(&str)) {
        if !self.line.is_empty() {
            self.tell(log);
        }
    }
}

fn expand(word: &ProgramWord, desk: &Desk<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for item in &word.0 {
        match item {
            ProgramItem::Text(text) => out.extend_from_slice(text),
            ProgramItem::Login => out.extend_from_slice(&desk.words.login),
            ProgramItem::Password => out.extend_from_slice(desk.words.password.expose()),
            ProgramItem::Phone => out.extend_from_slice(&desk.words.phone),
            ProgramItem::TranslatedPhone => {
                out.extend_from_slice(&desk.words.translated_phone);
            }
            ProgramItem::Port => out.extend_from_slice(desk.line.name.as_bytes()),
            ProgramItem::System => {
                let name = desk.neighbour.as_ref().map(|one| &one.system.name);
                let name = name.or(desk.system.as_ref());
                out.extend_from_slice(name.map(SystemName::as_bytes).unwrap_or_default());
            }
            ProgramItem::Speed => out.extend_from_slice(b"0"),
        }
    }
    out
}

#[cfg(test)]
mod tests;
