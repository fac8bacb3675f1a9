//! Batched SMTP: what it costs to queue, collect, pack, carry and unbatch it, beside what people do without it.

mod far;
mod packets;
mod queueing;
mod unbatching;
mod wire;

use suite_tests::Site;
use suite_tests::node::{Node, Reach};
use suite_tests::peers::Peers;
use suite_tests::programs::Side;
use suite_tests::smtp::Message;

use crate::mail;
use crate::table::Table;

/// All of it; mails are 4 KB each where nothing else is said.
pub(crate) fn all(table: &mut Table, peers: &Peers, count: usize) {
    queueing::one_by_one(table, count);
    queueing::collecting(table, count);
    unbatching::into_mtas(table, peers, count);
    unbatching::memory(table, 300 * count);
    packets::flushing(table, peers, count);
    packets::tossing(table, peers, count);
    far::call(table, peers, count);
}

/// Bytes on the wire; a table of its own.
pub(crate) fn wire(only: &str, count: usize) {
    wire::table(only, count);
}

/// A system of ours with a neighbour that it does not call.
fn node(folder: &Site, name: &str, neighbour: &str) -> Node {
    let node = Node::new(folder, name, Side::Ours);
    node.add_neighbour(neighbour, "", &Reach::Never, "");
    node
}

/// Messages as Exim's transports write them: no greeting, no end.
fn transactions(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(Message::in_batch).collect()
}

/// A batch of `count` plain mails.
fn batch(count: usize) -> Vec<u8> {
    let messages = transactions(&mail::messages(count));
    [b"HELO leaf.example\n", &messages[..], b"QUIT\n"].concat()
}
