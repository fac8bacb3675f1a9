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
use suite_tests::nncp::Nncp;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Layer;
use suite_tests::programs::Side;
use suite_tests::receiving::nncp_exec;
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
type End = (Kind, &'static str);

const POSTFIX: End = (Kind::Postfix, "");
const SENDMAIL: End = (Kind::Sendmail, "");
const OPENSMTPD: End = (Kind::OpenSmtpd, "");
const EXIM_RMAIL: End = (Kind::Exim, "uucp_rmail");
const EXIM: End = (Kind::Exim, "uucp_pipe");

/// Batches between two of ours.
const BATCHES: &str =
    "[sending]\nformat = \"bsmtp\"\nfar-end = \"bangpath\"\ncompression = \"zstd\"\n";

/// Batches for anybody, without parameters.
const PLAIN_BATCHES: &str = "[sending]\nformat = \"bsmtp\"\n";

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

/// Two ends, and the letters of both.
struct Exchange {
    leaf: Correspondent,
    hub: Correspondent,
    letters: Vec<Letter>,
}

impl Exchange {
    /// Hands the letters to the MTAs.
    fn begin(leaf: Correspondent, hub: Correspondent, kinds: (Kind, Kind), rounds: usize) -> Self {
        let from_leaf = letters("leaf", FROM_LEAF, kinds.0, rounds);
        let from_hub = letters("hub", FROM_HUB, kinds.1, rounds);
        leaf.post(&from_leaf);
        hub.post(&from_hub);
        Self {
            leaf,
            hub,
            letters: [from_leaf, from_hub].concat(),
        }
    }

    fn execute(&self) {
        self.leaf.execute();
        self.hub.execute();
    }

    fn flush(&self) {
        self.leaf.flush();
        self.hub.flush();
    }

    fn end(&self, test: &str) {
        let mut arrivals = self.leaf.mail.arrivals();
        arrivals.extend(self.hub.mail.arrivals());
        judge(&self.letters, &arrivals).expect_good(test);
        assert_eq!(self.leaf.node.leftovers(), Vec::<String>::new());
        assert_eq!(self.hub.node.leftovers(), Vec::<String>::new());
    }
}

/// Exchanges letters over UUCP of these sides. `sending` is how both queue.
fn by_uucp(test: &str, ends: (End, End), sides: (Side, Side), sending: &str) {
    let layers = [ends.0.0.layer(), ends.1.0.layer()];
    let Some(peers) = peers_with_or_skip(test, &layers) else {
        return;
    };
    let site = Site::new("mail");
    let leaf = Node::new(&site, "leaf", sides.0);
    let hub = Node::new(&site, "hub", sides.1);
    let listener = hub.listen();
    leaf.add_neighbour("hub", "t", &Reach::Tcp(listener.port()), "");
    hub.add_neighbour("leaf", "t", &Reach::Never, "");
    let leaf = Correspondent::start(&site, peers, leaf, ends.0, sending);
    let hub = Correspondent::start(&site, peers, hub, ends.1, sending);
    let exchange = Exchange::begin(leaf, hub, (ends.0.0, ends.1.0), 1);
    // The second call brings the reports about what the first brought, the third finds nothing left.
    for _ in 0..3 {
        if sides != (Side::Ours, Side::Ours) {
            // Ours packs by itself when a call begins; Taylor's knows of no outbox.
            exchange.flush();
        }
        exchange.leaf.node.call("hub").expect_success("the call");
        exchange.execute();
    }
    exchange.end(test);
}

/// Exchanges letters over NNCP; everything that came is tossed three times.
fn by_nncp(test: &str, ends: (End, End)) {
    let layers = [ends.0.0.layer(), ends.1.0.layer(), Layer::Nncp];
    let Some(peers) = peers_with_or_skip(test, &layers) else {
        return;
    };
    let site = Site::new("mail");
    let nodes = ["leaf", "hub"].map(|name| Node::new(&site, name, Side::Ours));
    let execs = nodes.each_ref().map(nncp_exec);
    let nncp = Nncp::pair(&site, peers, [("leaf", &execs[0]), ("hub", &execs[1])]);
    for (node, (neighbour, nncp)) in nodes.iter().zip(["hub", "leaf"].iter().zip(&nncp)) {
        node.add_neighbour(neighbour, "t", &Reach::Never, "");
        node.write_script("bin/nncp-exec", &nncp.exec_script());
    }
    let sending = |node: &Node| {
        let program = node.path("bin/nncp-exec").display().to_string();
        format!("{BATCHES}carrier = \"nncp\"\nnncp-exec = \"{program}\"\n")
    };
    let [leaf, hub] = nodes;
    let (of_leaf, of_hub) = (sending(&leaf), sending(&hub));
    let leaf = Correspondent::start(&site, peers, leaf, ends.0, &of_leaf);
    let hub = Correspondent::start(&site, peers, hub, ends.1, &of_hub);
    let exchange = Exchange::begin(leaf, hub, (ends.0.0, ends.1.0), 1);
    for _ in 0..3 {
        exchange.flush();
        nncp[0].bring_to(&nncp[1]);
        nncp[1].bring_to(&nncp[0]);
        for _ in 0..3 {
            for node in &nncp {
                node.toss().expect_success("nncp-toss");
            }
        }
        exchange.execute();
    }
    assert_eq!(nncp.each_ref().map(Nncp::waiting), [0, 0], "packets stay");
    exchange.end(test);
}

const OURS: (Side, Side) = (Side::Ours, Side::Ours);

#[test]
fn exim_and_sendmail_by_rmail() {
    let test = "mail: Exim and Sendmail by rmail";
    by_uucp(test, (EXIM_RMAIL, SENDMAIL), OURS, "");
}

#[test]
fn opensmtpd_and_postfix_by_rmail() {
    let test = "mail: OpenSMTPD and Postfix by rmail";
    by_uucp(test, (OPENSMTPD, POSTFIX), (Side::Ours, Side::Taylor), "");
}

#[test]
fn exim_and_postfix_in_batches() {
    let test = "mail: Exim and Postfix in batches";
    by_uucp(test, (EXIM, POSTFIX), OURS, BATCHES);
}

#[test]
fn exim_and_sendmail_in_batches_by_taylor() {
    let test = "mail: Exim and Sendmail in batches, called by Taylor";
    by_uucp(
        test,
        (EXIM, SENDMAIL),
        (Side::Taylor, Side::Ours),
        PLAIN_BATCHES,
    );
}

#[test]
fn postfix_and_postfix_in_batches_to_taylor() {
    let test = "mail: Postfix and Postfix in batches, answered by Taylor";
    by_uucp(
        test,
        (POSTFIX, POSTFIX),
        (Side::Ours, Side::Taylor),
        BATCHES,
    );
}

#[test]
fn exim_and_postfix_over_nncp() {
    by_nncp("mail: Exim and Postfix over NNCP", (EXIM, POSTFIX));
}
