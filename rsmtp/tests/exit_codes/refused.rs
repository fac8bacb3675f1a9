//! Refusals for good, and the reports about them.

use super::*;

#[test]
fn a_refusal_for_good_is_reported_once_to_its_sender() {
    let server = Server::answering("nobody", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    let batch = format!(
        "{}{}",
        message(
            "bob@far.example",
            &["alice@leaf.lab", "nobody@leaf.lab"],
            "1"
        ),
        message("carl@far.example", &["alice@leaf.lab"], "2")
    );
    let run = site.rsmtp(batch.as_bytes());
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.starts_with("5.1.1 rsmtp: nobody@leaf.lab: "),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1);
    done(&site.rsmtp(batch.as_bytes()));
    let messages = server.messages();
    assert_eq!(messages.len(), 3, "two messages and one report");
    let report = messages.iter().find(|m| m.sender.is_empty()).unwrap();
    assert_eq!(report.recipients, ["bob@far.example"]);
    for part in [
        "Final-Recipient: rfc822; nobody@leaf.lab",
        "Status: 5.1.1",
        "Subject: 1",
    ] {
        assert!(report.content.contains(part), "{part}");
    }
    assert!(!report.content.contains("rfc822; alice"));
}

/// Our uuxqt writes into the Log what its commands say; rsmtp has its own line there.
#[test]
fn the_log_has_everything_once() {
    let server = Server::start(|line| {
        let refusals = [
            ("nobody", "550 5.1.1 no such user"),
            ("grey", "451 4.7.1 come back"),
        ];
        let refusal = refusals.iter().find(|(name, _)| line.contains(name));
        refusal.map(|(_, reply)| (*reply).to_owned())
    });
    let site = Home::with_smtp(&server);
    let environment = [
        ("UU_MACHINE", "hub"),
        ("UU_JOB", "X.hubN0007"),
        ("BANGPATH_JOB", "X.hubN0007:1:5.0"),
    ];
    let batch = format!(
        "{}{}{}BOGUS\n",
        message(
            "bob@far.example",
            &["alice@leaf.lab", "nobody@leaf.lab"],
            "1"
        ),
        message(
            "bob@far.example",
            &["alice@leaf.lab", "carl@leaf.lab", "grey@leaf.lab"],
            "2"
        ),
        message("bob@far.example", &["alice@leaf.lab", "carl@leaf.lab"], "3"),
    );
    done(&site.rsmtp_as(&environment, &[], batch.as_bytes()));
    let log = std::fs::read_to_string(site.path("Log")).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(") "))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].starts_with(
            "3 messages: 1 delivered, 1 refused, 1 kept, 0 known before; recipients: 5 delivered, 1 refused, 1 kept; kept: "
        ),
        "{log}"
    );
    assert_eq!(log.matches("nobody@leaf.lab").count(), 1, "{log}");
    assert!(lines[1].starts_with("ERROR: set aside as "), "{log}");
    assert!(
        lines.iter().all(|line| line.ends_with(" (X.hubN0007)")),
        "{log}"
    );
}

