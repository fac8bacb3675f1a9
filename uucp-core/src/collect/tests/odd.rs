//! Odd things in the directory, and odd times: nothing of it stops what is beside it, and no mail is taken for a lock.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

const HALF_AN_HOUR: Duration = Duration::from_mins(31);
const YEAR: Duration = Duration::from_hours(365 * 24);

#[test]
fn mail_for_a_system_that_is_called_like_a_lock_stays_mail() {
    let site = Site::new();
    let mail = MAIL.repeat(3);
    for name in ["gate.lock.example", "pad.lock"] {
        let path = site.put(name, &mail);
        set_modified(&path, SystemTime::now() - HALF_AN_HOUR);
    }
    site.put("hub/1.lock.2", &mail);
    // What other programs write into theirs.
    site.put("other.lock", b"4711\n");
    let mut found = site.drop_box.look().unwrap().waiting;
    let names: Vec<_> = found.iter().map(|one| one.system.clone()).collect();
    assert_eq!(names, ["gate.lock.example", "hub", "pad.lock"]);
    for waiting in found.drain(..) {
        let batch = site.drop_box.take(&waiting).unwrap().unwrap();
        assert_eq!(content(&batch), mail);
    }
    assert!(site.path("other.lock").exists());
}

#[test]
fn a_file_that_cannot_be_taken_keeps_no_others_waiting() {
    let site = Site::new();
    // There is no room for the name of its lock.
    let long = "1".repeat(255);
    site.put(&format!("hub/{long}"), MAIL);
    assert!(site.take().unwrap_err().to_string().contains("hub/111"));
    assert_eq!(site.names(), ["hub"]);
    for name in ["0", "2", "3"] {
        site.put(&format!("hub/{name}"), MAIL);
    }
    let mut batch = site.take().unwrap().unwrap();
    let files = batch.files().unwrap();
    let taken: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
    assert_eq!(taken, ["0", "2", "3"]);
    let left = batch.take_left();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].to_string().contains(&long), "{left:?}");
    assert!(site.path(&format!("hub/{long}")).exists());
}

#[test]
fn what_is_neither_file_nor_directory_is_named_and_not_waited_for() {
    let site = Site::new();
    let pipe = site.path("hub.batch.1-1-\u{1b}[2J\n0");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let error = site.drop_box.resume(&pipe).unwrap_err().to_string();
    assert!(error.contains("neither a file nor a directory"), "{error}");
    assert!(error.contains(r"\x1b[2J\n0"), "{error}");
    // In a batch.
    site.put("hub.batch.1-1-1/1", MAIL);
    let pipe = site.path("hub.batch.1-1-1/2");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let batch = site.drop_box.resume(&site.path("hub.batch.1-1-1"));
    let batch = batch.unwrap().unwrap();
    assert!(batch.open(&pipe).is_err());
    // In the place of the lock, which is broken in time.
    site.put("hub", MAIL);
    mkfifo(&site.path("hub.lock"), Mode::S_IRWXU).unwrap();
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    fs::remove_file(site.path("hub.lock")).unwrap();
    symlink("/etc/passwd", site.path("hub.lock")).unwrap();
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    assert!(Path::new("/etc/passwd").exists());
}

#[test]
fn no_link_is_followed_to_what_is_not_for_us() {
    let site = Site::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let others = elsewhere.path().join("letter");
    fs::write(&others, MAIL).unwrap();
    fs::create_dir(site.path("hub")).unwrap();
    symlink(elsewhere.path(), site.path("hub/new")).unwrap();
    symlink(&others, site.path("hub/1")).unwrap();
    assert!(site.take().unwrap().is_none());
    assert!(others.exists());
    let link = site.path("hub.batch.1-1-0");
    symlink(&others, &link).unwrap();
    assert!(site.drop_box.resume(&link).is_err());
    assert!(others.exists());
}

#[test]
fn a_clock_that_was_set_back_keeps_nothing_waiting() {
    let site = Site::new();
    let ahead = SystemTime::now() + YEAR;
    // An Exim that was killed, and a smail that was.
    site.put("hub", MAIL);
    let lock = site.put("hub.lock", b"");
    let post = site.put("hub.lock.host.1", b"");
    site.put("smail/1", b"MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nx\n");
    for path in [&lock, &post, &site.path("hub"), &site.path("smail/1")] {
        set_modified(path, ahead);
    }
    let found = site.drop_box.look().unwrap().waiting;
    assert_eq!(found.len(), 2);
    for waiting in found {
        assert!(site.drop_box.take(&waiting).unwrap().is_some());
    }
    assert!(!lock.exists() && !post.exists());
}

#[test]
fn names_that_are_no_text_are_names() {
    let site = Site::new();
    let name = OsStr::from_bytes(b"h\xffb\n\x1b[1m");
    let path = site.directory.path().join(name);
    fs::write(&path, MAIL).unwrap();
    let batch = site.take().unwrap().unwrap();
    assert_eq!(batch.system(), name);
    let path = batch.path().to_owned();
    drop(batch);
    let batch = site.drop_box.resume(&path).unwrap().unwrap();
    assert_eq!(batch.system(), name);
}
