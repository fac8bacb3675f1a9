//! Mail into the outbox: by the MTAs' senders, and from the files that Exim leaves.

use std::os::unix::fs::chown;
use std::time::Instant;

use suite_tests::Site;
use suite_tests::node::Node;
use suite_tests::process;
use suite_tests::programs::{self, Side};

use super::{node, transactions};
use crate::calls::per_second;
use crate::mail::{leaf, mail, messages};
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
    let program = programs::bin(sender);
    let rate = timed(&folder, count, |number| {
        let mut command = node.command_of(&program);
        match sender {
            "exim-bsmtp" => command.arg(format!("--id={number}")).arg("hub"),
            _ => command
                .args(["--host=hub", "--from=ann@leaf.example"])
                .arg(format!("--queue-id={number}"))
                .args(["--", "bob@hub.example"]),
        };
        command
    });
    assert_eq!(queued(&node), count, "not all is queued");
    table::keep(folder);
    rate
}

fn by_uux(count: usize) -> f64 {
    let folder = Site::new("bench");
    let node = leaf(&folder, Side::Taylor);
    std::fs::write(folder.path().join("mail"), mail(1)).expect("the message");
    let rate = timed(&folder, count, |_| {
        let mut command = node.command("uux");
        command
            .args(["-r", "-n", "-z", "-aann@leaf.example", "-", "hub!rmail"])
            .arg("(bob@hub.example)");
        command
    });
    table::keep(folder);
    rate
}

/// Runs `count` commands, one after the other, each with the file `mail` on its standard input.
fn timed(
    folder: &Site,
    count: usize,
    mut command: impl FnMut(usize) -> std::process::Command,
) -> f64 {
    let input = folder.path().join("mail");
    let start = Instant::now();
    for number in 0..count {
        let mut command = command(number);
        command.stdin(std::fs::File::open(&input).expect("the message"));
        let status = command.status().expect("the sender");
        assert!(status.success(), "{status}");
    }
    per_second(count, start.elapsed().as_secs_f64())
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
