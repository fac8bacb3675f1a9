//! What the Log and standard error say when no call is made, or none could be logged.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use uucp_core::config::Config;
use uucp_core::spool::Spool;

use crate::lab::{Lab, UUCICO, text};

#[test]
fn a_port_that_is_not_described_is_told_with_the_mend() {
    let lab = Lab::new("");
    lab.alpha.write("etc/port", "port other\ntype tcp\n");
    let output = lab.alpha.uucico(&["-S", "beta"]);
    let told = "No matching ports; check 'port' in sys, and that the port file describes it\n";
    assert!(
        text(&output).ends_with(&format!("beta: {told}")),
        "{}",
        text(&output)
    );
    assert!(
        lab.alpha.log().ends_with(&format!("ERROR: {told}")),
        "{}",
        lab.alpha.log()
    );
}

#[test]
fn a_log_that_cannot_be_written_is_told_once() {
    let lab = Lab::new("");
    let config = fs::read_to_string(lab.alpha.config()).unwrap();
    let log = lab.alpha.root.join("log/Log").display().to_string();
    lab.alpha
        .write("etc/config", &config.replace(&log, "/proc/none/Log"));
    lab.alpha.queue("beta", "joe", b"mail");
    let (output, answered) = lab.call();
    assert!(output.status.success() && answered, "{}", text(&output));
    let told =
        "uucico: /proc/none/Log: the log cannot be written, nothing of this run will be in it: ";
    assert!(text(&output).starts_with(told), "{}", text(&output));
    assert_eq!(text(&output).lines().count(), 1, "{}", text(&output));
    // Who calls sees nothing of it.
    lab.beta.write(
        "etc/config",
        &fs::read_to_string(lab.beta.config()).unwrap().replace(
            &lab.beta.root.join("log/Log").display().to_string(),
            "/proc/none/Log",
        ),
    );
    let (mut here, line) = UnixStream::pair().unwrap();
    let mut command = lab.beta.command(UUCICO);
    command
        .stdin(OwnedFd::from(line.try_clone().unwrap()))
        .stdout(OwnedFd::from(line.try_clone().unwrap()))
        .stderr(OwnedFd::from(line));
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut heard = [0; 12];
    here.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"\x10Shere=beta\0");
    drop(here);
    child.wait().unwrap();
}

#[test]
fn a_call_beside_another_is_no_error_and_one_that_was_killed_is_told() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    let config = Config::load(Some(&lab.alpha.config())).unwrap();
    let spool = Spool::open(&config).unwrap();
    let beta = "beta".parse().unwrap();
    let lock = spool.lock_system(&beta).unwrap();
    let output = lab.alpha.uucico(&["-S", "beta"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("System already locked"),
        "{}",
        text(&output)
    );
    let log = lab.alpha.log();
    assert!(log.contains(") System already locked ("), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    drop(lock);
    // What a killed call leaves, on both sides.
    for (node, peer) in [(&lab.alpha, "beta"), (&lab.beta, "alpha")] {
        let folder = node.root.join("spool/.Status");
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join(peer),
            format!("6 0 1795172651 0 Talking {peer}\n"),
        )
        .unwrap();
    }
    for calls in 1..=2 {
        let (output, answered) = lab.call();
        assert!(output.status.success() && answered, "{}", text(&output));
        for node in [&lab.alpha, &lab.beta] {
            let told = node
                .log()
                .matches(") The call before this one was killed")
                .count();
            assert_eq!(told, 1, "call {calls}: {}", node.log());
        }
    }
}
