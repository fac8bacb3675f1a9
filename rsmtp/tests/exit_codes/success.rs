//! Senders that want to be told of success, and an MTA that will not do it.

use super::*;

/// To alice, whose success the sender wants to know of, and to carl.
const BATCH: &str = "EHLO hub\nMAIL FROM:<bob@far.example> ENVID=QQ1\nRCPT TO:<alice@leaf.lab> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@b\n\
                     RCPT TO:<carl@leaf.lab>\nDATA\nMessage-ID: <1@x>\nSubject: 1\n\nbody\n.\n\
                     MAIL FROM:<>\nRCPT TO:<alice@leaf.lab> NOTIFY=SUCCESS\nDATA\nMessage-ID: <2@x>\nSubject: 2\n\nbody\n.\nQUIT\n";

fn expect_report(text: &str, action: &str) {
    for part in [
        "Original-Envelope-Id: QQ1",
        "Original-Recipient: rfc822; a@b",
        action,
        "Status: 2.0.0",
        "text/rfc822-headers",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("carl") && !text.contains("Diagnostic-Code"));
}

#[test]
fn what_is_handed_to_one_who_tells_nothing_is_relayed() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    for _ in 0..2 {
        done(&site.rsmtp(BATCH.as_bytes()));
    }
    let messages = server.messages();
    assert_eq!(messages.len(), 3, "two messages and one report");
    let report = messages
        .iter()
        .find(|m| m.recipients == ["bob@far.example"]);
    let report = report.unwrap();
    assert!(report.sender.is_empty());
    expect_report(&report.content, "Action: relayed");
}

#[test]
fn who_waits_first_is_told_of_in_the_end() {
    let server = Server::answering("alice", "450 4.7.1 come again");
    let site = Home::with_smtp(&server);
    assert_eq!(site.rsmtp(BATCH.as_bytes()).status, 0);
    assert_eq!(server.messages().len(), 1, "only carl has it");
    server.answer(|_| None);
    done(&site.by_hand(&["--retry", "--now"], b""));
    let messages = server.messages();
    let report = messages
        .iter()
        .find(|m| m.recipients == ["bob@far.example"]);
    expect_report(&report.unwrap().content, "Action: relayed");
}

#[test]
fn what_is_in_a_mailbox_is_delivered() {
    let site = Home::with_mail_toml("");
    let maildirs = site.path("mail").display().to_string();
    site.mail_toml(&format!(
        "domain = \"leaf.lab\"\n[delivery]\nmaildir = \"{maildirs}/%u\"\n"
    ));
    let batch = BATCH.replace("bob@far.example", "bob@leaf.lab");
    done(&site.rsmtp(batch.as_bytes()));
    let reports = site.contents("mail/bob/new");
    assert_eq!(reports.len(), 1);
    expect_report(&reports[0], "Action: delivered");
}
