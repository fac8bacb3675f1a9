//! A delivery whose exit status was lost comes again, perhaps with its recipients grouped anew, perhaps after the job was
//! sent: nobody gets it twice, nobody is left out.

use std::time::Duration;

use suite_tests::alone::{Moments, side_by_side};

use super::common::{MESSAGE, Site};

#[test]
fn the_same_delivery_again_queues_nothing() {
    let site = Site::new();
    let recipients = ["alice@leaf.lab", "carl@leaf.lab"];
    for _ in 0..3 {
        assert_eq!(site.deliver("B1", &recipients).status, Some(0));
        assert_eq!(site.queued(), recipients);
        assert_eq!(site.jobs().len(), 1);
    }
}

#[test]
fn regrouped_recipients_are_queued_once_each() {
    let site = Site::new();
    for group in [
        &["a@x", "b@x"][..],
        &["b@x", "c@x"],
        &["a@x"],
        &["a@x", "b@x", "c@x", "d@x"],
    ] {
        assert_eq!(site.deliver("B1", group).status, Some(0));
    }
    assert_eq!(site.queued(), ["a@x", "b@x", "c@x", "d@x"]);
    for job in site.jobs() {
        assert_eq!(job.message(), MESSAGE);
    }
}

#[test]
fn a_repeat_after_the_job_was_sent_queues_only_the_rest() {
    let site = Site::new();
    assert_eq!(site.deliver("B1", &["a@x", "b@x"]).status, Some(0));
    site.send_all();
    assert_eq!(site.deliver("B1", &["a@x", "b@x", "c@x"]).status, Some(0));
    assert_eq!(site.queued(), ["c@x"]);
}

#[test]
fn other_messages_senders_and_systems_are_no_repeats() {
    let site = Site::new();
    assert_eq!(site.deliver("B1", &["a@x"]).status, Some(0));
    assert_eq!(site.deliver("B2", &["a@x"]).status, Some(0));
    let other = site.arguments("B1", "eve@hub.lab", &["a@x"]);
    assert_eq!(site.run(&other, MESSAGE).status, Some(0));
    let same_id = site.arguments("B1", "bob@hub.lab", &["a@x"]);
    assert_eq!(site.run(&same_id, b"Subject: another\n\n").status, Some(0));
    let none = site.arguments("", "bob@hub.lab", &["a@x"]);
    assert_eq!(site.run(&none, MESSAGE).status, Some(0));
    assert_eq!(site.run(&none, MESSAGE).status, Some(0));
    assert_eq!(site.queued().len(), 6);
}

#[test]
fn a_refused_recipient_is_reported_once_and_never_bounces_the_others() {
    let site = Site::new();
    assert_eq!(site.deliver("B1", &["a@x", "b b@x"]).status, Some(0));
    assert_eq!(site.reports().len(), 1);
    // Regrouped: the refused one alone, then with others.
    assert_eq!(site.deliver("B1", &["b b@x"]).status, Some(0));
    assert_eq!(site.deliver("B1", &["a@x", "b b@x"]).status, Some(0));
    assert_eq!(site.reports().len(), 1);
    assert_eq!(site.deliver("B1", &["a@x", "c c@x"]).status, Some(0));
    assert_eq!(site.reports().len(), 2);
    assert_eq!(site.queued(), ["a@x"]);
}

#[test]
fn two_at_once_queue_it_once() {
    let site = Site::new();
    let arguments = site.arguments("B1", "bob@hub.lab", &["a@x", "b@x"]);
    let command = || site.command("exec \"$@\" 2>&1", &arguments);
    for outcome in side_by_side(8, MESSAGE, command) {
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    assert_eq!(site.queued(), ["a@x", "b@x"]);
}

/// Killed at a random moment and delivered again, half of the time regrouped: one job for each recipient in the end.
#[test]
fn killed_anywhere_and_repeated() {
    let mut moments = Moments::new(0x2545_f491_4f6c_dd1d, Duration::from_millis(12));
    let mut cut = 0;
    for round in 0..60 {
        let site = Site::new();
        let id = format!("K{round}");
        let arguments = site.arguments(&id, "bob@hub.lab", &["a@x", "b@x", "c c@x"]);
        let command = site.command("exec \"$@\" 2>&1", &arguments);
        cut += usize::from(moments.cut(command, MESSAGE));
        let second = if round % 2 == 0 {
            site.deliver(&id, &["a@x", "b@x", "c c@x"])
        } else {
            assert_eq!(
                site.deliver(&id, &["b@x", "c c@x"]).status,
                Some(0),
                "round {round}"
            );
            site.deliver(&id, &["a@x", "c c@x"])
        };
        assert_eq!(second.status, Some(0), "round {round}: {second:?}");
        assert_eq!(site.queued(), ["a@x", "b@x"], "round {round}");
        assert_eq!(site.reports().len(), 1, "round {round}");
        for job in site.jobs() {
            assert_eq!(job.message(), MESSAGE, "round {round}");
        }
    }
    assert!(cut > 0, "no run was cut");
}
