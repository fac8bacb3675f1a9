//! Children, with a shell as the command.

use super::*;
use std::io::Seek;

fn shell(script: &str) -> Launch<'static> {
    Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("PATH", "/bin:/usr/bin".into())],
        directory: "/".into(),
        stdin: None,
        stdout: None,
        lock: None,
        time_limit: Duration::from_mins(1),
        may_stay: false,
    }
}

#[test]
fn status_signal_and_words_are_seen() {
    let finished = shell("echo why >&2; exit 67")
        .start()
        .unwrap()
        .wait()
        .unwrap()
        .0;
    assert_eq!(finished.end.code(), Some(67));
    assert_eq!(finished.end.describe(), "Exit status 67");
    assert_eq!(finished.stderr, b"why\n");

    let finished = shell("kill -9 $$").start().unwrap().wait().unwrap().0;
    assert_eq!(finished.end.code(), None);
    assert_eq!(finished.end.describe(), "Got signal 9");
}

#[test]
fn a_flood_on_standard_error_is_bounded() {
    let finished = shell("head -c 3000000 /dev/zero >&2")
        .start()
        .unwrap()
        .wait()
        .unwrap()
        .0;
    assert_eq!(finished.end.code(), Some(0));
    assert_eq!(finished.stderr.len(), STDERR_KEPT);
}

#[test]
fn the_whole_group_goes_when_the_time_is_over() {
    let (never, _open) = io::pipe().unwrap();
    let mut text = String::new();
    // As long as this machine needs to come to where it hangs.
    for limit in (0..).map(|n| Duration::from_millis(100 << n)) {
        let mut launch = shell("cat & echo $! ; cat");
        let mut output = tempfile::tempfile().unwrap();
        let input = never.try_clone().unwrap();
        launch.stdin = Some(File::from(std::os::fd::OwnedFd::from(input)));
        launch.stdout = Some(output.try_clone().unwrap());
        launch.time_limit = limit;
        let finished = launch.start().unwrap().wait().unwrap().0;
        assert!(matches!(finished.end, End::OutOfTime));
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        if !text.is_empty() {
            break;
        }
    }
    let grandchild = Pid::from_raw(text.trim().parse().unwrap());
    assert_eq!(gone(grandchild), Ok(()));
}

/// Waits, in bounds, until a process that was sent a signal is no more.
fn gone(pid: Pid) -> Result<(), &'static str> {
    let deadline = Instant::now() + Duration::from_mins(2);
    while Instant::now() < deadline {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err("still there")
}

#[test]
fn a_daemon_left_behind_is_not_waited_for() {
    let (never, open) = io::pipe().unwrap();
    let mut launch = shell("cat <&0 >&2 & exit 0");
    launch.stdin = Some(File::from(std::os::fd::OwnedFd::from(never)));
    let finished = launch.start().unwrap().wait().unwrap().0;
    assert_eq!(finished.end.code(), Some(0));
    drop(open);
}

#[test]
fn the_environment_is_ours_alone() {
    let mut output = tempfile::tempfile().unwrap();
    let mut launch = shell("");
    launch.program = "/usr/bin/env".into();
    launch.arguments.clear();
    launch.stdout = Some(output.try_clone().unwrap());
    launch.start().unwrap().wait().unwrap();
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "PATH=/bin:/usr/bin\n");
}

#[test]
fn the_child_holds_the_lock_and_no_later_child_does() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().lock().unwrap();
    let held = || {
        let other = File::open(file.path()).unwrap();
        other.try_lock().is_err()
    };
    let mut launch = shell("ls -l /proc/$$/fd >&2");
    launch.lock = Some(file.as_file().as_fd());
    let with = launch.start().unwrap().wait().unwrap().0;
    let name = file.path().to_str().unwrap();
    assert!(String::from_utf8_lossy(&with.stderr).contains(name));
    let without = shell("ls -l /proc/$$/fd >&2")
        .start()
        .unwrap()
        .wait()
        .unwrap()
        .0;
    assert!(!String::from_utf8_lossy(&without.stderr).contains(name));
    assert!(held());
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let mut launch = shell("");
    launch.program = "/nonexistent/rmail".into();
    assert_eq!(launch.start().unwrap_err().kind(), io::ErrorKind::NotFound);
}
