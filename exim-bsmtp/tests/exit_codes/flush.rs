//! `--flush`: what waits becomes jobs, or packets of an `nncp-exec` that these tests play.

use std::fs;
use std::time::Duration;

use suite_tests::alone::{Moments, Outcome, wait};
use suite_tests::process::{PATIENCE, wait_for};
use suite_tests::write_program;
use uucp_core::bsmtp::{Event, Reader};

use super::common::{HEADER, Site, exim};

/// Queues so many messages for a system.
fn queue(site: &Site, system: &str, count: usize) {
    for number in 0..count {
        let content = format!("{HEADER}X-Number: {number}\n\nhello\n");
        let batch = exim("bob@leaf.lab", &["alice@hub.lab"], &content);
        let outcome = site.run(&[&format!("--id={number}"), system], &batch);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
}

/// How many messages are in a batch that must be whole.
fn messages(batch: &[u8]) -> (u64, bool) {
    let mut reader = Reader::default();
    let mut rest = batch;
    let mut known = true;
    loop {
        let (used, event) = reader.read(rest);
        rest = &rest[used..];
        match event {
            None => break,
            Some(Event::Begin(transaction)) => known &= transaction.parameters.id.is_some(),
            Some(Event::Fault(fault) | Event::Broken(fault)) => panic!("{fault}"),
            Some(_) => {}
        }
    }
    let end = reader.finish();
    assert!(end.quit && end.ours && end.cut.is_none(), "{end:?}");
    (end.messages, known)
}

fn flush(site: &Site, more: &[&str]) -> Outcome {
    site.run(&[&["--flush"], more].concat(), b"")
}

/// An `nncp-exec` that keeps what it is given, then runs `script`.
fn fake_nncp(site: &Site, script: &str) -> String {
    let r = site.root.display();
    fake(
        site,
        &format!("echo \"$@\" >>{r}/nncp.args\ncat >{r}/part\nmv {r}/part {r}/nncp.$$\n{script}"),
    )
}

/// An `nncp-exec` that is this script.
fn fake(site: &Site, script: &str) -> String {
    let path = site.root.join("nncp-exec");
    let text = format!("#!/bin/sh\n{script}\n");
    write_program(&path, text);
    path.display().to_string()
}

/// The batches that the fake `nncp-exec` was given.
fn packets(site: &Site) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = fs::read_dir(&site.root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("nncp.") && name != "nncp.args"
        })
        .collect();
    names.sort();
    names.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn messages_become_jobs_and_one_line_says_so() {
    let site = Site::new();
    site.mail_toml("[sending]\nbatch-messages = 4\n");
    queue(&site, "hub", 10);
    queue(&site, "other", 1);
    let outcome = flush(&site, &["hub"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let line = "packed 10 messages for 1 system into 3 batches: ";
    assert!(outcome.said.starts_with(line), "{outcome:?}");
    assert_eq!(outcome.said.lines().count(), 1, "{outcome:?}");
    let jobs = site.jobs("hub");
    let counts: u64 = jobs.iter().map(|(_, data)| messages(data).0).sum();
    assert_eq!((jobs.len(), counts), (3, 10));
    assert!(jobs.iter().all(|(command, _)| command == "rsmtp"));
    assert!(site.outbox("hub").is_empty());
    assert_eq!(site.outbox("other").len(), 1);

    let outcome = flush(&site, &[]);
    assert!(
        outcome
            .said
            .starts_with("packed 1 message for 1 system into 1 batch: "),
        "{outcome:?}"
    );
    assert_eq!(site.jobs("other").len(), 1);
    let outcome = flush(&site, &[]);
    assert_eq!(
        (outcome.status, &*outcome.said),
        (Some(0), "nothing to pack\n")
    );
    assert_eq!(flush(&site, &["--quiet"]).said, "");
}

#[test]
fn a_tool_answers_by_the_book() {
    let site = Site::new();
    let outcome = flush(&site, &["nowhere"]);
    assert_eq!(outcome.status, Some(68), "{outcome:?}");
    assert!(
        outcome.said.starts_with("exim-bsmtp: 'nowhere'"),
        "{outcome:?}"
    );
    assert_eq!(flush(&site, &["--no-such-option"]).status, Some(64));
    assert_eq!(flush(&site, &["--id=x", "hub"]).status, Some(64));
    queue(&site, "hub", 1);
    queue(&site, "other", 1);
    // What is wrong with one system keeps nobody else waiting.
    site.mail_toml("[neighbour.hub.sending]\ndictionary = \"0badc0de\"\ncompression = \"zstd\"\n");
    let outcome = flush(&site, &[]);
    assert_eq!(outcome.status, Some(78), "{outcome:?}");
    assert!(outcome.said.contains("0badc0de"), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 1);
    assert_eq!(site.jobs("other").len(), 1);
}

#[test]
fn mail_is_queued_whatever_is_wrong_with_its_packing_and_the_log_says_why_it_stays() {
    for (sending, told) in [
        (
            "compression = \"zstd\"\ndictionary = \"0badc0de\"",
            "there is no dictionary 0badc0de",
        ),
        (
            "dictionary = \"0badc0de\"",
            "a dictionary needs compression",
        ),
        (
            "compression = \"gzip\"\ncompression-level = 12",
            "compression-level = 12: gzip has 1 to 9",
        ),
    ] {
        let site = Site::new();
        site.mail_toml(&format!("[sending]\n{sending}\n"));
        queue(&site, "hub", 1);
        let outcome = flush(&site, &[]);
        assert_eq!(outcome.status, Some(78), "{outcome:?}");
        assert!(
            outcome.said.starts_with("exim-bsmtp: ")
                && outcome.said.contains("mail.toml: [sending] of hub: ")
                && outcome.said.contains(told)
                && outcome
                    .said
                    .ends_with("what waits in the outbox stays there\n"),
            "{outcome:?}"
        );
        assert!(!outcome.said.contains("nothing to pack"), "{outcome:?}");
        let log = fs::read_to_string(site.root.join("Log")).unwrap();
        let line = log.lines().find(|line| line.contains(told));
        assert!(
            line.is_some_and(|line| line.contains("exim-bsmtp hub ") && line.contains("ERROR: ")),
            "{log}"
        );
        assert_eq!(site.outbox("hub").len(), 1);
    }
}

#[test]
fn nncp_gets_node_handle_and_a_whole_batch_with_ids() {
    let site = Site::new();
    let nncp = fake_nncp(&site, "exit 0");
    site.mail_toml(&format!(
        "[neighbour.hub.sending]\ncarrier = \"nncp\"\nnncp-node = \"hub-node\"\nnncp-exec = \"{nncp}\"\nfar-end = \"bangpath\"\nbatch-messages = 3\n"
    ));
    queue(&site, "hub", 5);
    let outcome = flush(&site, &[]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(
        outcome
            .said
            .starts_with("packed 5 messages for 1 system into 2 batches"),
        "{outcome:?}"
    );
    let args = fs::read_to_string(site.root.join("nncp.args")).unwrap();
    assert_eq!(args, "-quiet -noprogress hub-node rsmtp\n".repeat(2));
    let mut counts: Vec<(u64, bool)> = packets(&site).iter().map(|p| messages(p)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [(2, true), (3, true)]);
    assert!(site.outbox("hub").is_empty() && site.jobs("hub").is_empty());
}

#[test]
fn a_no_of_nncp_leaves_everything_queued_and_says_why() {
    for (script, said) in [
        (
            "echo 'unknown node' >&2; exit 1",
            "left 1: unknown node; the messages stay queued",
        ),
        (
            "kill -9 $$",
            "was ended by signal 9; the messages stay queued",
        ),
        ("exit 75", "left 75; the messages stay queued"),
    ] {
        let site = Site::new();
        let nncp = fake_nncp(&site, script);
        site.mail_toml(&format!(
            "[sending]\ncarrier = \"nncp\"\nnncp-exec = \"{nncp}\"\n"
        ));
        queue(&site, "hub", 2);
        let outcome = flush(&site, &["--quiet"]);
        assert_eq!(outcome.status, Some(75), "{outcome:?}");
        assert!(outcome.said.contains(said), "{outcome:?}");
        assert_eq!(site.outbox("hub").len(), 2);
        fake_nncp(&site, "exit 0");
        assert_eq!(flush(&site, &["--quiet"]).status, Some(0));
        assert!(site.outbox("hub").is_empty());
    }
    let site = Site::new();
    site.mail_toml("[sending]\ncarrier = \"nncp\"\nnncp-exec = \"/nothing/here\"\n");
    queue(&site, "hub", 1);
    let outcome = flush(&site, &[]);
    assert_eq!(outcome.status, Some(75));
    assert!(
        outcome.said.contains("cannot run /nothing/here"),
        "{outcome:?}"
    );
    assert_eq!(site.outbox("hub").len(), 1);
}

/// How a fake that hangs ends: never, and neither does what it has started, whose number it writes down.
const HANGING: &str = "sleep 100000 & echo $! >started; wait";

/// What a fake has started is gone, or waits for nothing but to be reaped.
fn expect_ended(site: &Site) {
    let pid = fs::read_to_string(site.root.join("started")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    wait_for("what it started to end", PATIENCE, || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        let state = stat.rsplit(") ").next().unwrap();
        (state.is_empty() || state.starts_with('Z')).then_some(())
    });
}

#[test]
fn an_nncp_that_hangs_is_killed_with_what_it_started_and_the_outbox_is_free() {
    for reads in [false, true] {
        let site = Site::new();
        let r = site.root.display();
        let hanging = format!("cd {r}\n{HANGING}");
        let nncp = if reads {
            fake_nncp(&site, &hanging)
        } else {
            fake(&site, &hanging)
        };
        queue(&site, "hub", 2);
        // As long as this machine needs to come to where it hangs.
        for limit in (0..).map(|n| 1 << n) {
            site.mail_toml(&format!(
                "[sending]\ncarrier = \"nncp\"\nnncp-exec = \"{nncp}\"\nnncp-time-limit = {limit}\nfar-end = \"bangpath\"\n"
            ));
            let outcome = flush(&site, &["--quiet"]);
            assert_eq!(outcome.status, Some(75), "{outcome:?}");
            let said = format!(
                "exim-bsmtp: hub: {nncp} hub did not end within {limit} s and was killed; the messages stay queued\n"
            );
            assert_eq!(outcome.said, said);
            assert_eq!(site.outbox("hub").len(), 2);
            if site.path("started").exists() {
                break;
            }
        }
        expect_ended(&site);
        fake_nncp(&site, "exit 0");
        assert_eq!(flush(&site, &["--quiet"]).status, Some(0));
        assert!(site.outbox("hub").is_empty());
        // What it may have queued before is what it gets again, ids and all.
        let packets = packets(&site);
        assert!(packets.iter().all(|packet| *packet == packets[0]));
        assert_eq!(packets.len() > 1, reads);
        assert_eq!(messages(&packets[0]), (2, true));
    }
}

/// Killed between the packet and its deletion here: it goes again, and its ids tell the receiver which it has.
#[test]
fn a_lost_status_of_nncp_shows_in_the_ids() {
    let site = Site::new();
    let nncp = fake_nncp(&site, "kill -9 $PPID; exit 0");
    site.mail_toml(&format!(
        "[sending]\ncarrier = \"nncp\"\nnncp-exec = \"{nncp}\"\nfar-end = \"bangpath\"\n"
    ));
    queue(&site, "hub", 2);
    // The shell stays its parent, so that its own end is not taken for the program's.
    let script = "\"$@\" 2>&1; echo left $?";
    let outcome = wait(site.command(script, &["--flush"]).spawn().unwrap());
    assert!(outcome.said.contains("left 137"), "{outcome:?}");
    assert_eq!(site.outbox("hub").len(), 2);
    fake_nncp(&site, "exit 0");
    assert_eq!(flush(&site, &[]).status, Some(0));
    let packets = packets(&site);
    assert_eq!(packets.len(), 2);
    assert_eq!(packets[0], packets[1]);
    assert!(site.outbox("hub").is_empty());
}

#[test]
fn killed_anywhere_while_packing_every_message_is_in_one_place() {
    let mut moments = Moments::new(0x9e37_79b9_7f4a_7c15, Duration::from_millis(20));
    let mut cut = 0;
    for round in 0..30 {
        let site = Site::new();
        site.mail_toml("[sending]\nbatch-messages = 2\n");
        let batch: Vec<u8> = (0..6)
            .flat_map(|n| exim("b@l", &["a@x"], &format!("{HEADER}X: {n}\n\nhello\n")))
            .collect();
        assert_eq!(site.run(&["hub"], &batch).status, Some(0));
        let command = site.command("exec \"$@\" 2>&1", &["--flush"]);
        cut += usize::from(moments.cut(command, b""));
        let outcome = flush(&site, &["hub"]);
        assert_eq!(outcome.status, Some(0), "round {round}: {outcome:?}");
        assert!(site.outbox("hub").is_empty(), "round {round}");
        let mut numbers: Vec<String> = site
            .jobs("hub")
            .iter()
            .flat_map(|(_, data)| {
                let text = String::from_utf8_lossy(data).into_owned();
                let lines = text.lines().filter(|line| line.starts_with("X: "));
                lines.map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        numbers.sort();
        let expected: Vec<String> = (0..6).map(|n| format!("X: {n}")).collect();
        assert_eq!(numbers, expected, "round {round}");
    }
    assert!(cut > 0, "no run was cut");
}
