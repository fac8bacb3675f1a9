//! Calls that come in on a serial line.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, openpty};
use nix::unistd::ttyname;

use crate::lab::{Lab, UUCICO, text};

/// A terminal that is beta's port `line`.
fn with_line(lab: &Lab) -> OpenptyResult {
    let pty = openpty(None, None).unwrap();
    let device = ttyname(&pty.slave).unwrap();
    let device = device.display();
    let port = format!("port line\ntype direct\ndevice {device}\nspeed 9600\n");
    lab.beta.write("etc/port", &port);
    pty
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
    /// Tells it to end, and waits until it has.
    fn end(mut self) {
        let kill = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(kill.unwrap().success());
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::yield_now();
        }
        assert!(self.0.wait().unwrap().success());
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
    let mut read_prompt = || {
        let mut prompt = [0; 7];
        other_side.read_exact(&mut prompt).unwrap();
        assert_eq!(&prompt, b"login: ");
    };
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
        let once = lab.beta.uucico(options);
        assert!(!once.status.success());
        assert!(text(&once).contains("is in use"), "{}", text(&once));
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
        let mut said = vec![0; wanted.len()];
        File::from(pty.master).read_exact(&mut said).unwrap();
        assert_eq!(said, wanted);
    }
}
