//! rsmtp from outside: arguments, environment and input in; exit status, the line on standard error, and what the server or
//! the spool got out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod site;

use std::io::Write as _;

use site::{Run, Server, Site, UUXQT};
use uucp_core::codec::{Compression, Encoder};

/// One message, as Exim writes it into a batch.
fn message(sender: &str, recipients: &[&str], id: &str) -> String {
    let recipients: Vec<String> = recipients
        .iter()
        .map(|r| format!("RCPT TO:<{r}>\n"))
        .collect();
    let recipients = recipients.concat();
    format!(
        "MAIL FROM:<{sender}>\n{recipients}DATA\nMessage-ID: <{id}@far.example>\nSubject: {id}\n\nbody of {id}\n..\nFrom here\n.\n"
    )
}

/// Three messages from bob to alice, numbered.
fn three() -> String {
    (1..=3)
        .map(|n| message("bob@far.example", &["alice@leaf.lab"], &n.to_string()))
        .collect()
}

/// As our own sender frames a batch.
fn framed(messages: &str) -> String {
    format!("HELO hub\nNOOP bangpath\n{messages}QUIT\n")
}

fn compressed(batch: &str, how: Compression) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), how, None, None).unwrap();
    encoder.write_all(batch.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The subjects of what the server took, in order.
fn subjects(server: &Server) -> Vec<String> {
    let subject = |content: &str| {
        let (_, rest) = content.split_once("Subject: ").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    let mut all: Vec<String> = server
        .messages()
        .iter()
        .map(|m| subject(&m.content))
        .collect();
    all.sort();
    all
}

#[track_caller]
fn done(run: &Run) {
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
}

#[test]
fn every_message_is_handed_over_with_envelope_and_trace() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let batch = format!(
        "{}{}",
        message("", &["alice@leaf.lab", "leaf!x!y", "\"a b\"@leaf.lab"], "1"),
        message("hub!bob", &["-z@dom"], "2")
    );
    done(&site.rsmtp(batch.as_bytes()));
    let mut messages = server.messages();
    messages.sort_by(|one, two| one.sender.cmp(&two.sender));
    assert_eq!(messages[0].sender, "");
    assert_eq!(
        messages[0].recipients,
        ["alice@leaf.lab", "y@x", "\"a b\"@leaf.lab"]
    );
    let (trace, rest) = messages[0].content.split_once("Message-ID").unwrap();
    assert!(
        trace.starts_with(
            "Received: from hub (authenticated neighbour hub, user uucp)\r\n\tby leaf via UUCP (rsmtp"
        ),
        "{trace}"
    );
    assert_eq!(
        rest,
        ": <1@far.example>\r\nSubject: 1\r\n\r\nbody of 1\r\n..\r\nFrom here\r\n"
    );
    assert_eq!(messages[1].sender, "bob@hub");
    assert_eq!(messages[1].recipients, ["-z@dom"]);
}

#[test]
fn what_the_data_is_tells_the_data_and_not_the_name() {
    let names = [
        "rsmtp", "bsmtp", "rcsmtp", "crsmtp", "cbsmtp", "csmtp", "rgsmtp", "grsmtp", "gbsmtp",
        "gsmtp", "rbsmtp", "bbsmtp", "rfsmtp", "frsmtp", "fbsmtp",
    ];
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let ways = [
        None,
        Some(Compression::Gzip),
        Some(Compression::Zstd),
        Some(Compression::Xz),
        Some(Compression::Bzip2),
    ];
    for (number, name) in names.into_iter().enumerate() {
        let batch = framed(&message("bob@far.example", &["alice@leaf.lab"], name));
        let input = match ways[number % ways.len()] {
            None => batch.into_bytes(),
            Some(how) => [b"#! zunbatch\n", compressed(&batch, how).as_slice()].concat(),
        };
        done(&site.under_name(name, &UUXQT, &[], &input));
    }
    assert_eq!(server.messages().len(), names.len());
}

#[test]
fn a_message_comes_once_however_often_its_batch_comes() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    for job in ["X.hubN0001", "X.hubN0001", "X.hubN0002"] {
        let environment = [("UU_MACHINE", "hub"), ("UU_JOB", job)];
        done(&site.rsmtp_as(&environment, &[], three().as_bytes()));
    }
    // In another order, in another frame, with a fourth, one of them twice.
    let other = framed(&format!(
        "{}{}{}",
        message("bob@far.example", &["alice@leaf.lab"], "4"),
        message("bob@far.example", &["alice@leaf.lab"], "4"),
        message("bob@far.example", &["alice@leaf.lab"], "2")
    ));
    done(&site.rsmtp(other.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2", "3", "4"]);
    // Of another neighbour it is another message; so it is with another envelope.
    let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
    done(&site.rsmtp_as(&nncp, &[], other.as_bytes()));
    let carl = message("carl@far.example", &["alice@leaf.lab"], "4");
    done(&site.rsmtp(carl.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2", "2", "3", "4", "4", "4"]);
}

#[test]
fn the_senders_own_id_is_what_makes_a_message_the_same() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let batch = |id: &str, recipient: &str| {
        format!(
            "EHLO hub\nNOOP bangpath\nMAIL FROM:<bob@far.example> XBPID={id}\nRCPT TO:<{recipient}>\nDATA\nSubject: {id}\n\nx\n.\nQUIT\n"
        )
    };
    for (id, recipient) in [("1", "a"), ("1", "a"), ("2", "a"), ("1", "b"), ("1", "a")] {
        let recipient = format!("{recipient}@leaf.lab");
        done(&site.rsmtp(batch(id, &recipient).as_bytes()));
    }
    let got: Vec<_> = server
        .messages()
        .into_iter()
        .map(|m| m.recipients)
        .collect();
    assert_eq!(got, [["a@leaf.lab"], ["a@leaf.lab"], ["b@leaf.lab"]]);
}

#[test]
fn equal_messages_that_nothing_tells_apart_come_as_often_as_sent() {
    let nightly =
        "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: nightly\n\nok\n.\n";
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    done(&site.rsmtp(nightly.repeat(2).as_bytes()));
    done(&site.rsmtp(nightly.as_bytes()));
    assert_eq!(subjects(&server).len(), 3);
    // But those of an input that was not done are known when it comes again, longer.
    let cut = format!("{nightly}{nightly}MAIL FROM:<bob");
    let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
    for _ in 0..2 {
        assert_eq!(site.rsmtp_as(&nncp, &[], cut.as_bytes()).status, 75);
    }
    assert_eq!(subjects(&server).len(), 5);
    done(&site.rsmtp_as(&nncp, &[], nightly.repeat(3).as_bytes()));
    assert_eq!(subjects(&server).len(), 6);
}

#[test]
fn a_refusal_for_good_is_reported_once_to_its_sender() {
    let server = Server::start(|line| {
        line.contains("nobody")
            .then(|| "550 5.1.1 no such user".to_owned())
    });
    let site = Site::with_smtp(&server);
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

#[test]
fn reports_heed_what_the_sender_asked_for() {
    let server = Server::start(|line| {
        line.contains("nobody")
            .then(|| "550 5.1.1 no such user".to_owned())
    });
    let site = Site::with_smtp(&server);
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

#[test]
fn nobody_reports_about_a_report() {
    let server = Server::start(|line| {
        line.starts_with("RCPT")
            .then(|| "550 5.1.1 no such user".to_owned())
    });
    let site = Site::with_smtp(&server);
    let run = site.rsmtp(message("", &["nobody@leaf.lab"], "1").as_bytes());
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("set aside as"), "{}", run.stderr);
    assert_eq!(server.recipients_asked(), ["nobody@leaf.lab"]);
    assert_eq!(site.files("spool/.Mail/aside/hub").len(), 1);
}

#[test]
fn a_refusal_for_now_keeps_that_message_alone() {
    let server = Server::start(|line| {
        line.contains("grey")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Site::with_smtp(&server);
    let batch = format!(
        "{}{}{}",
        message("bob@far.example", &["alice@leaf.lab", "grey@leaf.lab"], "1"),
        message("bob@far.example", &["grey@leaf.lab"], "2"),
        message("bob@far.example", &["alice@leaf.lab"], "3")
    );
    for _ in 0..2 {
        let run = site.rsmtp(batch.as_bytes());
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert_eq!(site.kept("hub"), 2);
    }
    assert_eq!(subjects(&server), ["1", "3"]);
    // Not due yet.
    done(&site.by_hand(&["--retry"], b""));
    let run = site.by_hand(&["--retry", "--now"], b"");
    assert_eq!((run.status, site.kept("hub")), (0, 2));
    assert!(
        run.stderr.starts_with("4.7.1 rsmtp: kept for later"),
        "{}",
        run.stderr
    );
    server.answer(|_| None);
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(site.kept("hub"), 0);
    assert_eq!(subjects(&server), ["1", "1", "2", "3"]);
    let first: Vec<_> = server
        .messages()
        .into_iter()
        .filter(|m| m.content.contains("Subject: 1"))
        .map(|m| (m.recipients, m.content.matches("Received:").count()))
        .collect();
    assert_eq!(first[0].0, ["alice@leaf.lab"]);
    assert_eq!(first[1], (vec!["grey@leaf.lab".to_owned()], 1));
    done(&site.rsmtp(batch.as_bytes()));
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(server.messages().len(), 4);
}

#[test]
fn while_the_mta_is_down_everything_waits_here() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let mail_toml = std::fs::read_to_string(site.path("mail.toml")).unwrap();
    let down = mail_toml.replace(&server.address(), "127.0.0.1:1");
    std::fs::write(site.path("mail.toml"), &down).unwrap();
    let run = site.rsmtp(three().as_bytes());
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("kept for later"), "{}", run.stderr);
    assert_eq!(site.kept("hub"), 3);
    std::fs::write(site.path("mail.toml"), mail_toml).unwrap();
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(subjects(&server), ["1", "2", "3"]);
}

#[test]
fn who_waits_is_told_once_and_at_last_returned() {
    let server = Server::start(|line| {
        line.contains("<alice")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Site::with_smtp(&server);
    let settings = std::fs::read_to_string(site.path("mail.toml")).unwrap();
    let set = |warn_after: &str, age_limit: &str| {
        let text = format!(
            "{settings}[execution]\nwarn-after = \"{warn_after}\"\nage-limit = \"{age_limit}\"\n"
        );
        std::fs::write(site.path("mail.toml"), text).unwrap();
    };
    set("0s", "5d");
    let batch = three();
    assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    assert_eq!(server.messages().len(), 0);
    for _ in 0..2 {
        assert_eq!(site.by_hand(&["--retry", "--now"], b"").status, 0);
        assert_eq!(server.messages().len(), 3, "a warning each");
    }
    assert!(server.messages()[0].content.contains("Action: delayed"));
    assert_eq!(site.kept("hub"), 3);
    set("0s", "0s");
    assert_eq!(site.by_hand(&["--retry", "--now"], b"").status, 0);
    let messages = server.messages();
    assert_eq!((messages.len(), site.kept("hub")), (6, 0));
    for report in &messages[3..] {
        assert_eq!(report.recipients, ["bob@far.example"]);
        assert!(
            report.content.contains("Status: 5.4.7"),
            "{}",
            report.content
        );
        assert!(report.content.contains("come back"));
    }
}

#[test]
fn what_cannot_be_understood_is_set_aside_whole_and_told_once() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let garbage: Vec<u8> = (0..=255).rev().cycle().take(5000).collect();
    let bomb = compressed(&"\0".repeat(100 << 20), Compression::Zstd);
    let mut damaged = compressed(&framed(&three()), Compression::Gzip);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    for (input, why) in [
        (garbage.clone(), "line 1: "),
        (bomb, "times as large"),
        (damaged, "damaged"),
        (b"".to_vec(), "empty"),
    ] {
        let run = site.rsmtp(&input);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(
            run.stderr.starts_with("5.6.0 rsmtp: set aside as") && run.stderr.contains(why),
            "{why}: {}",
            run.stderr
        );
    }
    assert_eq!(server.messages().len(), 0);
    let folder = site.path("spool/.Mail/aside/hub");
    let kept: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(kept.len(), 4);
    assert!(kept.contains(&garbage));
    assert_eq!(site.files("spool/.Bangpath/local-mail").len(), 1);
}

#[test]
fn what_stands_between_messages_does_not_cost_the_messages() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let batch = format!(
        "{}BOGUS command\n{}MAIL FROM:<x@y>\nRCPT TO:<alice@leaf.lab>\n{}",
        message("bob@far.example", &["alice@leaf.lab"], "1"),
        message("bob@far.example", &["alice@leaf.lab"], "2"),
        message("bob@far.example", &["alice@leaf.lab"], "3"),
    );
    let run = site.rsmtp(batch.as_bytes());
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.contains("set aside") && run.stderr.contains("BOGUS"),
        "{}",
        run.stderr
    );
    assert_eq!(subjects(&server), ["1", "2", "3"]);
}

#[test]
fn bad_addresses_cost_nobody_else() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
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
fn a_batch_that_was_cut_comes_again_whole_and_is_not_redone() {
    let whole = framed(&three());
    let between = whole.find("MAIL FROM").unwrap() + three().len() / 3;
    let inside = between + 100;
    for cut in [between, inside] {
        let server = Server::accepting();
        let site = Site::with_smtp(&server);
        for _ in 0..3 {
            let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
            let run = site.rsmtp_as(&nncp, &[], &whole.as_bytes()[..cut]);
            assert_eq!(run.status, 75);
            assert!(
                run.stderr.starts_with("4.3.0 rsmtp: line ") && run.stderr.contains("cut"),
                "{}",
                run.stderr
            );
            assert_eq!(subjects(&server), ["1"]);
        }
        let nncp = [("NNCP_SENDER", "ABC"), ("NNCP_SELF", "X")];
        done(&site.rsmtp_as(&nncp, &[], whole.as_bytes()));
        assert_eq!(subjects(&server), ["1", "2", "3"]);
    }
}

#[test]
fn a_batch_that_stays_cut_is_set_aside_in_the_end() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    site.append_mail_toml("[execution]\nage-limit = 0\n");
    let whole = framed(&three());
    let run = site.rsmtp(&whole.as_bytes()[..whole.len() - 5]);
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.contains("set aside") && run.stderr.contains("no QUIT"),
        "{}",
        run.stderr
    );
    assert_eq!(subjects(&server), ["1", "2", "3"]);
    assert_eq!(site.files("spool/.Bangpath/local-mail").len(), 1);
}

#[test]
fn compressed_data_that_was_cut_hands_over_nothing() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    for how in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Xz,
        Compression::Bzip2,
    ] {
        let data = compressed(&framed(&three()), how);
        for cut in [1, data.len() / 2, data.len() - 1] {
            let run = site.rsmtp(&data[..cut]);
            assert_eq!(run.status, 75, "{how} {cut}: {}", run.stderr);
        }
    }
    assert_eq!(server.messages().len(), 0);
}

