//! Serial lines made of pseudo terminals: a cable to an answering node, or a modem that dials one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

use crate::node::Node;
use crate::pty::open_pty;

/// The caller's end of a line.
#[derive(Debug)]
pub struct SerialLine {
    device: PathBuf,
    /// Keeps the line there while nobody calls.
    kept: Option<OwnedFd>,
    answerer: Arc<Mutex<Option<Child>>>,
    /// What was said to the modem, a command a line.
    heard: Arc<Mutex<Vec<String>>>,
}

/// The other end of a cable.
#[derive(Debug)]
pub struct FarEnd {
    /// The device there.
    pub device: PathBuf,
    /// Keeps the line there while nobody waits.
    _kept: OwnedFd,
}

/// One pseudo terminal, raw from the beginning.
struct Terminal {
    master: File,
    slave: OwnedFd,
}

impl Terminal {
    fn new() -> Self {
        let pty = open_pty();
        let mut settings = tcgetattr(&pty.slave).expect("its settings");
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).expect("its settings");
        Self {
            master: pty.master.into(),
            slave: pty.slave,
        }
    }

    fn device(&self) -> PathBuf {
        ttyname(&self.slave).expect("its name")
    }

    fn other_end(&self) -> File {
        self.master.try_clone().expect("a descriptor")
    }
}

/// A node that answers at the far end, its standard input and output on a terminal of its own, as getty leaves it.
struct Answerer {
    command: Command,
    child: Arc<Mutex<Option<Child>>>,
}

impl Answerer {
    fn of(node: &Node) -> Self {
        let mut command = node.command("uucico");
        command.arg("-l");
        Self {
            command,
            child: Arc::default(),
        }
    }

    /// Starts it and gives the line to it.
    fn pick_up(&mut self) -> File {
        let terminal = Terminal::new();
        let end = || File::from(terminal.slave.try_clone().expect("a descriptor"));
        self.command.stdin(end()).stdout(end());
        let child = self.command.spawn().expect("uucico");
        *self.child.lock().expect("the answerer") = Some(child);
        terminal.other_end()
    }
}

impl SerialLine {
    /// A cable to a node that has just been switched on.
    pub fn cable(answerer: &Node, caller: &Node) -> Self {
        let terminal = Terminal::new();
        let mut far = Answerer::of(answerer);
        let line = Self::of(&terminal, caller, far.child.clone());
        let end = far.pick_up();
        join(terminal.other_end(), end);
        line.keep(terminal)
    }

    /// As [`cable`](Self::cable), but with something on the way that holds each side up again and again, by XOFF and XON,
    /// once so many bytes have passed towards it.
    pub fn held_up(answerer: &Node, caller: &Node, after: usize) -> Self {
        let terminal = Terminal::new();
        let mut far = Answerer::of(answerer);
        let line = Self::of(&terminal, caller, far.child.clone());
        let end = far.pick_up();
        join_by(terminal.other_end(), end, move |from, to| {
            hold_up(from, to, after)
        });
        line.keep(terminal)
    }

    /// A modem that reaches a node under one number, and says what `others` says of all other numbers.
    pub fn modem(answerer: &Node, caller: &Node, number: &str, others: &'static str) -> Self {
        let terminal = Terminal::new();
        let mut far = Answerer::of(answerer);
        let line = Self::of(&terminal, caller, far.child.clone());
        let (modem, number, heard) = (
            terminal.other_end(),
            number.to_owned(),
            Arc::clone(&line.heard),
        );
        std::thread::spawn(move || {
            let mut modem = modem;
            while let Some(said) = read_line(&mut modem) {
                heard.lock().expect("what was heard").push(said.clone());
                let answer = match said.strip_prefix("ATDT") {
                    None => "OK",
                    Some(dialed) if dialed == number => "CONNECT 9600",
                    Some(_) => others,
                };
                if !answer.is_empty()
                    && modem
                        .write_all(format!("\r\n{answer}\r\n").as_bytes())
                        .is_err()
                {
                    return;
                }
                if answer.starts_with("CONNECT") {
                    join(modem, far.pick_up());
                    return;
                }
            }
        });
        line.keep(terminal)
    }

    /// A cable whose other end is a device of `other`, which may wait on it by itself.
    pub fn between(other: &Node, caller: &Node) -> (Self, FarEnd) {
        let (near, far) = (Terminal::new(), Terminal::new());
        let line = Self::of(&near, caller, Arc::default());
        let device = far.device();
        other.owner().give(&device);
        join(near.other_end(), far.other_end());
        let end = FarEnd {
            device,
            _kept: far.slave,
        };
        (line.keep(near), end)
    }

    fn of(terminal: &Terminal, caller: &Node, answerer: Arc<Mutex<Option<Child>>>) -> Self {
        let device = terminal.device();
        caller.owner().give(&device);
        Self {
            device,
            kept: None,
            answerer,
            heard: Arc::default(),
        }
    }

    fn keep(mut self, terminal: Terminal) -> Self {
        self.kept = Some(terminal.slave);
        self
    }

    /// The device that the caller opens.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// What was said to the modem.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("what was heard").clone()
    }

    /// Waits for the answering process to end.
    pub fn finish(self) {
        if let Some(mut child) = self.answerer.lock().expect("the answerer").take() {
            child.wait().expect("the answerer's end");
        }
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        if let Ok(mut answerer) = self.answerer.lock()
            && let Some(mut child) = answerer.take()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Carries bytes both ways until either side is gone.
fn join(one: File, other: File) {
    join_by(one, other, |mut from, mut to| {
        std::io::copy(&mut from, &mut to).map(drop)
    });
}

/// Carries bytes both ways with `carry`, which ends when either side is gone.
fn join_by(
    one: File,
    other: File,
    carry: impl Fn(File, File) -> std::io::Result<()> + Clone + Send + 'static,
) {
    let pair = |file: &File| file.try_clone().expect("a descriptor");
    for (from, to) in [(pair(&one), pair(&other)), (other, one)] {
        let carry = carry.clone();
        std::thread::spawn(move || {
            // A terminal whose other side is closed gives an error, which is its way to end.
            let _ = carry(from, to);
        });
    }
}

/// Carries bytes; behind the first `after` of them the receiver is told to stop in the midst of each piece, and to go on
/// at its end.
fn hold_up(mut from: File, mut to: File, after: usize) -> std::io::Result<()> {
    let mut buffer = [0; 512];
    let mut passed = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let (first, second) = buffer[..count].split_at(count / 2);
        if passed < after {
            to.write_all(&buffer[..count])?;
        } else {
            to.write_all(&[first, b"\x13", second, b"\x11"].concat())?;
        }
        passed += count;
    }
}

/// A modem's command, without its carriage return; `None` at the end of the line.
fn read_line(modem: &mut File) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if modem.read(&mut byte).ok()? == 0 {
            return None;
        }
        match byte[0] {
            b'\r' => return Some(String::from_utf8_lossy(&line).into_owned()),
            other => line.push(other),
        }
    }
}
