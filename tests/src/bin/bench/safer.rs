//! What it costs between two of ours to call over TLS, and to take from the talking thread what it does not need.

use suite_tests::Site;
use suite_tests::node::{Node, Reach};
use suite_tests::programs::Side;

use crate::calls::{Pair, call, megabytes, pair};
use crate::table::{self, Better, Table};

/// Empty calls, mails and a large file over TLS, beside TCP; empty calls with the kernel's check, beside calls without.
pub(crate) fn all(table: &mut Table, count: usize, size: usize) {
    table.compare(
        "empty call, t, over TLS, beside TCP",
        "ms",
        Better::Less,
        || 1e3 * call(&over_tls()),
        || 1e3 * call(&over_tcp()),
    );
    table.compare(
        "empty call, t, confined, beside confine = false",
        "ms",
        Better::Less,
        || 1e3 * call(&over_tcp()),
        || 1e3 * call(&unconfined()),
    );
    table.compare(
        "mails of 4 KB, t, over TLS, beside TCP",
        "/s",
        Better::More,
        || over_tls().mails(count),
        || over_tcp().mails(count),
    );
    let name = format!(
        "one file of {:.0} MB, t, over TLS, beside TCP",
        megabytes(size)
    );
    table.compare_highest(
        &name,
        "MB/s",
        || over_tls().file(size),
        || over_tcp().file(size),
    );
}

fn over_tcp() -> Pair {
    pair(Side::Ours, Side::Ours, "t")
}

fn unconfined() -> Pair {
    let pair = over_tcp();
    for node in [&pair.leaf, &pair.hub] {
        node.write("etc/mail.toml", "confine = false\n");
    }
    pair
}

fn over_tls() -> Pair {
    let folder = Site::new("bench");
    let (leaf, hub) = (
        Node::new(&folder, "leaf", Side::Ours),
        Node::new(&folder, "hub", Side::Ours),
    );
    leaf.befriend(&hub);
    let listener = hub.listen_encrypted();
    leaf.add_neighbour("hub", "t", &Reach::Tls(listener.port()), "");
    hub.add_neighbour("leaf", "t", &Reach::Never, "");
    table::keep(folder);
    Pair::new(leaf, hub, listener)
}
