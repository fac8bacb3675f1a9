//! A call over a line with a long way: from the outbox of one system to the MTA of the other.

use std::time::{Duration, Instant};

use suite_tests::Site;
use suite_tests::long_line::LongLine;
use suite_tests::mail_host::{MailHost, Setup};
use suite_tests::maildir::add_receivers;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Peers;
use suite_tests::process;
use suite_tests::programs::{self, Side};

use super::unbatching::delivery;
use super::{batch, node};
use crate::table::{self, Better, Table};

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// From the beginning of the call until Postfix has the last mail.
pub(crate) fn call(table: &mut Table, peers: &Peers, count: usize) {
    let name = format!("batches: {count} mails, outbox to Postfix, round trip 100 ms");
    if !table.wants(&name) {
        return;
    }
    let seconds = table.median(|| {
        let folder = Site::new("bench");
        let hub = node(&folder, "hub", "leaf");
        add_receivers(&hub);
        hub.set_run_uuxqt("once");
        let host = MailHost::start(&folder, peers, "hub", &Setup::default());
        hub.write("etc/mail.toml", &delivery(host.port(), 4));
        let listener = hub.listen();
        let line = LongLine::to(listener.port(), ROUND_TRIP);
        let leaf = filled(&folder, line.port(), count);
        let start = Instant::now();
        leaf.call("hub").expect_success("the call");
        let all = format!("{count} delivered");
        process::wait_for("rsmtp", process::PATIENCE, || {
            hub.log().contains(&all).then_some(())
        });
        let seconds = start.elapsed().as_secs_f64();
        drop(host);
        table::keep(folder);
        seconds
    });
    table.row(&name, "s", Better::Less, seconds, None);
}

fn filled(folder: &Site, port: u16, count: usize) -> Node {
    let leaf = Node::new(folder, "leaf", Side::Ours);
    leaf.add_neighbour("hub", "t", &Reach::Tcp(port), "");
    let sending = "[sending]\nformat = \"bsmtp\"\nfar-end = \"bangpath\"\n";
    leaf.write("etc/mail.toml", sending);
    let mut command = leaf.command_of(&programs::bin("exim-bsmtp"));
    command.args(["--id=all", "hub"]);
    process::run_with_input(command, &batch(count), folder.path()).expect_success("exim-bsmtp");
    leaf
}
