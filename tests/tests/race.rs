//! Exim appends to the batch for a neighbour while `exim-bsmtp --collect` takes it away, again and again:
//!
//! ```text
//! 3 x exim4 -bS ─ appendfile ─ bsmtp/hub ─ exim-bsmtp --collect, in a loop ─ outbox
//! ```
//!
//! Whoever moves the file without Exim's own locks loses one message in twenty here. Transport and router are those of
//! `conf-snippets/exim`. `BANGPATH_LETTERS=2000 BANGPATH_ROUNDS=10` runs it in earnest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use suite_tests::correspondent::{Correspondent, Kind};
use suite_tests::letters::{self, Fate, Letter, Route, judge};
use suite_tests::node::{Node, Reach};
use suite_tests::peers::{Layer, Peers};
use suite_tests::process::{PATIENCE, Running};
use suite_tests::programs::Side;
use suite_tests::waiting::waiting;
use suite_tests::{Site, peers_with_or_skip, scale};

const INJECTORS: usize = 3;

const ROUTE: Route = Route {
    home: "leaf.example",
    there: "hub.example",
};

/// So many letters, of every kind. Here is nobody who would refuse one.
fn letters(count: usize) -> Vec<Letter> {
    let rounds = (0..count).map(|round| letters::of_every_kind(&round.to_string(), ROUTE));
    let mut letters: Vec<Letter> = rounds.flatten().take(count).collect();
    for letter in &mut letters {
        letter.fates.fill(Fate::Arrives);
    }
    letters
}

/// Hands `letters` to one Exim, which delivers each before it reads the next.
fn inject(leaf: &Correspondent, number: usize, letters: &[Letter]) {
    let batch: Vec<u8> = letters.iter().flat_map(Letter::in_batch).collect();
    let input = leaf.node.path(&format!("log/batch{number}"));
    std::fs::write(&input, batch).unwrap();
    let mut command = leaf.mail.command("/usr/sbin/exim4", &["-odi", "-bS"]);
    command.stdin(std::fs::File::open(&input).unwrap());
    let output = leaf.node.path(&format!("log/exim{number}.out"));
    Running::start(command, &output)
        .finish(PATIENCE * 10)
        .expect_success("exim4 -bS");
}

/// Says that nobody writes any more, however the writing ended.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// One round; how often was collected while Exim wrote.
fn race(peers: &Peers, count: usize) -> usize {
    let site = Site::new("race");
    let leaf = Node::new(&site, "leaf", Side::Ours);
    leaf.add_neighbour("hub", "", &Reach::Never, "");
    let leaf = Correspondent::start(&site, peers, leaf, (Kind::Exim, "uucp_files"), "");
    let letters = letters(count);
    let writing = AtomicBool::new(true);
    let collected = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while writing.load(Ordering::SeqCst) {
                leaf.collect();
                collected.fetch_add(1, Ordering::SeqCst);
            }
        });
        let _end = End(&writing);
        std::thread::scope(|scope| {
            let share = letters.len().div_ceil(INJECTORS);
            for (number, part) in letters.chunks(share).enumerate() {
                let leaf = &leaf;
                scope.spawn(move || inject(leaf, number, part));
            }
        });
        leaf.settle();
    });
    leaf.collect();
    judge(&letters, &waiting(&leaf.node, "hub")).expect_good("the race");
    assert!(leaf.files().is_empty(), "left: {:?}", leaf.files());
    assert!(!leaf.mail.log().contains(" ** "), "Exim has returned mail");
    collected.into_inner()
}

#[test]
fn exim_appends_while_batches_are_collected() {
    let Some(peers) = peers_with_or_skip("race: Exim and --collect", &[Layer::Exim]) else {
        return;
    };
    for round in 1..=scale::rounds(1) {
        let count = scale::letters(300);
        let collected = race(peers, count);
        println!("round {round}: {count} messages, collected {collected} times");
        assert!(collected > 1, "nothing was collected while Exim wrote");
    }
}
