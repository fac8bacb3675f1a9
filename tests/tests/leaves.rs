//! Many leaves call one hub at the same time: each is served, nothing is lost, and the hub's memory stays small.
//!
//! `BANGPATH_LEAVES=1000` is a thousand of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use suite_tests::addresses::ManyAddresses;
use suite_tests::node::{Node, Reach};
use suite_tests::payload::Random;
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;
use suite_tests::{Site, process, scale};

/// Mails of each leaf, and for each leaf.
const MAILS: usize = 5;
/// Leaves that call at the same moment; a thousand in a minute are far fewer.
const AT_ONCE: usize = 32;
/// How often a leaf calls before it counts as not served: a hub that is full says so, and is called again.
const CALLS: usize = 20;
/// However slow the machine is.
const LONGEST: Duration = Duration::from_mins(20);
/// What all processes of the hub may need.
const KILOBYTES: u64 = 1_000_000;

/// Kilobytes that the process and its children have to themselves, and their share of the rest.
fn memory(of: Pid) -> u64 {
    let own = |pid: Pid| -> u64 {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let share = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        share
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    let children = process::children(of);
    own(of) + children.into_iter().map(own).sum::<u64>()
}

fn queue_mails(node: &Node, peer: &str) {
    let mail = Random::new(7).bytes(4096);
    let mut queue = HandQueue::new(node, peer);
    for number in 0..MAILS {
        queue.execution('N', &format!("rmail user{number}@{peer}.example"), &mail);
    }
}

/// Calls until the hub has served it; how often that was too often.
fn call(leaf: &Node) -> usize {
    for refused in 0..CALLS {
        if leaf.call("hub").status.success() {
            return refused;
        }
    }
    panic!("{} was not served:\n{}", leaf.name(), leaf.log());
}

#[test]
fn every_leaf_is_served_and_no_mail_is_lost() {
    let count = scale::leaves(32);
    let site = Site::new("leaves");
    let hub = Node::new(&site, "hub", Side::Ours);
    let listener = hub.listen();
    let line = ManyAddresses::to(listener.port());
    let leaves: Vec<Node> = (0..count)
        .map(|number| {
            let leaf = Node::new(&site, &format!("l{number:04}"), Side::Ours);
            leaf.add_neighbour("hub", "", &Reach::Tcp(line.port()), "");
            hub.add_neighbour(leaf.name(), "", &Reach::Never, "");
            queue_mails(&leaf, "hub");
            queue_mails(&hub, leaf.name());
            leaf
        })
        .collect();

    let began = Instant::now();
    let over = AtomicBool::new(false);
    let (refused, longest) = (AtomicUsize::new(0), Mutex::new(Duration::ZERO));
    let peak = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            process::wait_for("the last call", LONGEST, || {
                peak = peak.max(memory(listener.pid()));
                over.load(Ordering::Relaxed).then_some(())
            });
            peak
        });
        let next = AtomicUsize::new(0);
        std::thread::scope(|callers| {
            for _ in 0..AT_ONCE.min(count) {
                callers.spawn(|| {
                    while let Some(leaf) = leaves.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let start = Instant::now();
                        refused.fetch_add(call(leaf), Ordering::Relaxed);
                        let mut longest = longest.lock().unwrap();
                        *longest = longest.max(start.elapsed());
                    }
                });
            }
        });
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    println!(
        "{count} leaves in {:.1?}, {} calls refused, the longest took {:.1?}, the hub had {peak} KB",
        began.elapsed(),
        refused.into_inner(),
        longest.into_inner().unwrap()
    );

    for leaf in &leaves {
        let name = leaf.name();
        assert_eq!(hub.count(&format!("{name}/X.")), MAILS, "from {name}");
        assert_eq!(leaf.count("hub/X."), MAILS, "to {name}");
        assert_eq!(leaf.count("hub/C."), 0, "left at {name}");
        assert_eq!(hub.count(&format!("{name}/C.")), 0, "left for {name}");
    }
    assert!(peak > 0 && peak < KILOBYTES, "{peak} KB");
}
