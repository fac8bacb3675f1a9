//! Executions: order, locks that a command inherits, finishing, failing, setting aside.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::tests::{TestSpool, beta, grade};
use super::super::{ObservedTime, RunFile, StageKind};
use super::*;

fn put(test: &TestSpool, system: &str, name: &str, content: &str) {
    let path = test.spool.root().join(system).join("X.");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(name), content).unwrap();
}

fn names(test: &TestSpool) -> Vec<String> {
    let all = test.spool.executions().unwrap();
    all.iter()
        .map(|e| format!("{}/{}", e.system, e.name))
        .collect()
}

#[test]
fn the_most_urgent_goes_first_over_all_systems() {
    let test = TestSpool::new();
    put(&test, "beta", "X.betaN0001", "");
    put(&test, "beta", "X.betaA0002", "");
    put(&test, "beta", "L.betaA0002", "");
    put(&test, "gamma", "X.gammaC0001", "");
    put(&test, "gamma", "X.gammaN0000", "");
    assert_eq!(
        names(&test),
        [
            "beta/X.betaA0002",
            "gamma/X.gammaC0001",
            "beta/X.betaN0001",
            "gamma/X.gammaN0000"
        ]
    );
}

#[test]
fn a_local_execution_is_queued_run_and_removed() {
    let test = TestSpool::new();
    let local = test.spool.nodename().clone();
    let mut data = test.spool.stage(&local, StageKind::Data).unwrap();
    data.write_all(b"input").unwrap();
    let file = ExecuteFile {
        files: vec![RunFile {
            name: data.name().clone(),
            run_name: None,
        }],
        stdin: Some(data.name().as_bytes().to_vec()),
        command: vec![b"rmail".to_vec(), b"joe".to_vec()],
        ..ExecuteFile::default()
    };
    let queued = test
        .spool
        .queue_execution(grade(b'C'), &file, vec![data])
        .unwrap();
    assert_eq!(test.spool.executions().unwrap().first(), Some(&queued));
    assert_eq!(test.spool.read_execution(&queued).unwrap(), file);
    assert!(test.spool.has_files(&queued, &file).unwrap());

    let state = RetryState {
        attempts: 2,
        first_seen: ObservedTime(5),
        next: ObservedTime(9),
    };
    assert_eq!(test.spool.retry_state(&queued).unwrap(), None);
    test.spool.set_retry_state(&queued, &state).unwrap();
    assert_eq!(test.spool.retry_state(&queued).unwrap(), Some(state));
    assert_eq!(state.age(ObservedTime(65)), Duration::from_mins(1));

    let lock = test.spool.lock_execution(&queued).unwrap().unwrap();
    assert!(test.spool.lock_execution(&queued).unwrap().is_none());
    test.spool.remove_execution(lock, &queued, &file).unwrap();
    assert_eq!(test.files(), [] as [String; 0]);
    assert_eq!(test.spool.retry_state(&queued).unwrap(), None);
    assert!(test.spool.lock_execution(&queued).unwrap().is_none());
    let guards = std::fs::read_dir(test.spool.own_folder("running")).unwrap();
    assert_eq!(guards.count(), 0);
}

#[test]
fn failed_and_broken_executions_are_kept() {
    let test = TestSpool::new();
    std::fs::create_dir_all(test.spool.root().join("beta/D.")).unwrap();
    std::fs::write(test.spool.root().join("beta/D./D.betaN0001"), "x").unwrap();
    put(
        &test,
        "beta",
        "X.betaN0001",
        "F D.betaN0001\nI D.betaN0001\nC rmail joe\n",
    );
    put(&test, "beta", "X.betaN0002", "F D.betaN0002\nC rmail jo");
    let all = test.spool.executions().unwrap();
    let file = test.spool.read_execution(&all[0]).unwrap();
    let lock = test.spool.lock_execution(&all[0]).unwrap().unwrap();
    test.spool.fail_execution(lock, &all[0], &file).unwrap();
    let error = test.spool.read_execution(&all[1]).unwrap_err();
    assert!(matches!(error, SpoolError::Corrupt { .. }), "{error}");
    let lock = test.spool.lock_execution(&all[1]).unwrap().unwrap();
    test.spool.set_aside_execution(lock, &all[1]).unwrap();
    assert_eq!(
        test.files(),
        [
            ".Corrupt/X.betaN0002",
            ".Failed/beta/D./D.betaN0001",
            ".Failed/beta/X./X.betaN0001"
        ]
    );
    assert_eq!(names(&test), [] as [String; 0]);
}

#[test]
fn a_command_that_lives_on_keeps_its_execution_locked() {
    let test = TestSpool::new();
    put(&test, "beta", "X.betaN0001", "C rmail joe\n");
    let execution = Execution {
        system: beta(),
        name: SpoolName::parse(b"X.betaN0001").unwrap(),
        grade: Grade::DEFAULT,
    };
    let mut lock = test.spool.lock_execution(&execution).unwrap().unwrap();
    lock.set_inheritable(true).unwrap();
    let mut command = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    lock.set_inheritable(false).unwrap();
    lock.set_owner(i32::try_from(command.id()).unwrap())
        .unwrap();
    // uuxqt is killed: nothing of its clean-up happens, its descriptors are closed.
    super::super::fault::arm(0, super::super::fault::Trouble::Death);
    drop(lock);
    super::super::fault::disarm();
    assert!(test.spool.lock_execution(&execution).unwrap().is_none());
    drop(command.stdin.take());
    command.wait().unwrap();
    assert!(test.spool.lock_execution(&execution).unwrap().is_some());
}

#[test]
fn an_execute_file_is_told_from_another_of_its_name() {
    let test = TestSpool::new();
    put(&test, "beta", "X.betaN0001", "C rmail joe\n");
    let all = test.spool.executions().unwrap();
    let instance = || test.spool.execution_instance(&all[0]).unwrap();
    let first = instance();
    assert!(first.starts_with("X.betaN0001:"), "{first}");
    let path = test.spool.data_path(&all[0].system, &all[0].name);
    // Looked at, locked, moved to where failed ones lie and back: the same.
    drop(test.spool.lock_execution(&all[0]).unwrap().unwrap());
    let aside = test.spool.root().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(instance(), first);
    // One that came while the first was there, and one in its place with another time.
    std::fs::write(&aside, "C rmail joe\n").unwrap();
    std::fs::rename(&aside, &path).unwrap();
    let second = instance();
    assert_ne!(second, first);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_ne!(instance(), second);
}