#[test]
fn no_dot_but_the_batchs_own_ends_a_message() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let evil = "MAIL FROM:<evil@x>\nRCPT TO:<victim@leaf.lab>\nDATA\nsmuggled\n.\n";
    for (eol, dots) in [
        ("\n", ["\r\n.\r\n", "\r.\r", "\r\n.\r"]),
        ("\r\n", ["\n.\n", "\n.\r\n", "\r\n.\n"]),
    ] {
        for dot in dots {
            let batch = format!(
                "MAIL FROM:<bob@far.example>{eol}RCPT TO:<alice@leaf.lab>{eol}DATA{eol}Message-ID: <{dot:?}@x>{eol}Subject: s{eol}{eol}x{dot}{evil}{eol}.{eol}"
            );
            site.rsmtp(batch.as_bytes());
        }
    }
    let messages = server.messages();
    assert!(messages.iter().all(|m| m.recipients == ["alice@leaf.lab"]));
    assert_eq!(messages.len(), 6);
}

#[test]
fn loops_and_giants_end_in_a_report() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
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
    let site = Site::with_smtp(&server);
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
    assert_eq!(site.files("spool/.Mail/aside/hub").len(), 2);
}

#[test]
fn what_a_peer_writes_behind_the_command_counts_for_nothing() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let words = [
        "--dry-run",
        "--maildir=/nonexistent",
        "-I",
        "/nonexistent",
        "/nonexistent",
    ];
    done(&site.rsmtp_as(&UUXQT, &words, three().as_bytes()));
    assert_eq!(server.messages().len(), 3);
    let nncp = [("NNCP_SENDER", "ABC")];
    done(&site.rsmtp_as(&nncp, &["--list"], three().as_bytes()));
    assert_eq!(server.messages().len(), 6);
    assert!(server.messages()[5].content.contains("via NNCP"));
}

