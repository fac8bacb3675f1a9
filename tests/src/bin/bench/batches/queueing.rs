//! Mail into the outbox: by the MTAs' senders, and from the files that Exim leaves.

use std::os::unix::fs::chown;
use std::time::Instant;

use suite_tests::Site;
use suite_tests::node::Node;
use suite_tests::process;
use suite_tests::programs::{self, Side};

use super::{node, transactions};
use crate::mail::{OURS, UUX, leaf, mail, messages};
use crate::repeat::{self, Descriptors::AsHere};
use crate::table::{self, Better, Table};

/// One process after the other.
pub(crate) fn one_by_one(table: &mut Table, count: usize) {
    for sender in ["exim-bsmtp", "postfix-uucp"] {
        table.compare(
            &format!("batches: {sender} into the outbox, against uux"),
            "/s",
            Better::More,
            || by_sender(sender, count),
            || by_uux(count),
        );
    }
}

fn by_sender(sender: &str, count: usize) -> f64 {
    let folder = Site::new("bench");
    let node = node(&folder, "leaf", "hub");
    node.write("etc/mail.toml", "[sending]\nformat = \"bsmtp\"\n");
    let input = folder.path().join("mail");
    let content = match sender {
        "exim-bsmtp" => transactions(&messages(1)),
        _ => mail(1),
    };
    std::fs::write(&input, content).expect("the message");
    let arguments: &[&str] = match sender {
        "exim-bsmtp" => &["--id={number}", "hub"],
        _ => OURS,
    };
    let rate = repeat::rate(
        &node,
        AsHere,
        &programs::bin(sender),
        arguments,
        &input,
        count,
    );
    assert_eq!(queued(&node), count, "not all is queued");
    table::keep(folder);
    rate
}

fn by_uux(count: usize) -> f64 {
    let folder = Site::new("bench");
    let node = leaf(&folder, Side::Taylor);
    let input = folder.path().join("mail");
    std::fs::write(&input, mail(1)).expect("the message");
    let rate = repeat::rate(
        &node,
        AsHere,
        &Side::Taylor.program("uux"),
        UUX,
        &input,
        count,
    );
    table::keep(folder);
    rate
}

/// How many messages are in leaf's outbox.
pub(super) fn queued(node: &Node) -> usize {
    node.count(".Bangpath/outbox/hub/queue")
}

/// A file to which Exim has appended.
pub(crate) fn collecting(table: &mut Table, count: usize) {
    let name = format!("batches: collecting an appendfile batch of {count} mails");
    if !table.wants(&name) {
        return;
    }
    let seconds = table.median(|| {
        let folder = Site::new("bench");
        let node = node(&folder, "leaf", "hub");
        let files = folder.path().join("bsmtp");
        std::fs::create_dir(&files).expect("a folder");
        let path = files.join("hub");
        std::fs::write(&path, transactions(&messages(count))).expect("the batch");
        for path in [&files, &path] {
            let (uid, gid) = node.owner().ids().expect("root runs the benchmark");
            chown(path, Some(uid), Some(gid)).expect("chown");
        }
        let mut command = node.command_of(&programs::bin("exim-bsmtp"));
        command.arg("--collect").arg(&files);
        let start = Instant::now();
        process::run(command, folder.path()).expect_success("exim-bsmtp --collect");
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(queued(&node), count, "not all was collected");
        table::keep(folder);
        seconds
    });
    table.row(&name, "s", Better::Less, seconds, None);
}
