//! Mail that the MTA refused for now: `uuxqt` offers it again.

use std::fs;

use uucp_core::address::ReversePath;
use uucp_core::bsmtp::Transaction;
use uucp_core::delivery::{Identity, Message};
use uucp_core::receive::kept::{Kept, KeptMail, Retry};
use uucp_core::spool::ObservedTime;

use super::node::Node;

/// Keeps a message for alice that is due at this time.
fn keep(node: &Node, next: ObservedTime) -> Identity {
    let state = node.path("spool/.Mail");
    let alpha = "alpha".parse().unwrap();
    let mut kept = Kept::open(&state, Some(&alpha), 10_000).unwrap();
    let alice = uucp_core::address::Address::parse(b"alice@beta").unwrap();
    let transaction = Transaction::new(ReversePath::Null, vec![alice.into()]);
    let name = Identity::named(&next.0.to_be_bytes());
    let mail = KeptMail {
        identity: name,
        since: ObservedTime(0),
        transaction: &transaction,
        message: &Message::from_bytes(format!("Subject: due {}\n\nx\n", next.0).into_bytes()),
    };
    kept.put(&name, &mail).unwrap();
    let retry = Retry {
        next,
        ..Retry::default()
    };
    kept.set_retry(&name, retry).unwrap();
    name
}

#[test]
fn what_is_due_is_offered_again_when_uuxqt_starts() {
    let node = Node::new();
    let mail = format!(
        "[delivery]\nmaildir = \"{}\"\n",
        node.path("mail/%u").display()
    );
    fs::write(node.path("etc/mail.toml"), mail).unwrap();
    keep(&node, ObservedTime(0));
    let later = keep(&node, ObservedTime(86_400));
    for _ in 0..2 {
        assert!(node.run(&[]).status.success());
        let mails: Vec<_> = fs::read_dir(node.path("mail/alice/new"))
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert!(mails[0].contains("Subject: due 0\n"));
        let left = node.files(".Mail/kept/alpha");
        let name = later.to_hexadecimal();
        assert_eq!(left, [name.clone(), format!("{name}.retry")]);
    }
}
