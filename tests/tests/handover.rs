//! The ways to hand mail over, each with a real MTA.
//!
//! ```text
//! messages ──> pool of four sessions ──> port, `sendmail -bs`, `-bS` or `-i -f` of a real MTA ──> its mailboxes
//! ```
//! Each message arrives once, with its envelope; who is refused is told by himself. An MTA that is killed amid a batch, and
//! started again, has what it said yes to; what it did not is offered again, and at most one message per session twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use suite_tests::mail_host::{Day, Exim, MailHost, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::process::Owner;
use suite_tests::{Site, peers_with_or_skip, write_program};
use uucp_core::config::mail::{DeliverySettings, MethodName};
use uucp_core::delivery::{Outcome, Pool, Surroundings};

use self::batch::{Batch, Parcel, body};

#[path = "handover/batch.rs"]
mod batch;

const SESSIONS: u32 = 4;

/// How a message goes into the MTA.
#[derive(Clone, Copy)]
enum Way {
    Port,
    /// By a command: its path inside, the name by which it is known whose it is, and the method.
    Command(&'static str, &'static str, MethodName),
}

fn settings(site: &Site, host: &MailHost, way: Way) -> DeliverySettings {
    let plain = DeliverySettings {
        sessions: NonZeroU32::new(SESSIONS).unwrap(),
        time_limit: Duration::from_mins(2),
        ..DeliverySettings::new()
    };
    match way {
        Way::Port => DeliverySettings {
            smtp: Some(format!("127.0.0.1:{}", host.port()).parse().unwrap()),
            ..plain
        },
        Way::Command(inside, name, method) => DeliverySettings {
            method: Some(method),
            sendmail: Some(command(site, host, inside, name)),
            ..plain
        },
    }
}

/// A command of the host, as one of this machine.
fn command(site: &Site, host: &MailHost, inside: &str, name: &str) -> PathBuf {
    let command = host
        .host()
        .command_as(Some(Owner::fitting()), Path::new(inside), &[]);
    let mut words = vec![command.get_program().to_str().unwrap()];
    words.extend(command.get_args().map(|word| word.to_str().unwrap()));
    let path = site.path().join(name);
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
    write_program(&path, script);
    path
}

fn run(site: &Site, settings: &DeliverySettings, batch: &Batch) {
    let around = Surroundings {
        state: site.path().to_owned(),
        name: "leaf.example".to_owned(),
        domain: Some("leaf.example".to_owned()),
        own_domains: None,
        names_an_mta: false,
    };
    Pool::choose(settings, &around).expect("a way").run(batch);
}

/// What has arrived: number, sender, recipient; each with the body that it must have.
fn arrivals(host: &MailHost) -> Vec<(usize, String, String)> {
    let mut found: Vec<_> = host
        .arrivals()
        .into_iter()
        .filter_map(|arrival| {
            let number = arrival.field("X-Number")?.parse().unwrap();
            let found = String::from_utf8_lossy(arrival.body()).into_owned();
            assert_eq!(found, body(number), "the body of {number}");
            Some((number, arrival.sender, arrival.recipient))
        })
        .collect();
    found.sort();
    found
}

/// Hands over forty messages, and one with an address that is refused and one that is put off where the MTA tells at once.
fn try_way(test: &str, mta: &dyn Mta, way: Way, tells_at_once: bool) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer()]) else {
        return;
    };
    let site = Site::new("handover");
    let host = MailHost::start(&site, peers, "hub", mta);
    let recipients = |number: usize| {
        let mut recipients = vec![format!("u{number}@hub.example")];
        if number.is_multiple_of(3) {
            recipients.push(format!("v{number}@home.example"));
        }
        match number {
            5 if tells_at_once => recipients.push("unknown@hub.example".to_owned()),
            8 if tells_at_once => recipients.insert(0, "later@hub.example".to_owned()),
            _ => {}
        }
        recipients
    };
    let parcels = (0..40).map(|number| Parcel::new(number, &recipients(number)));
    let batch = Batch::of(parcels.collect());
    run(&site, &settings(&site, &host, way), &batch);
    let told = batch.told.into_inner().unwrap();
    let mut expected = Vec::new();
    for number in 0..40 {
        let sender = if number % 2 == 0 {
            ""
        } else {
            "ann@leaf.example"
        };
        let outcomes = &told.outcomes[&number];
        for (recipient, outcome) in recipients(number).into_iter().zip(outcomes) {
            let fits = match recipient.split('@').next() {
                Some("unknown") => matches!(outcome, Outcome::Refused(_)),
                Some("later") => matches!(outcome, Outcome::Deferred(_)),
                _ => *outcome == Outcome::Delivered,
            };
            assert!(fits, "{number} to {recipient}: {outcome:?}");
            if *outcome == Outcome::Delivered {
                expected.push((number, sender.to_owned(), recipient));
            }
        }
    }
    expected.sort();
    host.wait_for_deliveries(expected.len());
    assert_eq!(arrivals(&host), expected);
    let mut recorded = told.recorded;
    recorded.sort();
    let delivered: Vec<_> = expected.into_iter().map(|(n, _, to)| (n, to)).collect();
    assert_eq!(recorded, delivered);
}

