//! Batches of ours go to a receiver that knows nothing of us:
//!
//! ```text
//! bsmtp::Writer ─ exim4 -bS ─ its mailboxes
//! ```
//!
//! Exim abandons the rest of a batch at the first thing that it does not know, so that every line of ours has to be plain SMTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use suite_tests::mail_host::{Exim, MailHost, Mta};
use suite_tests::{Site, peers_with_or_skip, process};
use uucp_core::address::{Address, ReversePath};
use uucp_core::bsmtp::{LineEnd, MailParameters, Style, Transaction, Writer};

const BODY: &str = "body\n.\n..x\nFrom y\n";

/// Sender, recipients.
const ENVELOPES: [(&str, &[&str]); 3] = [
    (
        "ann@leaf.example",
        &["bob@hub.example", "u+tag@hub.example"],
    ),
    ("", &["bob@home.example"]),
    (
        "\"a b\"@leaf.example",
        &["\"x y\"@hub.example", "-dash@hub.example"],
    ),
];

fn transaction(sender: &str, recipients: &[&str]) -> Transaction {
    let recipients = recipients
        .iter()
        .map(|recipient| Address::parse(recipient.as_bytes()).unwrap().into());
    Transaction {
        // What the sender knows, and this receiver must not be told.
        parameters: MailParameters {
            size: Some(5),
            id: Some(b"1".to_vec()),
            ..MailParameters::default()
        },
        ..Transaction::new(
            ReversePath::parse(sender.as_bytes()).unwrap(),
            recipients.collect(),
        )
    }
}

fn batch(line_end: LineEnd) -> Vec<u8> {
    let style = Style {
        line_end,
        ..Style::plain("leaf.example")
    };
    let mut writer = Writer::new(Vec::new(), style).unwrap();
    for (sender, recipients) in ENVELOPES {
        let content = format!("From: ann@leaf.example\nSubject: x\n\n{BODY}");
        writer
            .message(&transaction(sender, recipients), &mut content.as_bytes())
            .unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn exim_takes_all_of_a_batch_with_line_feeds_or_crlf() {
    let exim = Exim::default();
    let Some(peers) = peers_with_or_skip("exim: a batch of ours into -bS", &[exim.layer()]) else {
        return;
    };
    let site = Site::new("exim");
    let host = MailHost::start(&site, peers, "hub", &exim);
    let copies: usize = ENVELOPES.iter().map(|(_, to)| to.len()).sum();
    for (round, line_end) in [(1, LineEnd::Lf), (2, LineEnd::CrLf)] {
        // Into a file and out of a file: what Exim leaves to deliver behind its back holds the descriptors open.
        let command = host.command("/usr/sbin/exim4", &["-bS"]);
        process::run_with_input(command, &batch(line_end), site.path()).expect_success("exim4 -bS");
        host.wait_for_deliveries(copies * round);
    }
    let mut found: Vec<_> = host
        .arrivals()
        .into_iter()
        .map(|arrival| {
            assert_eq!(arrival.body(), BODY.as_bytes());
            (arrival.sender, arrival.recipient)
        })
        .collect();
    found.sort();
    let once = ENVELOPES.iter().flat_map(|(from, to)| {
        to.iter()
            .map(move |to| (from.to_string(), (*to).to_string()))
    });
    let mut twice: Vec<_> = once.clone().chain(once).collect();
    twice.sort();
    assert_eq!(found, twice);
}
