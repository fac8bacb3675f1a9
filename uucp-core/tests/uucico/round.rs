//! `uucico -r1`: every system that has work, in any order, several at once if that is asked for.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, ttyname};

use crate::lab::{Lab, Node, UUCICO, accept, script, terminate, text};
use crate::pty::open_pty;
use crate::runnable::write_program;
use crate::server::free_port;

/// Another neighbour of alpha's, called as beta is but for these lines.
fn befriend(lab: &Lab, name: &str, sys: &str) {
    lab.alpha.append(
        "etc/sys",
        &format!(
            "system {name}\ntime any\ncall-login *\ncall-password *\naddress 127.0.0.1\nport out\nchat ogin: \\L word: \\P\n{sys}\n"
        ),
    );
    let secret = format!("{name} Ualpha secret-of-alpha\n");
    lab.alpha.append("etc/call", &secret);
}

/// The systems that were called, in the order of the log.
fn called(node: &Node) -> Vec<String> {
    let log = node.log();
    let lines = log.lines();
    let names = lines.filter_map(|line| line.split_once(") Calling system "));
    names
        .map(|(_, rest)| rest.split(' ').next().unwrap().to_owned())
        .collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn locks(node: &Node) -> usize {
    fs::read_dir(node.root.join("lock")).unwrap().count()
}

/// A round of so many calls at once, begun.
fn begin(lab: &Lab, calls: &str) -> Child {
    let mut command = lab.alpha.command(UUCICO);
    command.args(["-r1", "--max-calls", calls]);
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_order_of_calls_is_not_that_of_the_names() {
    let lab = Lab::new("");
    lab.alpha
        .append("etc/port", "port none\ntype pipe\ncommand /bin/false\n");
    let names: Vec<String> = (b'a'..=b'l')
        .map(|letter| format!("s{}", char::from(letter)))
        .collect();
    for name in &names {
        befriend(&lab, name, "port none");
        lab.alpha.queue(name, "joe", b"mail");
    }
    let output = lab.alpha.uucico(&["-r1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let mut order = called(&lab.alpha);
    // Of 479 million orders one is this.
    assert_ne!(order, names);
    order.sort();
    assert_eq!(order, names);
}

#[test]
fn so_many_calls_are_made_at_once_and_not_more() {
    let lab = Lab::new("");
    let names = ["one", "two", "three", "four", "five"];
    for name in names {
        befriend(&lab, name, "");
        lab.alpha.queue(name, "joe", b"mail");
    }
    let caller = begin(&lab, "2");
    let mut lines = VecDeque::new();
    for taken in 1..=names.len() {
        if lines.len() == 2 {
            lines.pop_front();
        }
        lines.push_back(accept(&lab.listener));
        if taken > 1 {
            assert_eq!(called(&lab.alpha).len(), taken, "{}", lab.alpha.log());
        }
    }
    lines.clear();
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut order = called(&lab.alpha);
    order.sort();
    assert_eq!(order, ["five", "four", "one", "three", "two"]);
    // Each has told its own reason, in a line of its own.
    let told = text(&output);
    assert_eq!(told.lines().count(), names.len(), "{told}");
    for name in names {
        assert!(told.contains(&format!("uucico: {name}: Line ")), "{told}");
        assert!(lab.alpha.status(name).starts_with("3 1 "));
        assert_eq!(lab.alpha.queued(name), 1);
    }
    assert_eq!(locks(&lab.alpha), 0);
}

#[test]
fn one_that_fails_does_not_stop_the_others_and_uuxqt_is_started_once() {
    for calls in ["1", "3"] {
        let lab = Lab::new("");
        // A uuxqt of our own beside a copy of the program.
        let program = lab.alpha.root.join("uucico");
        write_program(&program, fs::read(UUCICO).unwrap());
        let told = lab.alpha.root.join("told");
        script(
            &lab.alpha,
            "uuxqt",
            &format!("echo run >>{}", told.display()),
        );
        let config = fs::read_to_string(lab.alpha.config()).unwrap();
        let config = config.replace("run-uuxqt never", "run-uuxqt once");
        lab.alpha.write("etc/config", &config);
        let root = lab.alpha.root.parent().unwrap();
        let good: Vec<(Node, TcpListener)> = ["gamma", "delta"]
            .into_iter()
            .map(|name| {
                let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
                let number = listener.local_addr().unwrap().port();
                let port = format!("port to-{name}\ntype tcp\nservice {number}\n");
                lab.alpha.append("etc/port", &port);
                befriend(&lab, name, &format!("port to-{name}"));
                (Node::new(root, name, "alpha", number, ""), listener)
            })
            .collect();
        let known = fs::read_to_string(lab.alpha.root.join("etc/sys")).unwrap();
        befriend(&lab, "stranger", "");
        for name in ["beta", "gamma", "delta", "stranger"] {
            lab.alpha.queue(name, "joe", b"mail");
        }
        lab.alpha.write("etc/sys", &known);
        let output = thread::scope(|scope| {
            scope.spawn(|| drop(accept(&lab.listener)));
            for (node, listener) in &good {
                scope.spawn(|| {
                    let mut answerer = node.answer(listener, &["-l"]);
                    assert!(answerer.wait().unwrap().success());
                });
            }
            let program = program.to_str().unwrap();
            let mut caller = lab.alpha.command(program);
            caller.args(["-r1", "-D", "--max-calls", calls]);
            caller.output().unwrap()
        });
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("stranger: System not found"), "{said}");
        assert!(said.contains("beta: "), "{said}");
        for (name, left) in [("beta", 1), ("gamma", 0), ("delta", 0)] {
            assert_eq!(lab.alpha.queued(name), left, "{name}: {}", lab.alpha.log());
        }
        for (node, _) in &good {
            assert_eq!(node.arrived("alpha"), [b"mail"]);
        }
        assert_eq!(fs::read_to_string(&told).unwrap(), "run\n");
    }
}

#[test]
fn calls_of_a_round_have_its_options() {
    let lab = Lab::new("");
    lab.alpha.queue("beta", "joe", b"mail");
    befriend(&lab, "gamma", "");
    lab.alpha.queue("gamma", "joe", b"mail");
    let caller = lab
        .alpha
        .command(UUCICO)
        // What there is is less urgent, which is no fault.
        .args(["-r1", "--max-calls", "2", "-g", "A"])
        .spawn()
        .unwrap();
    assert!(caller.wait_with_output().unwrap().status.success());
    assert_eq!(called(&lab.alpha), Vec::<String>::new());
}

#[test]
fn a_signal_ends_all_calls_of_a_round_and_none_begins() {
    let lab = Lab::new("");
    let names = ["one", "two", "three"];
    for name in names {
        befriend(&lab, name, "");
        lab.alpha.queue(name, "joe", b"mail");
    }
    let caller = begin(&lab, "2");
    let lines = [(); 2].map(|()| accept(&lab.listener));
    terminate(&caller);
    for mut line in lines {
        // Whatever it has said, it hangs up.
        let _ = line.read_to_end(&mut Vec::new());
    }
    let output = caller.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let log = lab.alpha.log();
    assert_eq!(called(&lab.alpha).len(), 2, "{log}");
    assert_eq!(log.matches("ERROR: Got termination signal").count(), 2);
    assert_eq!(names.map(|name| lab.alpha.queued(name)), [1; 3]);
    assert_eq!(locks(&lab.alpha), 0);
}

#[test]
fn calls_over_one_line_come_one_after_the_other() {
    let (lab, caller) = calls_over_one_line(&["-r1", "--max-calls", "3"]);
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "");
    assert_over_one_line(&lab);
}

#[test]
fn the_daemon_makes_calls_over_one_line_one_after_the_other() {
    let (lab, caller) = calls_over_one_line(&["--daemon", "--max-calls", "3"]);
    let daemon = Pid::from_raw(i32::try_from(caller.id()).unwrap());
    // All that its last call does is done when it has ended.
    kill(daemon, Signal::SIGTERM).unwrap();
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "");
    assert_over_one_line(&lab);
}

/// The neighbours behind the one line.
const BEHIND_LINE: [&str; 3] = ["gamma", "delta", "epsilon"];

/// Three calls over one line, by a uucico with these options: each has been made when the one before was over.
fn calls_over_one_line(options: &[&str]) -> (Lab, Child) {
    let lab = Lab::new("");
    let pty = open_pty();
    let device = ttyname(&pty.slave).unwrap().display().to_string();
    let port = format!("port cable\ntype direct\ndevice {device}\nspeed 38400\n");
    lab.alpha.append("etc/port", &port);
    let root = lab.alpha.root.parent().unwrap().to_owned();
    for name in BEHIND_LINE {
        befriend(&lab, name, "port cable\nchat \"\" \\r ogin: \\L word: \\P");
        lab.alpha.queue(name, "joe", b"mail");
    }
    let mut command = lab.alpha.command(UUCICO);
    command.args(options).stderr(Stdio::piped());
    let caller = command.spawn().unwrap();
    let master = File::from(pty.master);
    for turn in 0..BEHIND_LINE.len() {
        wait_until("a call", || called(&lab.alpha).len() > turn);
        if turn == 0 {
            // The others have seen that the line is in use before it is free again.
            let waiting = || lab.alpha.log().matches(") Waiting: ").count();
            wait_until("others that wait", || waiting() == 2);
        }
        let all = called(&lab.alpha);
        assert_eq!(all.len(), turn + 1, "{}", lab.alpha.log());
        let node = Node::new(&root, all.last().unwrap(), "alpha", 1, "");
        let mut answerer = node
            .command(UUCICO)
            .arg("-l")
            .stdin(OwnedFd::from(master.try_clone().unwrap()))
            .stdout(OwnedFd::from(master.try_clone().unwrap()))
            .spawn()
            .unwrap();
        assert!(answerer.wait().unwrap().success());
        assert_eq!(node.arrived("alpha"), [b"mail"]);
    }
    (lab, caller)
}

/// All went well, and a line in use was no failure.
fn assert_over_one_line(lab: &Lab) {
    let log = lab.alpha.log();
    // The one that came last has asked a second time at most.
    assert!(log.matches(") Waiting: ").count() <= 3, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    for name in BEHIND_LINE {
        assert_eq!(lab.alpha.queued(name), 0);
        assert!(lab.alpha.status(name).starts_with("0 0 "));
    }
}
