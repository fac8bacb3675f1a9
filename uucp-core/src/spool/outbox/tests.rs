//! Outboxes: death and a full disk at every step of queueing.

mod packing;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use super::super::fault::{self, Trouble};
use super::super::submission::{Delivery, SubmissionKey};
use super::super::tests::deliveries::{JOE, key, open, report, survive_death, survive_full_disk};
use super::super::tests::{TestSpool, beta};
use super::*;

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
