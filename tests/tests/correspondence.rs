//! From one real MTA to another over a real link, both ways: every letter once, envelopes exact, refusals reported to the
//! sender, across the link, once. The MTAs are configured by the lines of `conf-snippets/`.
//!
//! A first call finds the far MTA down; some recipients shall come again until the last day. `BANGPATH_LETTERS=1000` runs it in
//! earnest.
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

use std::path::PathBuf;

use suite_tests::correspondent::{Correspondent, Kind};
use suite_tests::letters::{self, Fate, Letter, Route, judge};
use suite_tests::mail_host::Day;
use suite_tests::nncp::Nncp;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Layer;
use suite_tests::programs::Side;
use suite_tests::receiving::nncp_exec;
use suite_tests::smtp::Message;
use suite_tests::{Site, peers_with_or_skip, scale};

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
const EXIM_FILES: End = (Kind::Exim, "uucp_files");

/// How many letters go each way, unless the environment says it.
const LETTERS: usize = 45;

const OURS: (Side, Side) = (Side::Ours, Side::Ours);

/// Batches between two of ours.
const BATCHES: &str =
    "[sending]\nformat = \"bsmtp\"\nfar-end = \"bangpath\"\ncompression = \"zstd\"\n";

/// Batches for anybody, without parameters.
const PLAIN_BATCHES: &str = "[sending]\nformat = \"bsmtp\"\n";

/// So many letters, of every kind that the first MTA takes, for the second.
fn letters(tag: &str, route: Route, (from, to): (Kind, Kind), count: usize) -> Vec<Letter> {
    let takes_utf8 = |kind| matches!(kind, Kind::Postfix | Kind::Exim);
    let is_taken = |letter: &Letter| {
        let Message {
            sender, recipients, ..
        } = &letter.message;
        let is_ascii = sender.is_ascii() && recipients.iter().all(|address| address.is_ascii());
        let is_plain = recipients.iter().all(|address| !address.starts_with('"'));
        (takes_utf8(from) || is_ascii) && (from != Kind::OpenSmtpd || is_plain)
    };
    let of_round = |round: usize| {
        let tag = format!("{tag}{round}");
        let patient = letters::of_patience(&tag, route);
        patient
            .into_iter()
            .chain(letters::of_every_kind(&tag, route))
    };
    let mut all: Vec<Letter> = (0..)
        .flat_map(of_round)
        .filter(is_taken)
        .take(count)
        .collect();
    for letter in &mut all {
        // Who has no UTF-8 can neither take this nor tell its sender.
        if !takes_utf8(to) && !letter.message.sender.is_ascii() {
            letter.fates.fill(Fate::Silent);
        }
    }
    all
}

/// Two ends, and the letters of both.
struct Exchange {
    leaf: Correspondent,
    hub: Correspondent,
    letters: Vec<Letter>,
}

impl Exchange {
    /// Hands the letters to the MTAs.
    fn begin(leaf: Correspondent, hub: Correspondent, kinds: (Kind, Kind)) -> Self {
        let count = scale::letters(LETTERS);
        let from_leaf = letters("leaf", FROM_LEAF, kinds, count);
        let from_hub = letters("hub", FROM_HUB, (kinds.1, kinds.0), count);
        leaf.post(&from_leaf);
        hub.post(&from_hub);
        Self {
            leaf,
            hub,
            letters: [from_leaf, from_hub].concat(),
        }
    }

    /// What happens at both ends between calls: what came is run, what the MTAs have for the other end is packed.
    fn settle(&self, flush: bool) {
        for end in [&self.leaf, &self.hub] {
            end.execute();
        }
        for end in [&self.leaf, &self.hub] {
            end.collect();
            if flush {
                end.flush();
            }
        }
    }

    /// Brings everything over and to an end. `bring` is one call, and whatever it runs of what it brings.
    fn run(&mut self, flush: bool, mut bring: impl FnMut(&Self)) {
        // The first call finds an MTA that is down.
        self.settle(flush);
        self.hub.stop_mail();
        bring(self);
        self.hub.run_what_came();
        self.hub.start_mail(Day::Usual);
        self.settle(flush);
        // Who shall come again does so.
        for end in [&mut self.leaf, &mut self.hub] {
            end.stop_mail();
            end.start_mail(Day::Generous);
        }
        // The second call brings the reports about what the first brought, the third finds nothing left.
        for _ in 0..2 {
            self.settle(flush);
            bring(self);
        }
        self.settle(flush);
    }

