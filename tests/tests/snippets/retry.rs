//! `conf-snippets/uucp/hub/mail.toml`, and who offers mail again that the MTA refused for now: systemd's timer, or cron.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use suite_tests::Site;
use suite_tests::node::{Node, walk};
use suite_tests::ports::free_port;
use suite_tests::process;
use suite_tests::programs::{self, Side};
use suite_tests::sink::Server;

use super::{INSTALLED, configure, line_with, pair, snippet};

/// The snippet, with this server for the listener that it names.
fn mail_toml(server: &Server) -> String {
    let text = snippet("uucp/hub/mail.toml");
    assert!(text.contains("127.0.0.1:10026"), "{text}");
    text.replace("127.0.0.1:10026", &server.address())
}

#[test]
fn mail_toml_of_the_hub() {
    let line = free_port();
    let pair = pair(line);
    let server = Server::accepting();
    pair.hub.write("etc/mail.toml", &mail_toml(&server));
    let listener = pair.hub.listen();
    let ports = process::lossy(&pair.leaf.path("etc/port"));
    let port = format!("service {}", listener.port());
    pair.leaf.write(
        "etc/port",
        &ports.replace(&format!("service {line}"), &port),
    );
    for (sender, recipient) in [
        ("ann@leaf.example", "bob@hub.example"),
        ("eve@elsewhere.example", "carol@hub.example"),
    ] {
        let from = format!("--from={sender}");
        let message = format!("From: {sender}\nSubject: whose\n\nhello\n");
        pair.leaf
            .run_with_input(
                "postfix-uucp",
                &["--host=hub", &from, "--", recipient],
                message.as_bytes(),
            )
            .expect_success("postfix-uucp");
    }
    pair.leaf
        .run("uucico", &["-s", "hub"])
        .expect_success("the call");
    process::wait_for("both to be dealt with", process::PATIENCE, || {
        pair.hub.run("uuxqt", &[]).expect_success("uuxqt");
        (pair.hub.count("leaf/X.") == 0 && server.messages().len() > 1).then_some(())
    });
    let mut taken = server.messages();
    taken.sort_by_key(|message| message.recipients.clone());
    let envelopes: Vec<(&str, &str)> = taken
        .iter()
        .map(|one| (&*one.sender, &*one.recipients[0]))
        .collect();
    // Whom leaf may not send for, only the postmaster hears of.
    assert_eq!(
        envelopes,
        [
            ("ann@leaf.example", "bob@hub.example"),
            ("", "postmaster@hub.example")
        ]
    );
    assert!(taken[1].content.contains("leaf"), "{}", taken[1].content);
    assert_eq!(server.recipients_asked().len(), 2);
}

const BATCH: &[u8] = b"MAIL FROM:<ann@leaf.example>\nRCPT TO:<bob@hub.example>\nDATA\n\
    From: ann@leaf.example\nSubject: later\nMessage-ID: <1@leaf.example>\n\nhello\n.\n";

/// A hub that keeps a message, and its MTA, which would take that now.
struct Keeping {
    site: Site,
    hub: Node,
    server: Server,
}

impl Keeping {
    fn new() -> Self {
        let site = Site::new("retry");
        let hub = Node::new(&site, "hub", Side::Ours);
        configure(&hub, free_port());
        let server = Server::answering("RCPT", "451 4.7.1 come back");
        hub.write("etc/mail.toml", &mail_toml(&server));
        // Under uuxqt options may be the neighbour's words: the configuration is named by the environment.
        let mut receiver = process::command_as(hub.owner(), &programs::bin("rsmtp"));
        receiver
            .env("BANGPATH_CONFIG", hub.config())
            .env("UU_MACHINE", "leaf");
        process::run_with_input(receiver, BATCH, site.path()).expect_success("rsmtp");
        server.answer(|_| None);
        Self { site, hub, server }
    }

    /// When the kept messages are due, each in a file.
    fn due(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.hub.spool(), &mut |path| {
            if path.extension().is_some_and(|kind| kind == "retry") {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// `command` leaves alone what is not due, and delivers it when it is.
    fn expect_retry(&self, command: impl Fn() -> Command) {
        let run = || process::run(command(), self.site.path()).expect_success("the retry");
        run();
        assert!(self.server.messages().is_empty(), "it was not due");
        // What has no such file is due: the state is not synced, so it may be lost.
        let [due] = &self.due()[..] else {
            panic!("not one message is kept: {:?}", self.due());
        };
        fs::remove_file(due).expect("the time");
        run();
        let taken = self.server.messages();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].recipients, ["bob@hub.example"]);
        run();
        assert_eq!(self.server.messages().len(), 1);
    }
}

#[test]
fn the_timer_offers_kept_mail_again() {
    let timer = snippet("systemd/rsmtp-retry.timer");
    // It starts the service of its own name, in turns.
    assert!(timer.contains("[Timer]") && !timer.contains("Unit="));
    line_with(&timer, "OnUnitInactiveSec=");
    let service = snippet("systemd/rsmtp-retry.service");
    for setting in ["Type=oneshot", "User=uucp", "Group=uucp"] {
        line_with(&service, setting);
    }
    let start = line_with(&service, "ExecStart=");
    let mut words = start["ExecStart=".len()..].split_whitespace();
    let program = words.next().expect("a program");
    assert_eq!(program, format!("{INSTALLED}/rsmtp"));
    let keeping = Keeping::new();
    keeping.expect_retry(|| {
        let mut command = keeping.hub.command_of(&programs::bin("rsmtp"));
        command.args(words.clone());
        command
    });
}

#[test]
fn cron_offers_kept_mail_again() {
    let table = snippet("cron/rsmtp-retry");
    let line = table.lines().find(|line| !line.starts_with('#'));
    let words: Vec<&str> = line.expect("a line").split(' ').collect();
    let (when, rest) = words.split_at(5);
    let times = |word: &&str| word.chars().all(|c| "*/0123456789,-".contains(c));
    assert!(when.iter().all(times), "{when:?}");
    assert_eq!(rest[0], "uucp");
    // As cron runs it.
    let text = rest[1..].join(" ");
    assert!(text.contains(INSTALLED), "{text}");
    let text = text.replace(INSTALLED, &programs::build().display().to_string());
    let keeping = Keeping::new();
    keeping.expect_retry(|| {
        let mut command = process::command_as(keeping.hub.owner(), "/bin/sh".as_ref());
        command
            .args(["-c", &text])
            .env("BANGPATH_CONFIG", keeping.hub.config());
        command
    });
}
