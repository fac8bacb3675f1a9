//! The program as an MTA sees it: exit status, its one line, and what is in the outbox afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod collect;
mod common;
mod dictionary;
mod flush;
mod repeats;
mod waiting;

use std::fs;
use std::io::Write;
use std::process::Command;

use common::{HEADER, Queued, Site, exim};
use suite_tests::alone::{assert_queued, assert_refused, wait};

#[test]
fn a_message_of_exim_waits_with_its_envelope_and_every_byte() {
    let site = Site::new();
    let to = [
        "alice@hub.lab",
        "\"a b\"@hub.lab",
        "-x@hub.lab",
        "\u{17e}ofie@hub.lab",
        "a!b!c",
    ];
    let content = format!("{HEADER}Subject: x\n\n.dot\n..\nFrom me\nhello \u{fc}\n");
    assert_queued(&site.queue("1xULd9-000064-31", &exim("bob@leaf.lab", &to, &content)));
    let queued = Queued {
        grade: 'C',
        sender: "bob@leaf.lab".to_owned(),
        recipients: to.map(str::to_owned).to_vec(),
        content: content.into_bytes(),
    };
    assert_eq!(site.outbox("hub"), [queued]);
    assert!(site.outbox("other").is_empty());
    let log = fs::read_to_string(site.root.join("Log")).unwrap();
    assert!(
        log.contains("from bob@leaf.lab to alice@hub.lab and 4 more"),
        "{log}"
    );
}

#[test]
fn null_senders_and_system_names_in_upper_case() {
    let site = Site::new();
    let batch = exim("", &["bob@hub.lab"], &format!("{HEADER}\nreport\n"));
    assert_queued(&site.run(&["--id=X", "HUB"], &batch));
    assert_eq!(site.outbox("hub")[0].sender, "<>");
}

#[test]
fn a_batch_is_queued_whole_whoever_wrote_it() {
    let site = Site::new();
    let messages: Vec<u8> = (0..30)
        .flat_map(|n| {
            exim(
                "bob@leaf.lab",
                &["a@x"],
                &format!("{HEADER}X: {n}\n\nhello\n"),
            )
        })
        .collect();
    let batch = [b"HELO leaf\n", &messages[..], b"QUIT\n"].concat();
    assert_queued(&site.run(&["hub"], &batch));
    let queued = site.outbox("hub");
    assert_eq!(queued.len(), 30);
    for (number, message) in queued.iter().enumerate() {
        let content = String::from_utf8_lossy(&message.content).into_owned();
        assert!(
            content.contains(&format!("X: {number}\n")),
            "order: {content}"
        );
    }
}

#[test]
fn a_large_message_needs_no_memory_and_is_the_same() {
    let site = Site::new();
    let content = format!("{HEADER}\n{}", ".line of text\n".repeat(400_000));
    let batch = exim("bob@leaf.lab", &["a@x"], &content);
    // 5.6 MB; with 48 MB of address space for everything.
    let outcome = site.run_in_shell(
        "ulimit -v 49152; exec \"$@\" 2>&1",
        &["--id=X", "hub"],
        &batch,
    );
    assert_queued(&outcome);
    assert!(site.outbox("hub")[0].content == content.as_bytes());
}

#[test]
fn grades_by_size_by_priority_and_by_option() {
    let site = Site::new();
    site.mail_toml("[sending]\ngrade = \"B\"\ngrade-by-size = [{ above = 1000, grade = \"N\" }]\n");
    let small = exim("b@l", &["a@x"], &format!("{HEADER}\nhello\n"));
    let large = exim(
        "b@l",
        &["c@x"],
        &format!("{HEADER}\n{}\n", "hello ".repeat(300)),
    );
    let urgent = String::from_utf8(exim("b@l", &["d@x"], &format!("{HEADER}\nurgent\n")))
        .unwrap()
        .replacen(">\n", "> MT-PRIORITY=3\n", 1);
    assert_queued(&site.queue("1", &small));
    assert_queued(&site.queue("2", &large));
    assert_queued(&site.queue("3", urgent.as_bytes()));
    assert_queued(&site.run(
        &["--grade=z", "hub"],
        &exim("b@l", &["e@x"], &format!("{HEADER}X: y\n\n")),
    ));
    let grades: Vec<(char, String)> = site
        .outbox("hub")
        .into_iter()
        .map(|q| (q.grade, q.recipients[0].clone()))
        .collect();
    let expected = [('A', "d@x"), ('B', "a@x"), ('N', "c@x"), ('z', "e@x")];
    assert_eq!(grades, expected.map(|(grade, to)| (grade, to.to_owned())));
}

