//! Collection: what is kept, what is left alone, and death at every step of it and before it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::fault::{self, Trouble};
use super::super::tests::{TestSpool, beta, mail, queue_mail};
use super::super::{
    Delivery, Draft, ExecuteFile, ObservedTime, RetryState, RunFile, StageKind, SubmissionKey,
};
use super::*;
use crate::name::Grade;

const DAY: Duration = Duration::from_hours(24);

fn put(test: &TestSpool, path: &str, content: &[u8]) {
    let path = test.spool.root().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// What is collected now, relative to the spool.
fn look(test: &TestSpool) -> Vec<String> {
    let root = test.spool.root();
    let shown = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let collected = test.spool.collect_unnamed().unwrap();
    collected
        .iter()
        .map(|one| one.to.as_deref().map_or_else(String::new, shown))
        .collect()
}

/// A look now, and one after the patience has passed.
fn two_looks(test: &TestSpool) -> Vec<String> {
    let early = look(test);
    assert_eq!(early, [] as [String; 0], "collected at first sight");
    test.let_pass(Duration::from_secs(PATIENCE));
    look(test)
}

#[test]
fn data_without_a_name_is_kept_for_a_person_after_eight_days() {
    let test = TestSpool::new();
    put(
        &test,
        "beta/D./D.betaN0001",
        b"whose execute file never came",
    );
    put(&test, "beta/D.X/D.X0001", b"U uucp alpha\nC rmail joe\n");
    put(
        &test,
        "beta/X./TMPa1.000000001",
        b"U uucp beta\nF D.betaN0001",
    );
    put(&test, "beta/D./README", b"somebody's own");
    // The moments of the files say nothing: they may be from before the clock was set.
    let old = std::time::UNIX_EPOCH + DAY;
    let file = std::fs::File::options()
        .write(true)
        .open(test.spool.root().join("beta/D./D.betaN0001"))
        .unwrap();
    file.set_modified(old).unwrap();
    for _ in 0..7 {
        assert_eq!(look(&test), [] as [String; 0]);
        test.let_pass(DAY);
    }
    assert_eq!(look(&test), [] as [String; 0]);
    test.let_pass(DAY);
    let kept = [
        ".Preserve/beta/D.X0001",
        ".Preserve/beta/D.betaN0001",
        ".Preserve/beta/TMPa1.000000001",
    ];
    let mut collected = look(&test);
    collected.sort();
    assert_eq!(collected, kept);
    let mut left: Vec<String> = kept.map(str::to_owned).to_vec();
    left.push("beta/D./README".to_owned());
    assert_eq!(test.files(), left);
    let bytes = std::fs::read(test.spool.root().join(kept[1])).unwrap();
    assert_eq!(bytes, b"whose execute file never came");
}

#[test]
fn between_two_looks_lies_a_day() {
    let test = TestSpool::new();
    put(&test, "beta/D./D.betaN0001", b"x");
    look(&test);
    test.let_pass(Duration::from_secs(PATIENCE));
    put(&test, "beta/D./D.betaN0002", b"x");
    assert_eq!(look(&test), [".Preserve/beta/D.betaN0001"]);
    test.let_pass(Duration::from_secs(INTERVAL - 1));
    std::fs::remove_file(test.spool.own_folder("unnamed")).unwrap();
    // The notes were lost: what was seen is seen for the first time.
    assert_eq!(look(&test), [] as [String; 0]);
    let before = std::fs::read(test.spool.own_folder("unnamed")).unwrap();
    test.let_pass(Duration::from_secs(INTERVAL - 1));
    look(&test);
    assert_eq!(
        std::fs::read(test.spool.own_folder("unnamed")).unwrap(),
        before
    );
    test.let_pass(Duration::from_secs(1));
    look(&test);
    assert_ne!(
        std::fs::read(test.spool.own_folder("unnamed")).unwrap(),
        before
    );
}

#[test]
fn what_anything_names_is_left_alone() {
    let test = TestSpool::new();
    let job = queue_mail(&test.spool, Grade::DEFAULT, b"queued").unwrap();
    put(&test, "beta/D./D.betaN0001", b"received");
    put(
        &test,
        "beta/X./X.betaN0001",
        b"U uucp beta\nF D.betaN0001 name\nI D.betaN0001\nC rmail joe\n",
    );
    put(&test, "beta/D./D.betaN0002", b"being placed");
    let receipt =
        "R 00112233445566778899aabbccddeeff 1 - .Bangpath/receive/beta/k beta/D./D.betaN0002";
    let sum = crc32fast::hash(receipt.as_bytes());
    put(
        &test,
        ".Bangpath/receipts/beta",
        format!("{receipt} {sum:08x}\n").as_bytes(),
    );
    put(&test, "beta/D./D.betaN0003", b"held");
    let held = std::fs::File::open(test.spool.root().join("beta/D./D.betaN0003")).unwrap();
    held.try_lock().unwrap();
    let before = test.files();
    assert_eq!(two_looks(&test), [] as [String; 0]);
    assert_eq!(test.files(), before);
    drop(held);
    test.let_pass(DAY);
    assert_eq!(look(&test), [".Preserve/beta/D.betaN0003"]);
    test.spool.read_work(&beta(), &job.work).unwrap();
}

#[test]
fn another_file_of_the_same_name_is_young() {
    let test = TestSpool::new();
    put(&test, "beta/D./D.betaN0001", b"one");
    look(&test);
    test.let_pass(Duration::from_secs(PATIENCE));
    let path = test.spool.root().join("beta/D./D.betaN0001");
    let other = path.with_file_name("D.betaN0002");
    std::fs::write(&other, b"another").unwrap();
    std::fs::rename(other, &path).unwrap();
    assert_eq!(look(&test), [] as [String; 0]);
    // One that was named meanwhile has to be without a name for as long again.
    put(
        &test,
        "beta/X./X.betaN0001",
        b"F D.betaN0001\nC rmail joe\n",
    );
    test.let_pass(Duration::from_secs(PATIENCE));
    look(&test);
    std::fs::remove_file(test.spool.root().join("beta/X./X.betaN0001")).unwrap();
    test.let_pass(DAY);
    assert_eq!(two_looks(&test), [".Preserve/beta/D.betaN0001"]);
}

#[test]
fn locks_in_the_making_go_and_other_programs_files_stay() {
    let test = TestSpool::new();
    put(&test, "TMP0000000abc", b"      1234\n");
    put(&test, "TMPnotes", &[b'x'; 100]);
    let lockdir = test.folder().join("lock");
    std::fs::create_dir_all(&lockdir).unwrap();
    std::fs::write(lockdir.join("TMPMWP17Z5KNL7E0"), "      1234\n").unwrap();
    std::fs::write(lockdir.join("TMP1234"), "      1234\n").unwrap();
    assert_eq!(two_looks(&test), ["", ""]);
    assert_eq!(test.files(), ["TMPnotes"]);
    assert_eq!(durable::names(&lockdir).unwrap(), ["TMP1234"]);
}

/// An execution with its data, tried once.
fn execution(test: &TestSpool) -> (Execution, ExecuteFile) {
    let local = test.spool.nodename().clone();
    let mut data = test.spool.stage(&local, StageKind::Data).unwrap();
    data.write_all(b"input").unwrap();
    let file = ExecuteFile {
        files: vec![RunFile {
            name: data.name().clone(),
            run_name: None,
        }],
        command: vec![b"rmail".to_vec()],
        ..ExecuteFile::default()
    };
    let queued = test
        .spool
        .queue_execution(Grade::DEFAULT, &file, vec![data])
        .unwrap();
    let state = RetryState {
        attempts: 1,
        first_seen: ObservedTime(0),
        next: ObservedTime(0),
    };
    test.spool.set_retry_state(&queued, &state).unwrap();
    (queued, file)
}

#[test]
fn an_execution_cut_anywhere_is_whole_or_leaves_nothing_behind() {
    for step in 0.. {
        let test = TestSpool::new();
        let (queued, file) = execution(&test);
        let lock = test.spool.lock_execution(&queued).unwrap().unwrap();
        fault::arm(step, Trouble::Death);
        let done = test.spool.remove_execution(lock, &queued, &file).is_ok();
        let over = !fault::disarm();
        assert!(!over || done);
        test.spool.finish_dead_executions().unwrap();
        let running = durable::names(&test.spool.own_folder("running")).unwrap();
        let left = test.files();
        let kept = two_looks(&test);
        if test.spool.executions().unwrap().is_empty() {
            // Its data, its lock and what was remembered of it are gone, and nobody is told of anything.
            assert_eq!((left, kept), (vec![], vec![]), "step {step}");
            assert_eq!(running, [] as [String; 0], "step {step}");
            assert_eq!(test.spool.retry_state(&queued).unwrap(), None);
        } else {
            assert_eq!(kept, [] as [String; 0], "step {step}");
            assert!(test.spool.has_files(&queued, &file).unwrap());
            assert!(test.spool.retry_state(&queued).unwrap().is_some());
        }
        if over {
            return;
        }
    }
}

#[test]
fn what_has_got_the_name_of_done_data_is_not_taken_for_it() {
    let test = TestSpool::new();
    let (queued, file) = execution(&test);
    let lock = test.spool.lock_execution(&queued).unwrap().unwrap();
    // The execute file is gone, and nothing more.
    fault::arm(2, Trouble::Death);
    assert!(test.spool.remove_execution(lock, &queued, &file).is_err());
    assert!(fault::disarm());
    let data = test.spool.data_path(&queued.system, &file.files[0].name);
    assert!(test.spool.executions().unwrap().is_empty() && data.exists());
    let other = data.with_file_name("other");
    std::fs::write(&other, "mail").unwrap();
    std::fs::rename(&other, &data).unwrap();
    test.spool.finish_dead_executions().unwrap();
    assert_eq!(std::fs::read(&data).unwrap(), b"mail");
    // Its execute file comes after it: nobody takes the new job for the old one.
    assert_eq!(two_looks(&test).len(), 1);
}

#[test]
fn a_lock_that_lives_stays() {
    let test = TestSpool::new();
    let (queued, _) = execution(&test);
    let lock = test.spool.lock_execution(&queued).unwrap().unwrap();
    std::fs::remove_file(test.spool.data_path(&queued.system, &queued.name)).unwrap();
    look(&test);
    let running = || durable::names(&test.spool.own_folder("running")).unwrap();
    assert_eq!(running().len(), 1);
    drop(lock);
    assert_eq!(running().len(), 0);
}

#[test]
fn a_sender_that_died_anywhere_leaves_a_job_or_a_kept_copy() {
    for step in 0.. {
        let test = TestSpool::new();
        fault::arm(step, Trouble::Death);
        let queued = queue_mail(&test.spool, Grade::DEFAULT, b"mail").is_ok();
        let over = !fault::disarm();
        assert!(!over || queued);
        let kept = two_looks(&test);
        let jobs = test.spool.scan(&beta(), Grade::LAST).unwrap();
        if let [work] = jobs.as_slice() {
            test.spool.read_work(&beta(), work).unwrap();
            assert_eq!(test.files().len(), 2, "step {step}: {:?}", test.files());
        } else {
            assert_eq!(test.files(), kept, "step {step}");
        }
        if over {
            return;
        }
    }
}

#[test]
fn data_that_a_submission_record_has_is_not_taken_for_sent() {
    let test = TestSpool::new();
    let deliver = |die_at: Option<usize>| {
        let key = SubmissionKey {
            message_id: b"4Zx7".to_vec(),
            content_hash: [7; 32],
            system: beta(),
        };
        if let Some(step) = die_at {
            fault::arm(step, Trouble::Death);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        let result = test
            .spool
            .begin_submission(&key, deadline)
            .and_then(|submission| {
                if submission.is_covered(b"joe") {
                    return Ok(0);
                }
                let Ok((request, staged)) = mail(&test.spool, Grade::DEFAULT, b"mail") else {
                    return Err(SpoolError::Locked {
                        path: PathBuf::new(),
                    });
                };
                let draft = Draft {
                    system: beta(),
                    grade: Grade::DEFAULT,
                    requests: vec![request],
                    staged: vec![staged],
                };
                submission
                    .commit(Delivery {
                        recipients: &[b"joe"],
                        jobs: vec![draft],
                        ..Delivery::default()
                    })
                    .map(|queued| queued.jobs.len())
            });
        fault::disarm();
        result
    };
    let job = |test: &TestSpool| test.spool.scan(&beta(), Grade::LAST).unwrap().len();
    // The first death between the record and the work file: the data is in its place and recorded.
    let cut = (0..1000).find(|step| {
        let _ = std::fs::remove_dir_all(test.spool.root());
        std::fs::create_dir(test.spool.root()).unwrap();
        let died = deliver(Some(*step)).is_err();
        let folder = test.spool.own_folder("submissions/0");
        let records = durable::names(&folder).unwrap();
        let is_whole = |name: &String| {
            let record = std::fs::read_to_string(folder.join(name)).unwrap();
            record.contains("\nend ")
        };
        let recorded = records.iter().any(is_whole);
        died && recorded && job(&test) == 0
    });
    assert!(cut.is_some());
    assert_eq!(two_looks(&test), [] as [String; 0]);
    assert_eq!(deliver(None).unwrap(), 0);
    assert_eq!(job(&test), 1);
    assert_eq!(test.files().len(), 2, "{:?}", test.files());
}

#[test]
fn death_while_collecting_loses_nothing() {
    for step in 0.. {
        let test = TestSpool::new();
        put(&test, "beta/D./D.betaN0001", b"one");
        put(&test, "beta/D./D.betaN0002", b"two");
        look(&test);
        test.let_pass(Duration::from_secs(PATIENCE));
        fault::arm(step, Trouble::Death);
        let first = test.spool.collect_unnamed().is_ok();
        let over = !fault::disarm();
        assert_eq!(test.files().len(), 2, "step {step}");
        test.let_pass(DAY);
        look(&test);
        let kept = [".Preserve/beta/D.betaN0001", ".Preserve/beta/D.betaN0002"];
        assert_eq!(test.files(), kept, "step {step}");
        if over {
            assert!(first);
            return;
        }
    }
}
