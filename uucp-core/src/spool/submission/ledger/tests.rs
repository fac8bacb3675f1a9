//! Parts of many keys in one file, cut anywhere.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::Barrier;

use super::super::super::durable;
use super::super::super::fault::{self, Trouble};
use super::super::super::tests::TestSpool;
use super::*;

/// Two keys that lie in one file, and one that lies in another.
const ONE: &str = "ab00000000000000000000000000000000000001";
const TWO: &str = "ab00000000000000000000000000000000000002";
const ELSEWHERE: &str = "cd00000000000000000000000000000000000001";

fn part(recipient: &str) -> Part {
    Part {
        recipients: vec![recipient.as_bytes().to_vec()],
        ..Part::default()
    }
}

fn append(test: &TestSpool, week: u64, key: &str, recipient: &str) -> Result<(), SpoolError> {
    Ledger::new(&test.spool, key).append(week, &part(recipient), &mut |_| ())
}

/// The recipients that a key covers.
fn covered(test: &TestSpool, key: &str) -> Vec<String> {
    let parts = Ledger::new(&test.spool, key).read().unwrap();
    let recipients = parts.into_iter().flat_map(|part| part.recipients);
    recipients
        .map(|recipient| String::from_utf8(recipient).unwrap())
        .collect()
}

#[test]
fn each_key_has_its_own_parts_oldest_first() {
    let test = TestSpool::new();
    append(&test, 10, ONE, "late").unwrap();
    append(&test, 9, ONE, "early").unwrap();
    append(&test, 9, TWO, "other").unwrap();
    append(&test, 9, ONE, "next").unwrap();
    append(&test, 9, ELSEWHERE, "elsewhere").unwrap();
    assert_eq!(covered(&test, ONE), ["early", "next", "late"]);
    assert_eq!(covered(&test, TWO), ["other"]);
    assert_eq!(covered(&test, ELSEWHERE), ["elsewhere"]);
    let week = test.spool.week_of_submissions(9);
    let mut files = durable::names(&week).unwrap();
    files.sort();
    assert_eq!(files, ["a", "c"]);
}

/// What was written to a file, without what fills it up.
fn parts_in(path: &Path) -> Vec<u8> {
    let content = fs::read(path).unwrap();
    [content.trim_ascii_end(), b"\n"].concat()
}

#[test]
fn a_part_that_is_cut_anywhere_is_none_and_garbles_no_other() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let before = parts_in(&path);
    append(&test, 0, ONE, "second").unwrap();
    let whole = parts_in(&path);
    // What a loss of power leaves of the last block: less, or nothing but zeros or something else in its place. Without its last
    // line end a part is whole: the next one begins with one.
    for cut in before.len()..whole.len() - 1 {
        for rest in [&b""[..], &[0; 40], b"\xff\n\nkey \nend 0\n", &[b'\n'; 5000]] {
            fs::write(&path, [&whole[..cut], rest].concat()).unwrap();
            assert_eq!(covered(&test, ONE), ["first"], "cut at {cut}");
            append(&test, 0, TWO, "other").unwrap();
            append(&test, 0, ONE, "third").unwrap();
            assert_eq!(covered(&test, ONE), ["first", "third"], "cut at {cut}");
            assert_eq!(covered(&test, TWO), ["other"], "cut at {cut}");
        }
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(covered(&test, ONE), ["first", "second"]);
    append(&test, 0, TWO, "other").unwrap();
    assert_eq!(covered(&test, ONE), ["first", "second"]);
}

#[test]
fn a_part_behind_a_cut_one_of_its_own_key_counts() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let whole = parts_in(&path);
    // Cut in its last line, and in the one before.
    for cut in [whole.len() - 3, whole.len() - 20] {
        fs::write(&path, &whole[..cut]).unwrap();
        append(&test, 0, ONE, "second").unwrap();
        assert_eq!(covered(&test, ONE), ["second"], "cut at {cut}");
    }
}

#[test]
fn what_a_crash_makes_of_the_next_part_leaves_the_one_before_whole() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let end = parts_in(&path).len();
    append(&test, 0, ONE, "second").unwrap();
    let mut content = fs::read(&path).unwrap();
    // The line end of the first is not written again.
    assert_eq!(content[end], b'\n');
    content[end..end + 40].fill(0xff);
    fs::write(&path, content).unwrap();
    assert_eq!(covered(&test, ONE), ["first"]);
}

#[test]
fn a_changed_key_or_line_is_not_believed() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let content = String::from_utf8(fs::read(&path).unwrap()).unwrap();
    fs::write(&path, content.replace(ONE, TWO)).unwrap();
    assert_eq!(covered(&test, TWO), [""; 0]);
    fs::write(&path, content.replace("to 66", "to 67")).unwrap();
    assert_eq!(covered(&test, ONE), [""; 0]);
}