#[test]
fn a_look_changes_nothing() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let batch = framed(&format!("{}BOGUS\n", three()));
    let data = compressed(&batch, Compression::Xz);
    let run = site.by_hand(&["--list"], &data);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", run.stdout);
    assert!(lines[0].ends_with(" bob@far.example -> alice@leaf.lab"));
    assert!(lines[3].contains("BOGUS"));
    assert_eq!(lines[4], "xz, 3 messages, whole");
    let run = site.by_hand(&["--dry-run", "--json"], &data[..data.len() - 1]);
    assert!(
        run.stdout.contains("\"cut\": \"the xz data is cut"),
        "{}",
        run.stdout
    );
    done(&site.by_hand(
        &[],
        message("bob@far.example", &["alice@leaf.lab"], "1").as_bytes(),
    ));
    let run = site.by_hand(&["--dry-run"], batch.as_bytes());
    let fates: Vec<bool> = run
        .stdout
        .lines()
        .map(|l| l.ends_with("all have it"))
        .collect();
    assert_eq!(fates, [true, false, false, false, false], "{}", run.stdout);
    assert!(run.stdout.contains("; goes to 1 recipient\n"));
    assert_eq!(server.messages().len(), 1);
    assert!(!site.path("spool/.Mail/kept").exists() && !site.path("spool/.Mail/aside").exists());
}

