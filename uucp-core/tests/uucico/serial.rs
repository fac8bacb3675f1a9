//! Calls that come in on a serial line.

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::unistd::ttyname;

use crate::lab::{Lab, UUCICO, text};

#[test]
fn a_line_that_is_in_use_is_waited_for() {
    let lab = Lab::new("");
    let pty = openpty(None, None).unwrap();
    let device = ttyname(&pty.slave).unwrap();
    lab.beta.write(
        "etc/port",
        &format!(
            "port line\ntype direct\ndevice {}\nspeed 9600\n",
            device.display()
        ),
    );
    let start = || {
        let mut command = lab.beta.command(UUCICO);
        command.args(["-e", "-p", "line"]).spawn().unwrap()
    };
    let mut other_side = File::from(pty.master);
    let mut read_prompt = || {
        let mut prompt = [0; 7];
        other_side.read_exact(&mut prompt).unwrap();
        assert_eq!(&prompt, b"login: ");
    };
    let mut first = start();
    read_prompt();
    let mut second = start();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !lab.beta.log().contains("is in use") {
        assert!(Instant::now() < deadline, "{}", lab.beta.log());
        assert!(second.try_wait().unwrap().is_none(), "it does not wait");
        std::thread::yield_now();
    }
    // Who takes one call only does not wait.
    let once = lab.beta.uucico(&["-l", "-p", "line"]);
    assert!(!once.status.success());
    assert!(text(&once).contains("is in use"), "{}", text(&once));
    first.kill().unwrap();
    first.wait().unwrap();
    read_prompt();
    let kill = Command::new("kill").arg(second.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(second.wait().unwrap().success());
}
