//! Where a file may go, and what may not be asked.

use std::collections::BTreeSet;
use std::fs::File;

use super::*;

#[test]
fn a_file_of_the_spool_is_never_written_over() {
    let peer = Peer::new();
    let root = peer.test.spool.root().to_path_buf();
    std::fs::create_dir_all(root.join("beta/D.")).unwrap();
    std::fs::create_dir_all(root.join("beta/X.")).unwrap();
    std::fs::write(root.join("beta/D./D.betaN0001"), "older").unwrap();
    std::fs::write(root.join("beta/X./X.betaN0001"), "C x\n").unwrap();
    // An E gets another name,
    peer.transfer(MAIL, CONTENT).unwrap();
    // an execute file too,
    let execute = b"S D.X0002 X.betaN0001 uucp -C D.X0002 0666 \"\" 0x4";
    assert_eq!(peer.transfer(execute, b"C y\n").unwrap(), "received");
    // a data file must wait.
    let data = b"S D.0003 D.betaN0001 uucp -C D.0003 0666 \"\" 0x1";
    let refusal = peer.refusal(&mut peer.inbox(), data, 0);
    assert_eq!(refusal, Some(Refusal::CannotCreate));
    assert_eq!(
        std::fs::read(root.join("beta/D./D.betaN0001")).unwrap(),
        b"older"
    );
    assert_eq!(
        std::fs::read(root.join("beta/X./X.betaN0001")).unwrap(),
        b"C x\n"
    );
    assert_eq!(peer.test.files().len(), 5);
    // But not for ever, if nobody needs it.
    let now = std::time::SystemTime::now();
    let days = Duration::from_hours(9 * 24);
    let written = |time| {
        let file = File::options()
            .write(true)
            .open(root.join("beta/D./D.betaN0001"));
        file.unwrap().set_modified(time).unwrap();
    };
    written(now - days);
    assert_eq!(peer.transfer(data, b"x").unwrap(), "received");
    // Nor until the time of a clock that was set back.
    written(now + days);
    let again = b"S D.0004 D.betaN0001 uucp -C D.0004 0666 \"\" 0x1";
    assert_eq!(peer.transfer(again, b"y").unwrap(), "received");
    assert_eq!(
        std::fs::read(root.join(".Preserve/D.betaN0001")).unwrap(),
        b"older"
    );
}

#[test]
fn what_may_not_be_asked_is_refused() {
    let peer = Peer::new();
    std::fs::create_dir_all(&peer.pubdir).unwrap();
    for command in [
        &b"S D.0001 C.NAAAAAAAAAAA uucp -C D.0001 0666 \"\" 0x1"[..],
        b"E D.0001 X.betaN0001 uucp -C D.0001 0666 \"\" 0x1 rmail joe",
        b"E D.0001 ~/x uucp -C D.0001 0666 \"\" 0x1 rmail joe",
        b"S D.0001 ../../etc/passwd uucp -C D.0001 0666 \"\" 0x1",
        b"S D.0001 /etc/passwd uucp -C D.0001 0666 \"\" 0x1",
        b"S D.0001 D./../../x uucp -C D.0001 0666 \"\" 0x1",
    ] {
        let refusal = peer.refusal(&mut peer.inbox(), command, 0);
        assert_eq!(
            refusal,
            Some(Refusal::NotPermitted),
            "{}",
            command.escape_ascii()
        );
    }
    let refusal = peer.refusal(&mut peer.inbox(), MAIL, u64::MAX / 2);
    assert_eq!(refusal, Some(Refusal::TooLargeNow));
    let huge = b"E D.0009 D.betaN0009 uucp -C D.0009 0666 \"\" 0xfffffffffffffff rmail joe";
    let refusal = peer.refusal(&mut peer.inbox(), huge, 0);
    assert_eq!(refusal, Some(Refusal::TooLargeNow));
    // A temporary name that climbs is none.
    let climbing = b"E D/../../x D.betaN0001 uucp -C D/../../x 0666 \"\" 0xb rmail joe@x.example";
    assert_eq!(peer.transfer(climbing, CONTENT).unwrap(), "received");
    assert_eq!(peer.executions(), 1);
    assert_eq!(peer.test.files().len(), 2);
}

