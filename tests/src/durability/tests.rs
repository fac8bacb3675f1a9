use super::*;
use crate::strace::parse;

const SPOOL: &str = "/s";

/// A sender as it ought to be, one step a line.
const GOOD_SENDER: &[&str] = &[
    r#"1 openat(AT_FDCWD</>, "/s/hub/D./TMP1", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3</s/hub/D./TMP1>"#,
    r#"1 write(3</s/hub/D./TMP1>, "hello", 5) = 5"#,
    r"1 fsync(3</s/hub/D./TMP1>) = 0",
    r#"1 rename("/s/hub/D./TMP1", "/s/hub/D./D.1") = 0"#,
    r"1 fsync(4</s/hub/D.>) = 0",
    r#"1 openat(AT_FDCWD</>, "/s/hub/C./TMP2", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3</s/hub/C./TMP2>"#,
    r#"1 write(3</s/hub/C./TMP2>, "E D.1", 5) = 5"#,
    r"1 fdatasync(3</s/hub/C./TMP2>) = 0",
    r#"1 rename("/s/hub/C./TMP2", "/s/hub/C./C.N1") = 0"#,
    r"1 fsync(5</s/hub/C.>) = 0",
    r"1 +++ exited with 0 +++",
];

fn sender(lines: &[&str]) -> Findings {
    check_sender(&parse(&lines.join("\n")), Path::new(SPOOL))
}