/// The steps by what is done to what, the file's own name left out.
fn steps() -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().display().to_string();
    let steps = fault::record().into_iter();
    steps
        .filter(|(what, _)| *what != "mkdir")
        .map(|(what, path)| format!("{what} {}", name(&path)))
        .collect()
}

#[test]
fn a_part_counts_when_the_names_above_it_and_then_the_part_are_on_the_disk() {
    let test = TestSpool::new();
    fault::record();
    append(&test, 3, ONE, "first of the week").unwrap();
    let made = steps();
    let root = test.spool.root().file_name().unwrap().display().to_string();
    let end = [
        "sync directory 3".to_owned(),
        "sync directory submissions".to_owned(),
        "sync directory .Bangpath".to_owned(),
        format!("sync directory {root}"),
        "write a".to_owned(),
        "sync a".to_owned(),
    ];
    assert!(made.ends_with(&end), "{made:?}");
    append(&test, 3, ELSEWHERE, "first of its file").unwrap();
    let made = steps();
    let end = ["sync directory 3", "write c", "sync c"];
    assert_eq!(made[made.len() - 3..], end);
    append(&test, 3, TWO, "another").unwrap();
    assert_eq!(steps(), ["write a", "sync a"]);
}

#[test]
fn an_empty_file_proves_nothing_about_its_name() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    // Whoever made this file died before its name was on the disk.
    fs::write(test.spool.week_of_submissions(0).join("c"), "").unwrap();
    fault::record();
    append(&test, 0, ELSEWHERE, "second").unwrap();
    assert_eq!(steps(), ["sync directory 0", "write c", "sync c"]);
}

#[test]
fn what_is_kept_is_let_go_only_when_the_part_certainly_is_not_there() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let before = parts_in(&path);
    let mut told = Vec::new();
    let mut append = |steps, trouble| {
        told.clear();
        fault::arm(steps, trouble);
        let ledger = Ledger::new(&test.spool, ONE);
        let ended = ledger.append(0, &part("second"), &mut |kept| told.push(kept));
        assert!(fault::disarm() && ended.is_err());
        told.clone()
    };
    // It cannot be written, and is cut back.
    assert_eq!(append(0, Trouble::DiskFull), [true, false]);
    assert_eq!(parts_in(&path), before);
    // It is written, and nobody knows whether it is on the disk.
    assert_eq!(append(1, Trouble::DiskFull), [true]);
    assert_eq!(covered(&test, ONE), ["first", "second"]);
    assert_eq!(append(0, Trouble::Death), [true]);
}

#[test]
fn a_file_has_its_mode_before_it_has_its_name() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    // Whoever is killed on the way leaves nothing by this name that only he may read.
    let path = test.spool.week_of_submissions(0).join("c");
    for steps in 0.. {
        fault::arm(steps, Trouble::Death);
        let ended = append(&test, 0, ELSEWHERE, "second");
        let made = fault::record();
        if !fault::disarm() {
            ended.unwrap();
            break;
        }
        let in_place = (made.iter()).any(|(what, at)| *what == "create" && *at == path);
        assert!(!in_place, "step {steps}");
    }
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
}

#[test]
fn who_believes_a_part_syncs_it() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    fault::record();
    covered(&test, ONE);
    assert_eq!(steps(), ["sync a"]);
    covered(&test, TWO);
    assert_eq!(steps(), [""; 0]);
}

#[test]
fn what_nobody_would_read_is_not_written() {
    let test = TestSpool::new();
    let part = Part {
        recipients: vec![vec![b'x'; 33 << 20]],
        ..Part::default()
    };
    let mut told = Vec::new();
    let ledger = Ledger::new(&test.spool, ONE);
    let error = ledger
        .append(0, &part, &mut |kept| told.push(kept))
        .unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert!(told.is_empty() && ledger.read().unwrap().is_empty());
}

#[test]
fn a_file_of_an_odd_length_is_told_and_not_read() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let ledger = Ledger::new(&test.spool, ONE);
    let file = File::options().write(true).open(ledger.path(0, 1)).unwrap();
    file.set_len(FILE_LIMIT + 1).unwrap();
    let error = ledger.read().unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn what_is_no_week_is_left_alone() {
    let test = TestSpool::new();
    append(&test, 7, ONE, "first").unwrap();
    let folder = test.spool.submissions();
    fs::create_dir(folder.join("008")).unwrap();
    fs::write(folder.join("5"), "").unwrap();
    assert_eq!(covered(&test, ONE), ["first"]);
    let weeks = test.spool.weeks_of_submissions().unwrap();
    assert_eq!(weeks.into_iter().collect::<Vec<_>>(), [5, 7]);
}

