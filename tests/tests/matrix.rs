//! Every caller with every answerer over every protocol and every kind of line: TCP, a pipe, a terminal; TLS is ours alone.
//!
//! One call per combination carries hundreds of files in both directions: executions and plain files, queued by `uux`
//! and by hand, of every size at which a packet, a block or a buffer ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use suite_tests::node::{Node, Reach};
use suite_tests::payload::Random;
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;
use suite_tests::serial::SerialLine;
use suite_tests::{Site, peers_or_skip};

/// Files that each side sends in the one call.
const FILES: usize = 200;
/// The same over a terminal, and between two of Taylor's: each size once, and some of the small ones twice.
const FEWER_FILES: usize = 60;
/// The same over `a` with Taylor's: where its receiver throws a message away, both wait for 20 seconds.
const FILES_OF_A: usize = 20;
/// Calls until all of them have to be there.
const CALLS_OF_A: usize = 8;
/// Of those, so many are queued by the side's own `uux`.
const BY_UUX: usize = 10;
/// Combinations at a time: they mostly wait, for the peer's sleeps and the kernel's delayed acknowledgements.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Tcp,
    Pipe,
    Serial,
    Tls,
}

/// The lines that both sides know.
const LINES: [Line; 3] = [Line::Serial, Line::Tcp, Line::Pipe];

#[derive(Debug, Clone, Copy)]
struct Combination {
    caller: Side,
    answerer: Side,
    protocol: char,
    line: Line,
}

/// Sizes at which something ends: a packet of g, G and v (32 to 4096, and two less), of i (1024, 4095), j (1024, 2013) and
/// y (1024), a block of t (1024), a buffer (16 KiB).
fn sizes() -> Vec<usize> {
    let mut sizes = vec![0, 1, 2, 1_000_000];
    for edge in [
        32, 64, 128, 256, 510, 512, 1022, 1024, 2013, 2048, 4095, 4096, 8192, 16_000, 16_384,
    ] {
        sizes.extend([edge - 1, edge, edge + 1]);
    }
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// What one node is to find after the call: name to content.
type Expected = BTreeMap<String, Vec<u8>>;

/// Queues this node's files; gives back what the peer shall have stored by execution, and in its public directory.
fn fill(node: &Node, peer: &Node, seed: u64, count: usize) -> (Expected, Expected) {
    let mut random = Random::new(seed);
    let sizes = sizes();
    let (mut executed, mut files) = (Expected::new(), Expected::new());
    let mut by_hand = HandQueue::new(node, peer.name());
    for number in 0..count {
        // One large file each way is enough; beyond the list the sizes repeat.
        let size = match sizes[number % sizes.len()] {
            large if large > 100_000 && number >= sizes.len() => 700,
            size => size,
        };
        let data = random.bytes(size);
        let name = format!("{}-{number}-{size}", node.name());
        let grade = ['N', 'A', 'z', '0'][number % 4];
        if number < BY_UUX {
            let arguments = ["-r", "-", &format!("{}!store", peer.name()), &name];
            node.run_with_input("uux", &arguments, &data)
                .expect_success("uux");
            executed.insert(name, data);
        } else if number % 3 != 0 {
            let from = node.path("pub").join(&name).display().to_string();
            by_hand.file(grade, &from, &format!("~/{name}"), &data);
            files.insert(name, data);
        } else {
            by_hand.execution(grade, &format!("store {name}"), &data);
            executed.insert(name, data);
        }
    }
    (executed, files)
}

fn found(node: &Node, part: &str, peer: &Node) -> Expected {
    let prefix = format!("{}-", peer.name());
    let mut found = Expected::new();
    suite_tests::node::walk(&node.path(part), &mut |path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(&prefix) {
            found.insert(name, std::fs::read(path).expect("a file that came"));
        }
    });
    found
}

/// Says what differs by name and size; the bytes themselves would fill the screen.
fn compare(what: &str, expected: &Expected, found: &Expected) {
    let missing: Vec<_> = expected
        .keys()
        .filter(|name| !found.contains_key(*name))
        .collect();
    let extra: Vec<_> = found
        .keys()
        .filter(|name| !expected.contains_key(*name))
        .collect();
    let differing: Vec<_> = expected
        .iter()
        .filter(|(name, data)| found.get(*name).is_some_and(|other| other != *data))
        .map(|(name, data)| {
            format!(
                "{name}: {} bytes instead of {}",
                found[name].len(),
                data.len()
            )
        })
        .collect();
    assert!(
        missing.is_empty() && extra.is_empty() && differing.is_empty(),
        "{what}: missing {missing:?}, too many {extra:?}, differing {differing:?}"
    );
}

