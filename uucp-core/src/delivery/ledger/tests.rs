use super::segment::TOTAL_LIMIT;
use super::*;

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn open(state: &Path, now: u64) -> Ledger {
    let ledger = Ledger::open(state, None, ObservedTime(now), Duration::ZERO).unwrap();
    ledger.unwrap()
}

fn files(state: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(state.join("ledger/-"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("lock"))
        .collect();
    found.sort();
    found
}

#[test]
fn who_is_done_is_known_in_the_same_run_and_the_next() {
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (Identity::named(b"1"), Identity::named(b"2"));
    let (a, b) = (address("a@x"), address("b@x"));
    let ledger = open(state.path(), 5);
    assert!(!ledger.is_done(&one, &a));
    ledger.record(&one, &[&a]).unwrap();
    ledger.record(&two, &[&a, &b]).unwrap();
    for ledger in [ledger, open_after(state.path())] {
        assert!(ledger.is_done(&one, &a) && !ledger.is_done(&one, &b));
        assert!(ledger.is_done(&two, &a) && ledger.is_done(&two, &b));
    }
    assert_eq!(files(state.path()).len(), 1);
}

/// Only when the one before is closed: it has the lock.
fn open_after(state: &Path) -> Ledger {
    let name = SystemName::parse(b"copy").unwrap();
    let copy = state.join("ledger/copy");
    std::fs::create_dir(&copy).unwrap();
    for file in files(state) {
        std::fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
    }
    let ledger = Ledger::open(state, Some(&name), ObservedTime(6), Duration::ZERO).unwrap();
    ledger.unwrap()
}

#[test]
fn one_process_at_a_time_works_for_a_neighbour() {
    let state = tempfile::tempdir().unwrap();
    let held = open(state.path(), 5);
    let busy = Ledger::open(state.path(), None, ObservedTime(5), Duration::ZERO);
    assert!(busy.unwrap().is_none());
    let hub = SystemName::parse(b"hub").unwrap();
    let other = Ledger::open(state.path(), Some(&hub), ObservedTime(5), Duration::ZERO);
    assert!(other.unwrap().is_some());
    let wait = || Ledger::open(state.path(), None, ObservedTime(5), Duration::from_mins(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(wait);
        drop(held);
        assert!(waiting.join().unwrap().unwrap().is_some());
    });
}

#[test]
fn a_child_that_is_being_started_does_not_keep_the_lock() {
    let state = tempfile::tempdir().unwrap();
    let ledger = open(state.path(), 5);
    // It has a copy of every descriptor until it is executed.
    let Ledger {
        _lock: LockedFile(file),
        ..
    } = &ledger;
    let _copy = file.try_clone().unwrap();
    drop(ledger);
    open(state.path(), 5);
}

#[test]
fn sessions_side_by_side_lose_no_line() {
    let state = tempfile::tempdir().unwrap();
    let ledger = open(state.path(), 5);
    let recipient = address("a@x");
    let identity = |session: u32, n: u32| Identity::named(format!("{session}.{n}").as_bytes());
    std::thread::scope(|scope| {
        for session in 0..4 {
            let (ledger, recipient) = (&ledger, &recipient);
            scope.spawn(move || {
                for n in 0..50 {
                    ledger.record(&identity(session, n), &[recipient]).unwrap();
                }
            });
        }
    });
    drop(ledger);
    let ledger = open(state.path(), 6);
    for (session, n) in (0..4).flat_map(|s| (0..50).map(move |n| (s, n))) {
        assert!(ledger.is_done(&identity(session, n), &recipient));
    }
}

#[test]
fn a_line_cut_by_a_crash_counts_for_nobody_and_hides_nothing() {
    let state = tempfile::tempdir().unwrap();
    let (identity, a, b) = (Identity::named(b"1"), address("a@x"), address("b@x"));
    let ledger = open(state.path(), 5);
    ledger.record(&identity, &[&a, &b]).unwrap();
    drop(ledger);
    let path = files(state.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20..34].fill(b'\n');
    std::fs::write(&path, &bytes).unwrap();
    let ledger = open(state.path(), 6);
    assert!(ledger.is_done(&identity, &a) && !ledger.is_done(&identity, &b));
    ledger.record(&identity, &[&b]).unwrap();
    drop(ledger);
    // A file that ends in the middle of a line, too.
    let bytes = std::fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != b'\n').unwrap();
    std::fs::write(&path, &bytes[..used]).unwrap();
    let ledger = open(state.path(), 7);
    assert!(ledger.is_done(&identity, &a) && !ledger.is_done(&identity, &b));
    ledger.record(&identity, &[&b]).unwrap();
    drop(ledger);
    assert!(open(state.path(), 8).is_done(&identity, &b));
}

#[test]
fn room_is_made_before_it_is_needed() {
    let state = tempfile::tempdir().unwrap();
    let ledger = open(state.path(), 5);
    ledger.reserve(10_000).unwrap();
    let length = || std::fs::metadata(&files(state.path())[0]).unwrap().len();
    let before = length();
    assert!(before >= 10_000 * LINE);
    let recipients: Vec<Address> = (0..10_000).map(|n| address(&format!("u{n}@x"))).collect();
    let all: Vec<&Address> = recipients.iter().collect();
    ledger.record(&Identity::named(b"1"), &all).unwrap();
    assert_eq!(length(), before);
}

#[test]
fn files_go_when_they_are_old_or_too_many() {
    let state = tempfile::tempdir().unwrap();
    let recipient = address("a@x");
    let identity = |n: u64| Identity::named(&n.to_be_bytes());
    let day = A_DAY.as_secs();
    for n in 0..16 {
        let ledger = open(state.path(), n * day);
        ledger.record(&identity(n), &[&recipient]).unwrap();
    }
    assert_eq!(files(state.path()).len(), 16);
    let ledger = open(state.path(), 17 * day);
    assert!(!ledger.is_done(&identity(1), &recipient));
    assert!(ledger.is_done(&identity(2), &recipient));
    drop(ledger);
    let third = files(state.path()).remove(0);
    std::fs::write(&third, vec![b'\n'; usize::try_from(TOTAL_LIMIT).unwrap()]).unwrap();
    let ledger = open(state.path(), 17 * day);
    assert!(!third.exists());
    assert!(ledger.is_done(&identity(3), &recipient));
}

#[test]
fn a_long_run_goes_on_in_another_file() {
    let state = tempfile::tempdir().unwrap();
    let ledger = open(state.path(), 5);
    let recipients: Vec<Address> = (0..70_000).map(|n| address(&format!("u{n}@x"))).collect();
    let all: Vec<&Address> = recipients.iter().collect();
    let (one, two) = (Identity::named(b"1"), Identity::named(b"2"));
    ledger.record(&one, &all).unwrap();
    ledger.record(&two, &all[..1]).unwrap();
    drop(ledger);
    assert_eq!(files(state.path()).len(), 2);
    let ledger = open(state.path(), 6);
    assert!(ledger.is_done(&one, all[69_999]) && ledger.is_done(&two, all[0]));
}