#[test]
fn nobody_writes_while_somebody_does() {
    let test = TestSpool::new();
    append(&test, 0, ONE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let open = || LedgerFile::open(&test.spool, &path, Instant::now());
    let writer = open().unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, SpoolError::Locked { .. }), "{error}");
    writer.sync_unlocked().unwrap();
    open().unwrap();
}

#[test]
fn many_append_to_one_file_at_once() {
    let test = TestSpool::new();
    let keys: Vec<String> = (0..8).map(|n| format!("ab{n:038}")).collect();
    let barrier = Barrier::new(keys.len());
    std::thread::scope(|scope| {
        for key in &keys {
            let (test, barrier) = (&test, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..20 {
                    append(test, 0, key, &number.to_string()).unwrap();
                }
            });
        }
    });
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for key in &keys {
        assert_eq!(covered(&test, key), all, "{key}");
    }
}

#[test]
fn what_is_no_file_is_told_and_nothing_waits_for_it() {
    let test = TestSpool::new();
    append(&test, 0, ELSEWHERE, "first").unwrap();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = append(&test, 0, ONE, "second").unwrap_err();
    assert!(
        error.to_string().contains(&*path.to_string_lossy()),
        "{error}"
    );
    let error = Ledger::new(&test.spool, ONE).read().unwrap_err();
    assert!(matches!(error, SpoolError::Corrupt { .. }), "{error}");
    // Nor is a link followed to somewhere else.
    fs::remove_file(&path).unwrap();
    let target = test.spool.root().join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert!(append(&test, 0, ONE, "second").is_err());
    assert!(fs::read(&target).unwrap().is_empty());
}

#[test]
fn a_file_grows_by_blocks_and_is_full_in_between() {
    let test = TestSpool::new();
    let path = Ledger::new(&test.spool, ONE).path(0, 1);
    let mut lengths = std::collections::BTreeSet::new();
    for number in 0..100 {
        append(&test, 0, ONE, &number.to_string()).unwrap();
        lengths.insert(fs::metadata(&path).unwrap().len());
    }
    // Not one for each part, and each part is there.
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [4096, 8192]);
    let all: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(covered(&test, ONE), all);
}

#[test]
fn when_a_file_is_full_one_for_more_digits_goes_on() {
    let test = TestSpool::new();
    let long = "x".repeat(3000);
    for number in 0..40 {
        append(&test, 0, ONE, &format!("{number}{long}")).unwrap();
    }
    append(&test, 0, TWO, "other").unwrap();
    append(&test, 0, ELSEWHERE, "elsewhere").unwrap();
    let mut files = durable::names(&test.spool.week_of_submissions(0)).unwrap();
    files.sort();
    assert_eq!(files, ["a", "ab", "ab0", "c"]);
    // The last one grows on.
    let last = Ledger::new(&test.spool, ONE).path(0, 3);
    assert!(fs::metadata(last).unwrap().len() > 2 * FULL);
    let numbers: Vec<String> = (covered(&test, ONE).iter())
        .map(|recipient| recipient.trim_end_matches('x').to_owned())
        .collect();
    let all: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(numbers, all);
    assert_eq!(covered(&test, TWO), ["other"]);
}

#[test]
fn a_full_file_that_is_cut_back_takes_no_later_parts_of_a_key() {
    let test = TestSpool::new();
    let long = "x".repeat(usize::try_from(FULL).unwrap());
    append(&test, 0, TWO, &long).unwrap();
    append(&test, 0, ONE, "first").unwrap();
    let first = Ledger::new(&test.spool, ONE).path(0, 1);
    let first = File::options().write(true).open(first).unwrap();
    first.set_len(FULL / 2).unwrap();
    append(&test, 0, ONE, "second").unwrap();
    // Of two names for a job, the later counts.
    assert_eq!(covered(&test, ONE), ["first", "second"]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parts_or_not_but_never_a_panic(content: Vec<u8>) {
        let _ = parts_of(&content[..], ONE).unwrap();
    }

    #[test]
    fn garbage_before_and_behind_takes_nothing_away(before: Vec<u8>, behind: Vec<u8>, recipient in "[a-z]{0,9}") {
        let part = part(&recipient);
        let content = [&before[..], &emit(ONE, &part), &behind].concat();
        proptest::prop_assert!(parts_of(&content[..], ONE).unwrap().contains(&part));
    }
}
