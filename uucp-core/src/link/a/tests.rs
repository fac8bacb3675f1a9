//! Scripts: what is said to an `a` link, and what it says, with the time that passes between.

use std::time::{Duration, Instant};

use crate::link::{CallRole, Channel, Link, LinkError, LinkEvent, make};
use crate::wire::a::{End, Escapes, Header, Kind};
use crate::wire::command::Features;

/// A link, a clock, and what happened.
struct Script {
    link: Box<dyn Link>,
    now: Instant,
    events: Vec<LinkEvent>,
}

fn hex(kind: Kind, position: u32) -> Vec<u8> {
    let mut out = Vec::new();
    Header::new(kind, position).emit_hex(&mut out);
    out
}

/// A message, or the piece of one that begins there.
fn data(position: u32, text: &[u8], end: End) -> Vec<u8> {
    let mut out = Vec::new();
    Header::new(Kind::Data, position).emit_binary(Escapes::Few, &mut out);
    Escapes::Few.emit_data(text, end, &mut out);
    out
}

fn more(text: &[u8], end: End) -> Vec<u8> {
    let mut out = Vec::new();
    Escapes::Few.emit_data(text, end, &mut out);
    out
}

fn init() -> Vec<u8> {
    let mut out = Vec::new();
    Header::init(false).emit_hex(&mut out);
    out
}

impl Script {
    fn new(parameters: &[(&str, &str)]) -> Self {
        Self::with(Features::NONE, parameters)
    }

    fn with(features: Features, parameters: &[(&str, &str)]) -> Self {
        let mut link = make(b'a', CallRole::Caller, features, parameters).unwrap();
        let now = Instant::now();
        link.start(now);
        Self {
            link,
            now,
            events: Vec::new(),
        }
    }

    fn started(features: Features) -> Self {
        let mut script = Self::with(features, &[]);
        script.hears(&init());
        script.hears(&data(0, &[0], End::Message));
        script.hears(&hex(Kind::Ack, 0));
        script.hears(&hex(Kind::InitEnd, 0));
        assert!(matches!(
            script.events.pop(),
            Some(LinkEvent::Started { .. })
        ));
        script.says();
        script
    }

    fn hears(&mut self, bytes: &[u8]) {
        assert_eq!(self.link.handle_input(self.now, bytes), Ok(bytes.len()));
        self.events
            .extend(std::iter::from_fn(|| self.link.poll_event()));
    }

    fn says(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.link.poll_transmit(self.now, &mut out) {}
        out
    }

    /// Waits until the link wants to be woken; how long that was.
    fn waits(&mut self) -> Result<Duration, LinkError> {
        let until = self.link.poll_timeout().expect("a deadline");
        let waited = until.saturating_duration_since(self.now);
        self.now = until;
        self.link.handle_timeout(self.now)?;
        Ok(waited)
    }

    fn command(&mut self, text: &[u8]) {
        self.link.send_command(self.now, Channel(0), false, text);
    }
}

#[test]
fn the_start_is_said_on_both_sides() {
    let mut script = Script::new(&[]);
    assert_eq!(script.says(), init());
    script.hears(&init());
    assert_eq!(script.says(), data(0, &[0], End::Message));
    script.hears(&data(0, &[0], End::Message));
    assert_eq!(script.says(), hex(Kind::Ack, 0));
    script.hears(&hex(Kind::Ack, 0));
    assert_eq!(script.says(), hex(Kind::InitEnd, 0));
    assert_eq!(script.events, []);
    script.hears(&hex(Kind::InitEnd, 0));
    assert!(matches!(script.events[..], [LinkEvent::Started { .. }]));
}

#[test]
fn what_of_the_start_was_lost_is_said_again_and_given_up() {
    let mut script = Script::new(&[]);
    script.says();
    for _ in 0..4 {
        assert_eq!(script.waits().unwrap(), Duration::from_secs(10));
        let wanted = [init(), data(0, &[0], End::Message)].concat();
        assert_eq!(script.says(), wanted);
    }
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("the start"), "{error}");
    // The other side's last word was lost, and it goes on.
    let mut script = Script::new(&[]);
    script.hears(&hex(Kind::Ack, 0));
    script.hears(&data(1024, b"H\0", End::Message));
    assert!(matches!(
        script.events[..],
        [LinkEvent::Started { .. }, LinkEvent::Command { .. }]
    ));
}

#[test]
fn the_next_message_waits_for_a_pause_after_a_command_unless_the_peer_is_one_of_ours() {
    for (features, pause) in [(Features::NONE, 50), (Features::SEALED, 0)] {
        let mut script = Script::started(features);
        script.hears(&data(1024, b"S a b\0", End::Message));
        script.command(b"SY");
        let pause = Duration::from_millis(pause);
        let (ack, answer) = (hex(Kind::Ack, 1030), data(1024, b"SY\0", End::Message));
        if pause.is_zero() {
            assert_eq!(script.says(), [ack, answer].concat());
            continue;
        }
        assert_eq!(script.says(), ack);
        assert_eq!(script.waits().unwrap(), pause);
        assert_eq!(script.says(), answer);
        // The end of a file needs none.
        script.hears(&hex(Kind::Ack, 1027));
        script.link.expect_file(Channel(0), true, 0);
        script.hears(&[data(2048, b"x", End::More), more(b"", End::Message)].concat());
        script.command(b"CY");
        let wanted = [hex(Kind::Ack, 2049), data(2048, b"CY\0", End::Message)].concat();
        assert_eq!(script.says(), wanted);
    }
}

