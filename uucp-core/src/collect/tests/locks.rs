//! Whose lock is honoured, and whose is taken over.

use super::*;

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
    drop(Held(open));
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
fn a_lock_that_was_left_before_the_first_byte_goes_too() {
    let site = Site::new();
    site.put("hub", b"");
    let lock = site.put("hub.lock", b"");
    for (minutes, stays) in [(0, true), (4, true), (31, false)] {
        let file = File::options().write(true).open(&lock).unwrap();
        let time = SystemTime::now() - Duration::from_mins(minutes);
        file.set_modified(time).unwrap();
        // Exim has made the file just now.
        for waiting in site.drop_box.look().unwrap().waiting {
            assert!(site.drop_box.take(&waiting).unwrap().is_none());
        }
        assert_eq!(lock.exists(), stays, "{minutes}");
    }
    assert_eq!(site.names(), ["hub"]);
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
    drop(Held(open));
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
    // What may be a lock, and what somebody has written, are not that.
    let old = SystemTime::now() - Duration::from_mins(31);
    for (other, content) in [("gone.lock", ""), ("hub.lock.other.6", "5 other\n")] {
        let path = site.put(other, content.as_bytes());
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    }
    site.drop_box.look().unwrap();
    assert_eq!(site.names(), ["gone.lock", name, "hub.lock.other.6"]);
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
