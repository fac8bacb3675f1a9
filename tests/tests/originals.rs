//! What a recipient was called before Postfix rewrote it: from the word of pipe(8) to the batch that the far rsmtp reads.
//!
//! ```text
//! Postfix of leaf (aliases) ─ postfix-uucp ─ outbox ─ uucico ══ TCP ══ uucico ─ uuxqt ─ rsmtp, which here only keeps the batch
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::collections::BTreeMap;

use suite_tests::mail_host::{MailHost, Postfix};
use suite_tests::node::{Node, Reach, walk};
use suite_tests::peers::Layer;
use suite_tests::process;
use suite_tests::programs::{self, Side};
use suite_tests::smtp::{self, Message};
use suite_tests::waiting::waiting;
use suite_tests::{Site, peers_with_or_skip};
use uucp_core::bsmtp::{Event, Reader};

const MASTER: &str = include_str!("../../conf-snippets/postfix/master.cf");
const MAIN: &str = include_str!("../../conf-snippets/postfix/main.cf");
const TRANSPORT: &str = include_str!("../../conf-snippets/postfix/transport");

/// Who is written to, who gets it, and ORCPT as the batch has it.
const PEOPLE: &[(&str, &[&str], &str)] = &[
    (
        "bob@hub.example",
        &["bob@hub.example"],
        "rfc822;bob@hub.example",
    ),
    (
        "info@leaf.example",
        &["carol@hub.example"],
        "rfc822;info@leaf.example",
    ),
    (
        "all@leaf.example",
        &["dave@hub.example", "erin@hub.example"],
        "rfc822;all@leaf.example",
    ),
    (
        "-dash@leaf.example",
        &["frank@hub.example"],
        "rfc822;-dash@leaf.example",
    ),
    (
        "-x@hub.example",
        &["-x@hub.example"],
        "rfc822;-x@hub.example",
    ),
    (
        "a+b=c@leaf.example",
        &["grace@hub.example"],
        "rfc822;a+2Bb+3Dc@leaf.example",
    ),
    (
        r#""two words"@leaf.example"#,
        &["henry@hub.example"],
        r#"rfc822;"two+20words"@leaf.example"#,
    ),
];

const ALIASES: &str = "/^info@leaf/ carol@hub.example\n/^all@leaf/ dave@hub.example, erin@hub.example\n\
    /^-dash@leaf/ frank@hub.example\n/^a\\+b=c@leaf/ grace@hub.example\n/two words.*@leaf/ henry@hub.example\n";

/// Who gets the message, and ORCPT.
fn everybody() -> impl Iterator<Item = (String, String)> {
    PEOPLE.iter().flat_map(|(_, people, orcpt)| {
        let people = people.iter();
        people.map(|who| ((*who).to_owned(), (*orcpt).to_owned()))
    })
}

/// The recipients of all batches that hub's rsmtp was given, with their ORCPT.
fn arrived(hub: &Node) -> BTreeMap<String, Option<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = BTreeMap::new();
    walk(&hub.path("stored"), &mut |path| {
        let batch = std::fs::read(path).unwrap();
        let mut reader = Reader::default();
        let mut rest = &batch[..];
        while !rest.is_empty() {
            let (used, event) = reader.read(rest);
            rest = &rest[used..];
            match event {
                Some(Event::Begin(transaction)) => {
                    assert!(transaction.refused.is_empty(), "{:?}", transaction.refused);
                    for recipient in transaction.recipients {
                        let orcpt = recipient.orcpt.as_deref().map(text);
                        let address = text(recipient.address.as_bytes());
                        assert!(found.insert(address, orcpt).is_none(), "twice");
                    }
                }
                Some(Event::Fault(fault) | Event::Broken(fault)) => panic!("{fault}"),
                _ => {}
            }
        }
        assert!(reader.finish().cut.is_none());
    });
    found
}

/// Sends one message to everybody; what arrived at hub.
fn sent() -> Option<BTreeMap<String, Option<String>>> {
    let peers = peers_with_or_skip("postfix: original recipients", &[Layer::Postfix])?;
    let site = Site::new("originals");
    let (leaf, hub) = (
        Node::new(&site, "leaf", Side::Ours),
        Node::new(&site, "hub", Side::Ours),
    );
    hub.add_store_command();
    hub.write_script(
        "bin/rsmtp",
        &format!(
            "#!/bin/sh\nexec '{}' batch.$$\n",
            hub.path("bin/store").display()
        ),
    );
    leaf.write(
        "etc/mail.toml",
        "domain = \"leaf.example\"\n[sending]\nformat = \"bsmtp\"\nfar-end = \"bangpath\"\n",
    );
    leaf.write("aliases", ALIASES);
    let program = format!(
        "{} -I {}",
        programs::bin("postfix-uucp").display(),
        leaf.config().display()
    );
    let (uucp, _) = MASTER.split_once("# From UUCP neighbours").unwrap();
    let master = uucp.replace("/usr/lib/bangpath/postfix-uucp", &program);
    let aliases = leaf.path("aliases").display().to_string();
    let main = format!("{MAIN}virtual_alias_maps = regexp:{aliases}\n");
    let mta = MailHost::start(
        &site,
        peers,
        "mail",
        &Postfix {
            main: &main,
            master: &master,
            transport: TRANSPORT,
            binds: &[programs::build(), leaf.folder()],
        },
    );
    let listener = hub.listen();
    leaf.add_neighbour("hub", "t", &Reach::Tcp(listener.port()), "");
    hub.add_neighbour("leaf", "t", &Reach::Never, "");
    let message = Message {
        sender: "ann@leaf.example".to_owned(),
        recipients: PEOPLE.iter().map(|(to, _, _)| (*to).to_owned()).collect(),
        content: b"Subject: hello\n\nhello\n".to_vec(),
    };
    smtp::send_all(mta.port(), &[message], 1);
    process::wait_for("Postfix to queue it for UUCP", process::PATIENCE, || {
        (waiting(&leaf, "hub").len() == everybody().count() && mta.queued() == 0).then_some(())
    });
    leaf.call("hub").expect_success("the call");
    hub.run("uuxqt", &[]).expect_success("uuxqt");
    assert_eq!(hub.leftovers(), Vec::<String>::new());
    Some(arrived(&hub))
}

#[test]
fn what_recipients_were_called_before_arrives_in_the_batch() {
    let Some(found) = sent() else {
        return;
    };
    assert_eq!(
        found,
        everybody().map(|(who, orcpt)| (who, Some(orcpt))).collect()
    );
}
