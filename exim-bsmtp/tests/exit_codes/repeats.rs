//! A delivery whose exit status was lost comes again, perhaps with its recipients grouped anew, perhaps after the message was
//! packed: nobody gets it twice, nobody is left out.

use std::time::Duration;

use suite_tests::alone::{Moments, side_by_side};

use super::common::{HEADER, Site, exim};

fn content() -> String {
    format!("{HEADER}Subject: x\n\nhello\n")
}

#[test]
fn the_three_runs_of_250_recipients_and_their_repeats_in_other_groups() {
    let site = Site::new();
    let all: Vec<String> = (0..250).map(|n| format!("user{n:03}@hub.lab")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut deliver = |group: &[&str]| {
        let outcome = site.queue("1xULd9-000064-31", &exim("bob@leaf.lab", group, &content()));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    };
    all.chunks(100).for_each(&mut deliver);
    assert_eq!(site.recipients(), all);
    assert_eq!(site.outbox("hub").len(), 3);
    all.chunks(70).for_each(&mut deliver);
    assert_eq!(site.recipients(), all);
    deliver(&["late@hub.lab", all[17], all[200]]);
    assert_eq!(site.recipients().len(), 251);
}

#[test]
fn a_repeat_after_the_messages_were_packed_and_sent_queues_only_the_rest() {
    let site = Site::new();
    let deliver = |to: &[&str]| site.queue("1", &exim("b@l", to, &content())).status;
    assert_eq!(deliver(&["a@x", "b@x"]), Some(0));
    assert_eq!(site.run(&["--flush", "--quiet"], b"").status, Some(0));
    for kind in ["C.", "D."] {
        std::fs::remove_dir_all(site.root.join("spool/hub").join(kind)).unwrap();
    }
    assert_eq!(deliver(&["b@x", "c@x", "a@x"]), Some(0));
    assert_eq!(site.recipients(), ["c@x"]);
}

#[test]
fn lines_that_exim_adds_at_each_delivery_make_no_new_message() {
    let site = Site::new();
    for (to, date) in [("a@x", 1), ("a@x,\n\tb@x", 2)] {
        let added = format!(
            "Envelope-to: {to}\nDelivery-date: Fri, {date} Nov 2026\n{}",
            content()
        );
        let to: Vec<&str> = to.split(",\n\t").collect();
        assert_eq!(site.queue("1", &exim("b@l", &to, &added)).status, Some(0));
    }
    assert_eq!(site.recipients(), ["a@x", "b@x"]);
}

#[test]
fn other_messages_senders_and_systems_are_no_repeats() {
    let site = Site::new();
    let mail = exim("b@l", &["a@x"], &content());
    for (id, batch) in [
        ("1", &mail),
        ("2", &mail),
        ("1", &exim("eve@l", &["a@x"], &content())),
        ("1", &exim("b@l", &["a@x"], "Subject: other\n\n")),
    ] {
        assert_eq!(site.queue(id, batch).status, Some(0));
    }
    assert_eq!(site.recipients().len(), 4);
    assert_eq!(site.run(&["--id=1", "other"], &mail).status, Some(0));
    assert_eq!(site.outbox("other").len(), 1);
}

/// Without an id, what an MTA has received is known by itself; what nobody has marked may be meant twice.
#[test]
fn without_an_id_received_lines_tell() {
    let site = Site::new();
    let traced = exim("b@l", &["a@x"], &content());
    let plain = exim("b@l", &["c@x"], "Subject: x\n\nhello\n");
    for _ in 0..2 {
        assert_eq!(
            site.run(&["hub"], &[&traced[..], &plain].concat()).status,
            Some(0)
        );
    }
    assert_eq!(site.recipients(), ["a@x", "c@x", "c@x"]);
}

#[test]
fn two_at_once_queue_it_once() {
    let site = Site::new();
    let batch = exim("b@l", &["a@x", "b@x"], &content());
    let command = || site.command("exec \"$@\" 2>&1", &["--id=1", "hub"]);
    for outcome in side_by_side(8, &batch, command) {
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    assert_eq!(site.recipients(), ["a@x", "b@x"]);
}

/// Killed at a random moment and delivered again, half of the time regrouped: once for each recipient in the end.
#[test]
fn killed_anywhere_and_repeated() {
    let mut moments = Moments::new(0x2545_f491_4f6c_dd1d, Duration::from_millis(12));
    let mut cut = 0;
    for round in 0..60 {
        let site = Site::new();
        let batch = |to: &[&str]| exim("b@l", to, &content());
        let command = site.command("exec \"$@\" 2>&1", &["--id=1", "hub"]);
        cut += usize::from(moments.cut(command, &batch(&["a@x", "b@x", "\"c@x"])));
        let groups: &[&[&str]] = if round % 2 == 0 {
            &[&["a@x", "b@x", "\"c@x"]]
        } else {
            &[&["b@x", "\"c@x"], &["a@x", "\"c@x"]]
        };
        for group in groups {
            let outcome = site.queue("1", &batch(group));
            assert_eq!(outcome.status, Some(0), "round {round}: {outcome:?}");
        }
        assert_eq!(site.recipients(), ["a@x", "b@x"], "round {round}");
        assert_eq!(site.reports().len(), 1, "round {round}");
        for queued in site.outbox("hub") {
            assert_eq!(queued.content, content().as_bytes(), "round {round}");
        }
    }
    assert!(cut > 0, "no run was cut");
}
