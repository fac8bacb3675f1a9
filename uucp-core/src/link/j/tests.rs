//! Scripts: what is said to a `j` link, and what it says, with the time that passes between.

use std::time::{Duration, Instant};

use crate::link::testline::{Faults, Pair, Side, Stopped, files};
use crate::link::{CallRole, Link, LinkError, LinkEvent, make};
use crate::wire::command::Features;
use crate::wire::j::{self, Avoid, Found};

fn link(role: CallRole, parameters: &[(&str, &str)]) -> Box<dyn Link> {
    make(b'j', role, Features::NONE, parameters).unwrap()
}

fn says(link: &mut dyn Link, now: Instant) -> String {
    let mut out = Vec::new();
    while link.poll_transmit(now, &mut out) {}
    out.escape_ascii().to_string()
}

/// The other side's first packet of `i`, wrapped, as it was on the wire.
const SYNC: &[u8] = b"^ 6= .@\x07\x00\x000\x044\x04\x00\x10\x07\x85\x7f0F~";

#[test]
fn the_start_is_two_lists_and_then_that_of_i() {
    let mut link = link(CallRole::Called, &[("packet-size", "1024")]);
    let now = Instant::now();
    link.start(now);
    assert_eq!(says(&mut *link, now), r"^\\021\\023~");
    link.handle_input(now, br"^\015~").unwrap();
    assert_eq!(
        says(&mut *link, now),
        r"^ 6= .@\x07\x00\x00 \x04$\x04\x00\x10\x07\x85\x7f0F~"
    );
    link.handle_input(now, SYNC).unwrap();
    let started = link.poll_event();
    assert!(
        matches!(started, Some(LinkEvent::Started { .. })),
        "{started:?}"
    );
    assert_eq!(link.letter(), b'j');
}

#[test]
fn a_list_that_nobody_answers_is_said_again_and_given_up() {
    let mut link = link(CallRole::Caller, &[]);
    let mut now = Instant::now();
    link.start(now);
    for _ in 0..7 {
        assert_eq!(says(&mut *link, now), r"^\\021\\023~");
        let until = link.poll_timeout().unwrap();
        assert_eq!(until - now, Duration::from_secs(10));
        now = until;
        if let Err(error) = link.handle_timeout(now) {
            assert!(matches!(error, LinkError::TimedOut { letter: 'j', .. }));
            return;
        }
    }
    panic!("never given up");
}

#[test]
fn lists_that_were_lost_are_made_up_for() {
    // The other side goes on: it has heard ours.
    let mut one = link(CallRole::Called, &[]);
    let now = Instant::now();
    one.start(now);
    says(&mut *one, now);
    one.handle_input(now, SYNC).unwrap();
    assert!(matches!(one.poll_event(), Some(LinkEvent::Started { .. })));
    assert!(says(&mut *one, now).starts_with("^ 6= .@"));
    // The other side says its list again: it has not heard ours.
    one.handle_input(now, br"^\021~").unwrap();
    assert_eq!(says(&mut *one, now), "");
    let later = now + Duration::from_secs(6);
    one.handle_input(later, br"^\021~").unwrap();
    assert_eq!(says(&mut *one, later), r"^\\021\\023~");
}

#[test]
fn what_is_to_be_avoided_never_goes_over_the_line() {
    let avoid = r"\000\r\n\021\023\020\377\201";
    let side = |role, first| {
        let sent = files(u64::from(first), &[0, 5, 70_000]);
        let parameters: &[_] = if first { &[("avoid", avoid)] } else { &[] };
        Side::new(link(role, parameters), sent, 3, first)
    };
    let sides = [side(CallRole::Caller, true), side(CallRole::Called, false)];
    let mut pair = Pair::new(sides, 1, Faults::default());
    pair.record = true;
    assert_eq!(pair.transfer(), Stopped::Done);
    pair.check(true);
    for sent in &pair.recorded {
        assert!(sent.len() > 70_000);
        let avoided = b"\0\r\n\x11\x13\x10\xff\x81";
        assert!(!sent.iter().any(|byte| avoided.contains(byte)));
    }
}

#[test]
fn what_cannot_be_avoided_leaves_the_usual() {
    for bad in ["", r"\101", "x", r"\999"] {
        let mut link = link(CallRole::Caller, &[("avoid", bad)]);
        let now = Instant::now();
        link.start(now);
        assert_eq!(says(&mut *link, now), r"^\\021\\023~", "{bad}");
    }
}

#[test]
fn a_packet_that_is_damaged_inside_does_not_harm_the_next() {
    let mut link = link(CallRole::Called, &[("packet-size", "1024")]);
    let now = Instant::now();
    link.start(now);
    link.handle_input(now, &[br"^\021~", SYNC].concat())
        .unwrap();
    says(&mut *link, now);
    // Its length grows: what is inside seems to need more than there is.
    let mut damaged = Vec::new();
    j::emit(
        b"\x07\x09\x00\x10\x20\x39abc",
        &Avoid::nothing(),
        &mut damaged,
    );
    let good = b"^ 4= ,@\x07\x08\x00\x10\x02\x1aH\x00\x86\x86(\r~";
    assert!(matches!(j::scan(good, false).1, Found::Packet(_)));
    link.handle_input(now, &[&damaged[..], good].concat())
        .unwrap();
    let events: Vec<LinkEvent> = std::iter::from_fn(|| link.poll_event()).collect();
    let hang_up = events
        .iter()
        .any(|event| matches!(event, LinkEvent::Command { bytes, .. } if bytes == b"H"));
    assert!(hang_up, "{events:?}");
}
