//! The account of a neighbour: what counts, what is promised and given back, when it is counted again.

use super::super::inbox::tests::{CONTENT, Peer};
use super::super::tests::queue_mail;
use super::super::{Admission, Inbox, Reception};
use super::*;
use crate::name::Grade;
use crate::wire::command::{Refusal, Request};

/// An `E` of so many bytes; a number of its own makes it a file of its own.
fn offer(peer: &Peer, inbox: &mut Inbox, number: u32, size: u64) -> Result<Reception, Refusal> {
    let command = format!(
        "E D.{number:04} D.betaN{number:04} uucp -C D.{number:04} 0666 \"\" 0x{size:x} rmail joe@x.example"
    );
    match peer.offer(inbox, command.as_bytes(), 0) {
        Admission::Begin { reception, .. } => Ok(*reception),
        Admission::Refuse { refusal, .. } => Err(refusal),
        Admission::AlreadyReceived => panic!("{number}"),
    }
}

fn receive(inbox: &mut Inbox, mut reception: Reception, size: usize) {
    reception.write(None, &vec![b'x'; size]).unwrap();
    reception.finish().unwrap();
    inbox.commit(vec![reception]).pop().unwrap().unwrap();
}

fn limited(peer: &Peer, limit: u64) -> Inbox {
    let mut inbox = peer.inbox();
    inbox.limit(limit);
    inbox
}

#[test]
fn a_neighbour_fills_its_room_and_no_more() {
    let peer = Peer::new();
    let mut inbox = limited(&peer, 4 * BLOCK);
    for number in 0..2 {
        let reception = offer(&peer, &mut inbox, number, 5000).unwrap();
        receive(&mut inbox, reception, 5000);
    }
    assert_eq!(
        offer(&peer, &mut inbox, 3, 1).unwrap_err(),
        Refusal::TooLargeNow
    );
    assert_eq!(
        offer(&peer, &mut inbox, 4, 4 * BLOCK + 1).unwrap_err(),
        Refusal::TooLarge
    );
    // What is refused leaves nothing behind.
    let receiving = peer.test.spool.receive_folder(inbox.system());
    assert_eq!(durable::names(&receiving).unwrap(), [] as [String; 0]);
    // The next call finds the files, and the execute files that go with them.
    let mut next = limited(&peer, 6 * BLOCK);
    assert!(offer(&peer, &mut next, 3, 1).is_err());
    let mut next = limited(&peer, 7 * BLOCK);
    offer(&peer, &mut next, 3, 1).unwrap();
}

#[test]
fn room_is_promised_to_several_at_once_and_given_back() {
    let peer = Peer::new();
    let mut inbox = limited(&peer, 4 * BLOCK);
    let one = offer(&peer, &mut inbox, 1, 2 * BLOCK).unwrap();
    let two = offer(&peer, &mut inbox, 2, 2 * BLOCK).unwrap();
    assert!(offer(&peer, &mut inbox, 3, 1).is_err());
    one.discard();
    let three = offer(&peer, &mut inbox, 3, 1).unwrap();
    receive(&mut inbox, three, 1);
    drop(two);
    assert!(offer(&peer, &mut inbox, 4, 3 * BLOCK + 1).is_err());
}

#[test]
fn what_was_kept_of_a_file_is_not_asked_for_twice() {
    let peer = Peer::new();
    let size = 20 * BLOCK;
    let mut inbox = limited(&peer, size);
    let mut half = offer(&peer, &mut inbox, 1, size).unwrap();
    half.write(None, &vec![b'x'; 10 * 4096]).unwrap();
    drop((half, inbox));
    let mut inbox = limited(&peer, size);
    let mut reception = offer(&peer, &mut inbox, 1, size).unwrap();
    reception.write(None, &vec![b'x'; 10 * 4096]).unwrap();
    reception.finish().unwrap();
    assert_eq!(reception.size(), size);
    assert!(offer(&peer, &mut inbox, 2, 1).is_err());
}