fn run_combination(combination: Combination) -> Duration {
    let Combination {
        caller,
        answerer,
        protocol,
        line,
    } = combination;
    let site = Site::new("matrix");
    let leaf = Node::new(&site, "leaf", caller);
    let hub = Node::new(&site, "hub", answerer);
    let mut listener = None;
    let reach = match line {
        Line::Tcp => Reach::Tcp(listener.insert(hub.listen()).port()),
        Line::Pipe => Reach::Pipe(hub.answer_command()),
        Line::Serial => Reach::Serial,
        Line::Tls => {
            leaf.befriend(&hub);
            Reach::Tls(listener.insert(hub.listen_encrypted()).port())
        }
    };
    // Packets of the peer's default size stand still for every window where Nagle meets delayed acknowledgements.
    let extra = match protocol {
        'g' | 'G' => format!("protocol-parameter {protocol} packet-size 512\n"),
        _ => String::new(),
    };
    leaf.add_neighbour("hub", &protocol.to_string(), &reach, &extra);
    hub.add_neighbour("leaf", &protocol.to_string(), &Reach::Never, &extra);
    leaf.add_store_command();
    hub.add_store_command();
    let by_taylors_a = protocol == 'a' && [caller, answerer].contains(&Side::Taylor);
    let count = match line {
        _ if by_taylors_a => FILES_OF_A,
        Line::Serial => FEWER_FILES,
        Line::Tcp | Line::Pipe | Line::Tls if [caller, answerer] == [Side::Taylor; 2] => {
            FEWER_FILES
        }
        Line::Tcp | Line::Pipe | Line::Tls => FILES,
    };
    let from_leaf = fill(&leaf, &hub, 1, count);
    let from_hub = fill(&hub, &leaf, 2, count);

    let start = Instant::now();
    // Taylor's receiver of `a` gives up now and then. What it has not confirmed is queued still, and goes in the next call.
    let calls = if by_taylors_a { CALLS_OF_A } else { 1 };
    for left in (0..calls).rev() {
        // Whoever answers at the other end of a cable answers once.
        let cable = (line == Line::Serial).then(|| SerialLine::cable(&hub, &leaf));
        if let Some(cable) = &cable {
            leaf.connect("hub", cable.device());
        }
        let called = leaf.call("hub");
        if called.status.success() {
            if let Some(cable) = cable {
                cable.finish();
            }
            break;
        }
        assert!(left > 0, "the call: {}\n{}", called.status, called.output);
    }
    let took = start.elapsed();
    drop(listener);
    let log = leaf.log();
    assert!(
        log.contains(&format!("(protocol '{protocol}'")),
        "another protocol was used"
    );

    for (node, peer, (executed, files)) in [(&hub, &leaf, from_leaf), (&leaf, &hub, from_hub)] {
        node.run("uuxqt", &[]).expect_success("uuxqt");
        compare("executed", &executed, &found(node, "stored", peer));
        compare("files", &files, &found(node, "pub", peer));
        assert_eq!(
            node.leftovers(),
            Vec::<String>::new(),
            "left at {}",
            node.name()
        );
    }
    took
}

fn run_all(combinations: Vec<Combination>) {
    let waiting = Mutex::new(combinations.into_iter().rev().collect::<Vec<_>>());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(combination) = next(&waiting) {
                    let outcome = std::panic::catch_unwind(|| run_combination(combination));
                    match outcome {
                        Ok(took) => println!("{combination:?}: {took:.1?}"),
                        Err(_) => failed.lock().unwrap().push(combination),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} combinations failed: {failed:#?}",
        failed.len()
    );
}

fn next(waiting: &Mutex<Vec<Combination>>) -> Option<Combination> {
    waiting.lock().unwrap().pop()
}

fn matrix(pairs: &[(Side, Side)], lines: &[Line]) -> Vec<Combination> {
    let mut all = Vec::new();
    // The slowest first, so that the quick ones fill the gaps.
    for protocol in ['a', 'G', 'g', 'v', 'f', 'y', 'j', 'e', 't', 'i'] {
        for &line in lines {
            for &(caller, answerer) in pairs {
                all.push(Combination {
                    caller,
                    answerer,
                    protocol,
                    line,
                });
            }
        }
    }
    all
}

#[test]
fn taylor_with_taylor_shows_that_the_scenario_itself_is_sound() {
    if peers_or_skip("matrix: taylor with taylor").is_some() {
        let mut all = matrix(&[(Side::Taylor, Side::Taylor)], &LINES);
        // Over `a` two of Taylor's wait 20 seconds again and again, at times for longer than any test would: that it works at
        // all is shown with ours at one end.
        all.retain(|combination| combination.protocol != 'a');
        run_all(all);
    }
}

#[test]
fn ours_with_ours_and_with_taylor() {
    if peers_or_skip("matrix: ours").is_some() {
        let pairs = [
            (Side::Ours, Side::Ours),
            (Side::Ours, Side::Taylor),
            (Side::Taylor, Side::Ours),
        ];
        run_all(matrix(&pairs, &LINES));
    }
}

#[test]
fn ours_with_ours_over_tls() {
    run_all(matrix(&[(Side::Ours, Side::Ours)], &[Line::Tls]));
}
