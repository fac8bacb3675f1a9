//! Whose rights a program has: what root starts is done by the owner of the spool, and leaves nothing of root's there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use suite_tests::node::{Node, Reach};
use suite_tests::process::{self, Finished, Owner, Running};
use suite_tests::programs::Side;
use suite_tests::{Site, is_root_or_skip, write_program};

#[path = "rights/everybody.rs"]
mod everybody;
#[path = "rights/installed.rs"]
mod installed;
#[path = "rights/planted.rs"]
mod planted;
#[path = "rights/received.rs"]
mod received;
#[path = "rights/refused.rs"]
mod refused;

const ROOT: [&str; 3] = ["0", "0", "0"];
const UUCP: [&str; 3] = ["10", "10", "10"];
/// As NNCP runs on Debian: a user of its own, who is in group uucp.
const MEMBER: [&str; 3] = ["4711", "4711", "10,4711"];

/// A program of a node, run by root with root's groups.
fn by_root(node: &Node, program: &str, arguments: &[&str]) -> Command {
    let mut command = command_by(ROOT, &node.side().program(program));
    command.arg("-I").arg(node.config()).args(arguments);
    command
}

fn run_by_root(site: &Site, node: &Node, program: &str, arguments: &[&str]) -> Finished {
    process::run(by_root(node, program, arguments), site.path())
}

/// A node whose `store NAME` writes down who executes it.
fn telling_node(site: &Site, name: &str) -> Node {
    let node = Node::new(site, name, Side::Ours);
    node.add_store_command();
    let stored = node.path("stored").display().to_string();
    let text = format!("#!/bin/sh\nexec id >'{stored}'/\"$1\"\n");
    node.write_script("bin/store", &text);
    node
}

/// Starts what root waits for calls with, on a port that only root may bind.
fn listening(node: &Node, options: &[&str]) -> (Running, u16) {
    for port in 680..1000_u16 {
        let number = port.to_string();
        let command = by_root(node, "uucico", &[options, &["-p", &number]].concat());
        let mut running = Running::start(command, &node.path(&format!("log/{number}.out")));
        let is_up = process::wait_for("uucico to listen", process::PATIENCE, || {
            let up = TcpStream::connect(("127.0.0.1", port)).is_ok();
            (up || running.has_ended()).then_some(up)
        });
        if is_up && !running.has_ended() {
            return (running, port);
        }
    }
    panic!("no port below 1024 to be had");
}

/// Looks at these and at everything in them, as far as it is there; how much that was.
fn every(mut left: Vec<PathBuf>, look: impl Fn(&Path, &fs::Metadata)) -> usize {
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        look(&path, &found);
        seen += 1;
        if found.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    seen
}

/// Everything in the folders of a node where its programs write belongs to the owner of the spool.
#[track_caller]
fn nothing_is_roots(node: &Node) {
    let parts = ["spool", "log/Log", "log/Stats", "lock"];
    let seen = every(parts.map(|part| node.path(part)).into(), |path, found| {
        assert_eq!((found.uid(), found.gid()), (10, 10), "{}", path.display());
    });
    assert!(seen > 10, "{seen}");
}

#[track_caller]
fn executed_by_uucp(node: &Node, name: &str) {
    let told = process::lossy(&node.path("stored").join(name));
    assert!(told.starts_with("uid=10("), "{name}: {told:?}");
    assert!(!told.contains("=0(") && !told.contains(",0("), "{told:?}");
}

#[test]
fn calls_and_executions_that_root_starts_are_the_owners() {
    if !is_root_or_skip("calls_and_executions_that_root_starts_are_the_owners") {
        return;
    }
    for options in [&["-e"][..], &["--daemon"]] {
        let site = Site::new("rights");
        let leaf = telling_node(&site, "leaf");
        let hub = telling_node(&site, "hub");
        hub.add_neighbour("leaf", "", &Reach::Never, "");
        let (server, port) = listening(&hub, options);
        leaf.add_neighbour("hub", "", &Reach::Tcp(port), "");
        let run = |node: &Node, program: &str, arguments: &[&str]| {
            run_by_root(&site, node, program, arguments).expect_success(program);
        };
        run(&leaf, "uux", &["-r", "hub!store", "there"]);
        nothing_is_roots_of_queueing(&leaf);
        run(&leaf, "uucico", &["-S", "hub"]);
        run(&hub, "uuxqt", &[]);
        executed_by_uucp(&hub, "there");
        for node in [&leaf, &hub] {
            nothing_is_roots(node);
        }
        // And so whoever else works there can.
        leaf.run("uux", &["-r", "hub!store", "again"])
            .expect_success("uux");
        leaf.call("hub").expect_success("uucico");
        hub.run("uuxqt", &[]).expect_success("uuxqt");
        executed_by_uucp(&hub, "again");
        drop(server);
    }
}

/// What root queues with its own rights can be used by the owner all the same.
#[track_caller]
fn nothing_is_roots_of_queueing(node: &Node) {
    let work = fs::read_dir(node.spool().join("hub/C.")).unwrap().count();
    assert_eq!(work, 1);
    assert_eq!(fs::metadata(node.path("log/Log")).unwrap().uid(), 10);
}

