//! Lines in the exact form of the peer, broken words, full disks and rotated files.

use super::*;

fn moment() -> Zoned {
    jiff::civil::datetime(2026, 11, 20, 11, 50, 7, 428_000_000)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .unwrap()
}

#[test]
fn lines_have_taylors_form() {
    let beta: SystemName = "beta".parse().unwrap();
    let pid = std::process::id();
    let line = |system, user: Option<&[u8]>, severity, text| {
        log_line("uucico", system, user, &moment(), severity, text)
    };
    assert_eq!(
        line(
            Some(&beta),
            None,
            Severity::Info,
            "Call complete (5 seconds 9 bytes 1 bps)"
        ),
        format!(
            "uucico beta - (2026-11-20 11:50:07.42 {pid}) Call complete (5 seconds 9 bytes 1 bps)\n"
        )
    );
    assert_eq!(
        line(None, Some(b"uucp"), Severity::Error, "Line disconnected"),
        format!("uucico - uucp (2026-11-20 11:50:07.42 {pid}) ERROR: Line disconnected\n")
    );
    let transfer = Transfer {
        user: b"ann",
        system: &beta,
        sent: false,
        failed: true,
        bytes: 3000,
        elapsed: Duration::from_millis(2001),
        port: Some("TCP"),
    };
    assert_eq!(
        stats_line(&transfer, &moment()),
        "ann beta (2026-11-20 11:50:07.42) failed after received 3000 bytes in 2.001 seconds (1499 bytes/sec) on port TCP\n"
    );
}

#[test]
fn nobody_writes_lines_of_their_own_into_the_log() {
    let line = log_line(
        "uuxqt",
        None,
        Some(b"a b\nuucico - -"),
        &moment(),
        Severity::Info,
        "Executing rmail x\ruucp\n\u{1b}[2J \u{e9}",
    );
    assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    assert!(!line.contains('\u{1b}') && !line.contains('\r'));
    assert!(line.contains('\u{e9}'));
    assert_eq!(clean(b"a\xffb"), "a\\377b");
    assert_eq!(
        clean("a\u{202e}b\u{2028}\u{fb01}".as_bytes()),
        "a\\u{202e}b\\u{2028}\u{fb01}"
    );
    assert_eq!(word(&[b'u'; 64]), "u".repeat(64));
    assert_eq!(word(&[b'u'; 8000]), format!("{}...", "u".repeat(64)));
}

#[test]
fn a_full_disk_leaves_no_part_of_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("Log");
    let mut journal = Journal::open_at("uucico", &log, &folder.path().join("Stats"));
    for text in ["one", "lost", "two"] {
        if text == "lost" {
            fault::arm(0, fault::Trouble::DiskFull);
        }
        journal.log(None, None, Severity::Info, text);
        assert_eq!(fault::disarm(), text == "lost");
    }
    let content = std::fs::read_to_string(&log).unwrap();
    let ends: Vec<_> = content
        .lines()
        .map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(ends, [Some("one"), Some("two")], "{content}");
    assert_eq!(content.matches("uucico").count(), 2, "{content}");
}

#[test]
fn a_rotated_log_is_opened_anew_and_a_missing_folder_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deep/Log");
    let mut journal = Journal::open_at("uucico", &log, &folder.path().join("Stats"));
    journal.log(None, None, Severity::Info, "one");
    std::fs::rename(&log, folder.path().join("Log.1")).unwrap();
    journal.log(None, None, Severity::Info, "two");
    assert!(std::fs::read_to_string(&log).unwrap().ends_with(") two\n"));
    let mut nowhere = Journal::open_at("uucico", Path::new("/proc/none/Log"), &log);
    nowhere.log(None, None, Severity::Info, "lost, but nothing stops");
}
