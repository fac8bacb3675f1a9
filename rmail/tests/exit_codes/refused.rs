//! Refusals for good, and the reports about them.

use super::*;

#[test]
fn a_refusal_for_good_is_reported_and_done() {
    let server = Server::answering("nobody", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    for _ in 0..2 {
        let run = site.rmail(&["alice@leaf.lab", "nobody@leaf.lab"], MESSAGE);
        assert_eq!(run.status, 0);
        // The second time, the job's exit status having been lost, there is nothing left to do or to tell.
    }
    let mut messages = server.messages();
    assert_eq!(messages.len(), 2, "the message and one report");
    let report = messages.pop().unwrap();
    assert_eq!(
        (report.sender.as_str(), &report.recipients[..]),
        ("", &["bob@far.example".to_owned()][..])
    );
    for part in [
        "Content-Type: multipart/report",
        "MAILER-DAEMON@leaf.lab",
        "Reporting-MTA: dns; leaf.lab",
        "Final-Recipient: rfc822; nobody@leaf.lab",
        "Status: 5.1.1",
        "550 5.1.1 no such user",
        "Received-From-MTA: x-uucp; hub",
        "Subject: hello",
    ] {
        assert!(
            report.content.contains(part),
            "no {part:?} in {}",
            report.content
        );
    }
    assert!(!report.content.contains("rfc822; alice"));
}

#[test]
fn who_has_not_got_it_at_the_last_try_is_reported_and_nobody_else() {
    let server = Server::start(|line| {
        let refused = |user: &str| line.starts_with("RCPT") && line.contains(user);
        if refused("full") {
            return Some("452 4.2.2 mailbox full".into());
        }
        refused("gone").then(|| "550 5.1.1 no such user".into())
    });
    let site = Home::with_smtp(&server);
    let words = ["ok@leaf.lab", "full@leaf.lab", "gone@leaf.lab"];
    let hub = [("UU_MACHINE", "hub"), ("UU_JOB", "X.hubN0001")];
    let run = site.rmail_as(&hub, &words, MESSAGE.as_bytes());
    assert_eq!(run.status, 75, "{}", run.stderr);
    assert_eq!(
        server.messages().len(),
        2,
        "the message, and the one for gone"
    );
    let last = [hub[0], hub[1], ("BANGPATH_LAST_TRY", "1")];
    for _ in 0..2 {
        let run = site.rmail_as(&last, &words, MESSAGE.as_bytes());
        assert_eq!(run.status, 0, "{}", run.stderr);
    }
    let messages = server.messages();
    assert_eq!(messages.len(), 3, "one report more");
    let report = &messages[2];
    assert_eq!(report.recipients, ["bob@far.example"]);
    for part in [
        "Final-Recipient: rfc822; full@leaf.lab",
        "Status: 5.4.7",
        "452 4.2.2 mailbox full",
        "Subject: hello",
    ] {
        assert!(report.content.contains(part), "{part}: {}", report.content);
    }
    for other in ["rfc822; ok@", "rfc822; gone@"] {
        assert!(!report.content.contains(other), "{}", report.content);
    }
}

#[test]
fn the_line_on_standard_error_begins_with_the_status_code() {
    let server = Server::answering("nobody", "550 5.1.1 no such user");
    let run = Home::with_smtp(&server).rmail(&["nobody@leaf.lab"], MESSAGE);
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.starts_with("5.1.1 rmail: nobody@leaf.lab: "),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
fn nobody_reports_about_a_report() {
    let server = Server::answering("RCPT", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    let run = site.rmail(
        &["nobody@leaf.lab"],
        "From <> x\nSubject: returned\n\nbounce\n",
    );
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("set aside as"), "{}", run.stderr);
    assert_eq!(server.recipients_asked(), ["nobody@leaf.lab"]);
    let kept = site.contents("spool/.Mail/aside/hub");
    assert!(
        kept[0].contains("X-Bangpath-Refused: nobody@leaf.lab 5.1.1"),
        "{}",
        kept[0]
    );
    assert!(kept[0].ends_with("Subject: returned\n\nbounce\n"));
}

#[test]
fn the_postmaster_is_told_once_of_what_was_set_aside() {
    let server = Server::answering("RCPT", "550 5.1.1 no such user");
    let site = Home::with_smtp(&server);
    let bounce = "From <> x\nSubject: returned\n\nbounce\n";
    for recipient in ["postmaster", "nobody@leaf.lab", "other@leaf.lab"] {
        assert_eq!(site.rmail(&[recipient], bounce).status, 0);
    }
    assert_eq!(site.contents("spool/.Mail/aside/hub").len(), 3);
    // That the postmaster has no mailbox is not told to the postmaster.
    let notes = site.contents("spool/.Bangpath/local-mail");
    assert_eq!(notes.len(), 1, "{notes:?}");
    for part in ["To: postmaster\n", "nobody@leaf.lab: 5.1.1", "/aside/hub/"] {
        assert!(notes[0].contains(part), "{part}: {}", notes[0]);
    }
}

#[test]
fn loops_end_in_a_report() {
    let many = "Received: from a by b; d\n".repeat(101);
    let ours = "Received: from hub by leaf via UUCP; d\n".repeat(3);
    for header in [many, ours] {
        let server = Server::accepting();
        let run = Home::with_smtp(&server).rmail(
            &["alice@leaf.lab"],
            &format!("From bob@far.example x\n{header}\nb\n"),
        );
        assert_eq!(run.status, 0);
        assert!(
            run.stderr
                .starts_with("5.4.6 rmail: alice@leaf.lab: mail loop"),
            "{}",
            run.stderr
        );
        let messages = server.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].recipients, ["bob@far.example"]);
        assert!(messages[0].content.contains("Status: 5.4.6"));
    }
}

