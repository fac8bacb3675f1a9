//! What comes again: known, and put in place once.

use super::*;
use crate::spool::writeout::WriteOut;

#[test]
fn an_execution_arrives_whole_and_once() {
    for (mail, again) in AGAIN {
        let peer = Peer::new();
        assert_eq!(peer.transfer(mail, CONTENT).unwrap(), "received");
        assert_eq!(peer.executions(), 1);
        assert_eq!(peer.transfer(mail, CONTENT).unwrap(), again);
        assert_eq!(peer.executions(), 1);
        assert_eq!(peer.test.files().len(), 2, "{:?}", peer.test.files());
    }
}

#[test]
fn a_name_that_came_back_with_another_content_is_another_file() {
    let peer = Peer::new();
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    // The peer's spool was made anew: the same name, recipients and size, but not the same mail.
    assert_eq!(peer.transfer(MAIL, b"other mail\n").unwrap(), "received");
    assert_eq!(peer.test.spool.executions().unwrap().len(), 2);
    assert_eq!(
        peer.transfer(MAIL, b"other mail\n").unwrap(),
        "the same again"
    );
    assert_eq!(peer.test.files().len(), 4, "{:?}", peer.test.files());
    // Nor is what was kept of the first one the beginning of the second.
    let peer = Peer::new();
    let mut inbox = peer.inbox();
    let (mut reception, _) = peer.begin(&mut inbox, MAIL);
    reception.write(None, b"other ").unwrap();
    drop((reception, inbox));
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    assert_eq!(peer.executions(), 1);
}

#[test]
fn a_child_that_is_being_started_does_not_keep_a_file_from_coming_again() {
    let peer = Peer::new();
    let mut inbox = peer.inbox();
    let (mut reception, _) = peer.begin(&mut inbox, UNIQUE);
    reception.write(None, b"hello ").unwrap();
    // It has a copy of every descriptor until it is executed.
    let _copy = reception.file.try_clone().unwrap();
    drop(reception);
    let (_, restart_at) = peer.begin(&mut inbox, UNIQUE);
    assert_eq!(restart_at, 6);
}

#[test]
fn equal_content_after_a_call_that_ended_in_order_is_another_file() {
    let peer = Peer::new();
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    peer.end_of_call();
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    assert_eq!(peer.executions(), 2);
    // The end of that call is not seen yet.
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "the same again");
    // A name that never comes back is known for good.
    let peer = Peer::new();
    assert_eq!(peer.transfer(UNIQUE, CONTENT).unwrap(), "received");
    peer.end_of_call();
    assert_eq!(peer.transfer(UNIQUE, CONTENT).unwrap(), "already received");
}

#[test]
fn an_execute_file_is_no_repetition_while_its_data_waits_for_it() {
    const DATA: &[u8] = b"S D.betaN0001 D.betaN0001 uucp - D.betaN0001 0666";
    const EXECUTE: &[u8] = b"S D.X0002 X.betaN0002 uucp - D.X0002 0666";
    let execute = b"F D.betaN0001\nI D.betaN0001\nC rmail joe@x.example\n";
    let peer = Peer::new();
    assert_eq!(peer.transfer(DATA, CONTENT).unwrap(), "received");
    assert_eq!(peer.transfer(EXECUTE, execute).unwrap(), "received");
    assert_eq!(peer.transfer(EXECUTE, execute).unwrap(), "the same again");
    assert_eq!(peer.executions(), 1);
    // The job is done, the call was cut, and the peer's names begin anew with other data.
    let execution = peer.test.spool.executions().unwrap().remove(0);
    let place = |name: &str| {
        peer.test
            .spool
            .data_path(&execution.system, &name.parse().unwrap())
    };
    std::fs::remove_file(place(execution.name.as_str())).unwrap();
    std::fs::remove_file(place("D.betaN0001")).unwrap();
    assert_eq!(peer.transfer(EXECUTE, execute).unwrap(), "the same again");
    assert_eq!(peer.transfer(DATA, b"other mail").unwrap(), "received");
    assert_eq!(peer.transfer(EXECUTE, execute).unwrap(), "received");
    assert_eq!(peer.transfer(EXECUTE, execute).unwrap(), "the same again");
    assert_eq!(peer.test.spool.executions().unwrap().len(), 1);
}

#[test]
fn another_request_under_the_same_temporary_name_is_another_file() {
    let peer = Peer::new();
    peer.transfer(MAIL, CONTENT).unwrap();
    // Another file under the same temporary name is another file.
    let other = b"E D.0001 D.betaN0001 uucp -C D.0001 0666 \"\" 0xb rmail ann@x.example";
    assert_eq!(peer.transfer(other, b"other mail\n").unwrap(), "received");
    assert_eq!(peer.test.spool.executions().unwrap().len(), 2);
    assert_eq!(peer.test.files().len(), 4, "{:?}", peer.test.files());
}

