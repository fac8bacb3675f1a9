//! Packing: the order of its steps, death and a full disk at each, who packs at the same time.

use std::fs;
use std::time::Duration;

use super::super::super::fault::{self, Trouble};
use super::super::super::tests::{TestSpool, beta, draft, grade};
use super::super::super::{SpoolError, durable};
use super::{content, io, lock, sealed, waiting};
use crate::name::{Grade, SpoolName};
use crate::wire::command::Request;

/// Packs everything that waits into one job, the names of the messages as its data.
fn pack(test: &TestSpool) -> Result<(), SpoolError> {
    let outbox = lock(test)?;
    let names = waiting(test);
    if names.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = names.iter().map(|name| content(test, name)).collect();
    let draft = draft(&test.spool, texts.join(" ").as_bytes()).map_err(io)?;
    outbox.commit(vec![draft], &names).map(|_| ())
}

/// Sends what is queued: what was in it. As uucico does it, the data goes first; `cut` leaves the work file.
fn send(test: &TestSpool, cut: bool) -> Vec<String> {
    let mut sent = Vec::new();
    for work in test.spool.scan(&beta(), Grade::LAST).unwrap() {
        let work = test.spool.read_work(&beta(), &work).unwrap();
        for request in &work.requests {
            let Request::Execute(execute) = request else {
                panic!("{request:?}");
            };
            let data = SpoolName::parse(&execute.file.temp).unwrap();
            // Data that is gone was sent.
            if let Ok(text) = fs::read_to_string(test.spool.data_path(&beta(), &data)) {
                sent.extend(text.split(' ').map(str::to_owned));
            }
            test.spool.finish_request(&work.job, &data).unwrap();
        }
        if !cut {
            test.spool.finish_job(&work.job, &[]).unwrap();
        }
    }
    sent
}

#[test]
fn a_batch_is_durable_then_recorded_then_a_job_then_its_messages_go_then_the_record() {
    let test = TestSpool::new();
    for round in 0..2 {
        test.spool
            .queue_messages(vec![
                sealed(&test, "a").unwrap(),
                sealed(&test, "b").unwrap(),
            ])
            .unwrap();
        fault::record();
        pack(&test).unwrap();
        if round == 0 {
            continue;
        }
        let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
        assert_eq!(
            steps,
            [
                "create",
                "write", // data
                "create",
                "write", // work file
                "create",
                "write", // record
                "rename",
                "sync",
                "sync",
                "sync",
                "sync directory",
                "sync directory", // data in its place, the messages in theirs
                "rename",
                "sync directory", // record
                "rename",
                "sync directory", // work file
                "remove",
                "remove",
                "sync directory", // messages
                "remove",         // record
            ]
        );
    }
    assert_eq!(send(&test, false), ["a!", "b!", "a!", "b!"]);
    assert!(test.files().is_empty(), "{:?}", test.files());
}

#[test]
fn death_between_any_two_steps_of_packing_leaves_each_message_in_one_place() {
    /// What happens between the death and the next one who packs.
    #[derive(Debug, Clone, Copy)]
    enum Meanwhile {
        Nothing,
        Sent,
        /// The data went, and uucico died too.
        HalfRemoved,
    }
    let mut interrupted = 0;
    for steps in 0.. {
        let mut died = false;
        for meanwhile in [Meanwhile::Nothing, Meanwhile::Sent, Meanwhile::HalfRemoved] {
            let test = TestSpool::new();
            let messages = ["a", "b", "c"].map(|text| sealed(&test, text).unwrap());
            test.spool.queue_messages(messages.into()).unwrap();
            fault::arm(steps, Trouble::Death);
            let told = pack(&test);
            died = fault::disarm();
            assert_eq!(told.is_ok(), !died, "step {steps}");
            let mut total = match meanwhile {
                Meanwhile::Nothing => Vec::new(),
                Meanwhile::Sent => send(&test, false),
                Meanwhile::HalfRemoved => send(&test, true),
            };
            pack(&test).unwrap();
            total.extend(send(&test, false));
            total.sort();
            assert_eq!(total, ["a!", "b!", "c!"], "step {steps}, {meanwhile:?}");
            assert!(waiting(&test).is_empty());
            let records = durable::names(&test.spool.packed_folder(&beta())).unwrap();
            assert!(records.is_empty(), "step {steps}: {records:?}");
            interrupted += usize::from(died);
        }
        if !died {
            break;
        }
    }
    assert!(interrupted > 3 * 15, "{interrupted}");
}

