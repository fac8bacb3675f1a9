//! The instants that count, read from the system calls of a running rsmtp: the record before the next content, the kept
//! message before the end.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod runs;

use runs::Rsmtp as _;
use suite_tests::alone::Home;
use suite_tests::peers_or_skip;
use suite_tests::sink::Server;

const MESSAGES: usize = 5;

fn batch() -> String {
    let message = |n| {
        format!(
            "MAIL FROM:<bob@far.example>\nRCPT TO:<alice@leaf.lab>\nDATA\nMessage-ID: <{n}@x>\nSubject: number {n}\n\nx\n.\n"
        )
    };
    (0..MESSAGES).map(message).collect::<Vec<_>>().concat()
}

/// The system calls of one run, in order, by Debian's strace; `None` where that cannot be had.
fn traced(test: &str, site: &Home, batch: &str) -> Option<Vec<String>> {
    let peers = peers_or_skip(test)?;
    let (input, log) = (site.path("batch"), site.path("trace"));
    std::fs::write(&input, batch).unwrap();
    let status = peers
        .strace()
        .args(["-f", "-y", "-s", "2000", "-o"])
        .arg(&log)
        .args([
            "-e",
            "trace=pwrite64,write,sendto,fsync,fdatasync,rename,exit_group",
        ])
        .arg(env!("CARGO_BIN_EXE_rsmtp"))
        .env("BANGPATH_CONFIG", site.path("etc/config"))
        .env("UU_MACHINE", "hub")
        .stdin(std::fs::File::open(input).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let lines = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    Some(lines.lines().map(str::to_owned).collect())
}

/// Where the first call from `start` on is that has all of these in it.
fn find(calls: &[String], start: usize, parts: &[&str]) -> Option<usize> {
    let has = |call: &String| parts.iter().all(|part| call.contains(part));
    calls.iter().skip(start).position(has).map(|at| start + at)
}

#[test]
fn the_record_is_on_disk_before_the_session_sends_the_next_content() {
    let server = Server::accepting();
    let site = Home::with_smtp(&server);
    site.append_mail_toml("sessions = 1\n");
    let Some(calls) = traced("rsmtp: the record before the next content", &site, &batch()) else {
        return;
    };
    let content = |n| find(&calls, 0, &["socket:", &format!("Subject: number {n}")]);
    // The ledger's own name is there before there is anything to record.
    let named = find(&calls, 0, &["fsync(", "/ledger/hub>"]).unwrap();
    assert!(named < content(0).unwrap());
    let mut at = 0;
    for n in 0..MESSAGES {
        let sent = content(n).unwrap();
        let record = find(&calls, sent, &["pwrite64(", "/ledger/hub/"]).unwrap();
        at = find(&calls, record, &["fdatasync(", "/ledger/hub/"]).unwrap();
        assert!(content(n + 1).is_none_or(|next| next > at), "{}", n + 1);
    }
    let end = find(&calls, 0, &["exit_group(0)"]).unwrap();
    assert!(at < end);
}

#[test]
fn a_kept_message_is_on_disk_with_its_name_before_the_batch_is_done() {
    let server = Server::answering("RCPT", "451 later");
    let site = Home::with_smtp(&server);
    let Some(calls) = traced("rsmtp: kept before the end", &site, &batch()) else {
        return;
    };
    let mut at = 0;
    for n in 0..MESSAGES {
        let content = find(&calls, at, &["/kept/hub/", ".new>", "Subject: number "]);
        let written = content.unwrap_or_else(|| panic!("message {n} is not written"));
        let synced = find(&calls, written, &["fsync(", "/kept/hub/", ".new>"]).unwrap();
        at = find(&calls, synced, &["rename(", "/kept/hub/"]).unwrap();
    }
    let folder = find(&calls, at, &["fsync(", "/kept/hub>"]).unwrap();
    let end = find(&calls, 0, &["exit_group(0)"]).unwrap();
    assert!(folder < end);
    assert_eq!(site.kept("hub"), MESSAGES);
}
