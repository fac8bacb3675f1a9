//! kill -9 at a random byte of a large file: the next call sends the rest, and the file is as it was.
//!
//! One round is one file: a call in which one of the sides is killed, or the line cut, when so many bytes have passed, and a
//! call that goes on. `ROUNDS=50 SIZE_MB=256` makes more and larger ones, `PROTOCOLS=ti` others,
//! `SEED=n` repeats a run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use suite_tests::node::Node;
use suite_tests::payload::{Random, seed};
use suite_tests::peers_or_skip;
use suite_tests::process;
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;

use self::scene::{Passed, Scene, Victim};

#[path = "kill_rounds/scene.rs"]
mod scene;

/// The link protocols that can go on in the middle of a file; `f` cannot.
const PROTOCOLS: &str = "tigejGyva";

const SIDES: [Victim; 2] = [Victim::Caller, Victim::Answerer];
const SIDES_AND_LINE: [Victim; 3] = [Victim::Caller, Victim::Answerer, Victim::Line];

#[derive(Debug, Clone, Copy)]
struct Round {
    caller: Side,
    answerer: Side,
    protocol: char,
    /// The file goes from the caller to the answerer, or the other way.
    outward: bool,
    /// Its receiver has asked for it.
    asked: bool,
    victim: Victim,
}

/// How many files in the making there are at their destination.
fn parts(node: &Node) -> usize {
    let names = std::fs::read_dir(node.public()).unwrap().flatten();
    let begins = |name: &std::ffi::OsString| name.as_encoded_bytes().starts_with(b".bangpath-");
    names.filter(|entry| begins(&entry.file_name())).count()
}

fn pick((caller, answerer): Passed, outward: bool) -> u64 {
    if outward { caller } else { answerer }
}

fn assert_same(path: &Path, data: &[u8]) {
    let found = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Not by assert_eq: the bytes would fill the screen.
    assert!(found == data, "{} is another file", path.display());
}

/// How much of the file the second call did not need, by the receiver's log.
fn resumed_at(receiver: &Node) -> u64 {
    let log = receiver.log();
    let place = log.rsplit_once("resume at ");
    let (_, place) = place.unwrap_or_else(|| panic!("no restart:\n{log}"));
    let (digits, _) = place.split_once(')').unwrap();
    // Taylor's counts in tens.
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => digits.parse().unwrap(),
    }
}

fn run(round: Round, random: &mut Random, size: u64) {
    let start = Instant::now();
    let scene = Scene::new(round.caller, round.answerer, round.protocol);
    let (sender, receiver) = scene.sides(round.outward);
    println!("{round:?}");
    let data = random.bytes(usize::try_from(size).unwrap());
    queue(round, sender, receiver, &data);
    let after = size / 3 + random.below(size / 2);
    let first = scene.broken_call(round.victim, after, round.outward);
    let broken = start.elapsed();
    assert!(!receiver.path("pub/large").exists(), "half a file");
    let second = pick(scene.whole_call(), round.outward);
    let resumed = resumed_at(receiver);
    println!(
        "broken at {after} of {size} after {broken:.1?}, resumed at {resumed}, {second} bytes in the second call, {:.1?} in all",
        start.elapsed()
    );
    assert!(pick(first, round.outward) >= after && resumed > 0);
    // Taylor answers over i and j only when the data pause, so that all of them are on their way before they are stopped.
    let both = [round.caller, round.answerer];
    let stops = !(both.contains(&Side::Taylor) && "ij".contains(round.protocol));
    assert!(second < size || !stops, "the whole file was sent again");
    assert_same(&receiver.path("pub/large"), &data);
    scene.assert_nothing_left();
}

/// One job: the file is to be sent, or it is asked for.
fn queue(round: Round, sender: &Node, receiver: &Node, data: &[u8]) {
    let path = sender.path("pub/original");
    let from = path.display().to_string();
    if round.asked {
        write_old(sender, &path, data);
        let to = receiver.path("pub/large");
        HandQueue::new(receiver, sender.name()).fetch('N', &from, &to);
    } else {
        HandQueue::new(sender, receiver.name()).file('N', &from, "~/large", data);
    }
}

/// Writes a file and waits until it can be told whether it changes again: its times say nothing for a second.
fn write_old(node: &Node, path: &Path, data: &[u8]) {
    std::fs::write(path, data).unwrap();
    node.owner().give(path);
    process::wait_for("the file to be old", process::PATIENCE, || {
        let file = path.metadata().unwrap();
        let since_epoch = Duration::new(
            file.ctime().try_into().unwrap(),
            file.ctime_nsec().try_into().unwrap(),
        );
        let age = SystemTime::now().duration_since(UNIX_EPOCH + since_epoch);
        (age.unwrap_or_default() > Duration::from_millis(1100)).then_some(())
    });
}

