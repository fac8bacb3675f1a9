use super::*;

const DIGEST: [u8; 32] = [7; 32];

fn identity(job: &'static [u8]) -> JournalKey<'static> {
    JournalKey {
        neighbour: None,
        job,
        sender: &ReversePath::Null,
        digest: &DIGEST,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn open(state: &Path, job: &'static [u8]) -> Result<Journal, JournalError> {
    Journal::open(state, &identity(job), ObservedTime(5))
}

fn count(state: &Path) -> usize {
    let folder = identity(b"").path(state);
    std::fs::read_dir(folder.parent().unwrap()).map_or(0, Iterator::count)
}

#[test]
fn who_is_done_is_known_the_next_time() {
    let state = tempfile::tempdir().unwrap();
    let (a, b) = (address("a@x"), address("\u{17e}@x"));
    let mut journal = open(state.path(), b"").unwrap();
    assert!(!journal.is_done(&a));
    journal.record(&[&a], true).unwrap();
    assert!(journal.is_done(&a) && !journal.is_done(&b));
    assert!(matches!(open(state.path(), b""), Err(JournalError::Busy)));
    journal.close(false);
    let mut journal = open(state.path(), b"").unwrap();
    assert!(journal.is_done(&a) && !journal.is_done(&b));
    journal.record(&[&b], false).unwrap();
    journal.close(false);
    assert!(!open(state.path(), b"other").unwrap().is_done(&a));
    let journal = open(state.path(), b"").unwrap();
    assert!(journal.is_done(&b));
    journal.close(true);
    assert_eq!(count(state.path()), 0);
}

#[test]
fn a_child_that_is_being_started_does_not_keep_the_lock() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path(), b"").unwrap();
    // It has a copy of every descriptor until it is executed.
    let LockedFile(file) = journal.file.as_ref().unwrap();
    let _copy = file.try_clone().unwrap();
    journal.close(false);
    open(state.path(), b"").unwrap().close(false);
    let mut journal = open(state.path(), b"").unwrap();
    journal.record(&[&address("a@x")], false).unwrap();
    let LockedFile(file) = journal.file.as_ref().unwrap();
    let _copy = file.try_clone().unwrap();
    journal.close(false);
    open(state.path(), b"").unwrap().close(false);
}

#[test]
fn nothing_done_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    open(state.path(), b"").unwrap().close(false);
    assert_eq!(count(state.path()), 0);
}

#[test]
fn a_line_cut_by_a_crash_counts_for_nobody() {
    let state = tempfile::tempdir().unwrap();
    let path = identity(b"").path(state.path());
    make_shared_directory(folder_of(&path)).unwrap();
    std::fs::write(&path, "begun 3\na@x\nab@").unwrap();
    let mut journal = open(state.path(), b"").unwrap();
    assert!(journal.is_done(&address("a@x")) && !journal.is_done(&address("ab@")));
    journal.record(&[&address("c@x")], false).unwrap();
    journal.close(false);
    assert_eq!(std::fs::read(&path).unwrap(), b"begun 3\na@x\nc@x\n");
}

#[test]
fn a_state_folder_that_cannot_be_made_is_an_error() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(open(&file, b""), Err(JournalError::Io { .. })));
}

#[test]
fn a_head_cut_by_a_crash_is_written_anew() {
    let state = tempfile::tempdir().unwrap();
    let path = identity(b"").path(state.path());
    make_shared_directory(folder_of(&path)).unwrap();
    std::fs::write(&path, "beg").unwrap();
    let mut journal = open(state.path(), b"").unwrap();
    journal.record(&[&address("c@x")], true).unwrap();
    journal.close(false);
    assert_eq!(std::fs::read(&path).unwrap(), b"begun 5\nc@x\n");
}

#[test]
fn records_go_when_they_have_been_seen_to_age() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let old = write("old", "begun 100\na@x\n");
    let young = write("young", "begun 90000\na@x\n");
    let (said_nothing, in_use) = (write("cut", ""), write("in-use", ""));
    let held = File::open(&in_use).unwrap();
    held.lock().unwrap();
    expire(folder.path(), ObservedTime(100).after(KEPT));
    assert!(old.exists() && young.exists() && !said_nothing.exists() && in_use.exists());
    expire(folder.path(), ObservedTime(101).after(KEPT));
    assert!(!old.exists() && young.exists());
}
