//! The order of the syncs; death and a full disk at every step.

use std::path::Path;

use super::*;

#[test]
fn the_confirmation_stands_on_syncs_in_the_right_order() {
    let peer = Peer::new();
    peer.transfer(MAIL, CONTENT).unwrap();
    let mut inbox = peer.inbox();
    let second = b"E D.0002 D.betaN0002 uucp -C D.0002 0666 \"\" 0x1 rmail joe@x.example";
    let third = b"E D.0003 D.betaN0003 uucp -C D.0003 0666 \"\" 0x1 rmail joe@x.example";
    let mut group = Vec::new();
    for command in [&second[..], third] {
        let (mut reception, _) = peer.begin(&mut inbox, command);
        reception.write(Some(0), b"x").unwrap();
        reception.finish().unwrap();
        group.push(reception);
    }
    fault::record();
    assert!(inbox.commit(group).iter().all(Result::is_ok));
    let steps: Vec<&str> = fault::record().into_iter().map(|(what, _)| what).collect();
    assert_eq!(
        steps,
        [
            "sync",
            "sync",
            "sync",
            "sync", // two data files, two execute files
            "write",
            "sync", // both receipts
            "rename",
            "rename", // data
            "rename",
            "rename", // execute files
            "sync directory",
            "sync directory",
            "write", // "done", which may be lost
        ]
    );
}

/// A job that is known by the name of its execute file: the receipt shares the last round of syncs.
#[test]
fn the_receipt_of_a_unique_name_is_synced_with_the_names() {
    let peer = Peer::new();
    peer.transfer(UNIQUE, CONTENT).unwrap();
    let second =
        b"E D.MWP17Z5KNL7E1 D.betaNMWP17Z684NTN1 uucp -C D.MWP17Z5KNL7E1 0666 \"\" 0x1 rmail joe@x";
    let mut inbox = peer.inbox();
    let (mut reception, _) = peer.begin(&mut inbox, second);
    reception.write(Some(0), b"x").unwrap();
    reception.finish().unwrap();
    fault::record();
    assert!(inbox.commit(vec![reception]).iter().all(Result::is_ok));
    let steps = fault::record();
    let what: Vec<&str> = steps.iter().map(|(what, _)| *what).collect();
    assert_eq!(
        what,
        [
            "sync",
            "sync",  // data and execute file
            "write", // the receipt
            "rename",
            "rename",
            "sync directory",
            "sync directory",
            "sync directory", // the receipt, D. and X.
            "write",          // "done", which may be lost
        ]
    );
    let synced: Vec<bool> = steps[5..8].iter().map(|(_, path)| path.is_dir()).collect();
    assert_eq!(synced, [false, true, true]);
}

/// Death between any two steps of a transfer, then the peer calls again, as often as it takes.
#[test]
fn death_between_any_two_steps_neither_loses_nor_doubles() {
    for (mail, again) in AGAIN {
        death_at_every_step(mail, again);
    }
}