#[test]
fn a_file_may_be_named_and_a_wrong_option_is_75() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let file = site.path("batch");
    std::fs::write(&file, three()).unwrap();
    done(&site.by_hand(&[file.to_str().unwrap()], b""));
    assert_eq!(server.messages().len(), 3);
    for arguments in [&["--bogus"][..], &["/nonexistent"], &["--now"]] {
        let run = site.by_hand(arguments, b"");
        assert_eq!(run.status, 75, "{arguments:?}");
        assert!(run.stderr.starts_with("4.3."), "{}", run.stderr);
    }
}

#[test]
fn without_a_place_for_the_ledger_nothing_is_handed_over() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    std::fs::create_dir(site.path("spool/.Mail")).unwrap();
    std::fs::write(site.path("spool/.Mail/ledger"), "").unwrap();
    let run = site.rsmtp(three().as_bytes());
    assert_eq!(run.status, 75);
    assert!(run.stderr.contains("ledger"), "{}", run.stderr);
    assert_eq!(server.messages().len(), 0);
}

#[test]
fn what_cannot_be_kept_comes_again() {
    let server = Server::start(|line| {
        line.contains("grey")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Site::with_smtp(&server);
    site.append_mail_toml("[policy]\nwaiting-limit = 10\n");
    let batch = format!(
        "{}{}",
        message("bob@far.example", &["grey@leaf.lab"], "1"),
        message("bob@far.example", &["alice@leaf.lab"], "2")
    );
    let run = site.rsmtp(batch.as_bytes());
    assert_eq!(run.status, 75);
    assert!(run.stderr.contains("cannot keep"), "{}", run.stderr);
    assert_eq!(subjects(&server), ["2"]);
    server.answer(|_| None);
    done(&site.rsmtp(batch.as_bytes()));
    assert_eq!(subjects(&server), ["1", "2"]);
}

#[test]
fn crmail_takes_one_compressed_message_with_recipients_as_words() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let text = format!(
        "From bob@far.example  Fri Nov 20 10:10:47 2026\nMessage-ID: <1@x>\nSubject: 1\n\n{}",
        "line\n".repeat(40_000)
    );
    let data = compressed(&text, Compression::Xz);
    let nncp = [("NNCP_SENDER", "ABC")];
    let words = ["(alice@leaf.lab)", "--list", "-x@dom"];
    // Larger than a block of NNCP's; but whoever cuts it is found out.
    for _ in 0..2 {
        done(&site.under_name("crmail", &nncp, &words, &data));
    }
    let messages = server.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].sender, "bob@far.example");
    assert_eq!(
        messages[0].recipients,
        ["alice@leaf.lab", "--list@leaf.lab", "-x@dom"]
    );
    let run = site.under_name("crmail", &nncp, &words, &data[..data.len() - 9]);
    assert_eq!(run.status, 75);
    assert!(
        run.stderr.starts_with("4.3.0 crmail: the xz data is cut"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_mta_that_is_full_gets_the_message_later() {
    let server = Server::start(|line| (line == "DOT").then(|| "452 4.3.1 no space".to_owned()));
    let site = Site::with_smtp(&server);
    let run = site.rsmtp(three().as_bytes());
    assert_eq!((run.status, site.kept("hub")), (0, 3));
    assert!(
        run.stderr.starts_with("4.3.1 rsmtp: kept for later"),
        "{}",
        run.stderr
    );
    server.answer(|_| None);
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(subjects(&server), ["1", "2", "3"]);
}

#[test]
fn other_ways_than_smtp_are_as_good() {
    let site = Site::with_sendmail(75, "queue file write error");
    assert_eq!(site.rsmtp(three().as_bytes()).status, 0);
    assert_eq!(site.kept("hub"), 3);
    let folder = site.path("mail/%u");
    let maildir = folder.to_str().unwrap();
    done(&site.by_hand(&["--retry", "--now", "--maildir", maildir], b""));
    assert_eq!(
        (site.kept("hub"), site.files("mail/alice/new").len()),
        (0, 3)
    );
    let run = site.by_hand(
        &["--maildir", maildir],
        message("", &["bob@leaf.lab"], "4").as_bytes(),
    );
    done(&run);
    assert_eq!(site.files("mail/bob/new").len(), 1);
}

#[test]
fn what_root_does_by_hand_stays_usable_by_uucp() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let server = Server::start(|line| {
        line.contains("grey")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Site::with_smtp(&server);
    chown(site.path("spool"), Some(10), Some(10)).unwrap();
    let batch = format!(
        "{}{}{}",
        message("bob@far.example", &["grey@leaf.lab"], "1"),
        message("", &["alice@leaf.lab"], "2"),
        "BOGUS\n"
    );
    assert_eq!(site.rsmtp(batch.as_bytes()).status, 0);
    let mut left = vec![site.path("spool/.Mail")];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let meta = std::fs::metadata(&path).unwrap();
        let wanted = if meta.is_dir() { 0o770 } else { 0o660 };
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o777),
            (10, 10, wanted),
            "{}",
            path.display()
        );
        seen += 1;
        if meta.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn a_message_is_held_as_long_as_its_sender_wants() {
    let server = Server::accepting();
    let site = Site::with_smtp(&server);
    let message = |id: &str, hold: &str| {
        format!(
            "MAIL FROM:<bob@far.example> XBPID={id} {hold}\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: {id}\n\nx\n.\n"
        )
    };
    let batch = [
        message("1", "HOLDFOR=3600"),
        message("2", "HOLDUNTIL=2999-01-01T00:00:00Z"),
        message("3", "HOLDUNTIL=1999-01-01T00:00:00Z"),
        message("4", "HOLDFOR=0"),
        message("5", ""),
    ];
    for _ in 0..2 {
        done(&site.rsmtp(batch.concat().as_bytes()));
        done(&site.by_hand(&["--retry"], b""));
        assert_eq!(subjects(&server), ["3", "4", "5"]);
    }
    assert_eq!(site.kept("hub"), 2);
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(subjects(&server), ["1", "2", "3", "4", "5"]);
    done(&site.rsmtp(batch.concat().as_bytes()));
    assert_eq!((site.kept("hub"), server.messages().len()), (0, 5));
}