/// Kills the MTA amid three hundred messages, and offers again what it did not say yes to.
fn try_death(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer()]) else {
        return;
    };
    let site = Site::new("handover-death");
    let host = MailHost::start(&site, peers, "hub", mta);
    let settings = settings(&site, &host, Way::Port);
    let recipient = |number: usize| [format!("u{number}@hub.example")];
    let parcels = (0..300).map(|number| Parcel::new(number, &recipient(number)));
    let host = std::sync::Arc::new(Mutex::new(host));
    let victim = host.clone();
    let mut batch = Batch::of(parcels.collect());
    batch.at_record = Some(Box::new(move |count| {
        if count == 40 {
            victim.lock().unwrap().stop();
        }
    }));
    run(&site, &settings, &batch);
    let Batch {
        told, at_record, ..
    } = batch;
    drop(at_record);
    let told = told.into_inner().unwrap();
    assert_eq!(told.outcomes.len(), 300);
    let recorded: BTreeSet<usize> = told.recorded.iter().map(|(number, _)| *number).collect();
    assert!((40..300).contains(&recorded.len()), "{}", recorded.len());
    let left: Vec<usize> = (0..300).filter(|n| !recorded.contains(n)).collect();
    for number in &left {
        assert!(matches!(&told.outcomes[number][..], [Outcome::Deferred(_)]));
    }
    let mut host = std::sync::Arc::into_inner(host)
        .unwrap()
        .into_inner()
        .unwrap();
    host.start_again(mta, Day::Usual);
    let again = left
        .iter()
        .map(|number| Parcel::new(*number, &recipient(*number)));
    let batch = Batch::of(again.collect());
    run(&site, &settings, &batch);
    let told = batch.told.into_inner().unwrap();
    assert!(
        told.outcomes
            .values()
            .flatten()
            .all(|o| *o == Outcome::Delivered)
    );
    host.wait_for_deliveries(300);
    assert!(arrivals(&host).len() >= 300);
    let mut taken: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for arrival in host.arrivals() {
        let Some(number) = arrival.field("X-Number") else {
            continue;
        };
        // An MTA that dies amid its own deliveries delivers again what it took once: the same number in its stamp.
        let stamp = arrival.field("Received").unwrap();
        taken
            .entry(number.parse().unwrap())
            .or_default()
            .insert(stamp);
    }
    assert_eq!(taken.len(), 300, "none is lost");
    let doubled = taken.values().filter(|stamps| stamps.len() > 1).count();
    assert!(doubled <= SESSIONS as usize, "{doubled} came twice");
}

/// An Exim that believes everybody's word about the sender.
fn trusting() -> Exim<'static> {
    Exim {
        main: "untrusted_set_sender = *",
        ..Exim::default()
    }
}

#[test]
fn postfix_on_its_port() {
    try_way("handover: Postfix", &Postfix::default(), Way::Port, true);
}

#[test]
fn postfix_in_a_dialogue() {
    let way = Way::Command(
        "/usr/sbin/sendmail",
        "sendmail.postfix",
        MethodName::SendmailBs,
    );
    try_way("handover: Postfix -bs", &Postfix::default(), way, false);
}

#[test]
fn postfix_by_its_command() {
    let way = Way::Command(
        "/usr/sbin/sendmail",
        "sendmail.postfix",
        MethodName::Sendmail,
    );
    try_way("handover: Postfix -i -f", &Postfix::default(), way, false);
}

#[test]
fn exim_on_its_port() {
    try_way("handover: Exim", &Exim::default(), Way::Port, true);
}

#[test]
fn exim_in_a_dialogue() {
    let way = Way::Command("/usr/sbin/exim4", "exim4", MethodName::SendmailBs);
    try_way("handover: Exim -bs", &trusting(), way, true);
}

#[test]
fn exim_in_batches() {
    let way = Way::Command("/usr/sbin/exim4", "exim4", MethodName::SendmailBatch);
    try_way("handover: Exim -bS", &trusting(), way, false);
}

#[test]
fn sendmail_on_its_port() {
    try_way("handover: Sendmail", &Sendmail::default(), Way::Port, true);
}

#[test]
fn sendmail_in_a_dialogue() {
    let way = Way::Command("/usr/sbin/sendmail", "sendmail-mta", MethodName::SendmailBs);
    try_way("handover: Sendmail -bs", &Sendmail::default(), way, false);
}

#[test]
fn opensmtpd_on_its_port() {
    try_way(
        "handover: OpenSMTPD",
        &OpenSmtpd::default(),
        Way::Port,
        true,
    );
}

#[test]
fn opensmtpd_by_its_command() {
    let way = Way::Command("/usr/sbin/sendmail", "smtpctl", MethodName::Sendmail);
    try_way(
        "handover: OpenSMTPD -i -f",
        &OpenSmtpd::default(),
        way,
        false,
    );
}

#[test]
fn postfix_dies_amid_a_batch() {
    try_death("handover: Postfix dies", &Postfix::default());
}

#[test]
fn exim_dies_amid_a_batch() {
    try_death("handover: Exim dies", &Exim::default());
}
