use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::drop_box::lock_writing;
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

#[test]
fn one_who_died_is_followed() {
    let site = Site::new();
    site.put("leaf.example", MAIL);
    let batch = site.take().unwrap().unwrap();
    let path = batch.path().to_owned();
    drop(batch);
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
fn a_locked_file_stays() {
    let site = Site::new();
    let path = site.put("hub", MAIL);
    // An appender that knows the lock file.
    let lock = site.put("hub.lock", b"");
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    assert!(lock.exists());
    fs::remove_file(lock).unwrap();
    // One that knows the other lock only.
    let open = File::options().write(true).open(&path).unwrap();
    assert!(lock_writing(&open).unwrap());
    let error = site.take().unwrap_err();
    assert_eq!(error.to_string(), format!("{} is in use", path.display()));
    drop(open);
    assert_eq!(site.names(), ["hub"]);
    assert!(site.take().unwrap().is_some());
}

#[test]
fn a_lock_is_broken_when_it_is_half_an_hour_old() {
    let site = Site::new();
    site.put("hub", MAIL);
    let lock = site.put("hub.lock", b"");
    let set = |minutes| {
        let file = File::options().write(true).open(&lock).unwrap();
        let time = SystemTime::now() - Duration::from_mins(minutes);
        file.set_modified(time).unwrap();
    };
    set(29);
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    set(31);
    assert!(site.take().unwrap().is_some());
    assert!(!lock.exists());
}

#[test]
fn the_lock_of_one_who_was_killed_while_it_appended_is_taken_over() {
    let site = Site::new();
    let path = site.put(
        "hub",
        &[MAIL, b"MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nhalf"].concat(),
    );
    let lock = site.put("hub.lock", b"");
    let set = |path: &Path, minutes| {
        let file = File::options().write(true).open(path).unwrap();
        let time = SystemTime::now() - Duration::from_mins(minutes);
        file.set_modified(time).unwrap();
    };
    for (lock_age, age) in [(4, 4), (6, 4), (4, 6)] {
        set(&lock, lock_age);
        set(&path, age);
        assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    }
    set(&lock, 6);
    // Alive, it only takes its time.
    let open = File::options().write(true).open(&path).unwrap();
    assert!(lock_writing(&open).unwrap());
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    assert!(fs::read(&lock).unwrap().is_empty());
    drop(open);
    let batch = site.take().unwrap().unwrap();
    assert!(content(&batch).ends_with(b"half"));
    assert_eq!(site.names(), [batch.name().to_str().unwrap()]);
}

/// A file, and the lock file of one who was killed so long ago while it appended to it.
fn abandoned(site: &Site, minutes: u64) -> PathBuf {
    let path = site.put("hub", MAIL);
    for path in [&path, &site.put("hub.lock", b"")] {
        let file = File::options().write(true).open(path).unwrap();
        let time = SystemTime::now() - Duration::from_mins(minutes);
        file.set_modified(time).unwrap();
    }
    path
}

#[test]
fn a_lock_file_that_is_taken_over_is_never_away() {
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    let site = Site::new();
    let file = abandoned(&site, 6);
    let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    let all = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVE;
    watch.add_watch(site.directory.path(), all).unwrap();
    let lock = LockFile::take(&file, Instant::now()).unwrap();
    let mut events = watch.read_events().unwrap();
    events.retain(|event| event.name.as_deref() == Some(OsStr::new("hub.lock")));
    let what: Vec<AddWatchFlags> = events.into_iter().map(|event| event.mask).collect();
    assert_eq!(what, [AddWatchFlags::IN_MOVED_TO]);
    // It is a lock like any other.
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    drop(lock);
    assert_eq!(site.names(), ["hub"]);
}

#[test]
fn of_many_who_find_the_lock_of_one_who_was_killed_one_has_it() {
    const MANY: usize = 8;
    // The second is broken by its age, too.
    for minutes in [6, 31].repeat(50) {
        let site = Site::new();
        let file = abandoned(&site, minutes);
        let together = Barrier::new(MANY);
        let take = || {
            together.wait();
            LockFile::take(&file, Instant::now())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..MANY).map(|_| scope.spawn(take)).collect();
            takers.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let have = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(have, 1, "{results:?}");
    }
}

#[test]
fn what_one_of_ours_has_left_by_dying_goes_at_once() {
    let site = Site::new();
    let file = site.put("hub", MAIL);
    let lock = LockFile::take(&file, Instant::now()).unwrap();
    assert_eq!(site.names(), ["hub", "hub.lock"]);
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    // However long it has slept.
    let old = SystemTime::now() - Duration::from_mins(40);
    for path in [&file, &site.path("hub.lock")] {
        let open = File::options().write(true).open(path).unwrap();
        open.set_modified(old).unwrap();
    }
    assert!(matches!(site.take(), Err(CollectError::Busy { .. })));
    drop(lock);
    assert_eq!(site.names(), ["hub"]);
    // The same files, without anybody who holds them.
    site.put("hub.lock", b"bangpath\n");
    site.put("hub.lock.host.5", b"bangpath\n");
    site.put("hub.lock.other.5", b"");
    let batch = site.take().unwrap().unwrap();
    let name = batch.name().to_str().unwrap();
    assert_eq!(site.names(), [name, "hub.lock.other.5"]);
    // Nobody makes a lock of this one any more.
    let post = File::options()
        .write(true)
        .open(site.path("hub.lock.other.5"))
        .unwrap();
    post.set_modified(SystemTime::now() - Duration::from_mins(31))
        .unwrap();
    site.drop_box.look().unwrap();
    assert_eq!(site.names(), [name]);
}

#[test]
fn a_hitching_post_that_is_looked_at_is_waited_for() {
    let site = Site::new();
    let post = site.put("post", b"");
    let looked_at = File::open(&post).unwrap();
    looked_at.try_lock().unwrap();
    let own = File::options().write(true).open(&post).unwrap();
    let mut pauses = 0;
    lock_new(&own, Instant::now(), || {
        pauses += 1;
        looked_at.unlock().unwrap();
    })
    .unwrap();
    assert_eq!(pauses, 1);
}

#[test]
fn a_lock_that_another_has_by_now_stays() {
    let site = Site::new();
    let file = site.put("hub", MAIL);
    let lock = LockFile::take(&file, Instant::now()).unwrap();
    fs::remove_file(site.path("hub.lock")).unwrap();
    let others = site.put("hub.lock", b"");
    drop(lock);
    assert!(others.exists());
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
