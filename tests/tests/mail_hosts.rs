//! The hosts themselves, before anything of ours comes near them: each real MTA takes mail, delivers it with exact envelopes,
//! refuses what it shall refuse, and keeps its queue when it is killed; if its port is taken, it comes up on another one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::net::TcpListener;

use suite_tests::mail_host::{Day, Exim, MailHost, Mta, OpenSmtpd, Postfix, Sendmail};
use suite_tests::smtp::{Message, Session};
use suite_tests::{Site, peers_with_or_skip};

fn message(number: usize, sender: &str, recipients: &[&str]) -> Message {
    Message {
        sender: sender.to_owned(),
        recipients: recipients.iter().map(|r| (*r).to_owned()).collect(),
        content: format!("From: ann@leaf.example\nSubject: {number}\nX-Number: {number}\n\nbody {number}\n.\n..x\nFrom y\n")
            .into_bytes(),
    }
}

fn try_host(test: &str, mta: &dyn Mta) {
    let Some(peers) = peers_with_or_skip(test, &[mta.layer()]) else {
        return;
    };
    let site = Site::new("host");
    // Somebody else has the first port: it takes another one.
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = other.local_addr().unwrap().port();
    let mut host = MailHost::start_first_on(taken, &[], &site, peers, "hub", mta);
    assert_ne!(host.port(), taken);
    let mut session = Session::open(host.port());
    session.send(&message(1, "ann@leaf.example", &["bob@hub.example"]));
    session.send(&message(2, "", &["Bob.B@home.example", "x!y@hub.example"]));
    session.send(&message(3, "o'brien@leaf.example", &["u+tag@hub.example"]));
    for (recipient, class) in [("unknown@hub.example", '5'), ("later@home.example", '4')] {
        assert!(session.refuses(recipient).starts_with(class), "{recipient}");
    }
    host.wait_for_deliveries(4);
    let mut found: Vec<_> = host
        .arrivals()
        .into_iter()
        .map(|arrival| {
            let number = arrival.field("X-Number").expect("a number");
            let body = format!("body {number}\n.\n..x\nFrom y\n");
            assert_eq!(arrival.body(), body.as_bytes());
            (number, arrival.sender, arrival.recipient)
        })
        .collect();
    found.sort();
    let expected = [
        ("1", "ann@leaf.example", "bob@hub.example"),
        ("2", "", "Bob.B@home.example"),
        ("2", "", "x!y@hub.example"),
        ("3", "o'brien@leaf.example", "u+tag@hub.example"),
    ];
    let expected = expected.map(|(n, s, r)| (n.to_owned(), s.to_owned(), r.to_owned()));
    assert_eq!(found, expected);
    host.stop();
    host.start_again(mta, Day::Full);
    let reply =
        Session::open(host.port()).refusal_of(&message(4, "a@leaf.example", &["b@hub.example"]));
    assert!(reply.starts_with('4'), "{reply}");
    host.stop();
    host.start_again(mta, Day::Generous);
    let recipients = ["b@hub.example", "later@hub.example"];
    Session::open(host.port()).send(&message(5, "a@leaf.example", &recipients));
    host.wait_for_deliveries(6);
    assert!(host.log().contains("b@hub.example"));
}

#[test]
fn postfix() {
    try_host("hosts: Postfix", &Postfix::default());
}

#[test]
fn exim() {
    try_host("hosts: Exim", &Exim::default());
}

#[test]
fn sendmail() {
    try_host("hosts: Sendmail", &Sendmail::default());
}

#[test]
fn opensmtpd() {
    try_host("hosts: OpenSMTPD", &OpenSmtpd::default());
}
