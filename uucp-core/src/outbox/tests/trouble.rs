//! Messages that cannot be read, and death at every step.

use super::far::{sent_words, unpack};
use super::*;
use crate::spool::fault::{self, Trouble};

#[test]
fn one_damaged_message_is_set_aside_and_holds_up_no_other() {
    let test = TestSpool::new();
    let names = queue(&test, &[("a", b'C'), ("b", b'C'), ("c", b'C')]);
    let path = test.spool.message_path(&beta(), &names[1]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&path, bytes).unwrap();
    let packed = pack(&test, &packing()).unwrap();
    assert_eq!(packed.complaints.len(), 1);
    assert!(packed.complaints[0].contains(".Corrupt/"), "{packed:?}");
    assert_eq!(sent_words(&test), ["C: a c"]);
    assert_eq!(test.files(), [format!(".Corrupt/{}", names[1])]);
}

#[test]
fn a_message_that_cannot_be_read_now_stays_and_holds_up_no_other() {
    let test = TestSpool::new();
    let names = queue(&test, &[("a", b'C'), ("b", b'C')]);
    let path = test.spool.message_path(&beta(), &names[0]);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let packed = pack(&test, &packing()).unwrap();
    let [complaint] = &packed.complaints[..] else {
        panic!("{packed:?}");
    };
    assert!(complaint.contains(&*path.to_string_lossy()), "{complaint}");
    assert_eq!(sent_words(&test), ["C: b"]);
    let outbox = Outbox::new(&test.spool, &beta());
    assert_eq!(outbox.list().unwrap(), names[..1]);
}

/// How many batches have a record.
fn records(test: &TestSpool) -> usize {
    let folder = test.spool.root().join(".Bangpath/outbox/beta/packed");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// A packer has died when its only message had gone.
fn with_a_record_alone() -> TestSpool {
    for steps in 0.. {
        let test = TestSpool::new();
        queue(&test, &[("a", b'C')]);
        fault::arm(steps, Trouble::Death);
        let _ = pack(&test, &packing());
        assert!(fault::disarm(), "no step leaves a record alone");
        if Outbox::new(&test.spool, &beta()).is_empty().unwrap() && records(&test) == 1 {
            return test;
        }
    }
    unreachable!()
}

#[test]
fn a_record_alone_that_somebody_else_has_locked_is_left_to_him() {
    let test = with_a_record_alone();
    let lock = test.spool.root().join(".Bangpath/outbox/beta/lock");
    let held = File::open(lock).unwrap();
    held.lock().unwrap();
    assert!(pack(&test, &packing()).unwrap().batches.is_empty());
    assert_eq!(records(&test), 1);
    held.unlock().unwrap();
    assert!(pack(&test, &packing()).unwrap().batches.is_empty());
    assert_eq!(records(&test), 0);
}

#[test]
fn death_between_any_two_steps_of_a_whole_run_loses_and_doubles_nothing() {
    let mut interrupted = 0;
    for steps in 0.. {
        let mut died = false;
        for send_between in [false, true] {
            let test = TestSpool::new();
            queue(&test, &[("a", b'A'), ("b", b'C'), ("c", b'C'), ("d", b'C')]);
            let how = Packing {
                limits: BatchLimits {
                    messages: 2,
                    ..BatchLimits::default()
                },
                ..packing()
            };
            fault::arm(steps, Trouble::Death);
            let told = pack(&test, &how);
            died = fault::disarm();
            assert_eq!(told.is_ok(), !died, "step {steps}");
            let mut total = if send_between {
                sent_words(&test)
            } else {
                Vec::new()
            };
            pack(&test, &how).unwrap();
            total.extend(sent_words(&test));
            total.sort();
            assert_eq!(total, ["A: a", "C: b c", "C: d"], "step {steps}");
            // Also when nothing waited any more.
            let records = records(&test);
            assert_eq!(records, 0, "step {steps}: a record is left");
            interrupted += usize::from(died);
        }
        if !died {
            break;
        }
    }
    assert!(interrupted > 60, "{interrupted}");
}

#[test]
fn with_another_carrier_what_comes_twice_has_the_same_id() {
    for steps in 0.. {
        let test = TestSpool::new();
        let names = queue(&test, &[("a", b'C'), ("b", b'C')]);
        let outbox = Outbox::new(&test.spool, &beta());
        let mut taken = Vec::new();
        let mut run = |outbox: &Outbox<'_>| {
            outbox.pack_with(&packing(), Scope::all(), &mut |_, file| {
                taken.extend(unpack(file));
                Ok(())
            })
        };
        fault::arm(steps, Trouble::Death);
        let _ = run(&outbox);
        let died = fault::disarm();
        run(&outbox).unwrap();
        taken.sort_by(|a, b| a.word.cmp(&b.word));
        taken.dedup();
        let ids: Vec<&str> = taken.iter().map(|one| &*one.id).collect();
        assert_eq!(ids, [names[0].unique(), names[1].unique()], "step {steps}");
        if !died {
            break;
        }
    }
}