#[test]
fn a_job_whose_receipt_a_power_failure_took_is_known_by_its_name() {
    let peer = Peer::new();
    peer.transfer(UNIQUE, CONTENT).unwrap();
    let receipts = peer.test.spool.own_folder("receipts").join("beta");
    std::fs::write(&receipts, b"").unwrap();
    assert_eq!(peer.transfer(UNIQUE, CONTENT).unwrap(), "already received");
    assert_eq!(peer.executions(), 1);
    // It stands in the receipts again, also when the job is done.
    let execution = peer.test.spool.executions().unwrap().remove(0);
    std::fs::remove_file(
        peer.test
            .spool
            .data_path(&execution.system, &execution.name),
    )
    .unwrap();
    assert_eq!(peer.transfer(UNIQUE, CONTENT).unwrap(), "already received");
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped_but_only_with_the_same_file() {
    let peer = Peer::new();
    let mut inbox = peer.inbox();
    let (mut reception, at) = peer.begin(&mut inbox, UNIQUE);
    assert_eq!(at, 0);
    reception.write(None, b"hello ").unwrap();
    drop(reception);
    // What another file of that temporary name brought is not this one's beginning.
    for other in [
        &b"E D.MWP17Z5KNL7E0 D.betaNMWP17Z684NTNO uucp -C D.MWP17Z5KNL7E0 0666 \"\" 0xc rmail joe@x.example"[..],
        b"E D.MWP17Z5KNL7E0 D.betaN0002 uucp -C D.MWP17Z5KNL7E0 0666 \"\" 0xb rmail joe@x.example",
    ] {
        assert_eq!(peer.begin(&mut inbox, other).1, 0);
    }
    let (mut reception, at) = peer.begin(&mut inbox, UNIQUE);
    assert_eq!(at, 6);
    // i and j: the data may have overtaken our answer.
    reception.write(Some(0), b"hello mail\n").unwrap();
    let refusal = peer.refusal(&mut inbox, UNIQUE, 0);
    assert_eq!(refusal, Some(Refusal::CannotCreate));
    reception.finish().unwrap();
    assert!(inbox.commit(vec![reception])[0].is_ok());
    assert_eq!(peer.executions(), 1);
}

#[test]
fn what_is_written_out_begins_where_a_transfer_goes_on() {
    let peer = Peer::new();
    let mut inbox = peer.inbox();
    // The second is too small to be continued.
    for (mail, at) in [(UNIQUE, 6), (MAIL, 0)] {
        let (mut reception, _) = peer.begin(&mut inbox, mail);
        assert_eq!(reception.write_out, WriteOut::default());
        reception.write(None, b"hello ").unwrap();
        drop(reception);
        let (mut reception, from) = peer.begin(&mut inbox, mail);
        assert_eq!((from, &reception.write_out), (at, &WriteOut::after(at)));
        reception.begin_anew();
        assert_eq!(reception.write_out, WriteOut::default());
    }
}

#[test]
fn what_taylor_keeps_of_a_file_is_never_taken_for_ours() {
    let peer = Peer::new();
    let temp = peer.test.spool.root().join(".Temp/beta");
    std::fs::create_dir_all(&temp).unwrap();
    std::fs::write(temp.join("D.0001"), b"other").unwrap();
    assert_eq!(peer.begin(&mut peer.inbox(), MAIL).1, 0);
}

#[test]
fn taylors_marker_is_believed_only_with_the_file_to_show_for_it() {
    let peer = Peer::new();
    let root = peer.test.spool.root().to_path_buf();
    std::fs::create_dir_all(root.join(".Received/beta")).unwrap();
    std::fs::write(root.join(".Received/beta/D.0001"), b"").unwrap();
    // The marker alone has lost mail.
    let (reception, _) = peer.begin(&mut peer.inbox(), MAIL);
    reception.discard();
    std::fs::create_dir_all(root.join("beta/D.")).unwrap();
    std::fs::write(root.join("beta/D./D.betaN0001"), CONTENT).unwrap();
    let (reception, _) = peer.begin(&mut peer.inbox(), MAIL);
    reception.discard();
    std::fs::create_dir_all(root.join("beta/X.")).unwrap();
    std::fs::write(
        root.join("beta/X./X.betaN0001"),
        "F D.betaN0001\nI D.betaN0001\nC rmail joe@x.example\n",
    )
    .unwrap();
    assert!(matches!(
        peer.offer(&mut peer.inbox(), MAIL, 0),
        Admission::AlreadyReceived
    ));
}
