//! What waits in a node's outbox for a neighbour, message by message, as if it had been delivered from there.

use std::io::Read;

use uucp_core::name::SystemName;
use uucp_core::outbox::Outbox;
use uucp_core::spool::{Spool, SpoolPaths};

use crate::mail_host::Arrival;
use crate::node::Node;

/// The messages that wait at `node` for `system`, one for each recipient.
pub fn waiting(node: &Node, system: &str) -> Vec<Arrival> {
    let name = |text: &str| SystemName::parse(text.as_bytes()).expect("a system's name");
    let spool = Spool::open_at(SpoolPaths {
        nodename: name(node.name()),
        root: node.spool(),
        lockdir: node.path("lock"),
    });
    let spool = spool.expect("the spool");
    let outbox = Outbox::new(&spool, &name(system));
    let mut found = Vec::new();
    for entry in outbox.list().expect("the outbox") {
        let entry = outbox.open(&entry).expect("a message");
        let mut entry = entry.expect("nobody packs now");
        let mut content = Vec::new();
        entry.content.read_to_end(&mut content).expect("its text");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let envelope = &entry.head.transaction;
        found.extend(envelope.recipients.iter().map(|recipient| Arrival {
            sender: text(envelope.sender.as_bytes()),
            recipient: text(recipient.address.as_bytes()),
            content: content.clone(),
        }));
    }
    found
}
