//! Calls that come in on a serial line.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};
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
    // Each says so once.
    let start_behind = |others: usize| {
        let mut process = start();
        let deadline = Instant::now() + Duration::from_mins(1);
        while lab.beta.log().matches("Waiting: ").count() == others {
            assert!(Instant::now() < deadline, "{}", lab.beta.log());
            assert!(process.try_wait().unwrap().is_none(), "it does not wait");
            std::thread::yield_now();
        }
        process
    };
    let end = |mut process: Child| {
        let kill = Command::new("kill").arg(process.id().to_string()).status();
        assert!(kill.unwrap().success());
        let deadline = Instant::now() + Duration::from_mins(1);
        while process.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let ended = process.try_wait().unwrap();
        process.kill().unwrap();
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    };
    let mut first = start();
    read_prompt();
    let second = start_behind(0);
    // Who waits ends when it is told to.
    end(start_behind(1));
    // Who takes one call only does not wait.
    for options in [&["-l", "-p", "line"][..], &["-p", "line"]] {
        let once = lab.beta.uucico(options);
        assert!(!once.status.success());
        assert!(text(&once).contains("is in use"), "{}", text(&once));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    read_prompt();
    end(second);
}

#[test]
fn a_serial_port_alone_is_listened_on_unless_it_is_standard_input() {
    let lab = Lab::new("");
    for (is_input, wanted) in [(false, b"login: " as &[u8]), (true, b"\x10Shere=beta\0")] {
        let pty = openpty(None, None).unwrap();
        let device = ttyname(&pty.slave).unwrap();
        lab.beta.write(
            "etc/port",
            &format!(
                "port line\ntype direct\ndevice {}\nspeed 9600\n",
                device.display()
            ),
        );
        let mut command = lab.beta.command(UUCICO);
        if is_input {
            let output = pty.slave.try_clone().unwrap();
            command.stdin(pty.slave.try_clone().unwrap()).stdout(output);
        }
        let mut process = command.args(["-p", "line"]).spawn().unwrap();
        let mut said = vec![0; wanted.len()];
        File::from(pty.master).read_exact(&mut said).unwrap();
        assert_eq!(said, wanted);
        process.kill().unwrap();
        process.wait().unwrap();
    }
}
