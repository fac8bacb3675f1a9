//! Scripts: what is said to a `y` link, and what it says, with the time that passes between.

use std::time::{Duration, Instant};

use crate::link::{CallRole, Channel, Link, LinkEvent, make};
use crate::wire::command::Features;
use crate::wire::y::{self, Control};

fn link(parameters: &[(&str, &str)]) -> (Box<dyn Link>, Instant) {
    let mut link = make(b'y', CallRole::Called, Features::NONE, parameters).unwrap();
    let now = Instant::now();
    link.start(now);
    (link, now)
}

/// After the start, with nothing more to be sent.
fn started() -> (Box<dyn Link>, Instant) {
    let (mut link, now) = link(&[]);
    hears(&mut *link, now, &data(0, &y::sync(1024)));
    assert!(matches!(link.poll_event(), Some(LinkEvent::Started { .. })));
    says(&mut *link, now);
    (link, now)
}

fn data(number: u16, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    y::emit_data(number, bytes, &mut out);
    out
}

fn control(number: u16, control: Control) -> Vec<u8> {
    let mut out = Vec::new();
    y::emit_control(number, control, &mut out);
    out
}

fn hears(link: &mut dyn Link, now: Instant, bytes: &[u8]) {
    assert_eq!(link.handle_input(now, bytes), Ok(bytes.len()));
}

fn says(link: &mut dyn Link, now: Instant) -> Vec<u8> {
    let mut out = Vec::new();
    while link.poll_transmit(now, &mut out) {}
    out
}

#[test]
fn both_sides_start_and_the_smaller_size_counts() {
    let (mut link, now) = link(&[("packet-size", "4096")]);
    // More than 1024 is not for this protocol.
    assert_eq!(says(&mut *link, now), data(0, &y::sync(1024)));
    assert_eq!(link.poll_event(), None);
    hears(&mut *link, now, &data(0, &y::sync(512)));
    let description = "packet 512".to_owned();
    assert_eq!(link.poll_event(), Some(LinkEvent::Started { description }));
    link.send_data(now, Channel(0), false, &[7; 600]);
    link.end_file(now, Channel(0), false);
    let wanted = [data(1, &[7; 512]), data(2, &[7; 88]), data(3, &[])].concat();
    assert_eq!(says(&mut *link, now), wanted);
}

#[test]
fn a_long_command_goes_in_several_packets_and_comes_so() {
    let (mut link, now) = started();
    let text = vec![b'x'; 1500];
    link.send_command(now, Channel(0), true, &text);
    let rest = [&text[1024..], &[0]].concat();
    let packets = [data(1, &text[..1024]), data(2, &rest)].concat();
    assert_eq!(says(&mut *link, now), packets);
    hears(&mut *link, now, &packets);
    assert_eq!(link.poll_event(), Some(LinkEvent::Acknowledged));
    match link.poll_event() {
        Some(LinkEvent::Command { bytes, .. }) => assert_eq!(bytes, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_came_is_acknowledged_at_its_end() {
    let (mut link, now) = started();
    link.expect_file(Channel(0), true, 0);
    hears(&mut *link, now, &data(1, b"data"));
    assert!(matches!(link.poll_event(), Some(LinkEvent::Data { .. })));
    assert_eq!(link.poll_event(), None);
    assert_eq!(says(&mut *link, now), b"");
    hears(&mut *link, now, &data(2, b""));
    assert!(matches!(link.poll_event(), Some(LinkEvent::FileEnd { .. })));
    assert_eq!(says(&mut *link, now), control(1, Control::Ack));
}

#[test]
fn what_is_wrong_is_told_and_ends_the_call() {
    let mut bad_sum = data(1, b"H\0");
    bad_sum[6] ^= 1;
    for (input, told, reason) in [
        (bad_sum, Some(Control::Error), "a wrong sum"),
        (data(2, b"H\0"), Some(Control::Bad), "out of its turn"),
        (data(1, &[7; 1025]), Some(Control::Bad), "too long"),
        (control(1, Control::Error), None, "has received a wrong sum"),
        (control(1, Control::Bad), None, "has received a bad packet"),
    ] {
        let (mut link, now) = started();
        hears(&mut *link, now, &input);
        assert_eq!(link.poll_event(), None);
        let said = told.map_or_else(Vec::new, |told| control(1, told));
        assert_eq!(says(&mut *link, now), said, "{reason}");
        assert!(link.poll_timeout().is_some_and(|at| at <= now), "{reason}");
        let error = link.handle_timeout(now).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn silence_is_borne_for_twice_the_time() {
    let (mut link, now) = link(&[("timeout", "30")]);
    let error = link.handle_timeout(now + Duration::from_mins(1));
    assert!(error.unwrap_err().to_string().contains("the start"));
    let (mut link, now) = started();
    link.send_command(now, Channel(0), false, b"S a b");
    link.end_file(now, Channel(0), false);
    assert_eq!(link.poll_timeout(), Some(now + Duration::from_mins(2)));
    hears(&mut *link, now, &control(1, Control::Ack));
    assert_eq!(link.poll_event(), Some(LinkEvent::Acknowledged));
    assert_eq!(link.poll_event(), None);
    let error = link.handle_timeout(now + Duration::from_mins(2));
    assert!(error.unwrap_err().to_string().contains("a command"));
}