fn without(lines: &[&'static str], index: usize) -> Vec<&'static str> {
    let mut lines = lines.to_vec();
    lines.remove(index);
    lines
}

#[test]
fn a_sender_that_syncs_everything_in_order_is_right() {
    sender(GOOD_SENDER).expect_right("good", 2);
}

#[test]
fn a_sender_that_leaves_out_any_sync_or_the_job_is_wrong() {
    for left_out in [2, 4, 7, 8, 9] {
        let findings = sender(&without(GOOD_SENDER, left_out));
        assert!(
            !findings.wrong.is_empty(),
            "without {}",
            GOOD_SENDER[left_out]
        );
    }
}

#[test]
fn a_work_file_before_its_data_is_wrong() {
    let mut lines = GOOD_SENDER.to_vec();
    let data_sync = lines.remove(4);
    lines.insert(9, data_sync);
    let findings = sender(&lines);
    assert_eq!(findings.wrong.len(), 1, "{findings:?}");
    assert!(findings.wrong[0].contains("the work file appears"));
}

#[test]
fn a_sync_that_fails_or_has_not_come_back_does_not_count() {
    let mut lines = GOOD_SENDER.to_vec();
    lines[9] = r"1 fsync(5</s/hub/C.>) = -1 EIO (Input/output error)";
    assert!(!sender(&lines).wrong.is_empty());
    lines[9] = r"2 fsync(5</s/hub/C.> <unfinished ...>";
    assert!(!sender(&lines).wrong.is_empty());
}

#[test]
fn a_folder_made_on_the_way_must_be_synced_into_its_parent() {
    let mut lines = vec![
        r#"1 mkdir("/s/hub", 0770) = 0"#,
        r#"1 mkdir("/s/hub/D.", 0770) = 0"#,
    ];
    lines.extend(GOOD_SENDER);
    assert!(!sender(&lines).wrong.is_empty());
    lines.splice(2..2, [r"1 fsync(3</s>) = 0", r"1 fsync(3</s/hub>) = 0"]);
    sender(&lines).expect_right("folders", 2);
}

#[test]
fn failure_is_no_answer() {
    assert_eq!(sender(&[r"1 +++ exited with 75 +++"]).answers, 0);
}

const GOOD_RECEIVER: &[&str] = &[
    r#"1 openat(AT_FDCWD</>, "/s/.Temp/a", O_WRONLY|O_CREAT, 0600) = 3</s/.Temp/a>"#,
    r#"1 write(3</s/.Temp/a>, "x", 1) = 1"#,
    r"1 fsync(3</s/.Temp/a>) = 0",
    r#"1 openat(AT_FDCWD</>, "/s/leaf/X./TMPX", O_WRONLY|O_CREAT, 0600) = 4</s/leaf/X./TMPX>"#,
    r#"1 write(4</s/leaf/X./TMPX>, "C rmail", 7) = 7"#,
    r"1 fsync(4</s/leaf/X./TMPX>) = 0",
    r#"1 rename("/s/.Temp/a", "/s/leaf/D./D.leafN1") = 0"#,
    r"1 fsync(6</s/leaf/D.>) = 0",
    r#"1 rename("/s/leaf/X./TMPX", "/s/leaf/X./X.leafN1") = 0"#,
    r"1 fsync(7</s/leaf/X.>) = 0",
    r#"1 write(0<socket:[42]>, "CY\0\0\0\0", 6) = 6"#,
];

fn receiver(lines: &[&str]) -> Findings {
    check_receiver(&parse(&lines.join("\n")), Path::new(SPOOL), |_| false)
}

#[test]
fn a_receiver_is_right_only_with_every_sync_before_its_confirmation() {
    receiver(GOOD_RECEIVER).expect_right("good", 1);
    for left_out in [2, 5, 7, 8, 9] {
        let findings = receiver(&without(GOOD_RECEIVER, left_out));
        assert!(
            !findings.wrong.is_empty(),
            "without {}",
            GOOD_RECEIVER[left_out]
        );
    }
    let mut early = GOOD_RECEIVER.to_vec();
    early.swap(9, 10);
    assert!(!receiver(&early).wrong.is_empty());
}

#[test]
fn one_file_does_not_answer_for_two() {
    let mut lines = GOOD_RECEIVER.to_vec();
    lines.push(GOOD_RECEIVER[10]);
    assert!(!receiver(&lines).wrong.is_empty());
}

#[test]
fn a_receipt_counts_too() {
    let mut lines = GOOD_RECEIVER.to_vec();
    lines.insert(0, r#"1 openat(AT_FDCWD</>, "/s/.Received/leaf/D.1", O_WRONLY|O_CREAT, 0600) = 9</s/.Received/leaf/D.1>"#);
    let steps = parse(&lines.join("\n"));
    let is_receipt = |path: &Path| path.starts_with("/s/.Received");
    assert!(
        !check_receiver(&steps, Path::new(SPOOL), is_receipt)
            .wrong
            .is_empty()
    );
}

#[test]
fn a_job_goes_only_after_its_confirmation() {
    let check = |lines: &[&str]| check_removal(&parse(&lines.join("\n")), Path::new(SPOOL));
    let confirmation = r#"1 read(3<socket:[42]>, "CY\0", 512) = 3"#;
    let removal = r#"1 unlink("/s/hub/C./C.N1") = 0"#;
    check(&[confirmation, removal]).expect_right("good", 1);
    assert!(!check(&[removal, confirmation]).wrong.is_empty());
    assert!(!check(&[confirmation, removal, removal]).wrong.is_empty());
    assert!(
        !check(&["1 read(3<socket:[42]>,  <unfinished ...>", removal])
            .wrong
            .is_empty()
    );
}

#[test]
fn an_execution_goes_only_after_its_success_and_before_its_data() {
    let check = |lines: &[&str]| check_execution(&parse(&lines.join("\n")), Path::new(SPOOL));
    let start = r#"1 execve("/bin/uuxqt", ["uuxqt"], 0x7ffe) = 0"#;
    let success = "2 +++ exited with 0 +++";
    let execute = r#"1 unlink("/s/leaf/X./X.leafN1") = 0"#;
    let data = r#"1 unlinkat(5</s/leaf/D.>, "D.leafN1", 0) = 0"#;
    check(&[start, success, execute, data]).expect_right("good", 2);
    assert!(!check(&[start, execute, success, data]).wrong.is_empty());
    assert!(!check(&[start, success, data, execute]).wrong.is_empty());
    assert!(
        !check(&[start, "2 +++ exited with 75 +++", execute, data])
            .wrong
            .is_empty()
    );
    assert!(
        !check(&[start, "2 +++ killed by SIGKILL +++", execute, data])
            .wrong
            .is_empty()
    );
}

#[test]
fn a_command_that_answers_for_each_job_answers_once_for_each() {
    let check = |lines: &[&str]| check_execution(&parse(&lines.join("\n")), Path::new(SPOOL));
    let start = r#"1 execve("/bin/uuxqt", ["uuxqt"], 0x7ffe) = 0"#;
    let done = r#"2 sendto(4<socket:[42]>, ".", 1, MSG_NOSIGNAL, NULL, 0) = 1"#;
    let end = "2 +++ exited with 0 +++";
    let first = r#"1 unlink("/s/leaf/X./X.leafN1") = 0"#;
    let second = r#"1 unlink("/s/leaf/X./X.leafN2") = 0"#;
    check(&[start, done, first, done, second, end]).expect_right("good", 2);
    assert!(!check(&[start, done, first, second, done]).wrong.is_empty());
    // Its end is no answer for a second job.
    assert!(!check(&[start, done, first, end, second]).wrong.is_empty());
}

#[test]
fn a_receiver_answers_for_each_job_with_what_is_durable() {
    let check = |lines: &[&str]| check_maildir(&parse(&lines.join("\n")), Path::new("/m"), "rmail");
    let done = r#"2 sendto(4<socket:[42]>, ".", 1, MSG_NOSIGNAL, NULL, 0) = 1"#;
    let lines = [
        r#"2 execve("/b/rmail", ["rmail"], 0x7ffe) = 0"#,
        r#"2 rename("/m/bob/tmp/1", "/m/bob/new/1") = 0"#,
        r"2 fsync(3</m/bob/new>) = 0",
        done,
        r#"2 rename("/m/bob/tmp/2", "/m/bob/new/2") = 0"#,
        r"2 fsync(3</m/bob/new>) = 0",
        done,
        "2 +++ exited with 0 +++",
    ];
    check(&lines).expect_right("good", 2);
    assert_eq!(check(&lines).answers, 2);
    for left_out in [2, 5] {
        assert!(!check(&without(&lines, left_out)).wrong.is_empty());
    }
    // A second answer without a second message, and an end that leaves one unanswered for.
    assert!(!check(&[&lines[..4], &[done]].concat()).wrong.is_empty());
    let unsynced = [&lines[..5], &lines[7..]].concat();
    assert!(!check(&unsynced).wrong.is_empty());
}

#[test]
fn a_delivery_counts_when_it_is_durable_in_new() {
    let check = |lines: &[&str]| check_maildir(&parse(&lines.join("\n")), Path::new("/m"), "rmail");
    let lines = [
        r#"2 execve("/b/rmail", ["rmail"], 0x7ffe) = 0"#,
        r#"2 openat(AT_FDCWD</>, "/m/bob/tmp/1", O_WRONLY|O_CREAT, 0600) = 3</m/bob/tmp/1>"#,
        r#"2 write(3</m/bob/tmp/1>, "x", 1) = 1"#,
        r"2 fsync(3</m/bob/tmp/1>) = 0",
        r#"2 rename("/m/bob/tmp/1", "/m/bob/new/1") = 0"#,
        r"2 fsync(3</m/bob/new>) = 0",
        "2 +++ exited with 0 +++",
    ];
    check(&lines).expect_right("good", 1);
    for left_out in [3, 4, 5] {
        assert!(!check(&without(&lines, left_out)).wrong.is_empty());
    }
}

/// What a sender with a record does between placing the data and exiting, after and before the steps of [`GOOD_SENDER`].
const RECORD: &[&str] = &[
    r#"1 openat(AT_FDCWD</>, "/s/.Bangpath/submissions/2/ab", O_RDWR|O_CREAT|O_EXCL, 0660) = 6</s/.Bangpath/submissions/2/ab>"#,
    r"1 fsync(7</s/.Bangpath/submissions/2>) = 0",
    r#"1 write(6</s/.Bangpath/submissions/2/ab>, "to 41", 5) = 5"#,
    r"1 fsync(6</s/.Bangpath/submissions/2/ab>) = 0",
    r#"1 openat(AT_FDCWD</>, "/s/.Bangpath/new/M", O_WRONLY|O_CREAT|O_EXCL, 0600) = 6</s/.Bangpath/new/M>"#,
    r#"1 write(6</s/.Bangpath/new/M>, "from:", 5) = 5"#,
    r"1 fsync(6</s/.Bangpath/new/M>) = 0",
    r#"1 rename("/s/.Bangpath/new/M", "/s/.Bangpath/local-mail/M") = 0"#,
    r"1 fsync(7</s/.Bangpath/local-mail>) = 0",
];

#[test]
fn a_record_is_durable_before_the_job_and_a_report_before_the_answer() {
    let submission = [&GOOD_SENDER[..5], RECORD, &GOOD_SENDER[5..]].concat();
    let check = |lines: &[&str]| {
        let steps = parse(&lines.join("\n"));
        assert!(local_mails(&steps, Path::new(SPOOL)) <= 1);
        check_submission(&steps, Path::new(SPOOL))
    };
    check(&submission).expect_right("good", 3);
    // Of the data: its sync and its name's. Of the record: its name's sync, the record and its sync. Of the report: both syncs.
    for left_out in [2, 4, 6, 7, 8, 11, 13] {
        let findings = check(&without(&submission, left_out));
        assert!(
            !findings.wrong.is_empty(),
            "without {}",
            submission[left_out]
        );
    }
    let late = [&GOOD_SENDER[..10], RECORD, &GOOD_SENDER[10..]].concat();
    let findings = check(&late);
    assert_eq!(findings.wrong.len(), 1, "{findings:?}");
    assert!(findings.wrong[0].contains("the work file appears"));
}

#[test]
fn each_confirmation_has_a_receipt_of_its_own_on_the_disk() {
    let log = "5</s/.Bangpath/receipts/leaf>";
    let receipt = format!(r#"1 write({log}, "R 01 1 - a b 00\nR 02 1 - c d 00\n", 32) = 32"#);
    let sync = format!("2 fsync({log}) = 0");
    let done = format!(r#"1 write({log}, "D 01 00\nD 02 00\n", 16) = 16"#);
    let two = r#"1 write(0<socket:[42]>, "CY\0\0CY\0\0", 8) = 8"#;
    let (receipt, sync, done) = (receipt.as_str(), sync.as_str(), done.as_str());
    let check = |lines: &[&str]| check_receipts(&parse(&lines.join("\n")), Path::new(SPOOL));
    check(&[receipt, sync, done, two]).expect_right("good", 1);
    for wrong in [
        &[receipt, done, two][..],
        &[receipt, two, sync],
        &[done, sync, two],
        &[receipt, sync, two, two],
        &[sync, receipt, two],
    ] {
        assert!(!check(wrong).wrong.is_empty(), "{wrong:?}");
    }
    let made = format!(
        r#"1 openat(AT_FDCWD</>, "/s/.Bangpath/receipts/leaf", O_RDWR|O_CREAT, 0660) = {log}"#
    );
    assert!(!check(&[&made, receipt, sync, two]).wrong.is_empty());
    let folder = "1 fsync(6</s/.Bangpath/receipts>) = 0";
    check(&[&made, folder, receipt, sync, two]).expect_right("made", 1);
}
