//! Locks: ours against ours, Taylor's, what the dead left, numbers that come back.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use super::super::tests::{TestSpool, beta};
use super::pidfile::content;
use super::process::Process;
use super::*;

fn path(test: &TestSpool) -> PathBuf {
    test.folder().join("lock/LCK..beta")
}

fn write_lock(test: &TestSpool, content: &str) {
    fs::create_dir_all(test.folder().join("lock")).unwrap();
    fs::write(path(test), content).unwrap();
}

fn is_held(test: &TestSpool) -> bool {
    match test.spool.lock_system(&beta()) {
        Err(LockError::Held { .. }) => true,
        other => other.is_err(),
    }
}

/// A process that lives until it is killed.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let status = self.0.wait().unwrap();
        assert_eq!(status.signal(), Some(9));
    }
}

#[test]
fn a_lock_is_taylors_eleven_bytes_and_goes_when_dropped() {
    let test = TestSpool::new();
    let lock = test.spool.lock_system(&beta()).unwrap();
    let bytes = fs::read(path(&test)).unwrap();
    assert_eq!(bytes, format!("{:>10}\n", std::process::id()).as_bytes());
    assert_eq!(bytes.len(), 11);
    assert_eq!(path(&test).metadata().unwrap().mode() & 0o7777, 0o644);
    assert!(is_held(&test));
    assert!(test.spool.is_locked(&beta()).unwrap());
    drop(lock);
    assert!(!path(&test).exists());
    assert!(!test.spool.is_locked(&beta()).unwrap());
    assert!(!is_held(&test));
    // Nothing else is left in the lock directory.
    assert_eq!(fs::read_dir(test.folder().join("lock")).unwrap().count(), 0);
}

#[test]
fn a_child_that_is_being_started_does_not_keep_a_lock() {
    let test = TestSpool::new();
    let lock = test.spool.lock_system(&beta()).unwrap();
    // It has a copy of every descriptor until it is executed.
    let _copy = lock.lock.guard.try_clone().unwrap();
    drop(lock);
    assert!(!is_held(&test));
}

#[test]
fn a_live_process_of_taylors_keeps_its_lock() {
    let test = TestSpool::new();
    let sleeper = Sleeper::new();
    write_lock(&test, &content(i32::try_from(sleeper.0.id()).unwrap()));
    assert!(is_held(&test));
    assert!(test.spool.is_locked(&beta()).unwrap());
    drop(sleeper);
    assert!(!test.spool.is_locked(&beta()).unwrap());
    assert!(!is_held(&test));
}

#[test]
fn a_zombie_holds_nothing() {
    let test = TestSpool::new();
    let mut sleeper = Sleeper::new();
    write_lock(&test, &content(i32::try_from(sleeper.0.id()).unwrap()));
    sleeper.0.kill().unwrap();
    // Not waited for: it is a zombie as soon as the kernel is done with it.
    let pid = i32::try_from(sleeper.0.id()).unwrap();
    while !Process::read(pid).unwrap().zombie {
        std::thread::yield_now();
    }
    assert!(!is_held(&test));
}

#[test]
fn a_number_that_came_back_holds_nothing() {
    let test = TestSpool::new();
    let sleeper = Sleeper::new();
    write_lock(&test, &content(i32::try_from(sleeper.0.id()).unwrap()));
    // As in a container that was started anew: the file is older than the process.
    let file = File::options().write(true).open(path(&test)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_mins(1))
        .unwrap();
    assert!(!is_held(&test));
    // Our own number, from an earlier life of it.
    write_lock(&test, &content(i32::try_from(std::process::id()).unwrap()));
    assert!(!is_held(&test));
}

#[test]
fn garbage_is_nobodys() {
    let test = TestSpool::new();
    for content in ["", "\n", "zzz", "-5", "99999999999999999999"] {
        write_lock(&test, content);
        assert!(!is_held(&test), "{content:?}");
    }
}

#[test]
fn what_a_dead_process_of_ours_left_is_taken_at_once_even_if_its_number_lives() {
    let test = TestSpool::new();
    // A process of ours took the lock in the name of a process that still lives, and was killed.
    let sleeper = Sleeper::new();
    let mut lock = test.spool.lock_system(&beta()).unwrap();
    lock.lock
        .set_owner(i32::try_from(sleeper.0.id()).unwrap())
        .unwrap();
    super::super::fault::arm(0, super::super::fault::Trouble::Death);
    drop(lock);
    super::super::fault::disarm();
    assert!(path(&test).exists());
    assert!(!is_held(&test));
}

#[test]
fn a_lock_that_taylor_took_over_is_not_ours_to_remove() {
    let test = TestSpool::new();
    let lock = test.spool.lock_system(&beta()).unwrap();
    let sleeper = Sleeper::new();
    let theirs = content(i32::try_from(sleeper.0.id()).unwrap());
    fs::write(path(&test), &theirs).unwrap();
    drop(lock);
    assert_eq!(fs::read_to_string(path(&test)).unwrap(), theirs);
    assert!(is_held(&test));
}

#[test]
fn a_process_started_before_a_clock_step_is_believed_if_it_may_be_uucico() {
    let mut process = Process {
        zombie: false,
        uucp: true,
        started: 100.0,
        booted: 1_800_000_000.0,
    };
    // Written while the clock still said 1970.
    assert!(!process.started_after(200.0));
    // Written since the boot, by an earlier holder of the number.
    assert!(process.started_after(1_800_000_050.0));
    assert!(!process.started_after(1_800_000_101.0));
    process.uucp = false;
    assert!(process.started_after(200.0));
}

#[test]
fn uuxqts_share_their_limit() {
    let test = TestSpool::new();
    let first = test.spool.lock_uuxqt(2).unwrap().unwrap();
    let second = test.spool.lock_uuxqt(2).unwrap().unwrap();
    assert!(test.spool.lock_uuxqt(2).unwrap().is_none());
    assert!(test.spool.root().join("LCK.XQT.1").exists());
    drop(first);
    let third = test.spool.lock_uuxqt(2).unwrap().unwrap();
    assert!(test.spool.lock_uuxqt(0).unwrap().is_some());
    drop((second, third));
    let command = test.spool.lock_command(b"/usr/bin/rmail").unwrap().unwrap();
    assert!(test.spool.root().join("LXQ.rmail").exists());
    assert!(test.spool.lock_command(b"rmail").unwrap().is_none());
    drop(command);
    let device = test.spool.lock_device("/dev/pts/3").unwrap();
    assert!(test.folder().join("lock/LCK..pts.3").exists());
    drop(device);
}

#[test]
fn of_many_at_once_one_has_it() {
    let test = TestSpool::new();
    write_lock(&test, "         0\n");
    let most = std::sync::atomic::AtomicUsize::new(0);
    let now = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    if let Ok(_lock) = test.spool.lock_system(&beta()) {
                        let holders = now.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                        most.fetch_max(holders, std::sync::atomic::Ordering::SeqCst);
                        now.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(most.into_inner(), 1);
}
