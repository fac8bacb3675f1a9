mod ahead;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::*;
use crate::address::{Envelope, ReversePath};
use crate::config::mail::{HostPort, ServerAddress};
use crate::delivery::{Message, Wishes};

/// What a server answers in one connection to a command, or to a message's first line; `None`: it hangs up.
type Answer = dyn Fn(usize, &str) -> Option<String> + Send + Sync;

fn serve(answer: Arc<Answer>) -> ServerAddress {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || talk(&stream, number, &*answer));
        }
    });
    let host = "127.0.0.1".to_owned();
    ServerAddress::Tcp(HostPort { host, port })
}

fn talk(stream: &TcpStream, number: usize, answer: &Answer) -> Option<()> {
    let mut writer = stream;
    let mut lines = BufReader::new(stream).lines();
    let mut say = |text: String| writer.write_all(format!("{text}\r\n").as_bytes()).ok();
    say(answer(number, "")?)?;
    while let Some(Ok(line)) = lines.next() {
        say(answer(number, &line)?)?;
        if line == "DATA" {
            let content: Vec<String> = lines
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| line != ".")
                .collect();
            say(answer(number, content.first()?)?)?;
        }
    }
    Some(())
}

/// A server's plain yes to everything.
fn yes(command: &str) -> String {
    match command {
        "" => "220 hub",
        "DATA" => "354 go",
        _ if command.starts_with("EHLO") => "250-hub\r\n250 PIPELINING",
        _ => "250 ok",
    }
    .to_owned()
}

/// A server that takes everything, and how many contents it was sent.
fn counting() -> (ServerAddress, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&sent);
    let server = serve(Arc::new(move |_, line| {
        seen.fetch_add(usize::from(line.parse::<usize>().is_ok()), Ordering::SeqCst);
        Some(yes(line))
    }));
    (server, sent)
}

/// Message `number` has that number as its first line.
struct Parcel {
    number: usize,
    envelope: Envelope,
    message: Message,
    wishes: Wishes,
}

#[derive(Default)]
struct Told {
    next: usize,
    recorded: BTreeSet<usize>,
    settled: BTreeMap<usize, Vec<Outcome>>,
}

struct Numbers {
    count: usize,
    told: Arc<Mutex<Told>>,
    can_record: bool,
    /// Every second message has no recipients.
    has_empty: bool,
}

impl Numbers {
    fn up_to(count: usize) -> Self {
        Self {
            count,
            told: Arc::default(),
            can_record: true,
            has_empty: false,
        }
    }

    fn count(&self, is_it: fn(&Outcome) -> bool) -> usize {
        let told = self.told.lock().unwrap();
        assert_eq!(told.settled.len(), self.count, "each is settled");
        told.settled.values().flatten().filter(|o| is_it(o)).count()
    }
}

impl Feed for Numbers {
    type Parcel = Parcel;

    fn next(&self) -> Option<Parcel> {
        let mut told = self.told.lock().unwrap();
        let number = told.next;
        told.next += 1;
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        (number < self.count).then(|| Parcel {
            number,
            envelope: Envelope {
                sender: ReversePath::Null,
                recipients: if self.has_empty && number % 2 == 1 {
                    Vec::new()
                } else {
                    vec![address("a@x")]
                },
            },
            message: Message::from_bytes(format!("{number}\n").into_bytes()),
            wishes: Wishes::default(),
        })
    }

    fn offer<'p>(&self, parcel: &'p Parcel) -> Offer<'p> {
        Offer {
            envelope: &parcel.envelope,
            message: &parcel.message,
            wishes: &parcel.wishes,
        }
    }

    fn record(&self, parcel: &Parcel, have_it: &[&Address]) -> io::Result<()> {
        assert_eq!(have_it.len(), 1);
        if !self.can_record {
            return Err(io::ErrorKind::StorageFull.into());
        }
        assert!(self.told.lock().unwrap().recorded.insert(parcel.number));
        Ok(())
    }

    fn settle(&self, parcel: Parcel, outcomes: Vec<Outcome>, _: Success) {
        let earlier = self
            .told
            .lock()
            .unwrap()
            .settled
            .insert(parcel.number, outcomes);
        assert_eq!(earlier, None, "settled twice");
    }
}

fn run(feed: &impl Feed, server: ServerAddress, sessions: u32) {
    let settings = DeliverySettings {
        smtp: Some(server),
        sessions: NonZeroU32::new(sessions).unwrap(),
        time_limit: Duration::from_mins(2),
        ..DeliverySettings::new()
    };
    let around = Surroundings {
        state: std::env::temp_dir(),
        name: "leaf".to_owned(),
        domain: None,
        own_domains: None,
        names_an_mta: false,
    };
    Pool::choose(&settings, &around).unwrap().run(feed);
}