#[test]
fn a_file_goes_in_subpackets_within_the_window() {
    let mut script = Script::started(Features::NONE);
    let file: Vec<u8> = (0..30_000_u32)
        .map(|n| u8::try_from(n % 9 + 65).unwrap())
        .collect();
    script.link.begin_file(Channel(0), false, 0, None);
    let taken = script.link.send_data(script.now, Channel(0), false, &file);
    assert!(taken < file.len());
    let piece = |n: usize| &file[n * 1024..(n + 1) * 1024];
    let mut wanted = data(1024, piece(0), End::More);
    for n in 1..14 {
        let asks = matches!(n, 3 | 7 | 11 | 13);
        let end = if asks { End::MoreAck } else { End::More };
        wanted.extend(more(piece(n), end));
    }
    assert!(script.says() == wanted);
    script.hears(&hex(Kind::Ack, 1024 + 4096));
    let said = script.says();
    assert!(said.starts_with(&more(piece(14), End::More)));
    // From somewhere in the middle, in smaller pieces; a wish that is repeated is not heard.
    script.hears(&hex(Kind::Back, 1024 + 8192));
    let said = script.says();
    let begin = data(1024 + 8192, &piece(8)[..512], End::More);
    assert!(said.starts_with(&begin));
    script.hears(&hex(Kind::Back, 1024 + 8192));
    assert_eq!(script.says(), b"");
    script.hears(&hex(Kind::Back, 77));
    assert_eq!(script.says(), b"");
}

#[test]
fn an_end_that_was_lost_is_sent_again() {
    let mut script = Script::started(Features::NONE);
    script.link.begin_file(Channel(0), false, 0, None);
    script
        .link
        .send_data(script.now, Channel(0), false, b"hello");
    script.link.end_file(script.now, Channel(0), false);
    let wanted = [data(1024, b"hello", End::More), more(b"", End::Message)].concat();
    assert_eq!(script.says(), wanted);
    script.hears(&hex(Kind::Ack, 1029));
    assert_eq!(script.events, [LinkEvent::Acknowledged]);
    script.hears(&hex(Kind::Back, 1029));
    assert_eq!(script.says(), data(1029, b"", End::Message));
}

#[test]
fn damage_is_asked_for_again_and_what_comes_twice_taken_once() {
    let mut script = Script::started(Features::SEALED);
    script.link.expect_file(Channel(0), true, 0);
    let mut bad = more(b"world", End::More);
    bad[1] ^= 1;
    script.hears(&[data(1024, b"hello ", End::More), bad].concat());
    assert_eq!(script.says(), hex(Kind::Back, 1030));
    script.hears(&more(b"!", End::More));
    assert_eq!(script.says(), b"");
    // The peer goes back further than need be.
    script.hears(&data(1024, b"hello world", End::MoreAck));
    assert_eq!(script.says(), hex(Kind::Ack, 1035));
    script.hears(&more(b"", End::Message));
    assert_eq!(script.says(), hex(Kind::Ack, 1035));
    let mut file = Vec::new();
    for event in &script.events {
        if let LinkEvent::Data { bytes, .. } = event {
            file.extend_from_slice(bytes);
        }
    }
    assert_eq!(file, b"hello world");
    assert!(matches!(
        script.events.last(),
        Some(LinkEvent::FileEnd { .. })
    ));
    // Our acknowledgement was lost.
    script.hears(
        &[
            data(1024, b"hello world", End::More),
            more(b"", End::Message),
        ]
        .concat(),
    );
    assert_eq!(script.says(), hex(Kind::Ack, 1035));
    // A message that is further on than it can be.
    script.hears(&data(8192, b"", End::Message));
    assert_eq!(script.says(), hex(Kind::Back, 2048));
}

#[test]
fn silence_is_met_with_what_is_not_acknowledged_ten_times() {
    let mut script = Script::started(Features::NONE);
    script.command(b"H");
    let message = data(1024, b"H\0", End::Message);
    assert_eq!(script.says(), message);
    for _ in 0..10 {
        assert_eq!(script.waits().unwrap(), Duration::from_secs(10));
        assert_eq!(script.says(), message);
    }
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("an acknowledgement"), "{error}");
}

#[test]
fn control_characters_are_escaped_if_either_side_wants_it() {
    let mut script = Script::new(&[("escape-control", "true")]);
    let mut wanted = Vec::new();
    Header::init(true).emit_hex(&mut wanted);
    assert_eq!(script.says(), wanted);
    let mut script = Script::new(&[]);
    script.says();
    script.hears(&wanted);
    let mut wanted = Vec::new();
    Header::new(Kind::Data, 0).emit_binary(Escapes::Control, &mut wanted);
    Escapes::Control.emit_data(&[0], End::Message, &mut wanted);
    assert_eq!(script.says(), wanted);
}

#[test]
fn both_say_fin_and_that_is_the_end() {
    let mut script = Script::started(Features::NONE);
    script.command(b"HY");
    script.command(b"HY");
    script.link.close(script.now);
    let wanted = [data(1024, b"HY\0", End::Message), hex(Kind::Fin, 0)].concat();
    assert_eq!(script.says(), wanted);
    script.hears(&hex(Kind::Fin, 0));
    assert_eq!(script.events.last(), Some(&LinkEvent::Closed));
    // One that closes while we do not is in error, if the conversation does not close soon.
    let mut script = Script::started(Features::NONE);
    script.hears(&hex(Kind::Fin, 0));
    assert_eq!(
        script.waits().unwrap_err().to_string(),
        "protocol 'a': closed by the other system"
    );
}

#[test]
fn too_much_garbage_ends_the_call() {
    let mut script = Script::started(Features::NONE);
    let result = script.link.handle_input(script.now, &vec![b'x'; 20_000]);
    assert!(matches!(result, Err(LinkError::Remote { .. })));
}
