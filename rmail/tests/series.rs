//! Several jobs of one neighbour, done by one rmail in one session with the MTA; and what becomes of them when that ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use suite_tests::Site;
use suite_tests::maildir::add_rmail;
use suite_tests::node::{Node, Reach};
use suite_tests::programs::{Side, bin};
use suite_tests::queue::HandQueue;
use suite_tests::sink::Server;

/// A hub with jobs of its neighbours, and a server that counts the sessions.
struct Hub {
    node: Node,
    server: Server,
    sessions: Arc<AtomicUsize>,
    _site: Site,
}

/// What the server does beyond taking mail: what it answers to a line.
type Answer = Box<dyn Fn(&Node, &str) -> Option<String> + Send>;

impl Hub {
    fn new(jobs: &[(&str, &str)], answer: Answer) -> Self {
        let site = Site::new("series");
        let node = Node::new(&site, "hub", Side::Ours);
        let seen = Node::new(&site, "hub", Side::Ours);
        for peer in ["leaf", "other"] {
            node.add_neighbour(peer, "", &Reach::Never, "");
        }
        add_rmail(&node);
        let sessions = Arc::new(AtomicUsize::new(0));
        let counted = sessions.clone();
        let server = Server::start(move |line| {
            if line.starts_with("EHLO") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            answer(&seen, line)
        });
        let toml = format!(
            "[delivery]\nmethod = \"smtp\"\nsmtp = \"{}\"\n",
            server.address()
        );
        node.write("etc/mail.toml", &toml);
        for peer in ["leaf", "other"] {
            let mut queue = HandQueue::new(&node, peer);
            for (_, user) in jobs.iter().filter(|(from, _)| *from == peer) {
                let mail = format!(
                    "From ann@{peer}  Fri Nov 20 12:00:00 2026\nSubject: {user}\n\n{user}\n"
                );
                queue.received(peer, &format!("rmail {user}@hub"), mail.as_bytes());
            }
        }
        Self {
            node,
            server,
            sessions,
            _site: site,
        }
    }

    fn run(&self, more: &[&str]) {
        let arguments = [&["--jobs", "1"], more].concat();
        self.node.run("uuxqt", &arguments).expect_success("uuxqt");
    }

    fn taken(&self) -> Vec<String> {
        let mut taken: Vec<String> = self
            .server
            .messages()
            .iter()
            .map(|mail| format!("{} {}", mail.sender, mail.recipients.join(" ")))
            .collect();
        taken.sort();
        taken
    }

    fn left(&self) -> usize {
        self.node.count("leaf/X.") + self.node.count("other/X.")
    }
}

/// Sends a signal to the rmail of a node.
fn signal_rmail(node: &Node, signal: Signal) {
    let config = node.config().display().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let is_rmail = std::fs::read_link(entry.path().join("exe"))
            .is_ok_and(|program| program == bin("rmail").canonicalize().unwrap());
        let around = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if is_rmail && String::from_utf8_lossy(&around).contains(&config) {
            kill(Pid::from_raw(pid), signal).unwrap();
        }
    }
}

#[test]
fn one_process_and_one_session_do_many_jobs_of_one_neighbour() {
    let jobs = [("leaf", "a"), ("leaf", "b"), ("leaf", "c"), ("other", "d")];
    let hub = Hub::new(&jobs, Box::new(|_, _| None));
    hub.run(&[]);
    assert_eq!(
        hub.taken(),
        [
            "ann@leaf a@hub",
            "ann@leaf b@hub",
            "ann@leaf c@hub",
            "ann@other d@hub"
        ]
    );
    for mail in hub.server.messages() {
        let from = mail.sender.strip_prefix("ann@").unwrap();
        let trace = format!("Received: from {from} (authenticated neighbour {from}");
        assert!(mail.content.starts_with(&trace), "{}", mail.content);
    }
    assert_eq!(hub.sessions.load(Ordering::SeqCst), 2, "one a neighbour");
    assert_eq!(hub.left(), 0);
}

