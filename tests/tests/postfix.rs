//! From one real Postfix to another: a thousand messages, none lost, none doubled, every envelope exact.
//!
//! ```text
//! Postfix of leaf ─ postfix-uucp ─ spool ─ uucico ══ TCP ══ uucico ─ spool ─ uuxqt ─ rmail ─ Postfix of hub
//! ```
//!
//! The lines that Postfix needs are those of `conf-snippets/postfix/`. The same messages also go once by plain SMTP, which
//! shows that the scenario loses nothing by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a scenario: a broken precondition stops it where it is"
)]

use std::collections::BTreeMap;

use suite_tests::mail_host::{MailHost, Postfix};
use suite_tests::maildir::add_rmail;
use suite_tests::node::{Node, Reach};
use suite_tests::payload::Random;
use suite_tests::peers::{Layer, Peers};
use suite_tests::ports::free_port;
use suite_tests::process;
use suite_tests::programs::{self, Side};
use suite_tests::smtp::{self, Message};
use suite_tests::{Site, peers_with_or_skip};

const MASTER: &str = include_str!("../../conf-snippets/postfix/master.cf");
const MAIN: &str = include_str!("../../conf-snippets/postfix/main.cf");
const TRANSPORT: &str = include_str!("../../conf-snippets/postfix/transport");

/// Local parts that some program of the classic chain splits, drops, runs or takes for an option.
const ODD: &[&str] = &[
    r#""a b""#,
    r#""p(q)""#,
    r#""x)y""#,
    r#""bs\\x""#,
    r#""semi;colon""#,
    "x!y",
    "u%h",
    "o'brien",
    "$HOME",
    "`id`",
    "a|b",
    "*",
    "~root",
    "=cut=",
    "{x}",
    "#1",
    "a&b",
    r#""quo\"te""#,
    r#""two  blanks""#,
    "a/b=c",
    "-dash",
];

/// Those of them that the command line of a job for rmail cannot carry: with a blank or a backslash inside.
const UNCARRIED: &[&str] = &[r#""a b""#, r#""bs\\x""#, r#""quo\"te""#, r#""two  blanks""#];

/// Local parts of senders of the same kind.
const ODD_SENDERS: &[&str] = &[
    "-evil",
    r#""we ird""#,
    "x!y",
    "MAILER-DAEMONX",
    "o'brien",
    "u%h",
    "$USER",
];

fn message(number: usize, random: &mut Random) -> Message {
    let mut sender = format!("ann{number}@leaf.example");
    let mut recipients = vec![format!("user{number}@hub.example")];
    let mut body = format!("This is message {number}.\n").into_bytes();
    match number % 10 {
        1 => body.extend(
            random
                .bytes(700)
                .into_iter()
                .filter(|b| !matches!(b, 0 | b'\r')),
        ),
        2 => {
            recipients.push(format!("žofie.{number}@hub.example"));
            sender = format!("müller{number}@leaf.example");
        }
        3 => body.extend([b'x'; 5_000]),
        4 => sender.clear(),
        5 => {
            let count = if number % 100 == 5 { 50 } else { 3 };
            recipients = (0..count)
                .map(|k| format!("r{k}.{number}@hub.example"))
                .collect();
        }
        6 => recipients.push(format!("{}@hub.example", ODD[number / 10 % ODD.len()])),
        7 => body.extend_from_slice(b".\n..\nFrom here\n>From there\n.From\n \n\n\nTo: nobody\n"),
        8 => body
            .extend(b"0123456789abcdef0123456789abcdef0123456789abcdef012345678\n".repeat(1_000)),
        9 => {
            sender = format!(
                "{}@leaf.example",
                ODD_SENDERS[number / 10 % ODD_SENDERS.len()]
            );
        }
        _ => {}
    }
    body.push(b'\n');
    let header = format!(
        "From: Ann <ann@leaf.example>\nTo: someone@hub.example\nSubject: message {number}\n\
         Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <{number}@leaf.example>\nX-Number: {number}\n\n"
    );
    Message {
        sender,
        recipients,
        content: [header.as_bytes(), &body].concat(),
    }
}

fn messages(count: usize) -> Vec<Message> {
    let mut random = Random::new(7);
    (0..count)
        .map(|number| message(number, &mut random))
        .collect()
}

/// Whether this way refuses a recipient, each for itself and with one report; everybody else has to get the message.
fn is_refused(recipient: &str, refused: &[&str]) -> bool {
    let local = recipient.strip_suffix("@hub.example");
    local.is_some_and(|local| refused.contains(&local))
}

/// What lies in a mailbox: the envelope that Postfix wrote on top, and the rest.
struct Arrived {
    number: usize,
    sender: String,
    recipient: String,
    content: Vec<u8>,
}

fn header<'a>(content: &'a [u8], name: &str) -> Option<&'a str> {
    content
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            std::str::from_utf8(line)
                .ok()?
                .strip_prefix(name)?
                .strip_prefix(": ")
        })
}