fn death_at_every_step(mail: &[u8], again: &str) {
    let peer = Peer::new();
    fault::record();
    peer.transfer(mail, CONTENT).unwrap();
    let last = fault::record().len();
    let mut interrupted = 0;
    for steps in 0.. {
        let peer = Peer::new();
        fault::arm(steps, Trouble::Death);
        let told = peer.transfer(mail, CONTENT);
        let died = fault::disarm();
        // Only the very last step, the note that all is done, may be lost unseen.
        assert!(
            told.is_err() || !died || steps + 1 == last,
            "step {steps}: {told:?}"
        );
        peer.transfer(mail, CONTENT).unwrap();
        assert_eq!(peer.executions(), 1, "step {steps}");
        assert_eq!(peer.transfer(mail, CONTENT).unwrap(), again);
        assert_eq!(
            peer.test.files().len(),
            2,
            "step {steps}: {:?}",
            peer.test.files()
        );
        if !died {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted > 12, "{interrupted}");
}

/// The same, and the process that recovers dies too.
#[test]
fn death_in_recovery_neither_loses_nor_doubles() {
    for (mail, _) in AGAIN {
        for (first, second) in (20..40)
            .step_by(2)
            .flat_map(|f| (0..10).map(move |s| (f, s)))
        {
            let peer = Peer::new();
            fault::arm(first, Trouble::Death);
            let _ = peer.transfer(mail, CONTENT);
            fault::disarm();
            fault::arm(second, Trouble::Death);
            let _ = peer.transfer(mail, CONTENT);
            fault::disarm();
            peer.transfer(mail, CONTENT).unwrap();
            assert_eq!(peer.executions(), 1, "steps {first}, {second}");
        }
    }
}

#[test]
fn a_full_disk_at_any_step_is_told_and_the_next_call_gets_it_through() {
    for steps in 0.. {
        let peer = Peer::new();
        fault::arm(steps, Trouble::DiskFull);
        let told = peer.transfer(MAIL, CONTENT);
        let met = fault::disarm();
        if told.is_ok() {
            // "Done" may be lost.
            peer.transfer(MAIL, CONTENT).unwrap();
            assert_eq!(peer.executions(), 1, "step {steps}");
            if !met {
                break;
            }
            continue;
        }
        assert!(told.unwrap_err().is_temporary());
        peer.transfer(MAIL, CONTENT).unwrap();
        assert_eq!(peer.executions(), 1, "step {steps}");
    }
}

/// The receipt is written, and the receiver has died before the files got their names.
fn with_a_receipt_and_no_names(mail: &[u8]) -> Peer {
    let peer = Peer::new();
    fault::record();
    peer.transfer(mail, CONTENT).unwrap();
    let to_place = |(what, path): &(&str, PathBuf)| *what == "rename" && is_in(path, "D.");
    let step = fault::record().iter().position(to_place).unwrap();
    let peer = Peer::new();
    fault::arm(step, Trouble::Death);
    assert!(peer.transfer(mail, CONTENT).is_err());
    assert!(fault::disarm());
    peer
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with(folder))
}

#[test]
fn what_a_crash_has_cut_is_on_the_disk_before_it_is_noted_as_done() {
    let peer = with_a_receipt_and_no_names(MAIL);
    fault::record();
    peer.inbox();
    let steps = fault::record();
    let names = ["D.", "X."].map(|folder| {
        let renamed = |(what, path): &(&str, PathBuf)| *what == "rename" && is_in(path, folder);
        let synced =
            |(what, path): &(&str, PathBuf)| *what == "sync directory" && path.ends_with(folder);
        (
            steps.iter().rposition(renamed).unwrap(),
            steps.iter().rposition(synced).unwrap(),
        )
    });
    let noted = |(what, path): &(&str, PathBuf)| *what == "write" && is_in(path, "receipts");
    let noted = steps.iter().position(noted).unwrap();
    for (renamed, synced) in names {
        assert!(renamed < synced && synced < noted, "{steps:?}");
    }
}

#[test]
fn a_name_that_is_taken_after_a_crash_keeps_no_mail_from_coming() {
    let peer = with_a_receipt_and_no_names(MAIL);
    let folder = peer.test.spool.root().join("beta/D.");
    std::fs::create_dir_all(&folder).unwrap();
    let taken = folder.join("D.betaN0001");
    std::fs::write(&taken, "of another").unwrap();
    for mail in [UNIQUE, MAIL] {
        assert_eq!(peer.transfer(mail, CONTENT).unwrap(), "received");
    }
    assert_eq!(peer.executions(), 2);
    assert_eq!(std::fs::read(&taken).unwrap(), b"of another");
}

#[test]
fn a_file_that_a_crash_has_left_with_two_names_is_not_taken_twice() {
    for (mail, again) in AGAIN {
        for linked in 0..2 {
            let peer = with_a_receipt_and_no_names(mail);
            let beta = "beta".parse().unwrap();
            let receipts = Receipts::load(&peer.test.spool, &beta).unwrap();
            let (_, moves) = receipts.unfinished().remove(0);
            for (index, each) in moves[..=linked].iter().enumerate() {
                std::fs::create_dir_all(each.to.parent().unwrap()).unwrap();
                std::fs::hard_link(&each.from, &each.to).unwrap();
                if index < linked {
                    std::fs::remove_file(&each.from).unwrap();
                }
            }
            assert_eq!(peer.transfer(mail, CONTENT).unwrap(), again);
            assert_eq!(peer.executions(), 1);
            assert_eq!(peer.test.files().len(), 2, "{:?}", peer.test.files());
        }
    }
}

#[test]
fn a_clock_file_full_of_garbage_refuses_nothing() {
    let peer = Peer::new();
    peer.transfer(UNIQUE, CONTENT).unwrap();
    std::fs::write(peer.test.spool.own_folder("clock"), [b'x'; 5000]).unwrap();
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    assert_eq!(peer.executions(), 2);
}