#[test]
fn who_is_refused_for_now_or_for_good_concerns_no_other_job() {
    let jobs = [
        ("leaf", "a"),
        ("leaf", "later"),
        ("leaf", "no"),
        ("leaf", "d"),
    ];
    let hub = Hub::new(
        &jobs,
        Box::new(|_, line| {
            let refused = |user: &str| line.starts_with("RCPT") && line.contains(user);
            if refused("later") {
                return Some("450 4.2.1 not now".into());
            }
            refused("no@").then(|| "550 5.1.1 nobody".into())
        }),
    );
    hub.run(&[]);
    let taken = hub.taken();
    assert!(taken.contains(&"ann@leaf a@hub".into()) && taken.contains(&"ann@leaf d@hub".into()));
    // The report about the one that is refused for good.
    assert!(taken.contains(&" ann@leaf".into()), "{taken:?}");
    assert_eq!((taken.len(), hub.left()), (3, 1));
    hub.server.answer(|_| None);
    hub.run(&["--now"]);
    assert_eq!(hub.left(), 0);
    assert!(hub.taken().contains(&"ann@leaf later@hub".into()));
}

#[test]
fn a_job_whose_process_is_killed_is_done_another_time() {
    let jobs = [("leaf", "a"), ("leaf", "b"), ("leaf", "c"), ("leaf", "d")];
    let killed = AtomicUsize::new(0);
    let hub = Hub::new(
        &jobs,
        Box::new(move |node, line| {
            if line.contains("MAIL") && killed.fetch_add(1, Ordering::SeqCst) == 1 {
                // As a machine does that is short of memory.
                signal_rmail(node, Signal::SIGKILL);
            }
            None
        }),
    );
    hub.run(&[]);
    assert_eq!(hub.left(), 1, "{}", hub.node.log());
    assert!(
        hub.node.log().contains("Got signal 9"),
        "{}",
        hub.node.log()
    );
    assert_eq!(hub.sessions.load(Ordering::SeqCst), 2);
    hub.run(&["--now"]);
    assert_eq!(hub.left(), 0);
    let all: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .map(|user| format!("ann@leaf {user}@hub"))
        .collect();
    assert_eq!(hub.taken(), all);
}

#[test]
fn told_to_end_it_takes_no_further_job() {
    let jobs = [("leaf", "a"), ("leaf", "b"), ("leaf", "c")];
    let asked = AtomicUsize::new(0);
    let hub = Hub::new(
        &jobs,
        Box::new(move |node, line| {
            if line.contains("MAIL") && asked.fetch_add(1, Ordering::SeqCst) == 1 {
                signal_rmail(node, Signal::SIGTERM);
            }
            None
        }),
    );
    hub.run(&[]);
    // The message in hand gets its end, and another process has the next; that one's job has had no word, and comes again.
    assert_eq!(hub.sessions.load(Ordering::SeqCst), 2, "{}", hub.node.log());
    assert_eq!((hub.taken().len(), hub.left()), (3, 1));
    hub.run(&["--now"]);
    assert_eq!((hub.taken().len(), hub.left()), (3, 0));
}

/// Says that its first job is done, takes the second, and goes with status 0 and without a word.
const SILENT: &str = r#"#!/usr/bin/perl
use Socket;
open(my $log, '>>', "$ENV{HOME}/../log/rmail") or die;
local $/; my $mail = <STDIN>;
my ($name) = split / /, $ENV{BANGPATH_NEXT};
socket(my $line, PF_UNIX, SOCK_STREAM, 0) or die;
connect($line, pack('Sa*', AF_UNIX, "\0$name")) or die;
syswrite($line, '.');
my $got = sysread($line, my $length, 4);
print $log $got, "\n";
# All of it: what could not be given to anybody is given to the next.
for (my $left = unpack('N', $length); $left > 0; ) {
    my $count = sysread($line, my $part, $left) or die;
    $left -= $count;
}
exit 0;
"#;

#[test]
fn a_status_without_an_answer_is_no_success() {
    let hub = Hub::new(&[("leaf", "a"), ("leaf", "b")], Box::new(|_, _| None));
    hub.node.write_script("bin/rmail", SILENT);
    hub.run(&[]);
    let words = std::fs::read_to_string(hub.node.path("log/rmail")).unwrap();
    assert_eq!(words, "4\n", "the first was given the second job");
    assert_eq!(hub.left(), 1, "{}", hub.node.log());
    assert!(
        hub.node.log().contains("Ended without a word"),
        "{}",
        hub.node.log()
    );
}
