//! Calls that come in on a serial line.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::OpenptyResult;
use nix::unistd::ttyname;

use crate::lab::{Lab, UUCICO, terminate};
use crate::pty::open_pty;

/// A terminal that is beta's port `line`.
fn with_line(lab: &Lab) -> OpenptyResult {
    let pty = open_pty();
    let device = ttyname(&pty.slave).unwrap();
    let device = device.display();
    let port = format!("port line\ntype direct\ndevice {device}\nspeed 9600\n");
    lab.beta.write("etc/port", &port);
    pty
}

/// Reads what is to be said on a line next. What does not come within a minute does not come.
fn expect(line: &mut File, wanted: &[u8]) {
    let mut said = Vec::new();
    while said.len() < wanted.len() && wanted.starts_with(&said) {
        let mut ready = [PollFd::new(line.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut ready, PollTimeout::from(60_000_u16));
        assert_eq!(ready, Ok(1), "no more than {}", said.escape_ascii());
        let mut byte = [0];
        line.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    assert_eq!(said, wanted, "{}", said.escape_ascii());
}

/// A process that is gone when the test is, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits until it has ended.
    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::yield_now();
        }
    }

    /// Tells it to end, and waits until it has.
    fn end(mut self) {
        terminate(&self.0);
        assert!(self.wait().success());
    }
}

#[test]
fn a_line_that_is_in_use_is_waited_for() {
    let lab = Lab::new("");
    let pty = with_line(&lab);
    let start = || {
        let mut command = lab.beta.command(UUCICO);
        Running(command.args(["-e", "-p", "line"]).spawn().unwrap())
    };
    let mut other_side = File::from(pty.master);
    let mut read_prompt = || expect(&mut other_side, b"login: ");
    // Each says so once.
    let start_behind = |others: usize| {
        let mut process = start();
        let deadline = Instant::now() + Duration::from_mins(1);
        while lab.beta.log().matches("Waiting: ").count() == others {
            assert!(Instant::now() < deadline, "{}", lab.beta.log());
            assert!(process.0.try_wait().unwrap().is_none(), "it does not wait");
            std::thread::yield_now();
        }
        process
    };
    let first = start();
    read_prompt();
    let second = start_behind(0);
    // Who waits ends when it is told to.
    start_behind(1).end();
    // Who takes one call only does not wait.
    for options in [&["-l", "-p", "line"][..], &["-p", "line"]] {
        let mut once = lab.beta.command(UUCICO);
        let mut once = Running(once.args(options).stderr(Stdio::piped()).spawn().unwrap());
        assert!(!once.wait().success());
        let mut told = String::new();
        let stderr = once.0.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut told).unwrap();
        assert!(told.contains("is in use"), "{told}");
    }
    drop(first);
    read_prompt();
    second.end();
}

#[test]
fn a_serial_port_alone_is_listened_on_unless_it_is_standard_input() {
    let lab = Lab::new("");
    for (is_input, wanted) in [(false, b"login: " as &[u8]), (true, b"\x10Shere=beta\0")] {
        let pty = with_line(&lab);
        let mut command = lab.beta.command(UUCICO);
        if is_input {
            let output = pty.slave.try_clone().unwrap();
            command.stdin(pty.slave.try_clone().unwrap()).stdout(output);
        }
        let _process = Running(command.args(["-p", "line"]).spawn().unwrap());
        expect(&mut File::from(pty.master), wanted);
    }
}
