//! Messages that wait here: refused for now, or held.

use super::*;

#[test]
fn a_refusal_for_now_keeps_that_message_alone() {
    let server = Server::answering("grey", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
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
    let site = Home::with_smtp(&server);
    let mail_toml = std::fs::read_to_string(site.path("etc/mail.toml")).unwrap();
    let down = mail_toml.replace(&server.address(), "127.0.0.1:1");
    std::fs::write(site.path("etc/mail.toml"), &down).unwrap();
    let run = site.rsmtp(three().as_bytes());
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("kept for later"), "{}", run.stderr);
    assert_eq!(site.kept("hub"), 3);
    std::fs::write(site.path("etc/mail.toml"), mail_toml).unwrap();
    done(&site.by_hand(&["--retry", "--now"], b""));
    assert_eq!(subjects(&server), ["1", "2", "3"]);
}

#[test]
fn who_waits_is_told_once_and_at_last_returned() {
    let server = Server::answering("<alice", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    let settings = std::fs::read_to_string(site.path("etc/mail.toml")).unwrap();
    let set = |warn_after: &str, age_limit: &str| {
        let text = format!(
            "{settings}[execution]\nwarn-after = \"{warn_after}\"\nage-limit = \"{age_limit}\"\n"
        );
        std::fs::write(site.path("etc/mail.toml"), text).unwrap();
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
fn what_cannot_be_kept_comes_again() {
    let server = Server::answering("grey", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
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
fn an_mta_that_is_full_gets_the_message_later() {
    let server = Server::start(|line| (line == "DOT").then(|| "452 4.3.1 no space".to_owned()));
    let site = Home::with_smtp(&server);
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
fn a_message_is_held_as_long_as_its_sender_wants() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
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
