//! What it costs between two of ours to call over TLS, and to take from the talking thread what it does not need.

use suite_tests::node::Reach;
use suite_tests::programs::Side;

use crate::calls::{Pair, call, megabytes, pair, pair_reached};
use crate::table::{Better, Table};

/// Empty calls, mails and a large file over TLS, beside TCP; empty calls with the kernel's check, beside calls without.
pub(crate) fn all(table: &mut Table, count: usize, size: usize) {
    empty_call(table, "over TLS, beside TCP", over_tls, over_tcp);
    empty_call(
        table,
        "confined, beside confine = false",
        over_tcp,
        unconfined,
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
    table.compare_best(
        &name,
        "MB/s",
        Better::More,
        || over_tls().file(size),
        || over_tcp().file(size),
    );
}

fn empty_call(table: &mut Table, what: &str, with: fn() -> Pair, without: fn() -> Pair) {
    table.compare(
        &format!("empty call, t, {what}"),
        "ms",
        Better::Less,
        || 1e3 * call(&with()),
        || 1e3 * call(&without()),
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
    pair_reached(Side::Ours, Side::Ours, "t", |leaf, hub| {
        leaf.befriend(hub);
        let listener = hub.listen_encrypted();
        let reach = Reach::Tls(listener.port());
        (listener, reach)
    })
}