#[test]
fn reports_heed_what_the_sender_asked_for() {
    let server = Server::answering("nobody", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    let batch = "EHLO hub\nMAIL FROM:<bob@far.example> RET=HDRS ENVID=QQ1\nRCPT TO:<nobody@leaf.lab> ORCPT=rfc822;a@b\n\
                 RCPT TO:<nobody2@leaf.lab> NOTIFY=NEVER\nDATA\nMessage-ID: <1@x>\n\nbody\n.\n\
                 MAIL FROM:<bob@far.example>\nRCPT TO:<nobody3@leaf.lab> NOTIFY=NEVER\nDATA\nMessage-ID: <2@x>\n\nbody\n.\nQUIT\n";
    assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    let reports = server.messages();
    assert_eq!(reports.len(), 1);
    let text = &reports[0].content;
    for part in [
        "Original-Envelope-Id: QQ1",
        "Original-Recipient: rfc822; a@b",
        "text/rfc822-headers",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("nobody2") && !text.contains("\r\nbody"));
}

/// Nothing else says where they are.
#[test]
fn each_message_that_is_set_aside_is_in_the_log() {
    let server = Server::answering("RCPT", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    let reports = |first: usize| -> String {
        let ids = first..first + 2;
        ids.map(|n| message("", &["nobody@leaf.lab"], &n.to_string()))
            .collect()
    };
    assert_eq!(site.rsmtp(reports(1).as_bytes()).status, 0);
    assert_eq!(site.kept("hub"), 2);
    server.answer(|line| {
        line.starts_with("RCPT")
            .then(|| "550 5.1.1 no such user".to_owned())
    });
    assert_eq!(site.by_hand(&["--retry", "--now"], b"").status, 0);
    assert_eq!(site.kept("hub"), 0);
    let log = || std::fs::read_to_string(site.path("Log")).unwrap();
    let each = "5.1.1 nobody@leaf.lab: ";
    let logged = || {
        let log = log();
        log.lines()
            .filter(|line| {
                line.contains("ERROR") && line.contains(each) && line.contains("; set aside as ")
            })
            .count()
    };
    assert_eq!(logged(), 2, "{}", log());
    assert_eq!(site.rsmtp(reports(3).as_bytes()).status, 0);
    assert_eq!(logged(), 4, "{}", log());
}

/// As the manual page says: with the envelope of its first lines it goes to the MTA like any other message.
#[test]
fn what_was_set_aside_is_delivered_by_rmail_and_not_set_aside_again() {
    let server = Server::answering("RCPT", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    assert_eq!(
        site.rsmtp(message("", &["alice@leaf.lab"], "1").as_bytes())
            .status,
        0
    );
    let aside = || -> Vec<std::path::PathBuf> {
        let folders = std::fs::read_dir(site.path("spool/.Mail/aside"))
            .unwrap()
            .flatten();
        let files = folders.flat_map(|one| std::fs::read_dir(one.path()).unwrap().flatten());
        files.map(|file| file.path()).collect()
    };
    let file = aside().remove(0);
    let run = site.by_hand(&[file.to_str().unwrap()], b"");
    assert_eq!(run.status, 75);
    assert!(
        run.stderr
            .contains("'sendmail -i -f SENDER -- RECIPIENT ... <FILE'"),
        "{run:?}"
    );
    assert_eq!(aside().len(), 1);
    server.answer(|_| None);
    let content = std::fs::read(&file).unwrap();
    // crmail is rmail for data that may be compressed.
    let run = site.under_name("crmail", &[], &["alice@leaf.lab"], &content);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let got = server.messages();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].recipients, ["alice@leaf.lab"]);
    assert!(got[0].content.contains("body of 1"), "{}", got[0].content);
}

#[test]
fn nobody_reports_about_a_report() {
    let server = Server::answering("RCPT", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    let run = site.rsmtp(message("", &["nobody@leaf.lab"], "1").as_bytes());
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("set aside as"), "{}", run.stderr);
    assert_eq!(server.recipients_asked(), ["nobody@leaf.lab"]);
    assert_eq!(site.contents("spool/.Mail/aside/hub").len(), 1);
}

#[test]
fn bad_addresses_cost_nobody_else() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let batch = "MAIL FROM:<bob@far.example>\nRCPT TO:<\"open@x>\nRCPT TO:<alice@leaf.lab>\nRCPT whom\nDATA\nMessage-ID: <1@x>\nSubject: 1\n\nx\n.\n\
                 MAIL FROM:<bad\x01>\nRCPT TO:<alice@leaf.lab>\nDATA\nMessage-ID: <2@x>\nSubject: 2\n\nx\n.\n\
                 MAIL FROM:<bob@far.example>\nDATA\nMessage-ID: <3@x>\nSubject: 3\n\nx\n.\n";
    for _ in 0..2 {
        assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    }
    let messages = server.messages();
    let to = |who: &'static str| messages.iter().filter(move |m| m.recipients == [who]);
    let mut senders: Vec<_> = to("alice@leaf.lab").map(|m| m.sender.as_str()).collect();
    senders.sort_unstable();
    assert_eq!(senders, ["", "bob@far.example"]);
    let reports: Vec<_> = to("bob@far.example").collect();
    assert_eq!((reports.len(), messages.len()), (2, 4));
    assert!(reports.iter().all(|r| r.content.contains("Status: 5.1.3")));
    assert!(reports.iter().any(|r| r.content.contains("no recipient")));
    assert!(to("alice@leaf.lab").any(|m| m.content.contains("no sender named")));
}

#[test]
fn loops_and_giants_end_in_a_report() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    site.append_mail_toml("[policy]\nmessage-limit = 20000\n");
    let received = "Received: from hub by leaf via UUCP; d\n".repeat(3);
    let batch = format!(
        "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\n{received}\nx\n.\n\
         MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nMessage-ID: <2@x>\n\n{}\n.\n{}",
        "x".repeat(30_000),
        message("bob@far.example", &["alice@leaf.lab"], "3")
    );
    assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    let messages = server.messages();
    let status = |code: &str| messages.iter().any(|m| m.content.contains(code));
    assert_eq!(messages.len(), 3);
    assert!(status("Status: 5.4.6") && status("Status: 5.3.4") && status("Subject: 3"));
}

#[test]
fn policy_and_report_limit_bind_a_neighbour() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    site.append_mail_toml(
        "[neighbour.hub.policy]\nsender-domains = [\"far.example\"]\nrecipient-domains = [\".lab\"]\nreports-per-hour = 1\n",
    );
    let batch = format!(
        "{}{}{}",
        message(
            "bob@far.example",
            &["alice@leaf.lab", "spam@victim.example"],
            "1"
        ),
        message("ceo@bank.example", &["alice@leaf.lab"], "2"),
        message("bob@far.example", &["x@victim.example"], "3")
    );
    assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    let mut got: Vec<_> = server
        .messages()
        .into_iter()
        .map(|m| m.recipients.join(" "))
        .collect();
    got.sort();
    assert_eq!(got, ["alice@leaf.lab", "bob@far.example"]);
    assert_eq!(site.contents("spool/.Mail/aside/hub").len(), 2);
}
