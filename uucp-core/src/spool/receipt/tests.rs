//! Receipts: kept over time, cut lines, growth.

use super::super::fault;
use super::super::tests::TestSpool;
use super::compact::{ACKNOWLEDGED_LIMIT, LIFETIME, SLACK_LINES, TOTAL_LIMIT};
use super::*;

fn key(number: u64) -> Key {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Key(bytes)
}

fn load(test: &TestSpool) -> Receipts {
    Receipts::load(&test.spool, &"beta".parse().unwrap()).unwrap()
}

fn moves(test: &TestSpool) -> Vec<Move> {
    vec![Move {
        from: test.spool.root().join("a b%"),
        to: PathBuf::from("/elsewhere/\n"),
    }]
}

fn receipt(key: Key, moves: Vec<Move>) -> Receipt {
    Receipt {
        key,
        content: None,
        moves,
    }
}

#[test]
fn receipts_are_kept_and_unfinished_ones_known() {
    let test = TestSpool::new();
    let now = ObservedTime(100);
    let mut receipts = load(&test);
    receipts
        .receive(
            &[
                receipt(key(1), moves(&test)),
                receipt(key(2), Vec::new()),
                receipt(key(3), Vec::new()),
            ],
            now,
        )
        .unwrap();
    receipts.done(&[key(2)]).unwrap();
    receipts.void(&[key(3)]).unwrap();
    let receipts = load(&test);
    assert!(receipts.contains(key(1)) && receipts.contains(key(2)) && !receipts.contains(key(3)));
    assert_eq!(receipts.unfinished(), [(key(1), moves(&test))]);
}

#[test]
fn a_cut_line_is_cut_off_and_the_next_one_is_whole() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    receipts
        .receive(&[receipt(key(1), Vec::new())], ObservedTime(1))
        .unwrap();
    receipts
        .receive(&[receipt(key(2), moves(&test))], ObservedTime(1))
        .unwrap();
    let path = receipts.path.clone();
    let whole = std::fs::read(&path).unwrap();
    let first_line = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    for length in first_line..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut receipts = load(&test);
        assert!(
            receipts.contains(key(1)) && !receipts.contains(key(2)),
            "{length}"
        );
        receipts
            .receive(&[receipt(key(3), Vec::new())], ObservedTime(1))
            .unwrap();
        assert!(load(&test).contains(key(3)), "{length}");
    }
}

#[test]
fn a_line_that_a_full_disk_has_cut_does_not_spoil_the_next() {
    for steps in 0.. {
        let test = TestSpool::new();
        let mut receipts = load(&test);
        let mut receive =
            |number, moves| receipts.receive(&[receipt(key(number), moves)], ObservedTime(1));
        receive(1, Vec::new()).unwrap();
        fault::arm(steps, fault::Trouble::DiskFull);
        let told = receive(2, moves(&test));
        let met = fault::disarm();
        assert_eq!(told.is_ok(), !met, "{steps}");
        receive(3, Vec::new()).unwrap();
        let there = load(&test);
        assert!(there.contains(key(1)) && there.contains(key(3)), "{steps}");
        if !met {
            assert!(there.contains(key(2)));
            break;
        }
    }
}

#[test]
fn a_damaged_line_and_what_follows_it_are_none() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    for number in [1, 2] {
        receipts
            .receive(&[receipt(key(number), moves(&test))], ObservedTime(1))
            .unwrap();
    }
    let path = receipts.path.clone();
    let whole = std::fs::read(&path).unwrap();
    let first_line = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    for at in first_line..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let receipts = load(&test);
        assert_eq!(receipts.unfinished(), [(key(1), moves(&test))], "{at}");
        assert_eq!(receipts.entries.len(), 1, "{at}");
    }
}

#[test]
fn the_name_of_the_file_and_what_is_void_are_on_the_disk_at_once() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    let steps = || {
        let steps = fault::record().into_iter();
        steps.map(|(what, _)| what).collect::<Vec<_>>()
    };
    steps();
    receipts
        .receive(&[receipt(key(1), Vec::new())], ObservedTime(1))
        .unwrap();
    let first = steps();
    let wanted = ["create", "sync directory", "write"];
    assert!(first.ends_with(&wanted), "{first:?}");
    receipts.void(&[key(1)]).unwrap();
    assert_eq!(steps(), ["write", "sync"]);
}

