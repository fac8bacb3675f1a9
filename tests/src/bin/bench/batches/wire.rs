//! What the same mail weighs on the wire, by the way it is sent.

use suite_tests::Site;
use suite_tests::mailbag::Mailbag;
use suite_tests::middle::{Middle, Tampering};
use suite_tests::node::{Node, Reach};
use suite_tests::process;
use suite_tests::programs::{self, Side};
use suite_tests::smtp::Message;

use super::{node, transactions};
use crate::table;

/// The mail that is measured, and other mail of the same people, from which a dictionary is trained.
const SEEDS: (u64, u64) = (1, 2);

/// Prints the bytes that a caller sends, protocol t, for each way to send.
pub(crate) fn table(only: &str, count: usize) {
    if !"batches: bytes on the wire".contains(only) {
        return;
    }
    let mails = Mailbag::new(SEEDS.0).take(count);
    let plain: usize = mails.iter().map(|mail| mail.content.len()).sum();
    println!(
        "\n{count} mails, {plain} bytes of header and body.\n\n\
         | batches: bytes on the wire | Bytes | Of rmail's |\n| --- | ---: | ---: |"
    );
    let singles = "batch-messages = 1\n";
    let ways = [
        ("rmail, a job for each mail", String::new()),
        ("batches, plain", String::new()),
        ("batches, gzip", "compression = \"gzip\"\n".to_owned()),
        ("batches, zstd", "compression = \"zstd\"\n".to_owned()),
        ("batches, xz", "compression = \"xz\"\n".to_owned()),
        ("each mail alone, plain", singles.to_owned()),
        (
            "each mail alone, gzip",
            format!("{singles}compression = \"gzip\"\n"),
        ),
        (
            "each mail alone, zstd",
            format!("{singles}compression = \"zstd\"\n"),
        ),
        (
            "each mail alone, zstd with a dictionary",
            format!("{singles}compression = \"zstd\"\ndictionary = "),
        ),
    ];
    let mut of_rmail = None;
    for (name, sending) in ways {
        let format = if of_rmail.is_none() { "rmail" } else { "bsmtp" };
        let bytes = passed(
            &mails,
            &format!("[sending]\nformat = \"{format}\"\n{sending}"),
        );
        let whole = *of_rmail.get_or_insert(bytes);
        println!("| {name} | {bytes} | {} % |", bytes * 100 / whole);
    }
}

/// Queues the mails with these lines of `mail.toml`, calls, and counts what the caller sends.
fn passed(mails: &[Message], sending: &str) -> u64 {
    let folder = Site::new("bench");
    let hub = node(&folder, "hub", "leaf");
    let listener = hub.listen();
    let middle = Middle::new();
    let leaf = Node::new(&folder, "leaf", Side::Ours);
    leaf.add_neighbour("hub", "t", &Reach::Tcp(middle.port()), "");
    let mut text = sending.to_owned();
    if sending.ends_with("dictionary = ") {
        text += &["\"", &trained(&leaf, &folder), "\"\n"].concat();
    }
    leaf.write("etc/mail.toml", &text);
    queue(&leaf, &folder, mails, sending.contains("rmail"));
    let passage = middle.pass(listener.port(), Tampering::None);
    leaf.call("hub").expect_success("the call");
    let bytes = passage.finish();
    let is_done = leaf.leftovers().is_empty() && super::queueing::queued(&leaf) == 0;
    assert!(is_done, "not all was sent: {:?}", leaf.leftovers());
    table::keep(folder);
    bytes
}

fn queue(leaf: &Node, folder: &Site, mails: &[Message], by_rmail: bool) {
    if !by_rmail {
        let mut command = leaf.command_of(&programs::bin("exim-bsmtp"));
        command.args(["--id=all", "hub"]);
        let input = transactions(mails);
        process::run_with_input(command, &input, folder.path()).expect_success("exim-bsmtp");
        return;
    }
    for (number, mail) in mails.iter().enumerate() {
        let mut command = leaf.command_of(&programs::bin("postfix-uucp"));
        command
            .arg("--host=hub")
            .arg(format!("--from={}", mail.sender))
            .arg(format!("--queue-id={number}"))
            .arg("--")
            .args(&mail.recipients);
        process::run_with_input(command, &mail.content, folder.path())
            .expect_success("postfix-uucp");
    }
}

/// The id of a dictionary that the link has learnt from other mail.
fn trained(leaf: &Node, folder: &Site) -> String {
    let samples = folder.path().join("samples");
    std::fs::create_dir(&samples).expect("a folder");
    for (number, mail) in Mailbag::new(SEEDS.1).take(1000).iter().enumerate() {
        std::fs::write(samples.join(number.to_string()), &mail.content).expect("a sample");
    }
    leaf.write("etc/mail.toml", "");
    let mut command = leaf.command_of(&programs::bin("exim-bsmtp"));
    command.args(["--train", "hub"]).arg(&samples);
    let finished = process::run(command, folder.path());
    finished.expect_success("exim-bsmtp --train");
    let said = finished.output.split_whitespace().nth(1);
    said.expect("dictionary ID for hub").to_owned()
}
