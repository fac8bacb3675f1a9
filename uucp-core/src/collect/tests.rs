mod locks;
mod odd;
mod trouble;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::drop_box::{Held, lock_writing};
use super::lockfile::{LockFile, lock_new};
use super::*;

struct Site {
    directory: tempfile::TempDir,
    drop_box: DropBox,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let drop_box = DropBox::new(directory.path()).with_wait(Duration::ZERO);
        Self {
            directory,
            drop_box,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Takes the one thing that waits.
    fn take(&self) -> Result<Option<Batch>, CollectError> {
        let found = self.drop_box.look().unwrap();
        assert_eq!(found.waiting.len(), 1, "{found:?}");
        self.drop_box.take(&found.waiting[0])
    }
}

fn content(batch: &Batch) -> Vec<u8> {
    let mut all = Vec::new();
    for file in batch.files().unwrap() {
        batch.open(&file).unwrap().read_to_end(&mut all).unwrap();
    }
    all
}

const MAIL: &[u8] = b"MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nx\n.\n";

#[test]
fn a_file_is_moved_aside_and_goes() {
    let site = Site::new();
    let path = site.put("hub", MAIL);
    let batch = site.take().unwrap().unwrap();
    assert_eq!(batch.system(), "hub");
    assert!(!path.exists());
    assert_eq!(site.names(), [batch.name().to_str().unwrap()]);
    assert_eq!(content(&batch), MAIL);
    assert_eq!(batch.size().unwrap(), MAIL.len() as u64);
    // Nobody else appends to it, or reads it.
    let other = File::options().write(true).open(batch.path()).unwrap();
    assert!(!lock_writing(&other).unwrap());
    drop(other);
    assert!(site.drop_box.resume(batch.path()).unwrap().is_none());
    let unread = batch.unread_path();
    let name = batch
        .path()
        .to_str()
        .unwrap()
        .replace(".batch.", ".unread.");
    assert_eq!(unread.to_str().unwrap(), name);
    batch.remove().unwrap();
    assert!(site.names().is_empty());
}

/// A child that is being started has a copy of every descriptor until it is executed.
fn die_while_starting_a_child(batch: Batch) -> File {
    let Batch {
        _open: Held(file), ..
    } = &batch;
    let copy = file.try_clone().unwrap();
    drop(batch);
    copy
}

#[test]
fn one_who_died_is_followed() {
    let site = Site::new();
    site.put("leaf.example", MAIL);
    let batch = site.take().unwrap().unwrap();
    let path = batch.path().to_owned();
    let _copy = die_while_starting_a_child(batch);
    // More has come since.
    site.put("leaf.example", b"more");
    let found = site.drop_box.look().unwrap();
    assert_eq!(found.aside, std::slice::from_ref(&path));
    let batch = site.drop_box.resume(&path).unwrap().unwrap();
    assert_eq!(batch.system(), "leaf.example");
    assert_eq!(content(&batch), MAIL);
    batch.remove().unwrap();
    assert!(site.drop_box.resume(&path).unwrap().is_none());
    assert_eq!(site.names(), ["leaf.example"]);
}

#[test]
fn what_is_no_batch_is_passed_over() {
    let site = Site::new();
    site.put("hub.lock", b"");
    site.put("hub.lock.host.1.2", b"");
    site.put(".hidden", MAIL);
    site.put("empty", b"");
    site.put("hub.unread.6740-1-0", MAIL);
    std::os::unix::fs::symlink("/etc/passwd", site.path("link")).unwrap();
    let found = site.drop_box.look().unwrap();
    assert!(
        found.waiting.is_empty() && found.aside.is_empty(),
        "{found:?}"
    );
    // Empty by now.
    let path = site.put("hub2", MAIL);
    let found = site.drop_box.look().unwrap();
    File::create(path).unwrap();
    assert!(site.drop_box.take(&found.waiting[0]).unwrap().is_none());
    assert!(!site.names().iter().any(|name| name.contains("batch")));
}

#[test]
fn a_directory_gives_the_files_that_are_whole() {
    let site = Site::new();
    site.put("hub/1xULd9-000064-31", MAIL);
    site.put(
        "hub/2",
        b"HELO x\nMAIL FROM:<>\nRCPT TO:<a>\nDATA\n.\nQUIT\n",
    );
    site.put("hub/3", b"MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n.\r\n");
    let cut = site.put("hub/4", b"MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nx\n");
    site.put("hub/temp.5", MAIL);
    site.put("hub/.6", MAIL);
    site.put("hub/7.lock", b"");
    site.put("hub/sub/8", MAIL);
    let batch = site.take().unwrap().unwrap();
    assert_eq!(batch.system(), "hub");
    let files = batch.files().unwrap();
    let taken: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
    assert_eq!(taken, ["1xULd9-000064-31", "2", "3"]);
    let path = batch.path().to_owned();
    assert!(site.drop_box.resume(&path).unwrap().is_none());
    drop(batch);
    let batch = site.drop_box.resume(&path).unwrap().unwrap();
    batch.remove().unwrap();
    assert!(site.take().unwrap().is_none());
    // Nobody has written to it for long.
    let file = File::options().write(true).open(&cut).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_mins(31))
        .unwrap();
    let batch = site.take().unwrap().unwrap();
    assert_eq!(batch.files().unwrap(), [batch.path().join("4")]);
    assert_eq!(site.names(), ["hub", batch.name().to_str().unwrap()]);
}