#[test]
fn so_many_receipts_are_kept_and_not_more() {
    let test = TestSpool::new();
    for (acknowledged, limit) in [(true, ACKNOWLEDGED_LIMIT), (false, TOTAL_LIMIT)] {
        let mut receipts = load(&test);
        for number in 0..limit + 9 {
            let number = number as u64;
            receipts.remember(key(number), ObservedTime(number), None);
        }
        for entry in receipts.entries.values_mut() {
            entry.acknowledged = acknowledged;
        }
        receipts.forget_old(ObservedTime(0));
        assert_eq!(receipts.entries.len(), limit);
        assert!(receipts.contains(key(9)) && !receipts.contains(key(8)));
    }
}

#[test]
fn old_receipts_and_too_many_are_forgotten_but_never_unfinished_ones() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    let seen: Vec<Receipt> = (10..30).map(|n| receipt(key(n), Vec::new())).collect();
    let seen_keys: Vec<Key> = seen.iter().map(|receipt| receipt.key).collect();
    receipts.receive(&seen, ObservedTime(0)).unwrap();
    receipts.done(&seen_keys).unwrap();
    receipts
        .receive(&[receipt(key(1), moves(&test))], ObservedTime(0))
        .unwrap();
    receipts.forget_old(ObservedTime(LIFETIME - 1));
    assert!(receipts.contains(key(10)));
    receipts.forget_old(ObservedTime(LIFETIME));
    assert!(!receipts.contains(key(10)) && receipts.contains(key(1)));

    let mut receipts = load(&test);
    for entry in receipts.entries.values_mut() {
        entry.acknowledged = true;
    }
    receipts
        .receive(&[receipt(key(2), Vec::new())], ObservedTime(9))
        .unwrap();
    receipts.forget_beyond(5, |entry| entry.acknowledged);
    assert!(receipts.contains(key(1)) && receipts.contains(key(2)));
    assert!(receipts.entries.len() <= 7);
}

#[test]
fn what_came_in_a_call_that_is_over_comes_no_more() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    let with_content = |n| Receipt {
        content: Some([7; 16]),
        ..receipt(key(n), Vec::new())
    };
    receipts
        .receive(&[with_content(1)], ObservedTime(0))
        .unwrap();
    receipts.acknowledged();
    assert_eq!(receipts.repeatable(key(1)), Some([7; 16]));
    receipts.over();
    receipts
        .receive(&[with_content(2)], ObservedTime(0))
        .unwrap();
    receipts.done(&[key(1), key(2)]).unwrap();
    let told = |receipts: &Receipts| [1, 2].map(|n| receipts.repeatable(key(n)).is_some());
    assert_eq!(told(&receipts), [false, true]);
    assert_eq!(told(&load(&test)), [false, true]);
    // Nothing new has come: nothing is written.
    receipts.over();
    let lines = receipts.lines;
    receipts.over();
    assert_eq!(receipts.lines, lines);
    // Written anew, the file says the same.
    receipts
        .receive(&[with_content(3)], ObservedTime(0))
        .unwrap();
    receipts.done(&[key(3)]).unwrap();
    receipts.lines += SLACK_LINES;
    receipts.compact_if_grown(&test.spool).unwrap();
    let again = load(&test);
    let told = [1, 2, 3].map(|n| again.repeatable(key(n)).is_some());
    assert_eq!(told, [false, false, true]);
    assert!(again.contains(key(1)) && again.lines == receipts.lines);
}

#[test]
fn a_grown_file_is_written_anew_with_the_same_meaning() {
    let test = TestSpool::new();
    let mut receipts = load(&test);
    receipts
        .receive(
            &[receipt(key(1), moves(&test)), receipt(key(2), Vec::new())],
            ObservedTime(0),
        )
        .unwrap();
    receipts.done(&[key(2)]).unwrap();
    receipts.acknowledged();
    receipts
        .receive(&[receipt(key(3), Vec::new())], ObservedTime(0))
        .unwrap();
    receipts.done(&[key(3)]).unwrap();
    receipts.lines += SLACK_LINES;
    receipts.compact_if_grown(&test.spool).unwrap();
    let again = load(&test);
    assert_eq!(again.lines, receipts.lines);
    assert!(again.lines < 10);
    assert_eq!(again.unfinished(), [(key(1), moves(&test))]);
    let acknowledged = |n| again.entries[&key(n)].acknowledged;
    assert!(acknowledged(2) && !acknowledged(3));
}