#[test]
fn a_call_that_root_answers_is_the_owners_and_a_spool_of_root_stays_roots() {
    if !is_root_or_skip("a_call_that_root_answers_is_the_owners_and_a_spool_of_root_stays_roots") {
        return;
    }
    let site = Site::new("rights");
    let hub = telling_node(&site, "hub");
    let folder = site.path().join("leaf");
    let leaf = Node::in_folder(&folder, "leaf", Side::Ours, Owner::Myself);
    hub.add_neighbour("leaf", "", &Reach::Never, "");
    hub.set_run_uuxqt("once");
    leaf.add_neighbour("hub", "", &Reach::Pipe(hub.answer_command()), "");
    leaf.run("uux", &["-r", "hub!store", "one"])
        .expect_success("uux");
    leaf.call("hub").expect_success("uucico");
    process::wait_for("the execution", process::PATIENCE, || {
        let told = process::lossy(&hub.path("stored/one"));
        told.ends_with('\n').then_some(())
    });
    executed_by_uucp(&hub, "one");
    nothing_is_roots(&hub);
    let log = fs::metadata(leaf.path("log/Log")).unwrap();
    assert_eq!(log.uid(), 0);
    // What the owner may not read is no good to root either, and the reason says what is to be done.
    let tries = [
        ("etc/sys", "uucico", &["-S", "leaf"][..]),
        ("etc/config", "uuxqt", &[]),
    ];
    for (part, program, arguments) in tries {
        let path = hub.path(part);
        chown(&path, Some(0), Some(0)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let run = run_by_root(&site, &hub, program, arguments);
        let said = run.output + &process::lossy(&hub.path("log/Log"));
        let name = path.display().to_string();
        let wanted = "must be able to read it (chown it to that user, or chgrp it to a group";
        assert!(!run.status.success(), "{said}");
        assert!(said.contains(&name) && said.contains(wanted), "{said}");
    }
}

#[test]
fn a_lock_that_uuxqt_may_not_open_is_in_the_log() {
    if !is_root_or_skip("a_lock_that_uuxqt_may_not_open_is_in_the_log") {
        return;
    }
    let site = Site::new("rights");
    let node = telling_node(&site, "hub");
    node.run("uuxqt", &[]).expect_success("uuxqt");
    let guard = node.path("spool/.Bangpath/guard");
    for entry in fs::read_dir(&guard).unwrap() {
        of_root(&entry.unwrap().path());
    }
    let run = node.run("uuxqt", &[]);
    assert!(!run.status.success(), "{run:?}");
    let log = node.log();
    assert!(log.contains("FATAL: cannot open"), "{log}");
    assert!(log.contains(&guard.display().to_string()), "{log}");
}

fn of_root(path: &Path) {
    chown(path, Some(0), Some(0)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A program, run by this user of this group, who is a member of these, too.
fn command_by([user, group, groups]: [&str; 3], program: &Path) -> Command {
    let mut command = process::command_as(Owner::Myself, Path::new("/usr/bin/setpriv"));
    command
        .args(["--reuid", user, "--regid", group, "--groups", groups])
        .arg(program);
    command
}

#[test]
fn a_program_that_is_half_setuid_does_nothing_and_a_member_of_the_group_queues() {
    if !is_root_or_skip(
        "a_program_that_is_half_setuid_does_nothing_and_a_member_of_the_group_queues",
    ) {
        return;
    }
    let site = Site::new("rights");
    let node = telling_node(&site, "leaf");
    node.add_neighbour("hub", "", &Reach::Never, "");
    fs::set_permissions(node.spool(), fs::Permissions::from_mode(0o2770)).unwrap();
    for (name, mode, status, wanted) in [
        ("uux", 0o4755, 75, "must have mode 6755"),
        ("uux", 0o2755, 75, "must have mode 6755"),
        ("uucp", 0o4755, 1, "must have mode 6755"),
        ("uucico", 0o4755, 1, "is not made to be setuid or setgid"),
    ] {
        let program = site.path().join(format!("{name}-{mode:o}"));
        write_program(&program, fs::read(node.side().program(name)).unwrap());
        node.owner().give(&program);
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let words = ["-r", "hub!store", "x"];
        let by = |ids| process::run(as_user(ids, &program, &node, &words), site.path());
        let run = by(["4712", "4712", "4712"]);
        assert_eq!(run.status.code(), Some(status), "{name}: {run:?}");
        assert!(run.output.contains(wanted), "{}", run.output);
        assert!(!node.spool().join("hub").exists() && !node.path("log/Log").exists());
    }
    let uux = node.side().program("uux");
    let command = as_user(MEMBER, &uux, &node, &["-r", "hub!store", "x"]);
    process::run(command, site.path()).expect_success("uux");
    let work = fs::read_dir(node.spool().join("hub/C.")).unwrap();
    let found: Vec<_> = work
        .map(|entry| entry.unwrap().metadata().unwrap())
        .collect();
    let got: Vec<_> = found
        .iter()
        .map(|file| (file.uid(), file.gid(), file.mode() & 0o777))
        .collect();
    assert_eq!(got, [(4711, 10, 0o660)]);
    let run = node.run("uucico", &["-r1"]);
    assert!(!run.output.contains("Permission denied"), "{run:?}");
    // Whoever is in no such group is told which file it is.
    let run = process::run(
        as_user(
            ["4712", "4712", "4712"],
            &uux,
            &node,
            &["-r", "hub!store", "x"],
        ),
        site.path(),
    );
    let spool = node.spool().display().to_string();
    assert_eq!(run.status.code(), Some(75), "{run:?}");
    assert!(run.output.contains(&spool), "{run:?}");
}

fn as_user(ids: [&str; 3], program: &Path, node: &Node, words: &[&str]) -> Command {
    let mut command = command_by(ids, program);
    command.arg("-I").arg(node.config()).args(words);
    command
}
