//! Calls over serial lines, which are pseudo terminals here: every caller with every answerer, and modems that dial,
//! are busy, or say nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use suite_tests::node::{Node, Reach, walk};
use suite_tests::payload::Random;
use suite_tests::process::Running;
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;
use suite_tests::serial::SerialLine;
use suite_tests::{Site, peers_or_skip, process};

/// Sizes at which a packet or a block ends.
const SIZES: [usize; 9] = [0, 1, 63, 64, 65, 1024, 4095, 4096, 100_000];

struct Pair {
    _site: Site,
    leaf: Node,
    hub: Node,
}

fn pair(caller: Side, answerer: Side, protocol: &str) -> Pair {
    let site = Site::new("serial");
    let leaf = Node::new(&site, "leaf", caller);
    let hub = Node::new(&site, "hub", answerer);
    hub.add_neighbour("leaf", protocol, &Reach::Never, "");
    Pair {
        _site: site,
        leaf,
        hub,
    }
}

/// Files both ways.
fn fill(pair: &Pair) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = Random::new(7);
    let mut there = HandQueue::new(&pair.leaf, "hub");
    let mut back = HandQueue::new(&pair.hub, "leaf");
    let mut sent = Vec::new();
    for (number, size) in SIZES.into_iter().enumerate() {
        let (one, other) = (random.bytes(size), random.bytes(size));
        there.file('N', "/x", &format!("~/there{number}"), &one);
        back.file('N', "/x", &format!("~/back{number}"), &other);
        sent.push((one, other));
    }
    sent
}

fn assert_arrived(pair: &Pair, sent: &[(Vec<u8>, Vec<u8>)], what: &str) {
    assert_files(pair, sent, what);
    assert_nothing_left(pair, what);
}

fn assert_files(pair: &Pair, sent: &[(Vec<u8>, Vec<u8>)], what: &str) {
    let read = |node: &Node, name: &str| std::fs::read(node.public().join(name)).ok();
    for (number, (there, back)) in sent.iter().enumerate() {
        let arrived = read(&pair.hub, &format!("there{number}"));
        assert!(arrived.as_ref() == Some(there), "{what}: there{number}");
        let arrived = read(&pair.leaf, &format!("back{number}"));
        assert!(arrived.as_ref() == Some(back), "{what}: back{number}");
    }
}

fn assert_nothing_left(pair: &Pair, what: &str) {
    for node in [&pair.leaf, &pair.hub] {
        assert_eq!(node.leftovers(), Vec::<String>::new(), "{what}");
        let locks = std::fs::read_dir(node.path("lock")).unwrap().count();
        assert_eq!(locks, 0, "{what}: a lock stays");
    }
}

fn sides() -> Vec<(Side, Side)> {
    let mut sides = vec![(Side::Ours, Side::Ours)];
    if peers_or_skip("serial lines to and from Debian's uucico").is_some() {
        sides.extend([(Side::Ours, Side::Taylor), (Side::Taylor, Side::Ours)]);
    }
    sides
}

#[test]
fn files_pass_a_cable_both_ways() {
    for (caller, answerer) in sides() {
        for protocol in ["g", "i"] {
            let what = format!("{caller:?} calls {answerer:?}, {protocol}");
            let pair = pair(caller, answerer, protocol);
            let line = SerialLine::cable(&pair.hub, &pair.leaf);
            pair.leaf.add_neighbour("hub", protocol, &Reach::Serial, "");
            pair.leaf.connect("hub", line.device());
            let sent = fill(&pair);
            let began = std::time::Instant::now();
            pair.leaf.call("hub").expect_success(&what);
            line.finish();
            println!("{what}: {:?}", began.elapsed());
            assert_arrived(&pair, &sent, &what);
        }
    }
}

/// Whether a lock file names this process.
fn is_locked_by(node: &Node, holder: Pid) -> bool {
    let mut found = false;
    walk(&node.path("lock"), &mut |path| {
        found |= process::lossy(path).trim() == holder.to_string();
    });
    found
}

#[test]
fn a_node_waits_on_a_cable_without_a_getty() {
    for (caller, answerer) in sides() {
        let what = format!("{caller:?} calls {answerer:?}");
        let pair = pair(caller, answerer, "g");
        let (line, far) = SerialLine::between(&pair.hub, &pair.leaf);
        pair.leaf.add_neighbour(
            "hub",
            "g",
            &Reach::Serial,
            "chat \"\" \\r\\c ogin: \\L word: \\P",
        );
        pair.leaf.connect("hub", line.device());
        pair.hub.connect("leaf", &far.device);
        let mut command = pair.hub.command("uucico");
        command.args(["-e", "-p", "out-leaf"]);
        let waiting = Running::start(command, &pair.hub.path("log/waiting"));
        // Nobody else may take the device while nothing is on it.
        process::wait_for("the lock of the device", process::PATIENCE, || {
            is_locked_by(&pair.hub, waiting.pid()).then_some(())
        });
        // Taylor's asks for a login before it listens again, and takes what came meanwhile for the name.
        let calls = if answerer == Side::Ours { 2 } else { 1 };
        for call in 1..=calls {
            let what = format!("{what}, call {call}");
            let sent = fill(&pair);
            pair.leaf.call("hub").expect_success(&what);
            assert_files(&pair, &sent, &what);
        }
        kill(waiting.pid(), Signal::SIGTERM).unwrap();
        waiting.finish(process::PATIENCE);
        assert_nothing_left(&pair, &what);
    }
}

