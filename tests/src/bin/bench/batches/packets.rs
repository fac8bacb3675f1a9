//! Batches by NNCP: an outbox into packets, and packets into Exim, beside one packet a mail.

use std::time::Instant;

use suite_tests::Site;
use suite_tests::mail_host::{Exim, MailHost};
use suite_tests::maildir::add_receivers;
use suite_tests::nncp::Nncp;
use suite_tests::node::Node;
use suite_tests::peers::Peers;
use suite_tests::process;
use suite_tests::programs;

use super::queueing::queued;
use super::unbatching::delivery;
use super::{batch, node, transactions};
use crate::calls::per_second;
use crate::mail::messages;
use crate::table::{self, Better, Table};

/// An outbox into packets; the classic way runs nncp-exec for each mail.
pub(crate) fn flushing(table: &mut Table, peers: &Peers, count: usize) {
    let classic = || {
        let folder = Site::new("bench");
        let [leaf, _hub] = Nncp::pair(&folder, peers, [("leaf", ""), ("hub", "")]);
        let messages = messages(few(count));
        let start = Instant::now();
        for message in &messages {
            leaf.exec(
                "hub",
                &["rsmtp"],
                &transactions(std::slice::from_ref(message)),
            );
        }
        let rate = per_second(messages.len(), start.elapsed().as_secs_f64());
        table::keep(folder);
        rate
    };
    table.compare(
        "batches: outbox into NNCP packets, against nncp-exec for each mail",
        "/s",
        Better::More,
        || {
            let folder = Site::new("bench");
            let [nncp, _hub] = Nncp::pair(&folder, peers, [("leaf", ""), ("hub", "")]);
            let leaf = filled(&folder, &nncp, count);
            let start = Instant::now();
            flush(&leaf, &folder);
            let rate = per_second(count, start.elapsed().as_secs_f64());
            assert_eq!(queued(&leaf), 0, "not all was packed");
            table::keep(folder);
            rate
        },
        classic,
    );
}

/// The classic way's rate does not depend on how many there are.
fn few(count: usize) -> usize {
    (count / 5).max(1)
}

/// Leaf with `count` mails in its outbox, which NNCP carries.
fn filled(folder: &Site, nncp: &Nncp, count: usize) -> Node {
    let leaf = node(folder, "leaf", "hub");
    leaf.write_script("bin/nncp-exec", &nncp.exec_script());
    let exec = leaf.path("bin/nncp-exec").display().to_string();
    let sending = format!(
        "[sending]\nformat = \"bsmtp\"\nfar-end = \"bangpath\"\ncarrier = \"nncp\"\nnncp-node = \"hub\"\nnncp-exec = \"{exec}\"\n"
    );
    leaf.write("etc/mail.toml", &sending);
    let mut command = leaf.command_of(&programs::bin("exim-bsmtp"));
    command.args(["--id=all", "hub"]);
    process::run_with_input(command, &batch(count), folder.path()).expect_success("exim-bsmtp");
    assert_eq!(queued(&leaf), count, "not all is queued");
    leaf
}

fn flush(leaf: &Node, folder: &Site) {
    let mut command = leaf.command_of(&programs::bin("exim-bsmtp"));
    command.arg("--flush");
    process::run(command, folder.path()).expect_success("exim-bsmtp --flush");
}

/// Packets into Exim: ours hold batches, which rsmtp takes apart; the classic ones a mail each, for `sendmail -bS`.
pub(crate) fn tossing(table: &mut Table, peers: &Peers, count: usize) {
    table.compare(
        "batches: NNCP packets into Exim, against one a mail and sendmail -bS",
        "/s",
        Better::More,
        || {
            let hub = Hub::new(peers, |nncp, folder| {
                flush(&filled(folder, nncp, count), folder);
            });
            per_second(count, hub.toss())
        },
        || {
            let messages = messages(few(count));
            let hub = Hub::new(peers, |nncp, _| {
                for message in &messages {
                    let input = transactions(std::slice::from_ref(message));
                    nncp.exec("hub", &["classic"], &input);
                }
            });
            per_second(messages.len(), hub.toss())
        },
    );
}

/// An Exim host to which packets have come.
struct Hub {
    folder: Site,
    nncp: Nncp,
    node: Node,
    host: MailHost,
}

impl Hub {
    fn new(peers: &Peers, send: impl FnOnce(&Nncp, &Site)) -> Self {
        let folder = Site::new("bench");
        let hub = node(&folder, "hub", "leaf");
        add_receivers(&hub);
        let rsmtp = hub.path("bin/rsmtp").display().to_string();
        let exec = format!(
            "      exec: {{\n        rsmtp: [\"{rsmtp}\"]\n        classic: [\"/usr/sbin/sendmail\", \"-bS\"]\n      }}"
        );
        let [nncp, leaf] = Nncp::pair(&folder, peers, [("hub", &exec), ("leaf", "")]);
        send(&leaf, &folder);
        leaf.bring_to(&nncp);
        let exim = Exim {
            main: "trusted_users = uucp\nqueue_only\n",
            ..Exim::default()
        };
        let programs = [nncp.programs()];
        let host = MailHost::start_seeing(&programs, &folder, peers, "hub", &exim);
        hub.write("etc/mail.toml", &delivery(host.port(), 4));
        Self {
            folder,
            nncp,
            node: hub,
            host,
        }
    }

    /// Seconds that it takes until all packets are tossed.
    fn toss(self) -> f64 {
        let toss = self.nncp.programs().join("nncp-toss");
        let host = self.host.host();
        let mut command = host.command_as(Some(self.node.owner()), &toss, &["-quiet", "-cfg"]);
        command.arg(self.nncp.config());
        let start = Instant::now();
        process::run(command, self.folder.path()).expect_success("nncp-toss");
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(self.nncp.waiting(), 0, "packets stay");
        let Self { folder, host, .. } = self;
        drop(host);
        table::keep(folder);
        seconds
    }
}