fn arrived(host: &MailHost) -> Vec<Arrived> {
    host.delivered()
        .iter()
        .filter_map(|path| {
            let content = std::fs::read(path).expect("a message");
            Some(Arrived {
                number: header(&content, "X-Number")?.parse().ok()?,
                sender: header(&content, "Return-Path")?
                    .trim_matches(['<', '>'])
                    .to_owned(),
                recipient: header(&content, "X-Original-To")?.to_owned(),
                content,
            })
        })
        .collect()
}

/// Delivery reports in the mailboxes of `host`: the whole text of each.
fn reports(host: &MailHost) -> Vec<String> {
    host.delivered()
        .iter()
        .map(|path| process::lossy(path))
        .filter(|text| text.contains("message/delivery-status"))
        .collect()
}

fn check(sent: &[Message], refused: &[&str], leaf: &MailHost, hub: &MailHost) {
    let mut found: BTreeMap<(usize, String), Vec<Arrived>> = BTreeMap::new();
    for arrived in arrived(hub) {
        found
            .entry((arrived.number, arrived.recipient.clone()))
            .or_default()
            .push(arrived);
    }
    let reports = reports(leaf);
    let mut wrong = Vec::new();
    for (number, message) in sent.iter().enumerate() {
        for recipient in &message.recipients {
            let got = found
                .remove(&(number, recipient.clone()))
                .unwrap_or_default();
            let reported = reports
                .iter()
                .filter(|text| {
                    text.contains(&format!("<{number}@leaf.example>")) && text.contains(recipient)
                })
                .count();
            let expected = if is_refused(recipient, refused) {
                (0, 1)
            } else {
                (1, 0)
            };
            if (got.len(), reported) != expected {
                wrong.push(format!(
                    "message {number} for {recipient}: {} copies, {reported} reports",
                    got.len()
                ));
            }
            for arrived in got {
                if arrived.sender != message.sender {
                    wrong.push(format!(
                        "message {number}: sender {:?} instead of {:?}",
                        arrived.sender, message.sender
                    ));
                }
                if !arrived.content.ends_with(&message.content) {
                    wrong.push(format!("message {number} for {recipient}: other bytes"));
                }
            }
        }
    }
    let strangers: Vec<_> = found.into_keys().collect();
    assert!(strangers.is_empty(), "nobody sent to {strangers:?}");
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        sent.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

fn deliveries(sent: &[Message]) -> usize {
    sent.iter().map(|message| message.recipients.len()).sum()
}

#[test]
fn plain_smtp_shows_that_the_scenario_itself_is_sound() {
    let Some(peers) = peers_with_or_skip("postfix: plain SMTP", &[Layer::Postfix]) else {
        return;
    };
    let site = Site::new("postfix");
    let hub = MailHost::start(&site, peers, "hub", &Postfix::default());
    let main = format!(
        "relay_domains = hub.example\nswap_bangpath = no\nallow_percent_hack = no\nsmtp_line_length_limit = 0\n\
         transport_maps = inline:{{{{hub.example = smtp:[127.0.0.1]:{}}}}}\n",
        hub.port()
    );
    let leaf = MailHost::start(
        &site,
        peers,
        "leaf",
        &Postfix {
            main: &main,
            ..Postfix::default()
        },
    );
    let sent = messages(200);
    smtp::send_all(leaf.port(), &sent, 4);
    let expected = deliveries(&sent);
    process::wait_for("all mail to arrive", process::PATIENCE, || {
        (hub.delivered().len() >= expected).then_some(())
    });
    check(&sent, &[], &leaf, &hub);
}

/// The snippet's lines, with the paths and the port of this scenario.
fn master(leaf: &Node, port: u16) -> String {
    let program = format!(
        "{} -I {}",
        programs::bin("postfix-uucp").display(),
        leaf.config().display()
    );
    assert!(
        MASTER.contains("/usr/lib/bangpath/postfix-uucp") && MASTER.contains("127.0.0.1:10026")
    );
    MASTER
        .replace("/usr/lib/bangpath/postfix-uucp", &program)
        .replace("127.0.0.1:10026", &format!("127.0.0.1:{port}"))
}

struct Chain {
    _site: Site,
    leaf: Node,
    hub: Node,
    leaf_mail: MailHost,
    hub_mail: MailHost,
}

fn chain(peers: &Peers, caller: Side, answerer: Side) -> Chain {
    let site = Site::new("postfix");
    let (leaf, hub) = (
        Node::new(&site, "leaf", caller),
        Node::new(&site, "hub", answerer),
    );
    add_rmail(&hub);
    add_rmail(&leaf);
    let (from_hub, from_leaf) = (free_port(), free_port());
    let programs = programs::build();
    let hub_mail = MailHost::start(
        &site,
        peers,
        "hub",
        &Postfix {
            // Of itself Postfix takes `x!y@` and `u%h@` for routes, and refuses them to strangers.
            main: "swap_bangpath = no\nallow_percent_hack = no\nallow_untrusted_routing = yes\n",
            master: &master(&hub, from_leaf),
            ..Postfix::default()
        },
    );
    let leaf_mail = MailHost::start(
        &site,
        peers,
        "leaf",
        &Postfix {
            main: MAIN,
            master: &master(&leaf, from_hub),
            transport: TRANSPORT,
            binds: &[programs, leaf.folder()],
        },
    );
    // Reports for local senders go to the MTA itself; mail of the neighbour to the listener for neighbours.
    let mail_toml = |name: &str, port: u16| {
        format!(
            "domain = \"{name}.example\"\n\n[delivery]\nmethod = \"smtp\"\nsmtp = \"127.0.0.1:{port}\"\n"
        )
    };
    leaf.write("etc/mail.toml", &mail_toml("leaf", from_hub));
    hub.write("etc/mail.toml", &mail_toml("hub", from_leaf));
    Chain {
        _site: site,
        leaf,
        hub,
        leaf_mail,
        hub_mail,
    }
}

fn run_chain(name: &str, caller: Side, answerer: Side, count: usize) {
    let Some(peers) = peers_with_or_skip(name, &[Layer::Postfix]) else {
        return;
    };
    let chain = chain(peers, caller, answerer);
    let listener = chain.hub.listen();
    chain
        .leaf
        .add_neighbour("hub", "t", &Reach::Tcp(listener.port()), "");
    chain.hub.add_neighbour("leaf", "t", &Reach::Never, "");
    let sent = messages(count);
    smtp::send_all(chain.leaf_mail.port(), &sent, 4);
    process::wait_for("Postfix to queue all for UUCP", process::PATIENCE, || {
        (chain.leaf.count("hub/C.") >= count && chain.leaf_mail.queued() == 0).then_some(())
    });
    chain.leaf.call("hub").expect_success("the call");
    drop(listener);
    chain.hub.run("uuxqt", &[]).expect_success("uuxqt at hub");
    // Reports about recipients that cannot be carried wait at leaf, where our uuxqt finds them and nobody else's looks.
    let reports = chain.leaf.command_of(&programs::bin("uuxqt"));
    process::run(reports, &chain.leaf.path("log")).expect_success("uuxqt at leaf");
    process::wait_for(
        "Postfix of hub and leaf to deliver",
        process::PATIENCE,
        || (chain.hub_mail.queued() == 0 && chain.leaf_mail.queued() == 0).then_some(()),
    );
    let asked = |local: &&&str| {
        let address = format!("{local}@hub.example");
        sent.iter().any(|one| one.recipients.contains(&address))
    };
    assert_eq!(ODD.iter().filter(asked).count(), ODD.len());
    check(&sent, UNCARRIED, &chain.leaf_mail, &chain.hub_mail);
    assert_eq!(chain.leaf.leftovers(), Vec::<String>::new());
    assert_eq!(chain.hub.leftovers(), Vec::<String>::new());
}

#[test]
fn a_thousand_messages_by_our_programs() {
    run_chain("postfix: ours", Side::Ours, Side::Ours, 1000);
}

#[test]
fn a_thousand_messages_answered_by_taylor() {
    run_chain(
        "postfix: answered by Taylor",
        Side::Ours,
        Side::Taylor,
        1000,
    );
}

#[test]
fn messages_carried_by_taylor_and_answered_by_ours() {
    run_chain("postfix: called by Taylor", Side::Taylor, Side::Ours, 300);
}