#[test]
fn permanent_faults_of_the_message_itself() {
    let site = Site::new();
    let content = format!("{HEADER}\nhello\n");
    let good = exim("bob@leaf.lab", &["alice@hub.lab"], &content);
    assert_refused(&site.run(&["nowhere"], &good), 68, "5.1.2 ");
    assert_refused(&site.run(&["--size-limit=20", "hub"], &good), 65, "5.3.4 ");
    let unknown = [b"XFOO\n", &good[..]].concat();
    assert_refused(&site.queue("1", &unknown), 65, "5.6.0 ");
    assert_refused(
        &site.queue("1", &[&good[..], b"XFOO\n"].concat()),
        65,
        "5.6.0 ",
    );
    assert_refused(
        &site.queue("1", &exim("bob@leaf.lab", &[], &content)),
        65,
        "5.6.0 ",
    );
    assert_refused(
        &site.queue("1", &exim("\"bob", &["a@x"], &content)),
        65,
        "5.6.0 ",
    );
    assert_refused(
        &site.queue("1", &exim("b@l", &["\"a@x"], &content)),
        67,
        "5.1.3 ",
    );
    site.assert_clean();
    assert!(site.reports().is_empty());
}

#[test]
fn a_cut_batch_queues_nothing_of_it() {
    let site = Site::new();
    let good = exim("b@l", &["a@x"], &format!("{HEADER}\nhello\n"));
    let batch = [&good[..], &good].concat();
    for length in (0..batch.len()).filter(|length| *length != good.len()) {
        // Between the two it is a whole batch of one.
        if length % 7 == 0 || length + 3 > batch.len() {
            assert_refused(&site.queue("1", &batch[..length]), 75, "4.3.0 ");
        }
    }
    site.assert_clean();
}

/// It is repeated, since the rest of it may still come; but what is wrong is told.
#[test]
fn a_cut_batch_tells_the_bad_command_before_the_cut() {
    let site = Site::new();
    for (batch, told) in [
        ("MAIL WAT\n", "4.3.0 exim-bsmtp: line 1: "),
        (
            "WAT\nMAIL FROM:<a@x>\n",
            "4.3.0 exim-bsmtp: line 1: 'WAT' is not a command",
        ),
    ] {
        let outcome = site.queue("1", batch.as_bytes());
        assert_refused(&outcome, 75, told);
        assert!(
            outcome.said.contains("WAT") && outcome.said.contains("cut"),
            "{outcome:?}"
        );
    }
    site.assert_clean();
}

#[test]
fn one_bad_message_of_many_is_reported_and_the_others_are_queued() {
    let site = Site::new();
    let batch = [
        exim(
            "bob@leaf.lab",
            &["a@x", "\"open@x"],
            &format!("{HEADER}\nhello one\n"),
        ),
        exim(
            "eve@leaf.lab",
            &["b@x"],
            &format!("{HEADER}\n{}\n", "hello ".repeat(300)),
        ),
        exim(
            "",
            &["c@x", "\"open@x"],
            &format!("{HEADER}\nhello three\n"),
        ),
        exim("bob@leaf.lab", &["d@x"], &format!("{HEADER}\nhello four\n")),
    ]
    .concat();
    for _ in 0..2 {
        assert_queued(&site.run(&["--size-limit=1K", "hub"], &batch));
        assert_eq!(site.recipients(), ["a@x", "c@x", "d@x"]);
        let reports = site.reports();
        assert_eq!(reports.len(), 2);
        let about = |who: &str, code: &str| {
            let found = reports.iter().any(|r| r.contains(who) && r.contains(code));
            assert!(found, "{who} {code}: {reports:?}");
        };
        about("To: bob@leaf.lab", "Status: 5.1.3");
        about("To: eve@leaf.lab", "Status: 5.3.4");
    }
}

