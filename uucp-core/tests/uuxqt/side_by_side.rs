//! Many jobs, several at a time, several uuxqts: each job once, the urgent ones first.

use std::fs;

use super::node::{Node, wait_for};

fn fill(node: &Node, count: usize) {
    for number in 0..count {
        node.job(&format!("N{number:04}"), &format!("rmail {number}"), "");
    }
}

fn ran(node: &Node) -> Vec<usize> {
    let mut numbers: Vec<usize> = node
        .runs()
        .iter()
        .map(|line| line.strip_prefix("rmail ").unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn two_uuxqts_run_every_job_once() {
    let node = Node::new();
    fill(&node, 200);
    let mut both = [node.start(&[]), node.start(&[])];
    for uuxqt in &mut both {
        assert!(uuxqt.wait().unwrap().success());
    }
    assert_eq!(ran(&node), (0..200).collect::<Vec<_>>(), "{}", node.log());
    assert_eq!(node.files("alpha"), [""; 0]);
    assert_eq!(node.files(".Execute"), [""; 0]);
}

#[test]
fn jobs_run_side_by_side() {
    let node = Node::new();
    // Each waits for the other: with one at a time neither would end.
    for gate in ["there", "back"] {
        nix::unistd::mkfifo(&node.path(gate), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    node.script(
        "tool",
        "cd \"$HOME/..\"\n\
         if [ $1 = 1 ]; then echo x > there; read x < back; else read x < there; echo x > back; fi",
    );
    node.job("N0001", "tool 1", "");
    node.job("N0002", "tool 2", "");
    node.run(&["--jobs", "2"]);
    assert_eq!(node.runs().len(), 2);
    assert_eq!(node.files("alpha"), [""; 0]);
}

#[test]
fn the_urgent_go_first_over_all_systems() {
    let node = Node::new();
    for (system, grade) in [
        ("alpha", 'N'),
        ("gamma", 'A'),
        ("alpha", 'z'),
        ("gamma", '0'),
        ("alpha", 'C'),
    ] {
        let text = format!("U joe {system}\nC rmail {grade}\n");
        node.execute_file(system, &format!("X.{system}{grade}0001"), text);
    }
    node.run(&["--jobs", "1"]);
    assert_eq!(
        node.runs(),
        ["rmail 0", "rmail A", "rmail C", "rmail N", "rmail z"]
    );
}

#[test]
fn only_the_command_and_the_system_that_were_asked_for() {
    let node = Node::new();
    node.script("tool", "exit 0");
    node.job("N0001", "rmail a", "");
    node.job("N0002", "tool b", "");
    node.execute_file("gamma", "X.gammaN0001", "U joe gamma\nC rmail c\n");
    node.run(&["-c", "tool"]);
    assert_eq!(node.runs(), ["tool b"]);
    node.run(&["-s", "gamma"]);
    assert_eq!(node.runs(), ["tool b", "rmail c"]);
    node.run(&[]);
    assert_eq!(node.runs(), ["tool b", "rmail c", "rmail a"]);
}

#[test]
fn a_system_that_nobody_knows_is_an_error_and_an_alias_is_its_system() {
    let node = Node::with("alias nabe\n", "");
    node.job("N0001", "rmail a", "");
    let output = node.uuxqt(&["-s", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "uuxqt: nowhere: System not found\n");
    assert!(node.runs().is_empty());
    // This system itself, and one that was known once, and has left something.
    node.execute_file("gone", "X.goneN0001", "U joe gone\nC rmail c\n");
    for known in ["beta", "gone"] {
        node.run(&["-s", known]);
    }
    node.run(&["-s", "nabe"]);
    assert_eq!(node.runs(), ["rmail a"]);
}

#[test]
fn a_uuxqt_for_one_command_has_it_to_itself() {
    let node = Node::new();
    let gates = ["gate1", "gate2"].map(|name| node.path(name));
    for gate in &gates {
        nix::unistd::mkfifo(gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    node.script("tool", "read x < \"$HOME/../gate$1\"");
    node.job("N0001", "tool 1", "");
    let mut first = node.start(&["-c", "tool"]);
    wait_for("the first job", || node.runs().len() == 1);
    node.job("N0002", "tool 2", "");
    node.job("N0003", "rmail 3", "");
    node.run(&[]);
    node.run(&["-c", "tool"]);
    assert_eq!(node.runs(), ["tool 1", "rmail 3"]);
    // The first finds the second job in its next pass.
    for gate in &gates {
        fs::write(gate, "go\n").unwrap();
    }
    assert!(first.wait().unwrap().success());
    assert_eq!(node.runs(), ["tool 1", "rmail 3", "tool 2"]);
}

#[test]
fn no_more_uuxqts_than_configured() {
    let node = Node::new();
    let config = node.path("etc/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}max-uuxqts 1\n")).unwrap();
    let gate = node.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    node.script("tool", "read x < \"$HOME/../gate\"");
    node.job("N0001", "tool 1", "");
    let mut first = node.start(&[]);
    wait_for("the first job", || node.runs().len() == 1);
    let pid = fs::read_to_string(node.path("spool/LCK.XQT.0")).unwrap();
    assert_eq!(pid, format!("{:>10}\n", first.id()));
    node.job("N0002", "rmail 2", "");
    node.run(&[]);
    assert_eq!(node.runs(), ["tool 1"], "a second uuxqt ran a job");
    fs::write(&gate, "go\n").unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(node.runs(), ["tool 1", "rmail 2"]);
    assert!(!node.has("LCK.XQT.0"));
}

#[test]
fn fatal_errors_are_1_and_failed_jobs_are_0() {
    let node = Node::new();
    node.job("N0001", "forbidden", "");
    node.run(&[]);
    let missing = node.uuxqt(&["-I", "/nonexistent/config"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    let usage = node.uuxqt(&["--no-such-option"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(1));
    for fine in ["--help", "--version", "-v"] {
        assert_eq!(node.uuxqt(&[fine]).output().unwrap().status.code(), Some(0));
    }
}