    fn end(&self, test: &str) {
        let mut arrivals = self.leaf.mail.arrivals();
        arrivals.extend(self.hub.mail.arrivals());
        judge(&self.letters, &arrivals).expect_good(test);
        for end in [&self.leaf, &self.hub] {
            assert_eq!(end.node.leftovers(), Vec::<String>::new());
            assert_eq!(end.files(), Vec::<PathBuf>::new());
        }
        let aside = [&self.leaf, &self.hub].map(|end| letters::set_aside(&end.node.spool()));
        assert_eq!(aside.iter().sum::<usize>(), letters::untold(&self.letters));
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
    let mut exchange = Exchange::begin(leaf, hub, (ends.0.0, ends.1.0));
    // Ours packs by itself when a call begins; Taylor's knows of no outbox.
    let flush = sides != OURS;
    exchange.run(flush, |both| {
        both.leaf.node.call("hub").expect_success("the call");
    });
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
    let mut exchange = Exchange::begin(leaf, hub, (ends.0.0, ends.1.0));
    exchange.run(true, |_| {
        nncp[0].bring_to(&nncp[1]);
        nncp[1].bring_to(&nncp[0]);
        for _ in 0..3 {
            for node in &nncp {
                node.toss().expect_success("nncp-toss");
            }
        }
    });
    assert_eq!(nncp.each_ref().map(Nncp::waiting), [0, 0], "packets stay");
    exchange.end(test);
}

const BY_TAYLOR: (Side, Side) = (Side::Taylor, Side::Taylor);

/// One scenario: its name, and what it is called with.
macro_rules! scenarios {
    ($($name:ident: $by:ident($($argument:expr),*);)*) => {
        $(
            #[test]
            fn $name() {
                $by(concat!("mail: ", stringify!($name)), $($argument),*);
            }
        )*
    };
}

scenarios! {
    exim_and_sendmail_by_rmail: by_uucp((EXIM_RMAIL, SENDMAIL), OURS, "");
    opensmtpd_and_postfix_by_rmail: by_uucp((OPENSMTPD, POSTFIX), (Side::Ours, Side::Taylor), "");

    exim_and_postfix: by_uucp((EXIM, POSTFIX), OURS, BATCHES);
    exim_and_postfix_by_taylor: by_uucp((EXIM, POSTFIX), BY_TAYLOR, PLAIN_BATCHES);
    exim_and_postfix_over_nncp: by_nncp((EXIM, POSTFIX));
    exim_and_sendmail: by_uucp((EXIM, SENDMAIL), OURS, PLAIN_BATCHES);
    exim_and_sendmail_called_by_taylor: by_uucp((EXIM, SENDMAIL), (Side::Taylor, Side::Ours), PLAIN_BATCHES);
    exim_and_sendmail_over_nncp: by_nncp((EXIM, SENDMAIL));
    postfix_and_postfix: by_uucp((POSTFIX, POSTFIX), OURS, BATCHES);
    postfix_and_postfix_answered_by_taylor: by_uucp((POSTFIX, POSTFIX), (Side::Ours, Side::Taylor), BATCHES);
    postfix_and_postfix_over_nncp: by_nncp((POSTFIX, POSTFIX));

    files_of_exim_and_postfix: by_uucp((EXIM_FILES, POSTFIX), OURS, BATCHES);
    files_of_exim_and_postfix_answered_by_taylor: by_uucp((EXIM_FILES, POSTFIX), (Side::Ours, Side::Taylor), BATCHES);
    files_of_exim_and_postfix_over_nncp: by_nncp((EXIM_FILES, POSTFIX));
    files_of_exim_and_sendmail: by_uucp((EXIM_FILES, SENDMAIL), OURS, BATCHES);
    files_of_exim_and_sendmail_by_taylor: by_uucp((EXIM_FILES, SENDMAIL), BY_TAYLOR, PLAIN_BATCHES);
    files_of_exim_and_sendmail_over_nncp: by_nncp((EXIM_FILES, SENDMAIL));
}