#[test]
fn a_full_disk_at_any_step_of_packing_loses_and_doubles_nothing() {
    for steps in 0.. {
        let test = TestSpool::new();
        let messages = ["a", "b"].map(|text| sealed(&test, text).unwrap());
        test.spool.queue_messages(messages.into()).unwrap();
        fault::arm(steps, Trouble::DiskFull);
        let told = pack(&test);
        let met = fault::disarm();
        assert_eq!(told.is_ok(), !met, "step {steps}");
        pack(&test).unwrap();
        assert_eq!(send(&test, false), ["a!", "b!"], "step {steps}");
        assert!(waiting(&test).is_empty());
        if !met {
            break;
        }
    }
}

#[test]
fn one_packs_at_a_time_and_what_is_taken_out_is_not_packed() {
    let test = TestSpool::new();
    let messages = ["a", "b"].map(|text| sealed(&test, text).unwrap());
    let names = test.spool.queue_messages(messages.into()).unwrap();
    let outbox = lock(&test).unwrap();
    let busy = lock(&test).unwrap_err();
    assert!(matches!(busy, SpoolError::Locked { .. }), "{busy}");
    outbox.remove(&names[..1]).unwrap();
    outbox.remove(&names[..1]).unwrap();
    drop(outbox);
    pack(&test).unwrap();
    assert_eq!(send(&test, false), ["b!"]);
}

#[test]
fn grades_are_listed_as_far_as_asked() {
    let test = TestSpool::new();
    let mut messages = Vec::new();
    for byte in *b"NAzC" {
        let staged = test.spool.stage_message(&beta()).unwrap();
        messages.push(staged.seal(&[byte], grade(byte)).unwrap());
    }
    test.spool.queue_messages(messages).unwrap();
    let grades = |least| -> String {
        let names = test.spool.messages(&beta(), grade(least)).unwrap();
        names.iter().map(|name| name.grade().to_string()).collect()
    };
    assert_eq!(grades(b'z'), "ACNz");
    assert_eq!(grades(b'C'), "AC");
    assert!(!test.spool.has_messages(&beta(), Grade::FIRST).unwrap());
}

#[test]
fn death_in_recovery_is_recovered_too() {
    let mut interrupted = 0;
    for steps in 0.. {
        let mut first_died = false;
        for recovery_steps in 0.. {
            let test = TestSpool::new();
            let messages = ["a", "b"].map(|text| sealed(&test, text).unwrap());
            test.spool.queue_messages(messages.into()).unwrap();
            fault::arm(steps, Trouble::Death);
            let _ = pack(&test);
            first_died = fault::disarm();
            fault::arm(recovery_steps, Trouble::Death);
            let recovered = lock(&test);
            let died = fault::disarm();
            assert_eq!(recovered.is_ok(), !died);
            drop(recovered);
            pack(&test).unwrap();
            assert_eq!(send(&test, false), ["a!", "b!"], "{steps} {recovery_steps}");
            interrupted += usize::from(died);
            if !died {
                break;
            }
        }
        if !first_died {
            break;
        }
    }
    assert!(interrupted > 20, "{interrupted}");
}

#[test]
fn data_that_a_batch_record_has_is_not_taken_for_sent() {
    let mut cut = 0;
    for steps in 0.. {
        let test = TestSpool::new();
        test.spool
            .queue_messages(vec![sealed(&test, "a").unwrap()])
            .unwrap();
        fault::arm(steps, Trouble::Death);
        let _ = pack(&test);
        let died = fault::disarm();
        let recorded = durable::names(&test.spool.packed_folder(&beta())).unwrap();
        if !recorded.is_empty() && !test.spool.has_work(&beta(), Grade::LAST).unwrap() {
            cut += 1;
            test.spool.collect_unnamed().unwrap();
            test.let_pass(Duration::from_hours(9 * 24));
            assert_eq!(test.spool.collect_unnamed().unwrap(), []);
        }
        pack(&test).unwrap();
        assert_eq!(send(&test, false), ["a!"], "step {steps}");
        if !died {
            break;
        }
    }
    assert!(cut > 0);
}
