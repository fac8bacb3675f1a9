//! Outboxes: death and a full disk at every step of queueing.

mod packing;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use super::super::fault::{self, Trouble};
use super::super::submission::Delivery;
use super::super::tests::deliveries::{
    ANN, JOE, key, open, report, survive_death, survive_full_disk,
};
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
fn a_submission_reaches_the_outbox_in_two_rounds() {
    let test = TestSpool::new();
    let submit = |recipient| {
        let submission = test.spool.begin_submission(&key(), Instant::now()).unwrap();
        let delivery = Delivery {
            recipients: &[recipient],
            messages: vec![sealed(&test, "a").unwrap()],
            ..Delivery::default()
        };
        fault::record();
        submission.commit(delivery).unwrap();
    };
    submit(JOE);
    submit(ANN);
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        [
            "rename", // to where a record may name it
            "sync",
            "sync directory", // the message and its first name, side by side
            "write",
            "sync",   // the record counts: the message is in the outbox for good
            "rename", // to where it is seen
        ]
    );
}

/// The power fails before it is on the disk that the message has left `pending/`.
fn undo_last_rename(test: &TestSpool) {
    let [name] = &waiting(test)[..] else {
        panic!("one message");
    };
    let key = key().file_name();
    let pending = test.spool.pending_path(&beta(), &key, name);
    fs::rename(test.spool.message_path(&beta(), name), pending).unwrap();
}

#[test]
fn a_message_that_a_power_failure_has_left_pending_is_work_and_is_found_once() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    undo_last_rename(&test);
    assert!(waiting(&test).is_empty());
    assert!(test.spool.has_messages(&beta(), Grade::LAST).unwrap());
    let better = Grade::parse(b'A').unwrap();
    assert!(!test.spool.has_messages(&beta(), better).unwrap());
    assert_eq!(test.spool.systems_with_messages().unwrap(), [beta()]);
    // Neither who comes again nor who packs makes two of it.
    deliver(&test, &[JOE]).unwrap();
    assert_eq!(take_all(&test), [String::from_utf8_lossy(JOE)]);
    drop(lock(&test).unwrap());
    assert!(!test.spool.has_messages(&beta(), Grade::LAST).unwrap());
}

#[test]
fn what_has_no_key_in_pending_is_left_alone() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    let odd = test.spool.pending_folder(&beta()).join("a.N0123456789ABC");
    fs::write(&odd, "").unwrap();
    assert_eq!(take_all(&test), [String::from_utf8_lossy(JOE)]);
    assert!(odd.exists());
}

#[test]
fn what_cannot_be_settled_stays_and_the_others_do_not_wait_for_it() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    undo_last_rename(&test);
    // More messages, of which nobody can read whether they were promised; in what order a directory has them is its own affair.
    let name = EntryName::parse("N0123456789ABC").unwrap();
    let keys = (0..9).map(|number| format!("0{number:039}"));
    let path = |key: String| test.spool.pending_path(&beta(), &key, &name);
    let doubtful: Vec<PathBuf> = keys.map(path).collect();
    for path in &doubtful {
        fs::write(path, "").unwrap();
    }
    fs::create_dir_all(test.spool.own_folder("submissions/0/0")).unwrap();
    assert_eq!(take_all(&test), [String::from_utf8_lossy(JOE)]);
    assert!(doubtful.iter().all(|path| path.exists()));
    let complaint = lock(&test).unwrap().complaint().unwrap();
    let record = test.spool.own_folder("submissions/0/0");
    assert!(
        complaint.contains(&*record.to_string_lossy()),
        "{complaint}"
    );
    assert!(complaint.ends_with("outbox/beta/pending"), "{complaint}");
    // What is in doubt keeps its record.
    let weeks = 3 * Duration::from_hours(7 * 24).as_secs();
    fs::write(
        test.spool.own_folder("clock"),
        format!("{weeks} 0 0 another-boot\n"),
    )
    .unwrap();
    let expired = test.spool.expire_submissions(Duration::from_hours(7 * 24));
    assert!(expired.is_err() && test.spool.own_folder("submissions/0").exists());
}

#[test]
fn a_message_that_waits_because_of_its_record_waits_longer_than_the_record() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    undo_last_rename(&test);
    let weeks = 3 * Duration::from_hours(7 * 24).as_secs();
    let clock = format!("{weeks} 0 0 another-boot\n");
    fs::write(test.spool.own_folder("clock"), clock).unwrap();
    test.spool
        .expire_submissions(Duration::from_hours(7 * 24))
        .unwrap();
    let records = test.spool.own_folder("submissions/0");
    assert!(!records.exists());
    assert_eq!(take_all(&test), [String::from_utf8_lossy(JOE)]);
}

#[test]
fn what_goes_has_left_its_first_place_for_good_before() {
    let test = TestSpool::new();
    deliver(&test, &[JOE]).unwrap();
    let outbox = lock(&test).unwrap();
    fault::record();
    outbox.remove(&waiting(&test)).unwrap();
    let steps: Vec<String> = fault::record()
        .into_iter()
        .map(|(what, path)| format!("{what} {}", path.file_name().unwrap().display()))
        .collect();
    let before = ["sync directory queue", "sync directory pending"];
    assert_eq!(steps[..2], before, "{steps:?}");
    assert!(steps[2].starts_with("remove "), "{steps:?}");
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
