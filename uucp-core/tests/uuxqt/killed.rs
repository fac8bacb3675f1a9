//! uuxqt is killed while a command lives: the command is not run beside itself, and not a second time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::node::{Node, wait_for};

/// A node whose `tool` notes its own and its parent's process number and waits at a gate.
fn node_with_gate() -> Node {
    let node = Node::new();
    let gate = node.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    node.script(
        "tool",
        "echo $PPID > \"$HOME/../parent\"\nread x < \"$HOME/../gate\"\necho done >> \"$HOME/../ends\"",
    );
    node.job("N0001", "tool x", "");
    node
}

fn started(node: &Node) -> (Child, Pid) {
    let child = node.start(&[]);
    let parent = node.path("parent");
    let mut worker = None;
    wait_for("the command", || {
        worker = fs::read_to_string(&parent)
            .ok()
            .filter(|text| text.ends_with('\n'))
            .and_then(|text| text.trim().parse().ok());
        worker.is_some()
    });
    (child, Pid::from_raw(worker.unwrap()))
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn open_gate(node: &Node) {
    fs::write(node.path("gate"), "go\n").unwrap();
}

fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_killed_uuxqt_does_not_run_its_job_twice() {
    let node = node_with_gate();
    let (mut uuxqt, worker) = started(&node);
    kill(pid_of(&uuxqt), Signal::SIGKILL).unwrap();
    uuxqt.wait().unwrap();
    // At once, without waiting for a lock to become old, and the job is left alone.
    node.run(&["--now"]);
    assert_eq!(node.runs().len(), 1);
    open_gate(&node);
    wait_for("the worker", || is_gone(worker));
    assert_eq!(
        node.files("alpha"),
        [""; 0],
        "the end of the command was not noted"
    );
    node.run(&["--now"]);
    assert_eq!(node.runs().len(), 1, "it ran twice");
}

#[test]
fn a_command_that_outlives_everybody_is_not_run_beside_itself() {
    let node = node_with_gate();
    let (mut uuxqt, worker) = started(&node);
    kill(pid_of(&uuxqt), Signal::SIGKILL).unwrap();
    kill(worker, Signal::SIGKILL).unwrap();
    uuxqt.wait().unwrap();
    wait_for("the worker", || is_gone(worker));
    node.run(&["--now"]);
    assert_eq!(node.runs().len(), 1, "it ran beside itself");
    assert!(node.has("alpha/X./X.alphaN0001"));
    open_gate(&node);
    // Nobody knows how it ended: the job is run again, which its command must bear.
    node.script("tool", "exit 0");
    wait_for("the lock of the command", || {
        node.run(&["--now"]);
        node.runs().len() == 2
    });
    assert_eq!(node.files("alpha"), [""; 0]);
}

#[test]
fn a_signal_ends_uuxqt_but_not_the_job_in_hand() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let node = node_with_gate();
        let (mut uuxqt, worker) = started(&node);
        node.job("N0002", "rmail later", "");
        kill(pid_of(&uuxqt), signal).unwrap();
        assert_eq!(uuxqt.wait().unwrap().code(), Some(1));
        assert!(node.log().contains("FATAL: got signal"), "{}", node.log());
        assert!(!node.has("LCK.XQT.0"));
        open_gate(&node);
        wait_for("the worker", || is_gone(worker));
        assert_eq!(node.runs(), ["tool x"]);
        assert_eq!(
            node.files("alpha"),
            ["D./D.alphaN0002", "X./X.alphaN0002"],
            "{signal}"
        );
    }
}

#[test]
fn a_signal_to_everybody_does_not_end_the_job_in_hand() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
    ] {
        let node = node_with_gate();
        let (mut uuxqt, worker) = started(&node);
        node.job("N0002", "rmail later", "");
        kill(worker, signal).unwrap();
        kill(pid_of(&uuxqt), signal).unwrap();
        assert_eq!(uuxqt.wait().unwrap().code(), Some(1));
        kill(worker, signal).unwrap();
        open_gate(&node);
        wait_for("the worker", || is_gone(worker));
        assert_eq!(node.runs(), ["tool x"]);
        let left = ["D./D.alphaN0002", "X./X.alphaN0002"];
        assert_eq!(node.files("alpha"), left, "{signal}");
    }
}

#[test]
fn a_command_ends_by_the_signals_that_a_worker_bears() {
    // As long as this machine needs to come to where it waits.
    for limit in (0..).map(|n| 1 << n) {
        let node = Node::with("", &format!("[execution]\ntime-limit = \"{limit}s\""));
        let never = node.path("never");
        nix::unistd::mkfifo(&never, nix::sys::stat::Mode::S_IRWXU).unwrap();
        node.script(
            "tool",
            "trap 'echo ended > \"$HOME/../how\"; exit 1' TERM\n: > \"$HOME/../waits\"\nread x < \"$HOME/../never\"",
        );
        node.job("N0001", "tool x", "");
        node.run(&[]);
        if node.path("waits").exists() {
            assert_eq!(fs::read_to_string(node.path("how")).unwrap(), "ended\n");
            return;
        }
    }
}

#[test]
fn what_a_killed_execution_left_in_its_directory_is_not_there_again() {
    let node = Node::new();
    let left = node.path("spool/.Execute/alpha.X.alphaN0001");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("old"), "old").unwrap();
    node.script("tool", "ls > \"$HOME/../listed\"");
    node.job("N0001", "tool x", "");
    node.run(&[]);
    assert_eq!(fs::read_to_string(node.path("listed")).unwrap(), "");
    assert!(!left.exists());
}

#[test]
fn the_data_of_a_job_whose_removal_was_cut_goes_without_a_word() {
    let node = Node::new();
    node.script("tool", "exit 75");
    node.job("N0001", "tool x", "");
    node.data_file("alpha", "D.alphaN0002", "mail whose job is still to come\n");
    let data = fs::metadata(node.path("spool/alpha/D./D.alphaN0001")).unwrap();
    node.run(&[]);
    // What a uuxqt leaves that dies when the execute file is gone.
    fs::remove_file(node.path("spool/alpha/X./X.alphaN0001")).unwrap();
    fs::write(node.path("spool/alpha/X./L.alphaN0001"), "   3999999\n").unwrap();
    let (inode, seconds, nanoseconds) = (data.ino(), data.mtime(), data.mtime_nsec());
    let guard = node.path("spool/.Bangpath/running/alpha!X.alphaN0001");
    let said = format!("3999999 1 1\ndone D.alphaN0001 {inode} {seconds} {nanoseconds}\n");
    fs::write(&guard, said).unwrap();
    node.run(&[]);
    assert_eq!(node.files("alpha"), ["D./D.alphaN0002"]);
    assert!(!guard.exists());
    assert!(!node.has(".Bangpath/retry/alpha/X.alphaN0001"));
}

#[test]
fn what_a_killed_run_left_goes_when_its_job_is_gone() {
    let node = Node::new();
    node.script("tool", "exit 75");
    node.job("N0001", "tool x", "");
    for left in ["alpha.X.alphaN0001", "alpha.X.alphaN0009", "not-a-job"] {
        fs::create_dir_all(node.path("spool/.Execute").join(left)).unwrap();
        fs::write(node.path("spool/.Execute").join(left).join("file"), "").unwrap();
    }
    // The command's own directory goes with the command, that of a job which is gone with the run.
    node.run(&[]);
    assert_eq!(node.files(".Execute"), ["not-a-job/file"]);
}