#[test]
fn what_is_failed_or_set_aside_counts_and_what_we_send_does_not() {
    let peer = Peer::new();
    let root = peer.test.spool.root();
    for folder in [".Failed/beta/D.", ".Failed/beta/X.", ".Preserve/beta"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        std::fs::write(root.join(folder).join("x"), CONTENT).unwrap();
    }
    for _ in 0..20 {
        queue_mail(&peer.test.spool, Grade::DEFAULT, &[b'x'; 9000]).unwrap();
    }
    let mut inbox = limited(&peer, 4 * BLOCK);
    let reception = offer(&peer, &mut inbox, 1, 1).unwrap();
    receive(&mut inbox, reception, 1);
    assert!(offer(&peer, &mut inbox, 2, 1).is_err());
}

#[test]
fn what_it_asks_for_counts_until_it_has_it_and_our_own_jobs_do_not() {
    let peer = Peer::new();
    let spool = &peer.test.spool;
    let mut inbox = limited(&peer, 4 * BLOCK);
    let beta = inbox.system().clone();
    let line = format!("S /srv/{} ~/ joe -cd D.0 0644", "x".repeat(2000));
    let request = Request::parse(line.as_bytes()).unwrap();
    let files = [request.clone(), request];
    // Each of two lines: less than a block.
    for _ in 0..4 {
        inbox.queue_asked_for(Grade::DEFAULT, &files).unwrap();
    }
    let full = inbox.queue_asked_for(Grade::DEFAULT, &files).unwrap_err();
    assert!(matches!(full, SpoolError::OverLimit { .. }), "{full}");
    assert!(offer(&peer, &mut inbox, 1, 1).is_err());
    let queued = || durable::names(&spool.work_folder(&beta)).unwrap();
    assert_eq!(queued().len(), 4);
    // The next call counts them, and leaves out what users here send.
    for _ in 0..20 {
        queue_mail(spool, Grade::DEFAULT, b"mail").unwrap();
    }
    let mut inbox = limited(&peer, 6 * BLOCK);
    inbox.queue_asked_for(Grade::DEFAULT, &files).unwrap();
    inbox.queue_asked_for(Grade::DEFAULT, &files).unwrap();
    assert!(inbox.queue_asked_for(Grade::DEFAULT, &files).is_err());
}

#[test]
fn a_sender_that_says_too_little_or_nothing_is_stopped_where_the_room_ends() {
    let peer = Peer::new();
    let mut inbox = limited(&peer, 4 * BLOCK);
    let mut liar = offer(&peer, &mut inbox, 1, 1).unwrap();
    liar.write(None, &[b'x'; 4 * 4096]).unwrap();
    assert!(offer(&peer, &mut inbox, 2, 1).is_err());
    let error = liar.write(None, b"x").unwrap_err();
    assert!(matches!(error, SpoolError::OverLimit { .. }), "{error}");
    assert!(error.is_temporary());
    drop(liar);
    let command = b"E D.0009 D.betaN0009 uucp -C D.0009 0666 \"\" rmail joe@x.example";
    let peer = Peer::new();
    let mut inbox = limited(&peer, 4 * BLOCK);
    let (mut silent, _) = peer.begin(&mut inbox, command);
    silent.write(None, &[b'x'; 4 * 4096]).unwrap();
    silent.write(None, b"x").unwrap_err();
}

#[test]
fn it_is_counted_again_after_a_while_when_there_is_no_room() {
    let peer = Peer::new();
    let spool = &peer.test.spool;
    let beta = peer.inbox().system().clone();
    let path = spool.root().join("beta/D./D.betaN0001");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, [b'x'; 4096]).unwrap();
    let start = Instant::now();
    let mut quota = Quota::new(BLOCK);
    let has_room = |quota: &mut Quota, after| {
        let claim = quota.claim(spool, &beta, (1, 0), start + after);
        claim.unwrap().is_ok()
    };
    assert!(!has_room(&mut quota, Duration::ZERO));
    std::fs::remove_file(&path).unwrap();
    assert!(!has_room(&mut quota, RECOUNT / 2));
    assert!(has_room(&mut quota, RECOUNT));
    // While there is room, the folders are not looked at.
    std::fs::write(&path, [b'x'; 4096]).unwrap();
    assert!(has_room(&mut quota, 2 * RECOUNT));
}