fn is_delivered(outcome: &Outcome) -> bool {
    *outcome == Outcome::Delivered
}

fn is_deferred(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred(_))
}

#[test]
fn sessions_go_side_by_side_and_each_records_before_it_sends_the_next() {
    let feed = Numbers::up_to(40);
    let told = Arc::clone(&feed.told);
    // Nobody is answered before all four are there.
    let barrier = Arc::new(Barrier::new(4));
    let before: Arc<Mutex<BTreeMap<usize, usize>>> = Arc::default();
    let seen = Arc::clone(&before);
    let server = serve(Arc::new(move |connection, line| {
        if line.starts_with("EHLO") {
            barrier.wait();
        }
        if let Ok(number) = line.parse::<usize>() {
            let earlier = seen.lock().unwrap().insert(connection, number);
            let is_known = |number| told.lock().unwrap().recorded.contains(&number);
            if !earlier.is_none_or(is_known) {
                return Some("554 the message before is not on record".to_owned());
            }
        }
        Some(yes(line))
    }));
    run(&feed, server, 4);
    assert_eq!(feed.count(is_delivered), 40);
    assert_eq!(before.lock().unwrap().len(), 4);
}

#[test]
fn no_more_sessions_are_opened_than_there_are_messages() {
    let feed = Numbers::up_to(2);
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let server = serve(Arc::new(move |connection, line| {
        seen.fetch_max(connection + 1, Ordering::SeqCst);
        Some(yes(line))
    }));
    run(&feed, server, 8);
    assert_eq!(feed.count(is_delivered), 2);
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_session_that_cannot_be_opened_leaves_its_message_to_the_others() {
    // Enough that the first is still at work when the others give theirs back.
    let feed = Numbers::up_to(1000);
    // The first goes on only when the others were turned away.
    let barrier = Arc::new(Barrier::new(4));
    let server = serve(Arc::new(move |connection, line| {
        if line.is_empty() && connection > 0 {
            barrier.wait();
            return Some("421 too many connections".to_owned());
        }
        if line.starts_with("EHLO") {
            barrier.wait();
        }
        Some(yes(line))
    }));
    run(&feed, server, 4);
    assert_eq!(feed.count(is_delivered), 1000);
}

#[test]
fn when_the_mta_dies_the_rest_is_deferred_and_nothing_is_offered_twice() {
    let feed = Numbers::up_to(200);
    let contents = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&contents);
    let server = serve(Arc::new(move |_, line| {
        if line.parse::<usize>().is_ok() {
            seen.lock().unwrap().push(line.to_owned());
        }
        // It takes ten messages and dies over those that it has then.
        (seen.lock().unwrap().len() <= 10).then(|| yes(line))
    }));
    run(&feed, server, 4);
    let contents = contents.lock().unwrap();
    let different: BTreeSet<&String> = contents.iter().collect();
    assert_eq!(different.len(), contents.len(), "offered twice");
    let delivered = feed.count(is_delivered);
    assert!(
        delivered <= 10 && contents.len() <= delivered + 4,
        "{delivered}"
    );
    assert_eq!(feed.count(is_deferred), 200 - delivered);
    assert_eq!(feed.told.lock().unwrap().recorded.len(), delivered);
}

#[test]
fn an_mta_that_dies_over_every_message_is_not_asked_for_ever() {
    let feed = Numbers::up_to(100);
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let server = serve(Arc::new(move |_, line| {
        if line.parse::<usize>().is_ok() {
            seen.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(yes(line))
    }));
    run(&feed, server, 2);
    assert_eq!(feed.count(is_deferred), 100);
    assert!(asked.load(Ordering::SeqCst) <= 6);
}

#[test]
fn when_nothing_can_be_recorded_nothing_more_is_sent() {
    let feed = Numbers {
        can_record: false,
        ..Numbers::up_to(50)
    };
    let (server, sent) = counting();
    run(&feed, server, 3);
    let delivered = feed.count(is_delivered);
    assert_eq!(delivered, sent.load(Ordering::SeqCst));
    assert!((1..=3).contains(&delivered), "one per session at most");
    assert_eq!(feed.count(is_deferred), 50 - delivered);
}

#[test]
fn a_message_for_nobody_does_not_hide_the_one_before() {
    let feed = Numbers {
        has_empty: true,
        ..Numbers::up_to(20)
    };
    run(&feed, serve(Arc::new(|_, line| Some(yes(line)))), 1);
    assert_eq!(feed.count(is_delivered), 10);
    assert_eq!(feed.told.lock().unwrap().recorded.len(), 10);
}

#[test]
fn without_messages_nobody_is_called() {
    let feed = Numbers::up_to(0);
    let address = ServerAddress::Unix("/nonexistent/socket".into());
    run(&feed, address, 4);
    assert_eq!(feed.count(is_delivered), 0);
}
