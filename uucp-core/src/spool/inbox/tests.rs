//! Receiving: what is taken, refused, recognised and continued; death and a full disk at every step.

use std::collections::BTreeSet;
use std::fs::File;

use super::super::fault::{self, Trouble};
use super::super::tests::TestSpool;
use super::*;
use crate::config::PathRules;
use crate::wire::command::Request;

const MAIL: &[u8] = b"E D.0001 D.betaN0001 uucp -C D.0001 0666 \"\" 0xb rmail joe@x.example";
/// The same from a sender whose names never come back.
const UNIQUE: &[u8] = b"E D.MWP17Z5KNL7E0 D.betaNMWP17Z684NTNO uucp -C D.MWP17Z5KNL7E0 0666 \"\" 0xb rmail joe@x.example";
/// What a repetition of each is told.
const AGAIN: [(&[u8], &str); 2] = [(MAIL, "the same again"), (UNIQUE, "already received")];
pub(crate) const CONTENT: &[u8] = b"hello mail\n";

pub(crate) struct Peer {
    pub(crate) test: TestSpool,
    lock: SystemLock,
    rules: PathRules,
    pubdir: PathBuf,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let test = TestSpool::new();
        let lock = test.spool.lock_system(&"beta".parse().unwrap()).unwrap();
        let pubdir = test.folder().join("public");
        Self {
            test,
            lock,
            rules: PathRules::new(["~"]),
            pubdir,
        }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        self.test.spool.inbox(&self.lock).unwrap()
    }

    pub(crate) fn offer(&self, inbox: &mut Inbox, command: &[u8], free_space: u64) -> Admission {
        let request = Request::parse(command).unwrap();
        let incoming = Incoming::of_peer(&request, &self.rules, &self.pubdir, free_space).unwrap();
        inbox.begin(&incoming).unwrap()
    }

    pub(crate) fn begin(&self, inbox: &mut Inbox, command: &[u8]) -> (Reception, u64) {
        match self.offer(inbox, command, 0) {
            Admission::Begin {
                reception,
                restart_at,
            } => (*reception, restart_at),
            other => panic!("{other:?}"),
        }
    }

    /// A whole transfer, as the engine does it; what the peer is told.
    fn transfer(&self, command: &[u8], content: &[u8]) -> Result<&'static str, SpoolError> {
        let request = Request::parse(command).unwrap();
        let incoming = Incoming::of_peer(&request, &self.rules, &self.pubdir, 0).unwrap();
        let mut inbox = self.test.spool.inbox(&self.lock)?;
        match inbox.begin(&incoming)? {
            Admission::AlreadyReceived => Ok("already received"),
            Admission::Refuse { reason, .. } => Err(SpoolError::Peer {
                path: self.pubdir.clone(),
                reason,
            }),
            Admission::Begin {
                mut reception,
                restart_at,
            } => {
                let from = usize::try_from(restart_at).unwrap();
                for chunk in content[from..].chunks(4) {
                    reception.write(None, chunk)?;
                }
                reception.finish()?;
                let again = reception.is_repetition();
                inbox.commit(vec![*reception]).pop().unwrap()?;
                Ok(if again { "the same again" } else { "received" })
            }
        }
    }

    /// How many executions of the message there are; each must be whole.
    fn executions(&self) -> usize {
        let executions = self.test.spool.executions().unwrap();
        for execution in &executions {
            let file = self.test.spool.read_execution(execution).unwrap();
            assert_eq!(file.command.join(&b' '), b"rmail joe@x.example");
            assert!(self.test.spool.has_files(execution, &file).unwrap());
            let data = self
                .test
                .spool
                .data_path(&execution.system, &file.files[0].name);
            assert_eq!(std::fs::read(data).unwrap(), CONTENT);
            assert_eq!(file.stdin.as_deref(), Some(file.files[0].name.as_bytes()));
        }
        executions.len()
    }
}

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
    assert!(matches!(
        peer.offer(&mut inbox, UNIQUE, 0),
        Admission::Refuse {
            refusal: Refusal::CannotCreate,
            ..
        }
    ));
    reception.finish().unwrap();
    assert!(inbox.commit(vec![reception])[0].is_ok());
    assert_eq!(peer.executions(), 1);
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
    let answer = peer.offer(&mut peer.inbox(), data, 0);
    assert!(
        matches!(
            answer,
            Admission::Refuse {
                refusal: Refusal::CannotCreate,
                ..
            }
        ),
        "{answer:?}"
    );
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
    let old = std::time::SystemTime::now() - Duration::from_hours(9 * 24);
    File::options()
        .write(true)
        .open(root.join("beta/D./D.betaN0001"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    assert_eq!(peer.transfer(data, b"x").unwrap(), "received");
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
        let answer = peer.offer(&mut peer.inbox(), command, 0);
        assert!(
            matches!(
                answer,
                Admission::Refuse {
                    refusal: Refusal::NotPermitted,
                    ..
                }
            ),
            "{}: {answer:?}",
            command.escape_ascii()
        );
    }
    let answer = peer.offer(&mut peer.inbox(), MAIL, u64::MAX / 2);
    assert!(
        matches!(
            answer,
            Admission::Refuse {
                refusal: Refusal::TooLargeNow,
                ..
            }
        ),
        "{answer:?}"
    );
    let huge = b"E D.0009 D.betaN0009 uucp -C D.0009 0666 \"\" 0xfffffffffffffff rmail joe";
    let answer = peer.offer(&mut peer.inbox(), huge, 0);
    assert!(
        matches!(
            answer,
            Admission::Refuse {
                refusal: Refusal::TooLargeNow,
                ..
            }
        ),
        "{answer:?}"
    );
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
