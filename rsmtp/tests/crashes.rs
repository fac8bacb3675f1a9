//! rsmtp killed, and rsmtp twice: nothing is lost, nothing comes twice but what was with the MTA at that moment.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod runs;

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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

/// A server that itself sends a signal to rsmtp, at the n-th command that it hears: no moment is left out, and none is waited
/// for. It takes mail for `grey` when it is told to.
struct Signaller {
    server: Server,
    heard: Arc<AtomicUsize>,
    at: Arc<AtomicUsize>,
    victim: Arc<AtomicUsize>,
    takes_all: Arc<AtomicBool>,
}

impl Signaller {
    fn with(signal: Signal) -> Self {
        let new = || Arc::new(AtomicUsize::new(0));
        let (heard, at, victim) = (new(), new(), new());
        let takes_all = Arc::new(AtomicBool::new(false));
        let (number, limit, target) = (heard.clone(), at.clone(), victim.clone());
        let calm = takes_all.clone();
        let server = Server::start(move |line| {
            if number.fetch_add(1, Ordering::SeqCst) == limit.load(Ordering::SeqCst) {
                let pid = target.load(Ordering::SeqCst);
                if pid != 0 {
                    let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal);
                }
            }
            let is_grey = !calm.load(Ordering::SeqCst) && line.contains("grey");
            is_grey.then(|| "451 4.7.1 come back".to_owned())
        });
        Self {
            server,
            heard,
            at,
            victim,
            takes_all,
        }
    }

    /// How what `start` starts ends when it gets the signal at this command.
    fn end(&self, at: usize, start: impl FnOnce() -> Child) -> ExitStatus {
        self.heard.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
        self.victim.store(0, Ordering::SeqCst);
        let mut child = start();
        self.victim
            .store(usize::try_from(child.id()).unwrap(), Ordering::SeqCst);
        child.wait().unwrap()
    }
}

#[test]
fn told_to_end_at_any_moment_it_offers_nothing_twice() {
    const ROUNDS: usize = 6;
    let signaller = Signaller::with(Signal::SIGTERM);
    let site = Home::with_smtp(&signaller.server);
    let mut stops = 0;
    for round in 0..ROUNDS {
        let batch = batch(round * MESSAGES);
        let start = || site.start(&format!("X.hubN{round:04}"), batch.as_bytes());
        for step in 0..3 {
            let status = signaller.end(round * 9 + step * 31, start);
            assert!(matches!(status.code(), Some(0 | 75)), "{status}");
            stops += usize::from(status.code() == Some(75));
        }
        assert_eq!(signaller.end(usize::MAX, start).code(), Some(0));
    }
    assert!(stops > ROUNDS, "{stops}");
    assert_eq!(site.kept("hub"), ROUNDS * MESSAGES);
    // What is kept is offered again, and again somebody wants that to end.
    signaller.takes_all.store(true, Ordering::SeqCst);
    let mut attempts = 0;
    while signaller.end(attempts * 23, || site.start_retry()).code() != Some(0) {
        attempts += 1;
        assert!(attempts < 100, "it does not get on");
    }
    assert!(attempts > 3, "{attempts}");
    assert_eq!(site.kept("hub"), 0);
    let counts = signaller.server.counts();
    assert_eq!(counts.len(), ROUNDS * MESSAGES * 2, "nothing is lost");
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn told_to_end_while_it_retries_it_begins_with_no_other_neighbour() {
    let victim = Arc::new(AtomicUsize::new(0));
    let target = victim.clone();
    let server = Server::answering("alice", "451 4.7.1 come back");
    let site = Home::with_smtp(&server);
    let message = "MAIL FROM:<bob@far.example> XBPID=1\nRCPT TO:<alice@leaf.lab>\nDATA\nSubject: 1.\n\nx\n.\n";
    let neighbours = ["far", "hub"];
    for name in neighbours {
        let run = site.rsmtp_as(&[("UU_MACHINE", name)], &[], message.as_bytes());
        assert_eq!((run.status, site.kept(name)), (0, 1), "{}", run.stderr);
    }
    server.answer(move |_| {
        let pid = loop {
            match target.load(Ordering::SeqCst) {
                0 => std::thread::yield_now(),
                pid => break pid,
            }
        };
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
        None
    });
    // Whoever's turn it is, his record is opened.
    let records = site.path("spool/.Mail/ledger");
    std::fs::remove_dir_all(&records).unwrap();
    let mut child = site.start_retry();
    victim.store(usize::try_from(child.id()).unwrap(), Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), 1);
    assert_eq!(neighbours.map(|name| site.kept(name)), [0, 1]);
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let signaller = Signaller::with(Signal::SIGKILL);
    let server = &signaller.server;
    let site = Home::with_smtp(server);
    let mut kills = 0;
    for round in 0..12 {
        let batch = batch(round * MESSAGES);
        // A different moment each time: in the first commands, in the middle, near the end.
        for step in 0..3 {
            let status = signaller.end(round * 9 + step * 31, || {
                site.start(&format!("X.hubN{round:04}"), batch.as_bytes())
            });
            kills += usize::from(status.code().is_none());
        }
        signaller.at.store(usize::MAX, Ordering::SeqCst);
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
    let counts = server.counts();
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
    let counts = server.counts();
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
    let early = server.counts().len() / 2;
    assert!(early < MESSAGES, "{early}");
    assert!(site.kept("hub") + early >= MESSAGES);
    server.answer(|_| None);
    assert_eq!(site.by_hand(&["--retry", "--now"], b"").status, 0);
    assert_eq!(server.counts().len(), 2 * MESSAGES);
    assert!(server.counts().values().all(|count| *count == 1));
}