#[test]
fn a_child_that_is_being_started_does_not_keep_a_directory() {
    let site = Site::new();
    site.put("hub/1", MAIL);
    let batch = site.take().unwrap().unwrap();
    let path = batch.path().to_owned();
    let _copy = die_while_starting_a_child(batch);
    assert!(site.drop_box.resume(&path).unwrap().is_some());
}

#[test]
fn of_a_maildir_the_new_messages_are_taken() {
    let site = Site::new();
    site.put("hub/new/1.2.host", MAIL);
    site.put("hub/tmp/1.3.host", MAIL);
    site.put("hub/cur/1.4.host", MAIL);
    let batch = site.take().unwrap().unwrap();
    assert_eq!(batch.files().unwrap(), [batch.path().join("1.2.host")]);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let error = DropBox::new("/nonexistent/bsmtp".as_ref())
        .look()
        .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/bsmtp"), "{error}");
}

/// Does something at its end, however that comes.
struct Finally<R, F: Fn() -> R>(F);

impl<R, F: Fn() -> R> Drop for Finally<R, F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Three append under the lock, two collect: every line arrives, once and whole.
#[test]
fn appending_and_collecting_side_by_side_lose_nothing() {
    const EACH: usize = 150;
    let site = Site::new();
    let path = site.path("hub");
    let writing = AtomicUsize::new(3);
    let appended = AtomicUsize::new(0);
    let append = |who: usize| {
        // Counted also where it panics, so that the others come to their end.
        let _end = Finally(|| writing.fetch_sub(1, Ordering::SeqCst));
        for number in 0..EACH {
            let deadline = Instant::now() + Duration::from_mins(1);
            let _lock = LockFile::take(&path, deadline).unwrap();
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(&path)
                .unwrap();
            for piece in [format!("{who} "), format!("{number}"), "\n".to_owned()] {
                file.write_all(piece.as_bytes()).unwrap();
            }
            appended.fetch_add(1, Ordering::SeqCst);
        }
    };
    let collect = || {
        let drop_box = DropBox::new(site.directory.path());
        let (mut all, mut seen) = (Vec::new(), 0);
        loop {
            let last = writing.load(Ordering::SeqCst) == 0;
            let now = appended.load(Ordering::SeqCst);
            // Two that do nothing but look hold the lock nearly all the time, and nobody appends anything.
            if now == seen && !last {
                std::thread::yield_now();
                continue;
            }
            seen = now;
            let found = drop_box.look().unwrap();
            for waiting in found.waiting {
                if let Some(batch) = drop_box.take(&waiting).unwrap() {
                    all.extend(content(&batch));
                    batch.remove().unwrap();
                }
            }
            if last {
                return all;
            }
        }
    };
    let mut all = std::thread::scope(|scope| {
        for who in 0..3 {
            scope.spawn(move || append(who));
        }
        let other = scope.spawn(collect);
        let mut all = collect();
        all.extend(other.join().unwrap());
        all
    });
    assert!(!path.exists());
    let mut lines: Vec<&str> = std::str::from_utf8(&all).unwrap().lines().collect();
    lines.sort_unstable();
    all = lines.join("\n").into_bytes();
    let mut expected: Vec<String> = (0..3)
        .flat_map(|who| (0..EACH).map(move |number| format!("{who} {number}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(std::str::from_utf8(&all).unwrap(), expected.join("\n"));
    assert_eq!(site.names(), Vec::<String>::new());
    assert_eq!(OsStr::new("hub"), path.file_name().unwrap());
}