#[test]
fn fewer_bytes_than_announced_and_holes_are_told() {
    let peer = Peer::new();
    let mut inbox = peer.inbox();
    let (mut reception, _) = peer.begin(&mut inbox, MAIL);
    reception.write(None, b"hell").unwrap();
    assert!(matches!(
        reception.write(Some(9), b"x"),
        Err(SpoolError::Peer { .. })
    ));
    let error = reception.finish().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("11 bytes were announced, 4 came"),
        "{error}"
    );
    let results = inbox.commit(vec![reception]);
    assert!(results[0].is_err());
    assert_eq!(peer.executions(), 0);
}

#[test]
fn files_outside_the_spool_arrive_and_replace_older_ones() {
    use std::os::unix::fs::PermissionsExt;
    let peer = Peer::new();
    std::fs::create_dir_all(&peer.pubdir).unwrap();
    std::fs::set_permissions(&peer.pubdir, std::fs::Permissions::from_mode(0o777)).unwrap();
    let send = b"S /home/beta/f ~/in/ uucp -Cd D.0001 0755 \"\" 0x3";
    assert_eq!(peer.transfer(send, b"one").unwrap(), "received");
    let path = peer.pubdir.join("in/f");
    assert_eq!(std::fs::read(&path).unwrap(), b"one");
    assert_eq!(
        path.metadata().unwrap().permissions().mode() & 0o7777,
        0o777
    );
    let again = b"S /home/beta/f ~/in/ uucp -Cd D.0002 0644 \"\" 0x3";
    assert_eq!(peer.transfer(again, b"two").unwrap(), "received");
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(peer.transfer(again, b"two").unwrap(), "received");
    assert_eq!(
        std::fs::read_dir(peer.pubdir.join("in")).unwrap().count(),
        1
    );
    // Death anywhere: the old file or the new one, never less.
    for steps in 0.. {
        let send = format!("S /home/beta/f ~/in/ uucp -Cd D.1{steps} 0644 \"\" 0x5");
        fault::arm(steps, Trouble::Death);
        let _ = peer.transfer(send.as_bytes(), b"third");
        let died = fault::disarm();
        let found = std::fs::read(&path).unwrap();
        assert!(found == b"two" || found == b"third");
        peer.transfer(send.as_bytes(), b"third").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"third");
        std::fs::write(&path, b"two").unwrap();
        if !died {
            break;
        }
    }
    let left: BTreeSet<_> = std::fs::read_dir(peer.pubdir.join("in"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// The public directory, in which everybody may make files.
fn with_public_directory() -> Peer {
    use std::os::unix::fs::PermissionsExt;
    let peer = Peer::new();
    std::fs::create_dir_all(&peer.pubdir).unwrap();
    std::fs::set_permissions(&peer.pubdir, std::fs::Permissions::from_mode(0o777)).unwrap();
    peer
}

/// A file for the public directory, under a temporary name that no other file will have.
fn send(name: &str) -> String {
    let temp = format!("D.{name}WP17Z5KNL7E1");
    format!("S /home/beta/{name} ~/{name} uucp -C {temp} 0644 \"\" 0x3")
}

/// Commits two files, of which one's place was taken meanwhile.
fn commit_with_a_place_taken(peer: &Peer, trouble: impl FnOnce()) -> Vec<Result<(), SpoolError>> {
    let mut inbox = peer.inbox();
    let receptions = ["F", "G"].map(|name| {
        let (mut reception, _) = peer.begin(&mut inbox, send(name).as_bytes());
        reception.write(None, b"one").unwrap();
        reception.finish().unwrap();
        reception
    });
    std::fs::create_dir(peer.pubdir.join("F")).unwrap();
    trouble();
    inbox.commit(receptions.into())
}

/// Offered again when there is room for it, the file is not taken for one that has come.
fn comes_when_there_is_room(peer: &Peer) {
    let path = peer.pubdir.join("F");
    let _ = std::fs::remove_dir(&path);
    peer.transfer(send("F").as_bytes(), b"one").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"one");
}

#[test]
fn a_file_whose_place_is_taken_meanwhile_is_refused_for_good_and_no_other_with_it() {
    let peer = with_public_directory();
    let results = commit_with_a_place_taken(&peer, || ());
    assert!(results[1].is_ok());
    let error = results[0].as_ref().unwrap_err();
    assert!(!error.is_temporary(), "{error}");
    assert!(
        error.to_string().contains("/F: cannot be put there"),
        "{error}"
    );
    let mut left: Vec<_> = std::fs::read_dir(&peer.pubdir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["F", "G"]);
    comes_when_there_is_room(&peer);
}

/// The receiver of a file dies at each step in turn. What `happens` then keeps no mail from coming, and the file, offered again, is
/// not taken for one that has come.
fn comes_after_a_crash(happens: impl Fn(&Peer), ends: impl Fn(&Peer)) {
    for steps in 0.. {
        let peer = with_public_directory();
        fault::arm(steps, Trouble::Death);
        let _ = peer.transfer(send("F").as_bytes(), b"one");
        let died = fault::disarm();
        happens(&peer);
        assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
        ends(&peer);
        comes_when_there_is_room(&peer);
        if !died {
            break;
        }
    }
}

#[test]
fn a_file_whose_place_is_taken_after_a_crash_keeps_no_mail_from_coming_and_is_refused() {
    let take = |peer: &Peer| {
        let path = peer.pubdir.join("F");
        if !path.exists() {
            std::fs::create_dir(path).unwrap();
        }
    };
    let offer = |peer: &Peer| {
        if peer.pubdir.join("F").is_dir() {
            let refusal = peer.refusal(&mut peer.inbox(), send("F").as_bytes(), 0);
            assert_eq!(refusal, Some(Refusal::NotPermitted));
        }
    };
    comes_after_a_crash(take, offer);
}

#[test]
fn a_file_whose_directory_is_away_after_a_crash_is_not_taken_for_one_that_has_come() {
    let away = |peer: &Peer| peer.test.folder().join("away");
    // As when its file system is not mounted.
    comes_after_a_crash(
        |peer| std::fs::rename(&peer.pubdir, away(peer)).unwrap(),
        |peer| {
            let refusal = |name| peer.refusal(&mut peer.inbox(), send(name).as_bytes(), 0);
            if !away(peer).join("F").exists() {
                assert_eq!(refusal("F"), refusal("G"), "as any other file for there");
            }
            std::fs::rename(away(peer), &peer.pubdir).unwrap();
        },
    );
}

#[test]
fn a_file_whose_place_is_taken_is_not_taken_for_one_that_has_come_whatever_fails_with_it() {
    for steps in 0.. {
        let peer = with_public_directory();
        let results = commit_with_a_place_taken(&peer, || fault::arm(steps, Trouble::DiskFull));
        let failed = fault::disarm();
        assert!(results[0].is_err());
        comes_when_there_is_room(&peer);
        if !failed {
            break;
        }
    }
}

/// A file of which only the rename to its place is missing, since its receiver has died there.
fn with_a_file_before_its_rename() -> Peer {
    let peer = (0..).find_map(|steps| {
        let peer = with_public_directory();
        fault::arm(steps, Trouble::Death);
        let _ = peer.transfer(send("F").as_bytes(), b"one");
        assert!(fault::disarm(), "it has no such step");
        let receipts = peer.test.spool.own_folder("receipts").join("beta");
        let received = std::fs::read_to_string(receipts).unwrap_or_default();
        received.contains("/F").then_some(peer)
    });
    peer.unwrap()
}

#[test]
fn a_file_that_cannot_be_moved_to_its_place_now_keeps_no_mail_from_coming_and_is_not_confirmed() {
    let renames = |peer: &Peer| {
        let to_place = |(what, path): &(&str, PathBuf)| *what == "rename" && path.ends_with("F");
        let steps = fault::record();
        let found = steps.iter().position(to_place);
        found.filter(|_| peer.pubdir.join("F").exists())
    };
    let peer = with_a_file_before_its_rename();
    fault::record();
    peer.transfer(MAIL, CONTENT).unwrap();
    let step = renames(&peer).unwrap();

    let peer = with_a_file_before_its_rename();
    fault::arm(step, Trouble::DiskFull);
    assert_eq!(peer.transfer(MAIL, CONTENT).unwrap(), "received");
    assert!(fault::disarm());
    assert!(!peer.pubdir.join("F").exists());
    let mut inbox = peer.inbox();
    inbox.receipts = None;
    fault::arm(step, Trouble::DiskFull);
    inbox.load().unwrap();
    assert!(fault::disarm());
    fault::arm(0, Trouble::DiskFull);
    let command = send("F");
    let request = Request::parse(command.as_bytes()).unwrap();
    let incoming = Incoming::of_peer(&request, &peer.rules, &peer.pubdir, 0).unwrap();
    assert!(inbox.begin(&incoming).unwrap_err().is_temporary());
    assert!(fault::disarm());
    drop(inbox);
    assert_eq!(
        peer.transfer(command.as_bytes(), b"one").unwrap(),
        "already received"
    );
    assert_eq!(std::fs::read(peer.pubdir.join("F")).unwrap(), b"one");
}
