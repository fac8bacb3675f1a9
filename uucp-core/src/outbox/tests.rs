//! The outbox: what is packed, within which limits, and death at every step of it.

mod far;
mod trouble;

use std::io::Write;
use std::time::Duration;

use self::far::{send, sent_words, unpack, words};
use super::*;
use crate::address::{Address, ReversePath};
use crate::bsmtp::{LineEnd, Style};
use crate::codec::Compression;
use crate::config::mail::BatchLimits;
use crate::spool::fault;
use crate::spool::tests::{TestSpool, beta, grade};

pub(crate) fn packing() -> Packing {
    Packing {
        limits: BatchLimits::default(),
        compression: None,
        level: None,
        dictionary: None,
        style: Style {
            line_end: LineEnd::Lf,
            parameters: true,
            hello: "alpha".to_owned(),
        },
        command: b"rsmtp".to_vec(),
        user: b"uucp".to_vec(),
        notify: None,
    }
}

fn draft(test: &TestSpool, content: &[u8], letter: u8) -> SealedMessage {
    let mut draft = OutboxDraft::new(&test.spool, &beta()).unwrap();
    draft.write_all(content).unwrap();
    let sender = ReversePath::Address(Address::parse(b"ann@leaf.example").unwrap());
    let bob = Address::parse(b"bob@hub.example").unwrap();
    let transaction = Transaction::new(sender, vec![bob.into()]);
    draft.seal(&transaction, grade(letter)).unwrap()
}

/// Queues messages that say these words, with these grades.
pub(crate) fn queue(test: &TestSpool, messages: &[(&str, u8)]) -> Vec<EntryName> {
    let drafts = messages
        .iter()
        .map(|(word, letter)| draft(test, format!("Subject: {word}\n").as_bytes(), *letter));
    test.spool.queue_messages(drafts.collect()).unwrap()
}

fn pack(test: &TestSpool, how: &Packing) -> Result<Packed, PackError> {
    Outbox::new(&test.spool, &beta()).pack(how, Scope::all(), &mut |_| {})
}

#[test]
fn a_message_is_listed_shown_and_cancelled_by_itself() {
    let test = TestSpool::new();
    let outbox = Outbox::new(&test.spool, &beta());
    assert!(outbox.is_empty().unwrap());
    let names = queue(&test, &[("late", b'N'), ("urgent", b'A')]);
    let listed = outbox.list().unwrap();
    assert_eq!(listed, [names[1].clone(), names[0].clone()]);
    let mut entry = outbox.open(&listed[0]).unwrap().unwrap();
    let mut content = String::new();
    entry.content.read_to_string(&mut content).unwrap();
    assert_eq!(content, "Subject: urgent\n");
    assert_eq!(entry.head.size, 16);
    let transaction = entry.head.transaction;
    assert_eq!(
        transaction.summary(),
        "from ann@leaf.example to bob@hub.example"
    );
    let id = transaction.parameters.id.unwrap();
    assert_eq!(id, listed[0].unique().as_bytes());
    assert!(outbox.cancel(&listed[0], Instant::now()).unwrap());
    assert!(!outbox.cancel(&listed[0], Instant::now()).unwrap());
    assert!(outbox.open(&listed[0]).unwrap().is_none());
    assert_eq!(outbox.list().unwrap(), names[..1]);
}

#[test]
fn batches_go_by_grade_then_by_time_and_are_plain_jobs() {
    let test = TestSpool::new();
    let names = queue(&test, &[("a", b'N'), ("b", b'C'), ("c", b'N'), ("d", b'C')]);
    let mut told = Vec::new();
    let packed = Outbox::new(&test.spool, &beta())
        .pack(&packing(), Scope::all(), &mut |batch| {
            told.push(batch.clone());
        })
        .unwrap();
    assert_eq!(packed.batches, told);
    assert_eq!(told[0].messages, [names[1].clone(), names[3].clone()]);
    assert!(told[0].job.is_some() && told[0].bytes == told[0].size);
    let sent = send(&test);
    let ids: Vec<&str> = sent.iter().flat_map(|job| &job.2).map(|r| &*r.id).collect();
    let order = [1, 3, 0, 2].map(|index: usize| names[index].unique());
    assert_eq!(ids, order);
    assert_eq!((sent[0].0, &*sent[0].1), ('C', "rsmtp"));
    assert_eq!(words(&sent[1].2), "a c");
    assert!(test.files().is_empty(), "{:?}", test.files());
    assert!(pack(&test, &packing()).unwrap().batches.is_empty());
}

