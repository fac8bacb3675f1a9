//! Scripts: what is said to an `f` link, and what it says.

use std::time::{Duration, Instant};

use crate::link::testline::{BadLine, Faults, Random};
use crate::link::{CallRole, Channel, Link, LinkError, LinkEvent, make};
use crate::wire::command::Features;

const ZERO: Channel = Channel(0);

fn started(parameters: &[(&str, &str)]) -> (Box<dyn Link>, Instant) {
    let mut link = make(b'f', CallRole::Caller, Features::NONE, parameters).unwrap();
    let now = Instant::now();
    link.start(now);
    assert!(matches!(link.poll_event(), Some(LinkEvent::Started { .. })));
    (link, now)
}

/// What happens when these bytes come.
fn hears(link: &mut dyn Link, now: Instant, bytes: &[u8]) -> Vec<LinkEvent> {
    assert_eq!(link.handle_input(now, bytes), Ok(bytes.len()));
    let events = std::iter::from_fn(|| link.poll_event());
    events
        .filter(|event| *event != LinkEvent::Acknowledged)
        .collect()
}

fn says(link: &mut dyn Link, now: Instant) -> String {
    let mut out = Vec::new();
    while link.poll_transmit(now, &mut out) {}
    out.escape_ascii().to_string()
}

fn sends(link: &mut dyn Link, now: Instant) {
    link.begin_file(ZERO, false, 0, Some(5));
    assert_eq!(link.send_data(now, ZERO, false, b"back\n"), 5);
    link.end_file(now, ZERO, false);
}

fn failure(link: &mut dyn Link, now: Instant) -> LinkError {
    assert!(link.poll_timeout().is_some_and(|at| at <= now));
    link.handle_timeout(now).unwrap_err()
}

fn again() -> LinkEvent {
    LinkEvent::Again {
        channel: ZERO,
        from_peer: false,
    }
}

#[test]
fn a_file_that_arrived_damaged_is_sent_again_but_not_for_ever() {
    let (mut link, now) = started(&[]);
    for round in 0..3 {
        sends(&mut *link, now);
        assert_eq!(says(&mut *link, now), r"backzJ~~0b84\r", "{round}");
        let events = hears(&mut *link, now, b"R\r");
        assert_eq!(events, if round < 2 { vec![again()] } else { vec![] });
    }
    let error = failure(&mut *link, now).to_string();
    assert!(error.contains("damaged each time"), "{error}");
    // A good one counts anew for the next.
    let (mut link, now) = started(&[("retries", "1")]);
    for _ in 0..3 {
        sends(&mut *link, now);
        assert_eq!(hears(&mut *link, now, b"R\r"), [again()]);
        sends(&mut *link, now);
        let events = hears(&mut *link, now, b"G\rCY\r");
        assert!(matches!(&events[..], [LinkEvent::Command { bytes, .. }] if bytes == b"CY"));
    }
}

#[test]
fn a_file_that_came_damaged_is_asked_for_again_but_not_for_ever() {
    let (mut link, now) = started(&[]);
    let expect = |link: &mut dyn Link| link.expect_file(ZERO, false, 0);
    expect(&mut *link);
    let events = hears(&mut *link, now, b"baxx");
    assert!(matches!(&events[..], [LinkEvent::Data { .. }]));
    assert_eq!(hears(&mut *link, now, b"zJ~~0b84\r"), [again()]);
    assert_eq!(says(&mut *link, now), r"R\r");
    let events = hears(&mut *link, now, b"backzJ~~0b84\r");
    match &events[..] {
        [LinkEvent::Data { bytes, .. }, LinkEvent::FileEnd { .. }] => assert_eq!(bytes, b"back\n"),
        other => panic!("{other:?}"),
    }
    assert_eq!(says(&mut *link, now), r"G\r");

    expect(&mut *link);
    for _ in 0..2 {
        assert_eq!(hears(&mut *link, now, b"baxxzJ~~0b84\r"), [again()]);
        assert_eq!(says(&mut *link, now), r"R\r");
    }
    assert_eq!(hears(&mut *link, now, b"baxxzJ~~0b84\r"), []);
    assert_eq!(says(&mut *link, now), r"Q\r");
    let error = failure(&mut *link, now).to_string();
    assert!(error.contains("a wrong sum each time"), "{error}");
}

#[test]
fn a_peer_that_gives_up_or_talks_nonsense_ends_the_call() {
    for answer in [&b"Q\r"[..], b"CY\r", b"\r"] {
        let (mut link, now) = started(&[]);
        sends(&mut *link, now);
        assert_eq!(hears(&mut *link, now, answer), []);
        assert!(matches!(
            failure(&mut *link, now),
            LinkError::Remote { letter: 'f', .. }
        ));
    }
}

/// A file over a line that damages it now and then, but not what is said about it; what arrived, if anything.
fn carried(seed: u64, file: &[u8]) -> Option<Vec<u8>> {
    let (mut from, now) = started(&[("retries", "5")]);
    let (mut to, _) = started(&[("retries", "5")]);
    let mut line = BadLine::new(seed, Faults::each(1000), Duration::ZERO);
    to.expect_file(ZERO, false, 0);
    let mut arrived = Vec::new();
    for _ in 0..20 {
        from.begin_file(ZERO, false, 0, Some(file.len() as u64));
        from.send_data(now, ZERO, false, file);
        from.end_file(now, ZERO, false);
        let mut bytes = Vec::new();
        while from.poll_transmit(now, &mut bytes) {}
        line.send(now, &bytes);
        let bytes = line.receive(now + Duration::from_hours(1))?;
        to.handle_input(now, &bytes).ok()?;
        while let Some(event) = to.poll_event() {
            match event {
                LinkEvent::Data { bytes, .. } => arrived.extend(bytes),
                LinkEvent::Again { .. } => arrived.clear(),
                LinkEvent::FileEnd { .. } => return Some(arrived),
                _ => {}
            }
        }
        let mut verdict = Vec::new();
        while to.poll_transmit(now, &mut verdict) {}
        from.handle_input(now, &verdict).ok()?;
        while from.poll_event().is_some() {}
    }
    None
}

#[test]
fn a_file_over_a_bad_line_arrives_as_it_was_or_not_at_all() {
    let (mut whole, mut wrong) = (0, 0);
    for seed in 0..1000 {
        let file = Random(seed).bytes(300);
        if let Some(arrived) = carried(seed, &file) {
            whole += u32::from(arrived == file);
            wrong += u32::from(arrived != file);
        }
    }
    // Each file of these 1000 is damaged several times. A sum of 16 bits does not see everything.
    assert!(
        (500..1000).contains(&whole) && wrong <= 1,
        "{whole} {wrong}"
    );
}