#[test]
fn empty_input_and_jobs_without_recipients_are_refused_once() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let run = site.rmail(&["alice@leaf.lab"], "From bob@far.example x\n");
    assert_eq!(run.status, 0);
    assert!(
        run.stderr
            .starts_with("5.6.0 rmail: alice@leaf.lab: the message is empty"),
        "{}",
        run.stderr
    );
    let run = site.rmail(&["alice@leaf.lab"], "");
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("set aside"), "{}", run.stderr);
    let run = site.rmail(&[], MESSAGE);
    assert_eq!(run.status, 0);
    assert!(run.stderr.starts_with("5.1.3 rmail: "), "{}", run.stderr);
    let reported: Vec<_> = server
        .messages()
        .into_iter()
        .map(|m| m.recipients)
        .collect();
    assert_eq!(reported, [["bob@far.example"], ["bob@far.example"]]);
}

#[test]
fn a_recipient_that_is_no_address_costs_the_others_nothing() {
    let server = Server::accepting();
    let run = Home::with_smtp(&server).rmail(&["alice@leaf.lab", "\"open@x", ""], MESSAGE);
    assert_eq!(run.status, 0);
    let messages = server.messages();
    assert_eq!(messages[0].recipients, ["alice@leaf.lab"]);
    assert!(messages[1].content.contains("Status: 5.1.3"));
}

#[test]
fn policy_binds_a_neighbour() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    site.append_mail_toml(
        "[neighbour.hub.policy]\nsender-domains = [\"far.example\"]\nrecipient-domains = [\".lab\"]\nmessage-limit = 1000\nreports-per-hour = 1\n",
    );
    let run = site.rmail(&["alice@leaf.lab", "spam@victim.example"], MESSAGE);
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.starts_with("5.7.1 rmail: spam@victim.example: "),
        "{}",
        run.stderr
    );
    let run = site.rmail(
        &["alice@leaf.lab"],
        "From ceo@bank.example x\nSubject: pay\n\nnow\n",
    );
    assert!(
        run.stderr.starts_with("5.7.1") && run.stderr.contains("set aside"),
        "{}",
        run.stderr
    );
    let run = site.rmail(
        &["alice@leaf.lab"],
        &format!("{MESSAGE}{}", "x".repeat(1000)),
    );
    assert!(
        run.stderr.starts_with("5.3.4") && run.stderr.contains("reports of the hour"),
        "{}",
        run.stderr
    );
    let got: Vec<_> = server
        .messages()
        .into_iter()
        .map(|m| m.recipients.join(" "))
        .collect();
    assert_eq!(got, ["alice@leaf.lab", "bob@far.example"]);
}

#[test]
fn a_report_that_nobody_takes_now_waits_in_the_spool() {
    let server = Server::start(|line| {
        if line.contains("nobody") {
            Some("550 5.1.1 no such user".to_owned())
        } else {
            line.contains("bob@far.example>").then(|| {
                if line.starts_with("RCPT") {
                    "451 later"
                } else {
                    "250 ok"
                }
                .to_owned()
            })
        }
    });
    let site = Home::with_smtp(&server);
    let run = site.rmail(&["nobody@leaf.lab"], MESSAGE);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("the report waits in the spool"),
        "{}",
        run.stderr
    );
    assert_eq!(server.messages().len(), 0);
}

#[test]
fn under_nncp_waiting_reports_go_with_the_next_messages_a_few_at_a_time() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    let queue = site.path("spool/.Bangpath/local-mail");
    std::fs::create_dir_all(&queue).unwrap();
    for number in 0..25 {
        // The envelope's addresses are hexadecimal: bob@x.y.
        let mail = "from:\nto:626f6240782e79\n\nSubject: report\n\nrefused\n";
        std::fs::write(queue.join(format!("{number:013}")), mail).unwrap();
    }
    let waiting = || site.contents("spool/.Bangpath/local-mail").len();
    // uuxqt does that itself, when its jobs are done.
    assert_eq!(site.rmail(&["alice@leaf.lab"], MESSAGE).status, 0);
    assert_eq!((server.messages().len(), waiting()), (1, 25));
    let nncp = [(
        "NNCP_SENDER",
        "7N2UDHTCSQVQW3KXQQYBBXQ7ZGHC7LYMYHJ4VKKKQN2DLJ5ZM7PQ",
    )];
    let run = || site.rmail_as(&nncp, &["alice@leaf.lab"], MESSAGE.as_bytes());
    // An MTA that puts off the message is not asked to take reports; one that puts off a report, not another.
    server.answer(|line| line.starts_with("RCPT").then(|| "451 later".to_owned()));
    assert_eq!(run().status, 75);
    server.answer(|line| {
        line.starts_with("RCPT TO:<bob")
            .then(|| "451 later".to_owned())
    });
    let before = server.recipients_asked().len();
    let first = run();
    assert_eq!(first.status, 0, "{}", first.stderr);
    assert_eq!(
        server.recipients_asked()[before..],
        ["alice@leaf.lab", "bob@x.y"]
    );
    assert_eq!((server.messages().len(), waiting()), (2, 25));
    server.answer(|_| None);
    // The message itself is known by now, and not delivered again.
    for (messages, left) in [(22, 5), (27, 0), (27, 0)] {
        assert_eq!(run().status, 0);
        assert_eq!((server.messages().len(), waiting()), (messages, left));
    }
    assert_eq!(server.messages()[26].recipients, ["bob@x.y"]);
}