#[test]
fn limits_hold_and_what_is_larger_than_any_goes_alone() {
    let test = TestSpool::new();
    let big = "x".repeat(1000);
    let all = [
        ("a", b'C'),
        ("b", b'C'),
        (&*big, b'C'),
        ("c", b'C'),
        ("d", b'C'),
        ("e", b'C'),
    ];
    let limited = |limits: BatchLimits, compression| {
        queue(&test, &all);
        let how = Packing {
            limits,
            compression,
            ..packing()
        };
        let packed = pack(&test, &how).unwrap();
        let words = sent_words(&test);
        (packed.batches, words.join("|").replace(&big, "big"))
    };
    let few = BatchLimits {
        messages: 2,
        ..BatchLimits::default()
    };
    assert_eq!(limited(few, None).1, "C: a b|C: big c|C: d e");
    let small = BatchLimits {
        bytes: 500,
        ..BatchLimits::default()
    };
    let (batches, words) = limited(small, Some(Compression::Zstd));
    assert_eq!(words, "C: a b|C: big|C: c d e");
    assert!(
        batches
            .iter()
            .all(|batch| batch.messages.len() == 1 || batch.bytes <= 500)
    );
    // Plain, so that sizes can be foretold: two small messages fit, three do not.
    let narrow = BatchLimits {
        compressed_bytes: Some(300),
        ..BatchLimits::default()
    };
    let (batches, words) = limited(narrow, None);
    let fit = |batch: &Batch| batch.messages.len() == 1 || batch.size <= 300;
    assert!(batches.iter().all(fit), "{batches:?}");
    assert_eq!(words.matches("big").count(), 1);
    assert!(batches.len() < 6, "{words}");
    // What a call allows counts as well.
    queue(&test, &all);
    let scope = Scope {
        largest: Some(300),
        ..Scope::all()
    };
    let outbox = Outbox::new(&test.spool, &beta());
    let packed = outbox.pack(&packing(), scope, &mut |_| {}).unwrap();
    assert_eq!(packed.batches.len(), batches.len());
}

#[test]
fn every_compression_arrives_and_is_smaller() {
    let test = TestSpool::new();
    for compression in ["gzip", "zstd", "xz", "bzip2"] {
        let many: Vec<(&str, u8)> = (0..60)
            .map(|_| ("the same again and again", b'C'))
            .collect();
        queue(&test, &many);
        let how = Packing {
            compression: Some(compression.parse().unwrap()),
            ..packing()
        };
        let packed = pack(&test, &how).unwrap();
        assert!(packed.batches[0].size * 3 < packed.batches[0].bytes);
        assert_eq!(send(&test)[0].2.len(), 60);
    }
}

#[test]
fn only_the_grades_asked_for_and_only_until_the_time_is_over() {
    let test = TestSpool::new();
    queue(&test, &[("a", b'A'), ("b", b'C'), ("c", b'N')]);
    let outbox = Outbox::new(&test.spool, &beta());
    let scope = Scope {
        least: grade(b'C'),
        until: Some(Instant::now()),
        ..Scope::all()
    };
    let first = outbox.pack(&packing(), scope, &mut |_| {}).unwrap();
    assert!(first.unfinished && first.batches.len() == 1);
    let second = outbox.pack(&packing(), scope, &mut |_| {}).unwrap();
    assert!(!second.unfinished && second.batches.len() == 1);
    assert_eq!(sent_words(&test), ["A: a", "C: b"]);
    assert_eq!(outbox.list().unwrap().len(), 1);
}

