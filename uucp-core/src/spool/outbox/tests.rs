//! Outboxes: death and a full disk at every step of queueing and of packing.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use super::super::fault::{self, Trouble};
use super::super::submission::{Delivery, SubmissionKey};
use super::super::tests::deliveries::{JOE, key, open, report, survive_death, survive_full_disk};
use super::super::tests::{TestSpool, beta, draft, grade};
use super::*;
use crate::name::SpoolName;
use crate::wire::command::Request;

fn io(source: io::Error) -> SpoolError {
    SpoolError::Io {
        action: "write",
        path: PathBuf::new(),
        source,
    }
}

fn sealed(test: &TestSpool, content: &str) -> Result<SealedMessage, SpoolError> {
    let mut staged = test.spool.stage_message(&beta())?;
    staged.write_all(content.as_bytes()).map_err(io)?;
    staged.seal(b"!", Grade::DEFAULT)
}

fn waiting(test: &TestSpool) -> Vec<EntryName> {
    test.spool.messages(&beta(), Grade::LAST).unwrap()
}

fn content(test: &TestSpool, name: &EntryName) -> String {
    fs::read_to_string(test.spool.message_path(&beta(), name)).unwrap()
}

fn lock(test: &TestSpool) -> Result<OutboxLock, SpoolError> {
    test.spool.lock_outbox(&beta(), Instant::now())
}

#[test]
fn many_messages_are_durable_after_two_rounds() {
    let test = TestSpool::new();
    test.spool
        .queue_messages(vec![sealed(&test, "first").unwrap()])
        .unwrap();
    let messages = vec![sealed(&test, "a").unwrap(), sealed(&test, "b").unwrap()];
    fault::record();
    test.spool.queue_messages(messages).unwrap();
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        ["sync", "sync", "rename", "rename", "sync directory"]
    );
    let texts: Vec<String> = waiting(&test).iter().map(|n| content(&test, n)).collect();
    assert_eq!(texts, ["first!", "a!", "b!"]);
    assert_eq!(test.in_the_making(), 0);
    assert_eq!(test.spool.systems_with_messages().unwrap(), [beta()]);
}

#[test]
fn what_is_dropped_before_it_is_queued_leaves_nothing() {
    let test = TestSpool::new();
    drop(test.spool.stage_message(&beta()).unwrap());
    drop(sealed(&test, "x").unwrap());
    assert_eq!(test.in_the_making(), 0);
    assert!(!test.spool.has_messages(&beta(), Grade::LAST).unwrap());
    assert!(test.spool.systems_with_messages().unwrap().is_empty());
}

#[test]
fn a_failure_before_the_end_queues_nothing() {
    for steps in 0.. {
        let test = TestSpool::new();
        let messages = vec![sealed(&test, "a").unwrap(), sealed(&test, "b").unwrap()];
        fault::arm(steps, Trouble::DiskFull);
        let told = test.spool.queue_messages(messages);
        let met = fault::disarm();
        assert_eq!(told.is_ok(), !met, "step {steps}");
        assert_eq!(waiting(&test).len(), if met { 0 } else { 2 }, "{steps}");
        assert_eq!(test.in_the_making(), 0, "step {steps}");
        if !met {
            break;
        }
    }
}

/// A delivery as a sender makes it: a message that names the recipients that are not covered, and one report.
fn deliver(test: &TestSpool, recipients: &[&[u8]]) -> Result<(), SpoolError> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut staged = test.spool.stage_message(&beta())?;
    let submission = test.spool.begin_submission(&key(), deadline)?;
    let open = open(&submission, recipients);
    if open.is_empty() {
        return Ok(());
    }
    staged.write_all(&open.join(&b' ')).map_err(io)?;
    let sender = [b"sender@y".to_vec()];
    let delivery = Delivery {
        recipients: &open,
        messages: vec![staged.seal(b"", Grade::DEFAULT)?],
        mails: &[report(&sender)],
        ..Delivery::default()
    };
    submission.commit(delivery).map(|_| ())
}

/// Whom the waiting messages are for; they go, as if they had been packed and sent.
fn take_all(test: &TestSpool) -> Vec<String> {
    let outbox = lock(test).unwrap();
    let names = waiting(test);
    let texts: Vec<String> = names.iter().map(|name| content(test, name)).collect();
    outbox.remove(&names).unwrap();
    texts
        .iter()
        .flat_map(|text| text.split(' ').map(str::to_owned))
        .collect()
}

#[test]
fn a_submission_reaches_the_outbox_in_three_rounds() {
    let test = TestSpool::new();
    let key = |id: &[u8]| SubmissionKey {
        message_id: id.to_vec(),
        ..key()
    };
    let submit = |id: &[u8]| {
        let submission = test
            .spool
            .begin_submission(&key(id), Instant::now())
            .unwrap();
        let delivery = Delivery {
            recipients: &[JOE],
            messages: vec![sealed(&test, "a").unwrap()],
            ..Delivery::default()
        };
        fault::record();
        submission.commit(delivery).unwrap();
    };
    submit(b"first");
    submit(b"second");
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        [
            "rename", // to where a record may name it
            "create",
            "write", // the record
            "sync",
            "sync",
            "sync directory", // message, record and the message's first name, side by side
            "rename",
            "sync directory", // the record counts
            "rename",
            "sync directory", // the message is in the outbox for good
        ]
    );
}

#[test]
fn death_between_any_two_steps_of_a_submission_neither_loses_nor_doubles() {
    survive_death(deliver, take_all, |test, steps| {
        let left = durable::names(&test.spool.pending_folder(&beta())).unwrap();
        assert!(left.is_empty(), "step {steps}: {left:?}");
    });
}

#[test]
fn a_full_disk_at_any_step_of_a_submission_is_told_and_the_repeat_makes_it_whole() {
    survive_full_disk(deliver, take_all);
}

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
                "sync directory", // data in its place
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