#[test]
fn a_line_that_holds_its_ends_up_by_xon_and_xoff_is_one_for_f_and_j() {
    for (caller, answerer) in sides() {
        for protocol in ["f", "j"] {
            let what = format!("{caller:?} calls {answerer:?}, {protocol}");
            let pair = pair(caller, answerer, protocol);
            // The handshake is shorter than that: by then both are set for it.
            let line = SerialLine::held_up(&pair.hub, &pair.leaf, 2000);
            pair.leaf.add_neighbour("hub", protocol, &Reach::Serial, "");
            pair.leaf.connect("hub", line.device());
            let sent = fill(&pair);
            pair.leaf.call("hub").expect_success(&what);
            line.finish();
            assert_arrived(&pair, &sent, &what);
        }
    }
}

const DIALER: &str = "dialer hayes\nchat \"\" ATZ\\r\\c OK\\r ATDT\\T\\r\\c CONNECT\\s9600\\r\nchat-timeout 30\n\
    chat-fail BUSY\nchat-fail NO\\sCARRIER\ncomplete \\d+++\\dATH\\r\\c\nabort ATH0\\r\\c\nprotocol-parameter g window 5\n";

fn dial(pair: &Pair, line: &SerialLine, number: &str, dialer: &str) {
    let port = format!(
        "port acu\ntype modem\ndevice {}\nspeed 9600\nhardflow false\ndialer hayes\n",
        line.device().display()
    );
    let call = format!("time any\nspeed 9600\nphone {number}\n");
    pair.leaf.add_neighbour("hub", "g", &Reach::Never, &call);
    pair.leaf.write("etc/port", &port);
    pair.leaf.write("etc/dial", dialer);
    pair.leaf.write("etc/dialcode", "HH 040\n");
    let config = process::lossy(&pair.leaf.config());
    let dialcode = pair.leaf.path("etc/dialcode");
    let config = format!("{config}dialcodefile {}\n", dialcode.display());
    pair.leaf.write("etc/config", &config);
}

fn callers() -> Vec<Side> {
    let mut callers: Vec<Side> = sides().into_iter().map(|(caller, _)| caller).collect();
    callers.dedup();
    callers
}

#[test]
fn a_modem_dials_and_is_put_back() {
    for caller in callers() {
        let what = format!("{caller:?} dials");
        let pair = pair(caller, Side::Ours, "g");
        let line = SerialLine::modem(&pair.hub, &pair.leaf, "040w12,3", "NO ANSWER");
        let dialer = format!("{DIALER}dialtone w\n");
        dial(&pair, &line, "HH=12-3", &dialer);
        let sent = fill(&pair);
        pair.leaf.call("hub").expect_success(&what);
        assert_eq!(line.heard(), ["ATZ", "ATDT040w12,3"], "{what}");
        line.finish();
        assert_arrived(&pair, &sent, &what);
        let log = process::lossy(&pair.leaf.path("log/Log"));
        assert!(log.contains("/5"), "{what}: the dialer's window: {log}");
    }
}

#[test]
fn a_call_that_is_not_answered_fails_and_stays_queued() {
    for (answer, reason) in [
        ("BUSY", "Got \"BUSY\""),
        ("NO CARRIER", "Got \"NO CARRIER\""),
        ("", "Timed out in chat script"),
    ] {
        let pair = pair(Side::Ours, Side::Ours, "g");
        let line = SerialLine::modem(&pair.hub, &pair.leaf, "1", answer);
        let dialer = DIALER.replace("chat-timeout 30", "chat-timeout 1");
        dial(&pair, &line, "2", &dialer);
        let queued = {
            fill(&pair);
            pair.leaf.leftovers().len()
        };
        let called = pair.leaf.call("hub");
        assert!(!called.status.success(), "{answer}: {called:?}");
        let log = process::lossy(&pair.leaf.path("log/Log"));
        assert!(log.contains(reason), "{answer}: {log}");
        // The abort script follows at once; the modem may still be about to read it.
        let heard = process::wait_for("the abort script", process::PATIENCE, || {
            let heard = line.heard();
            (heard.len() == 3).then_some(heard)
        });
        assert_eq!(heard, ["ATZ", "ATDT2", "ATH0"], "{answer}");
        assert_eq!(pair.leaf.leftovers().len(), queued, "{answer}");
        let status = process::lossy(&pair.leaf.spool().join(".Status/hub"));
        assert!(
            status.starts_with("2 1 "),
            "{answer}: dial failed: {status}"
        );
    }
}

#[test]
fn a_device_in_use_is_left_alone() {
    let pair = pair(Side::Ours, Side::Ours, "g");
    let line = SerialLine::modem(&pair.hub, &pair.leaf, "1", "BUSY");
    dial(&pair, &line, "1", DIALER);
    fill(&pair);
    let device = line.device().display().to_string();
    let name = device.trim_start_matches("/dev/").replace('/', ".");
    // A live process, as another program's lock file would name it.
    let text = format!("{:10}\n", std::process::id());
    pair.leaf.write(&format!("lock/LCK..{name}"), &text);
    let called = pair.leaf.call("hub");
    assert!(!called.status.success());
    let log = process::lossy(&pair.leaf.path("log/Log"));
    assert!(log.contains(&format!("{device} is in use")), "{log}");
    assert!(line.heard().is_empty());
}
