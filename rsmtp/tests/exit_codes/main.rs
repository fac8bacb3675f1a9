//! rsmtp from outside: arguments, environment and input in; exit status, the line on standard error, and what the server or
//! the spool got out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

mod damaged;
mod kept;
mod once;
mod refused;
mod rows;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "../runs/mod.rs"]
mod runs;
mod success;
mod words;

use std::io::Write as _;

use runs::{Rsmtp as _, UUXQT};
use suite_tests::alone::{Home, Run};
use suite_tests::sink::Server;
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
    let site = Home::with_smtp(&server);
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
    let site = Home::with_smtp(&server);
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
fn without_a_place_for_the_ledger_nothing_is_handed_over() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    std::fs::create_dir(site.path("spool/.Mail")).unwrap();
    std::fs::write(site.path("spool/.Mail/ledger"), "").unwrap();
    let run = site.rsmtp(three().as_bytes());
    assert_eq!(run.status, 75);
    assert!(run.stderr.contains("ledger"), "{}", run.stderr);
    assert_eq!(server.messages().len(), 0);
}

#[test]
fn other_ways_than_smtp_are_as_good() {
    let site = Home::with_sendmail(75, "queue file write error");
    assert_eq!(site.rsmtp(three().as_bytes()).status, 0);
    assert_eq!(site.kept("hub"), 3);
    let folder = site.path("mail/%u");
    let maildir = folder.to_str().unwrap();
    done(&site.by_hand(&["--retry", "--now", "--maildir", maildir], b""));
    assert_eq!(
        (site.kept("hub"), site.contents("mail/alice/new").len()),
        (0, 3)
    );
    let run = site.by_hand(
        &["--maildir", maildir],
        message("", &["bob@leaf.lab"], "4").as_bytes(),
    );
    done(&run);
    assert_eq!(site.contents("mail/bob/new").len(), 1);
}

#[test]
fn what_root_does_by_hand_stays_usable_by_uucp() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !nix::unistd::geteuid().is_root() {
        suite_tests::skip(
            "what root does by hand stays usable",
            "only root can give files away",
        );
        return;
    }
    let server = Server::answering("grey", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    chown(site.path("spool"), Some(10), Some(10)).unwrap();
    // It goes on as uucp, who must come there.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(site.path(""), open).unwrap();
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
