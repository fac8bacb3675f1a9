//! rsmtp killed, and rsmtp twice: nothing is lost, nothing comes twice but what was with the MTA at that moment.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runs::Rsmtp as _;
use suite_tests::alone::Home;
use suite_tests::sink::Server;

const MESSAGES: usize = 40;
const SESSIONS: usize = 4;

fn batch(first: usize) -> String {
    let messages: Vec<String> = (first..first + MESSAGES)
        .map(|n| {
            format!(
                "MAIL FROM:<bob@far.example> XBPID={n}\nRCPT TO:<alice@leaf.lab>\nRCPT TO:<grey@leaf.lab>\nDATA\nSubject: {n}.\n\nx\n.\n"
            )
        })
        .collect();
    let messages = messages.concat();
    format!("EHLO hub\nNOOP bangpath\n{messages}QUIT\n")
}

/// How often each message came to each recipient.
fn counts(server: &Server) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for message in server.messages() {
        let (_, rest) = message.content.split_once("Subject: ").unwrap();
        let number = rest.split('.').next().unwrap().to_owned();
        for recipient in message.recipients {
            *counts.entry((number.clone(), recipient)).or_default() += 1;
        }
    }
    counts
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let killed_at = Arc::new(AtomicUsize::new(usize::MAX));
    let (seen, victim) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (limit, number, target) = (killed_at.clone(), seen.clone(), victim.clone());
    // The server itself kills rsmtp, at the n-th command that it hears: no moment is left out, and none is waited for.
    let server = Server::start(move |line| {
        if number.fetch_add(1, Ordering::SeqCst) == limit.load(Ordering::SeqCst) {
            let pid = target.load(Ordering::SeqCst);
            let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        line.contains("grey")
            .then(|| "451 4.7.1 come back".to_owned())
    });
    let site = Home::with_smtp(&server);
    let mut kills = 0;
    for round in 0..12 {
        let batch = batch(round * MESSAGES);
        // A different moment each time: in the first commands, in the middle, near the end.
        for step in 0..3 {
            seen.store(0, Ordering::SeqCst);
            killed_at.store(round * 9 + step * 31, Ordering::SeqCst);
            victim.store(0, Ordering::SeqCst);
            let mut child = site.start(&format!("X.hubN{round:04}"), batch.as_bytes());
            victim.store(usize::try_from(child.id()).unwrap(), Ordering::SeqCst);
            let status = child.wait().unwrap();
            kills += usize::from(status.code().is_none());
        }
        killed_at.store(usize::MAX, Ordering::SeqCst);
        let status = site
            .start(&format!("X.hubN{round:04}"), batch.as_bytes())
            .wait()
            .unwrap();
        assert_eq!(status.code(), Some(0), "round {round}");
    }
    assert!(kills > 20, "{kills}");
    server.answer(|_| None);
    let run = site.by_hand(&["--retry", "--now"], b"");
    assert_eq!((run.status, site.kept("hub")), (0, 0), "{}", run.stderr);
    let counts = counts(&server);
    assert_eq!(counts.len(), 12 * MESSAGES * 2, "nothing is lost");
    let doubles: usize = counts.values().map(|count| count - 1).sum();
    assert!(
        doubles <= kills * SESSIONS,
        "{doubles} doubles, {kills} kills"
    );
}

#[test]
fn two_at_once_hand_a_batch_over_once() {
    let server = Server::answering("grey", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    let batch = batch(0);
    let children: Vec<_> = (0..3)
        .map(|job| site.start(&format!("X.hubN{job:04}"), batch.as_bytes()))
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let counts = counts(&server);
    assert_eq!((counts.len(), site.kept("hub")), (MESSAGES, MESSAGES));
    assert!(counts.values().all(|count| *count == 1));
}

#[test]
fn an_mta_that_dies_in_the_middle_loses_nothing() {
    let heard = AtomicUsize::new(0);
    let server = Server::start(move |line| {
        let is_dead = heard.fetch_add(1, Ordering::SeqCst) > 60;
        let dies = is_dead && (line.starts_with("DATA") || line.starts_with("EHLO"));
        // What the server hangs up after.
        dies.then(|| "421 4.3.0 shutting down".to_owned())
    });
    let site = Home::with_smtp(&server);
    let status = site
        .start("X.hubN0001", batch(0).as_bytes())
        .wait()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let early = counts(&server).len() / 2;
    assert!(early < MESSAGES, "{early}");
    assert!(site.kept("hub") + early >= MESSAGES);
    server.answer(|_| None);
    assert_eq!(site.by_hand(&["--retry", "--now"], b"").status, 0);
    assert_eq!(counts(&server).len(), 2 * MESSAGES);
    assert!(counts(&server).values().all(|count| *count == 1));
}
