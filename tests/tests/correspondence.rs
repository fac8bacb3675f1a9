//! From one real MTA to another over a real link, both ways: every letter once, envelopes exact, refusals reported to the
//! sender, across the link, once. The MTAs are configured by the lines of `conf-snippets/`.
//!
//! ```text
//! MTA of leaf ─ sender ─ spool ─ uucico ══ TCP ══ uucico ─ spool ─ uuxqt ─ receiver ─ MTA of hub, and back
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use suite_tests::correspondent::{Correspondent, Kind};
use suite_tests::letters::{self, Letter, Route, judge};
use suite_tests::node::{Node, Reach};
use suite_tests::programs::Side;
use suite_tests::{Site, peers_with_or_skip};

const FROM_LEAF: Route = Route {
    home: "leaf.example",
    there: "hub.example",
};
const FROM_HUB: Route = Route {
    home: "hub.example",
    there: "leaf.example",
};

/// An end: its MTA, and the transport if that is Exim.
#[derive(Debug, Clone, Copy)]
struct End(Kind, &'static str);

const POSTFIX: End = End(Kind::Postfix, "");
const SENDMAIL: End = End(Kind::Sendmail, "");
const OPENSMTPD: End = End(Kind::OpenSmtpd, "");
const EXIM_RMAIL: End = End(Kind::Exim, "uucp_rmail");

/// Letters of every kind that this MTA takes, some times over.
fn letters(tag: &str, route: Route, kind: Kind, rounds: usize) -> Vec<Letter> {
    let is_taken = |letter: &Letter| {
        let takes_utf8 = matches!(kind, Kind::Postfix | Kind::Exim);
        takes_utf8
            || letter
                .message
                .recipients
                .iter()
                .all(|address| address.is_ascii())
    };
    (0..rounds)
        .flat_map(|round| letters::of_every_kind(&format!("{tag}{round}"), route))
        .filter(is_taken)
        .collect()
}

/// Exchanges letters between `leaf` and `hub`, whose UUCP is of these sides.
fn exchange(test: &str, ends: (End, End), sides: (Side, Side), rounds: usize) {
    let Some(peers) = peers_with_or_skip(test, &[ends.0.0.layer(), ends.1.0.layer()]) else {
        return;
    };
    let site = Site::new("mail");
    let (leaf_node, hub_node) = (
        Node::new(&site, "leaf", sides.0),
        Node::new(&site, "hub", sides.1),
    );
    let listener = hub_node.listen();
    leaf_node.add_neighbour("hub", "t", &Reach::Tcp(listener.port()), "");
    hub_node.add_neighbour("leaf", "t", &Reach::Never, "");
    let leaf = Correspondent::start(&site, peers, leaf_node, ends.0.0, ends.0.1);
    let hub = Correspondent::start(&site, peers, hub_node, ends.1.0, ends.1.1);
    let from_leaf = letters("leaf", FROM_LEAF, ends.0.0, rounds);
    let from_hub = letters("hub", FROM_HUB, ends.1.0, rounds);
    leaf.post(&from_leaf);
    hub.post(&from_hub);
    // The second call brings the reports about what the first brought.
    for _ in 0..2 {
        leaf.node.call("hub").expect_success("the call");
        for end in [&leaf, &hub] {
            end.execute();
        }
    }
    leaf.node.call("hub").expect_success("the last call");
    leaf.execute();
    hub.execute();
    let mut arrivals = leaf.mail.arrivals();
    arrivals.extend(hub.mail.arrivals());
    judge(&[from_leaf, from_hub].concat(), &arrivals).expect_good(test);
    assert_eq!(leaf.node.leftovers(), Vec::<String>::new());
    assert_eq!(hub.node.leftovers(), Vec::<String>::new());
}

#[test]
fn exim_and_sendmail_by_rmail() {
    let sides = (Side::Ours, Side::Ours);
    exchange(
        "mail: Exim and Sendmail by rmail",
        (EXIM_RMAIL, SENDMAIL),
        sides,
        1,
    );
}

#[test]
fn opensmtpd_and_postfix_by_rmail() {
    let sides = (Side::Ours, Side::Taylor);
    exchange(
        "mail: OpenSMTPD and Postfix by rmail",
        (OPENSMTPD, POSTFIX),
        sides,
        1,
    );
}
