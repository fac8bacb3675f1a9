use std::path::Path;

use super::*;
use crate::address::ReversePath;
use crate::clock;
use crate::delivery::{deliver_local_queue, local_mail};
use crate::spool::{LocalMailDraft, SpoolPaths};

fn spool(root: &Path) -> Spool {
    let paths = SpoolPaths {
        nodename: "leaf".parse().unwrap(),
        root: root.join("spool"),
        lockdir: root.join("locks"),
    };
    Spool::open_at(paths).unwrap()
}

fn config(text: &str) -> MailConfig {
    MailConfig::parse(text, Path::new("mail.toml")).unwrap()
}

fn maildir(root: &Path) -> MailConfig {
    config(&format!(
        "domain = \"leaf.lab\"\n[delivery]\nmaildir = \"{}/%u\"\n",
        root.join("mail").display()
    ))
}

fn mails(root: &Path, user: &str) -> Vec<String> {
    std::fs::read_dir(root.join("mail").join(user).join("new")).map_or_else(
        |_| Vec::new(),
        |entries| {
            entries
                .map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap())
                .collect()
        },
    )
}

fn settle(
    root: &Path,
    config: &MailConfig,
    sender: &str,
    recipients: &[&str],
    verdict: Option<Reply>,
) -> Settled {
    let spool = spool(root);
    let hub = "hub".parse().unwrap();
    let around = Surroundings::new(config, spool.nodename(), spool.root());
    let mut receiver =
        Receiver::new(config, Some(&spool), around, Some(&hub), clock::now()).unwrap();
    let envelope = Envelope {
        sender: ReversePath::parse(sender.as_bytes()).unwrap(),
        recipients: recipients
            .iter()
            .map(|r| Address::parse(r.as_bytes()).unwrap())
            .collect(),
    };
    receiver.settle(&Consignment {
        envelope: &envelope,
        message: &Message::from_bytes(b"Subject: x\n\nbody\n".to_vec()),
        job: b"",
        is_recognisable: false,
        is_last_try: false,
        unfit: &[],
        verdict,
        asked: None,
    })
}

#[test]
fn local_mail_waits_until_it_can_be_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let spool = spool(root);
    let down = config("[delivery]\nsmtp = \"127.0.0.1:1\"\n");
    let mail = LocalMailDraft {
        sender: b"",
        recipients: &[b"alice@leaf.lab".to_vec()],
        content: b"Subject: note\n\nbody\n",
    };
    local_mail(&down, &spool, &mail).unwrap();
    assert_eq!(deliver_local_queue(&spool, &down).unwrap(), 1);
    let doubt = config("[delivery]\nsmtp = \"h:1\"\nmaildir = \"/m\"\n");
    assert_eq!(deliver_local_queue(&spool, &doubt).unwrap(), 1);
    let up = maildir(root);
    assert_eq!(deliver_local_queue(&spool, &up).unwrap(), 0);
    assert_eq!(deliver_local_queue(&spool, &up).unwrap(), 0);
    assert_eq!(
        mails(root, "alice"),
        ["Return-Path: <>\nDelivered-To: alice@leaf.lab\nSubject: note\n\nbody\n"]
    );
}

#[test]
fn a_recipient_named_twice_gets_one_copy() {
    let folder = tempfile::tempdir().unwrap();
    let settled = settle(
        folder.path(),
        &maildir(folder.path()),
        "bob@x.y",
        &["a@leaf.lab", "a@leaf.lab"],
        None,
    );
    assert_eq!((settled.delivered, settled.deferred), (1, None));
    assert_eq!(mails(folder.path(), "a").len(), 1);
}

#[test]
fn a_verdict_is_reported_to_a_sender_who_is_here() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = Some(Reply::new("5.4.6", "mail loop"));
    let settled = settle(
        folder.path(),
        &maildir(folder.path()),
        "bob@leaf.lab",
        &["a@leaf.lab"],
        verdict,
    );
    assert_eq!(
        (settled.delivered, settled.refused.len(), settled.deferred),
        (0, 1, None)
    );
    assert!(mails(folder.path(), "a").is_empty());
    let reports = mails(folder.path(), "bob");
    assert!(reports[0].starts_with("Return-Path: <>\n") && reports[0].contains("Status: 5.4.6"));
}

#[test]
fn what_is_set_aside_stays_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "domain = \"leaf.lab\"\n[delivery]\nmaildir = \"{}/%u\"\n[policy]\nkept-limit = 700\n",
        folder.path().join("mail").display()
    );
    let config = config(&text);
    for _ in 0..20 {
        let verdict = Some(Reply::new("5.4.6", "mail loop"));
        let settled = settle(folder.path(), &config, "", &["a@leaf.lab"], verdict);
        assert!(settled.notes[0].contains("set aside as"), "{settled:?}");
    }
    let kept = std::fs::read_dir(folder.path().join("spool/.Mail/aside/hub")).unwrap();
    let total: u64 = kept
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!((1..1000).contains(&total), "{total}");
}

#[test]
fn without_a_place_for_records_only_what_cannot_be_divided_goes() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "state-directory = \"/dev/null/none\"\n[delivery]\nmaildir = \"{}/%u\"\n",
        folder.path().join("mail").display()
    );
    let config = config(&text);
    let settled = settle(
        folder.path(),
        &config,
        "bob@x.y",
        &["a@leaf.lab", "b@leaf.lab"],
        None,
    );
    assert!(
        settled
            .deferred
            .unwrap()
            .text
            .starts_with("cannot use /dev/null/none/journal")
    );
    let settled = settle(folder.path(), &config, "bob@x.y", &["a@leaf.lab"], None);
    assert_eq!((settled.delivered, settled.deferred), (1, None));
    assert!(mails(folder.path(), "b").is_empty());
}