#[test]
fn another_carrier_gets_whole_batches_and_the_messages_stay_until_it_says_yes() {
    let test = TestSpool::new();
    queue(&test, &[("a", b'A'), ("b", b'C'), ("c", b'C')]);
    let outbox = Outbox::new(&test.spool, &beta());
    let how = Packing {
        compression: Some(Compression::Zstd),
        ..packing()
    };
    let mut taken = Vec::new();
    let refused = outbox.pack_with(&how, Scope::all(), &mut |batch, file| {
        if batch.grade == grade(b'C') {
            return Err(io::Error::other("nncp-exec: no such node"));
        }
        taken.extend(unpack(file));
        Ok(())
    });
    assert_eq!(refused.unwrap_err().to_string(), "nncp-exec: no such node");
    assert_eq!(outbox.list().unwrap().len(), 2);
    let packed = outbox
        .pack_with(&how, Scope::all(), &mut |_, file| {
            taken.extend(unpack(file));
            Ok(())
        })
        .unwrap();
    assert_eq!(packed.batches.len(), 1);
    assert_eq!(words(&taken), "a b c");
    assert!(outbox.is_empty().unwrap() && test.files().is_empty());
    assert_eq!(test.in_the_making(), 0);
}

#[test]
fn a_thousand_messages_are_queued_in_a_moment_and_packed_in_few_rounds() {
    let test = TestSpool::new();
    queue(&test, &[("first", b'A')]);
    let drafts = (0..1000).map(|n| draft(&test, format!("Subject: {n}\n").as_bytes(), b'C'));
    let drafts: Vec<SealedMessage> = drafts.collect();
    fault::record();
    test.spool.queue_messages(drafts).unwrap();
    let steps = fault::record();
    let rounds = steps.iter().filter(|(what, _)| *what == "sync directory");
    assert_eq!(rounds.count(), 1);
    pack(&test, &packing()).unwrap();
    let steps = fault::record();
    let syncs = steps.iter().filter(|(what, _)| what.starts_with("sync"));
    assert!(syncs.count() < 30, "{steps:?}");
    let sent = send(&test);
    assert_eq!((sent.len(), sent[1].2.len()), (2, 1000));
}

#[test]
fn nobody_waits_for_a_lock_longer_than_asked() {
    let test = TestSpool::new();
    queue(&test, &[("a", b'C')]);
    let outbox = Outbox::new(&test.spool, &beta());
    let lock = test.spool.lock_outbox(&beta(), Instant::now()).unwrap();
    let busy = pack(&test, &packing()).unwrap_err();
    assert!(busy.is_busy(), "{busy}");
    let packed = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let patient = Scope {
                wait: Instant::now() + Duration::from_mins(1),
                ..Scope::all()
            };
            outbox.pack(&packing(), patient, &mut |_| {}).unwrap()
        });
        drop(lock);
        waiting.join().unwrap()
    });
    assert_eq!(packed.batches.len(), 1);
}

#[test]
fn what_cannot_be_settled_is_told_and_the_rest_is_packed() {
    let test = TestSpool::new();
    queue(&test, &[("good", b'N')]);
    let own = test.spool.root().join(".Bangpath");
    let pending = own.join("outbox/beta/pending");
    std::fs::create_dir_all(&pending).unwrap();
    let doubtful = pending.join(format!("{}.N0123456789ABC", "0".repeat(40)));
    std::fs::write(&doubtful, "").unwrap();
    // A record that is none.
    std::fs::create_dir_all(own.join("submissions/0/0")).unwrap();
    let packed = pack(&test, &packing()).unwrap();
    assert_eq!(packed.batches.len(), 1);
    let complaints = packed.complaints.join("\n");
    assert!(complaints.contains("submissions/0/0"), "{complaints}");
    assert!(doubtful.exists());
}