#[test]
fn local_trouble_is_always_75() {
    let site = Site::new();
    let good = exim("b@l", &["a@x"], &format!("{HEADER}\nhello\n"));
    for arguments in [
        &["--no-such-option", "hub"][..],
        &["--config=/nothing/here", "hub"],
        &["--grade=!", "hub"],
        &["--deadline=0", "hub"],
        &["hub", "other"],
        &[],
    ] {
        assert_refused(&site.run(arguments, &good), 75, "4.3.");
    }
    let closed = site.run_in_shell("exec \"$@\" 2>&1 <&-", &["hub"], b"");
    assert_refused(&closed, 75, "4.3.0 ");
    site.mail_toml("no-such-key = 1\n");
    assert_refused(&site.queue("1", &good), 75, "4.3.5 ");
    site.mail_toml("");
    fs::write(site.root.join("etc/sys"), "no-such-command x\n").unwrap();
    assert_refused(&site.queue("1", &good), 75, "4.3.");
    site.assert_clean();

    let site = Site::new();
    fs::remove_dir(site.root.join("spool")).unwrap();
    fs::write(site.root.join("spool"), "no directory").unwrap();
    assert_refused(&site.queue("1", &good), 75, "4.3.0 ");
}

#[test]
fn a_full_disk_is_75() {
    let site = Site::new();
    let content = format!("{HEADER}\n{}", "hello\n".repeat(100_000));
    let good = exim("b@l", &["a@x"], &content);
    // 100 kB for any file; what exceeds it is refused as on a full disk.
    let script = "ulimit -f 200; trap '' XFSZ; exec \"$@\" 2>&1";
    assert_refused(
        &site.run_in_shell(script, &["--id=1", "hub"], &good),
        75,
        "4.3.0 ",
    );
    site.assert_clean();
    assert_queued(&site.queue("1", &good));
}

/// Exim starts its programs with SIGTERM ignored, and returns the mail of one that a signal has ended.
#[test]
fn a_signal_is_answered_with_75_though_exim_ignores_it() {
    for signal in ["TERM", "HUP", "INT"] {
        let site = Site::new();
        let script = "trap '' HUP INT USR1 TERM; exec \"$@\" 2>&1";
        let mut child = site.command(script, &["--id=1", "hub"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Enough that the pipe is full until the program reads, which it does under watch.
        stdin
            .write_all(&exim("b@l", &["a@x"], &"hello\n".repeat(20_000))[..100_000])
            .unwrap();
        let pid = child.id().to_string();
        let killed = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(killed.unwrap().success());
        let outcome = wait(child);
        drop(stdin);
        assert_refused(&outcome, 75, "4.3.0 ");
        assert!(
            outcome.said.contains(&format!("SIG{signal}")),
            "{outcome:?}"
        );
        site.assert_clean();
    }
}

#[test]
fn the_deadline_is_answered_with_75() {
    let site = Site::new();
    let mut child = site
        .command("exec \"$@\" 2>&1", &["--deadline=1", "hub"])
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let outcome = wait(child);
    drop(stdin);
    assert_refused(
        &outcome,
        75,
        "4.3.0 exim-bsmtp: cannot read the batch: not done within 1 s",
    );
}

#[test]
fn dry_run_queues_nothing_and_shows_all() {
    let site = Site::new();
    let batch = [
        exim("b@l", &["a@x", "no at", "c@x"], "hello\n"),
        exim("", &["d@x", "\"open"], "hello\n"),
    ]
    .concat();
    let outcome = site.run(&["--dry-run", "hub"], &batch);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(
        outcome.said.lines().take(2).collect::<Vec<_>>(),
        [
            "hub C 6 from b@l to a@x 'no at' c@x",
            "hub C 6 from <> to d@x"
        ]
    );
    assert!(
        outcome.said.contains("refused line 10:"),
        "{}",
        outcome.said
    );
    assert!(site.files().is_empty());
}

#[test]
fn modes_do_not_follow_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let good = exim("b@l", &["a@x"], &format!("{HEADER}\nhello\n"));
    let outcome = site.run_in_shell("umask 077; exec \"$@\" 2>&1", &["hub"], &good);
    assert_queued(&outcome);
    let files = site.files();
    let name = files.keys().find(|name| name.contains("/queue/")).unwrap();
    let mode = fs::metadata(site.root.join("spool").join(name))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    assert_eq!(
        wait(
            site.command("exec \"$@\" 2>&1", &["--version"])
                .spawn()
                .unwrap()
        )
        .status,
        Some(0)
    );
}