/// The size of the files that is asked for.
fn megabytes() -> Option<u64> {
    std::env::var_os("SIZE_MB").map(|_| number("SIZE_MB", 0) << 20)
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}"))
    })
}

/// What a test goes through.
struct Plan<'a> {
    pairs: &'a [(Side, Side)],
    protocols: &'a str,
    victims: &'a [Victim],
    asked: bool,
    /// Bytes in a file.
    size: u64,
}

/// One round after the other until every pair has met every victim over every protocol.
///
/// Between neighbours in the list of protocols the direction changes, and with each protocol it stays: so both the caller and
/// the answerer are killed, once as the file's sender and once as its receiver. Which of them begins is drawn.
fn rounds(plan: &Plan<'_>) {
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Random::new(seed);
    let chosen = std::env::var("PROTOCOLS").unwrap_or_else(|_| plan.protocols.to_owned());
    let protocols: Vec<char> = chosen.chars().collect();
    let of_a_victim = plan.pairs.len() * protocols.len();
    let all = (of_a_victim * plan.victims.len()) as u64;
    let size = megabytes().unwrap_or(plan.size);
    let first_outward = random.below(2) == 0;
    for index in 0..usize::try_from(number("ROUNDS", all)).unwrap() {
        let (caller, answerer) = plan.pairs[index % plan.pairs.len()];
        let protocol = index / plan.pairs.len() % protocols.len();
        let round = Round {
            caller,
            answerer,
            protocol: protocols[protocol],
            outward: first_outward == protocol.is_multiple_of(2),
            asked: plan.asked,
            victim: plan.victims[index / of_a_victim % plan.victims.len()],
        };
        run(round, &mut random, size);
    }
}

const OURS: [(Side, Side); 1] = [(Side::Ours, Side::Ours)];

#[test]
fn ours_goes_on_where_a_kill_has_stopped_it() {
    rounds(&Plan {
        pairs: &OURS,
        protocols: PROTOCOLS,
        victims: &SIDES_AND_LINE,
        asked: false,
        size: 3 << 20,
    });
}

#[test]
fn so_does_a_file_that_was_asked_for() {
    rounds(&Plan {
        pairs: &OURS,
        protocols: "tige",
        victims: &SIDES_AND_LINE,
        asked: true,
        size: 3 << 20,
    });
}

#[test]
fn so_does_ours_with_taylors() {
    if peers_or_skip("kill rounds: taylor").is_none() {
        return;
    }
    let pairs = [(Side::Ours, Side::Taylor), (Side::Taylor, Side::Ours)];
    rounds(&Plan {
        pairs: &pairs,
        protocols: "tgi",
        victims: &SIDES,
        asked: false,
        size: 512 << 10,
    });
}

#[test]
fn a_file_that_changes_between_two_calls_is_sent_anew() {
    let mut random = Random::new(seed());
    let size = 4 << 20;
    let mut pairs = vec![(Side::Ours, Side::Ours)];
    if peers_or_skip("kill rounds: a changed file").is_some() {
        pairs.push((Side::Ours, Side::Taylor));
    }
    for (caller, answerer) in pairs {
        for protocol in ['t', 'i', 'g'] {
            let scene = Scene::new(caller, answerer, protocol);
            let path = scene.leaf.path("pub/large");
            std::fs::write(&path, random.bytes(size)).unwrap();
            scene.leaf.owner().give(&path);
            HandQueue::new(&scene.leaf, "hub").file_in_place('N', &path, "~/changed");
            scene.broken_call(Victim::Line, size as u64 / 2, true);
            // As long as before.
            let changed = random.bytes(size);
            std::fs::write(&path, &changed).unwrap();
            let (sent, _) = scene.whole_call();
            assert!(sent > size as u64, "{protocol}: the rest of another file");
            assert_same(&scene.hub.path("pub/changed"), &changed);
        }
    }
}

#[test]
fn so_is_one_that_was_asked_for() {
    let mut random = Random::new(seed());
    let size = 4 << 20;
    for protocol in ['t', 'g'] {
        let scene = Scene::new(Side::Ours, Side::Ours, protocol);
        let path = scene.leaf.path("pub/large");
        let to = scene.hub.path("pub/changed");
        write_old(&scene.leaf, &path, &random.bytes(size));
        HandQueue::new(&scene.hub, "leaf").fetch('N', &path.display().to_string(), &to);
        scene.broken_call(Victim::Line, size as u64 / 2, true);
        let kept = parts(&scene.hub);
        assert_eq!(kept, 1, "nothing was kept");
        let changed = random.bytes(size);
        write_old(&scene.leaf, &path, &changed);
        let (sent, _) = scene.whole_call();
        assert!(sent > size as u64, "{protocol}: the rest of another file");
        assert_same(&to, &changed);
        assert_eq!(parts(&scene.hub), 0, "what is of no use stays");
    }
}
