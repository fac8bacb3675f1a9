//! Scripts: what is said to a `g` link, and what it says, with the time that passes between.

use std::time::{Duration, Instant};

use super::receiver::{Input, scan};
use crate::link::{CallRole, Channel, LinkError, LinkEvent, make};
use crate::wire::command::Features;
use crate::wire::g::{Body, Control, Sequence};

type Script = crate::link::script::Script<super::G>;

fn text(control: Control) -> String {
    match control {
        Control::Close => "CLOSE".to_owned(),
        Control::Rj(number) => format!("RJ {}", number.number()),
        Control::Srj(number) => format!("SRJ {}", number.number()),
        Control::Rr(number) => format!("RR {}", number.number()),
        Control::InitC(window) => format!("INITC {window}"),
        Control::InitB(code) => format!("INITB {code}"),
        Control::InitA(window) => format!("INITA {window}"),
    }
}

fn control(control: Control) -> Vec<u8> {
    let mut out = Vec::new();
    control.emit(false, &mut out);
    out
}

/// Packets of a command or a file: number, what is acknowledged, text.
fn data(number: u8, acknowledged: u8, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (number, acknowledged) = (Sequence::new(number), Sequence::new(acknowledged));
    Body::command(64, text).emit(number, acknowledged, false, &mut out);
    out
}

fn rr(number: u8) -> Vec<u8> {
    control(Control::Rr(Sequence::new(number)))
}

fn rj(number: u8) -> Vec<u8> {
    control(Control::Rj(Sequence::new(number)))
}

impl Script {
    /// Packets of 64 bytes.
    fn new(role: CallRole, parameters: &[(&str, &str)]) -> Self {
        let parameters = [&[("packet-size", "64")], parameters].concat();
        let link = make(b'g', role, Features::NONE, &parameters).unwrap();
        Self::of(link)
    }

    /// An answerer after the start.
    fn started(parameters: &[(&str, &str)]) -> Self {
        let mut script = Self::new(CallRole::Called, parameters);
        for packet in [Control::InitA(7), Control::InitB(1), Control::InitC(7)] {
            script.hears(&control(packet));
            assert_eq!(script.says(), [text(packet)]);
        }
        script.assert_started();
        script
    }

    /// What goes out now: control packets by name, others as number/acknowledged:text.
    fn says(&mut self) -> Vec<String> {
        let out = self.sent();
        let mut said = Vec::new();
        let mut rest = &out[..];
        while !rest.is_empty() {
            let (used, input) = scan(rest, false, false);
            said.push(match input {
                Input::Control(control) => text(control),
                Input::Data(header, Some(data)) => {
                    let used = header.used(data).unwrap();
                    let end = used.iter().position(|b| *b == 0).unwrap_or(used.len());
                    format!(
                        "{}/{}:{}",
                        header.sequence.number(),
                        header.acknowledged.number(),
                        String::from_utf8_lossy(&used[..end.min(1)])
                    )
                }
                other => panic!("{other:?}"),
            });
            rest = &rest[used..];
        }
        said
    }

    /// Sends packets of a file, each of one letter.
    fn sends(&mut self, letters: &str) {
        for letter in letters.bytes() {
            assert_eq!(
                self.link
                    .send_data(self.now, Channel(0), false, &[letter; 62]),
                62
            );
        }
    }
}

const TEN: Duration = Duration::from_secs(10);

#[test]
fn a_packet_whose_seal_is_broken_is_none() {
    let (one, two) = (Sequence::new(1), Sequence::new(2));
    let (mut control, mut data) = (Vec::new(), Vec::new());
    Control::Rr(one).emit(true, &mut control);
    Body::command(32, b"text").emit(one, two, true, &mut data);
    let is_good = |packet: &[u8]| {
        let (_, found) = scan(packet, false, true);
        matches!(found, Input::Control(_) | Input::Data(_, Some(_)))
    };
    for packet in [control, data] {
        assert!(is_good(&packet));
        for at in 0..packet.len() {
            let mut damaged = packet.clone();
            damaged[at] ^= 0x04;
            assert!(!is_good(&damaged), "byte {at} of {packet:?}");
        }
    }
}

#[test]
fn a_start_that_nobody_answers_is_tried_again_and_given_up() {
    let mut script = Script::new(CallRole::Caller, &[]);
    assert_eq!(script.says(), ["INITA 7"]);
    let mut asked = 1;
    let error = loop {
        match script.waits() {
            Ok(waited) => assert_eq!(waited, TEN),
            Err(error) => break error,
        }
        assert_eq!(script.says(), ["INITA 7"]);
        asked += 1;
    };
    // Eight rounds of a first question and four more.
    assert_eq!(asked, 40);
    assert!(matches!(error, LinkError::TimedOut { .. }), "{error}");
}

#[test]
fn the_answerer_does_not_speak_first_and_repeats_what_got_lost() {
    let mut script = Script::new(CallRole::Called, &[]);
    assert_eq!(script.says(), [""; 0]);
    script.waits().unwrap();
    assert_eq!(script.says(), [""; 0]);
    for _ in 0..2 {
        script.hears(&control(Control::InitA(7)));
        assert_eq!(script.says(), ["INITA 7"]);
    }
    script.hears(&control(Control::InitB(1)));
    assert_eq!(script.says(), ["INITB 1"]);
    script.waits().unwrap();
    assert_eq!(script.says(), ["INITB 1"]);
}

#[test]
fn the_caller_asks_again_for_the_answer_that_was_lost() {
    let mut script = Script::new(CallRole::Caller, &[]);
    script.says();
    script.hears(&control(Control::InitA(3)));
    assert_eq!(script.says(), ["INITB 1"]);
    script.waits().unwrap();
    assert_eq!(script.says(), ["INITB 1"]);
    script.hears(&control(Control::InitB(1)));
    assert_eq!(script.says(), ["INITC 7"]);
    script.hears(&control(Control::InitC(3)));
    let started = LinkEvent::Started {
        description: "sending packet/window 64/3 receiving 64/7".to_owned(),
    };
    assert_eq!(script.events, [started]);
    assert_eq!(script.link.send_room(), 3 * 62);
}

#[test]
fn after_a_reject_one_packet_goes_and_then_two_for_each_that_arrived() {
    let mut script = Script::started(&[]);
    script.sends("abcdefg");
    assert_eq!(script.link.send_room(), 0);
    assert_eq!(script.says().len(), 7);
    script.hears(&rj(1));
    assert_eq!(script.says(), ["2/0:b"]);
    assert_eq!(script.says(), [""; 0]);
    script.hears(&rr(2));
    assert_eq!(script.says(), ["3/0:c", "4/0:d"]);
    script.hears(&rr(3));
    assert_eq!(script.says(), ["5/0:e", "6/0:f"]);
    script.hears(&rr(7));
    assert_eq!(script.says(), [""; 0]);
    assert!(script.events.contains(&LinkEvent::Acknowledged));
}

#[test]
fn a_selective_reject_brings_that_packet_alone() {
    let mut script = Script::started(&[]);
    script.sends("abc");
    script.says();
    script.hears(&control(Control::Srj(Sequence::new(2))));
    assert_eq!(script.says(), ["2/0:b"]);
    script.hears(&control(Control::Srj(Sequence::new(6))));
    assert_eq!(script.says(), [""; 0]);
}

#[test]
fn a_repeated_acknowledgement_is_a_reject_once_and_only_of_peers_that_send_none() {
    let mut script = Script::started(&[]);
    script.sends("abc");
    script.says();
    script.hears(&rr(1));
    assert_eq!(script.says(), [""; 0]);
    script.hears(&rr(1));
    assert_eq!(script.says(), ["2/0:b"]);
    script.hears(&rr(1));
    assert_eq!(script.says(), [""; 0]);
    // This one does send them.
    script.hears(&rj(1));
    assert_eq!(script.says(), ["2/0:b"]);
    script.hears(&rr(2));
    assert_eq!(script.says(), ["3/0:c"]);
    script.hears(&rr(2));
    assert_eq!(script.says(), [""; 0]);
}

#[test]
fn silence_is_met_with_the_oldest_packet_six_times() {
    let mut script = Script::started(&[]);
    script.sends("ab");
    assert_eq!(script.says(), ["1/0:a", "2/0:b"]);
    for _ in 0..6 {
        assert_eq!(script.waits().unwrap(), TEN);
        assert_eq!(script.says(), ["1/0:a"]);
    }
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("an acknowledgement"), "{error}");
}

#[test]
fn silence_with_nothing_under_way_is_met_with_a_reject() {
    let mut script = Script::started(&[]);
    for _ in 0..6 {
        assert_eq!(script.waits().unwrap(), TEN);
        assert_eq!(script.says(), ["RJ 0"]);
    }
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("a packet"), "{error}");
    // Anything good begins the count anew.
    let mut script = Script::started(&[]);
    script.waits().unwrap();
    script.says();
    script.hears(&data(1, 0, b"H"));
    assert_eq!(script.says(), ["RR 1"]);
    for _ in 0..6 {
        script.waits().unwrap();
    }
    script.waits().unwrap_err();
}

#[test]
fn a_gap_is_rejected_once_and_what_follows_it_dropped() {
    let mut script = Script::started(&[]);
    script.hears(&data(2, 0, b"two"));
    assert_eq!(script.says(), ["RJ 0"]);
    script.hears(&data(3, 0, b"three"));
    assert_eq!(script.says(), [""; 0]);
    script.hears(&[data(1, 0, b"one"), data(2, 0, b"two")].concat());
    assert_eq!(script.says(), ["RR 2"]);
    let commands: Vec<&[u8]> = script
        .events
        .iter()
        .filter_map(|event| match event {
            LinkEvent::Command { bytes, .. } => Some(&bytes[..]),
            _ => None,
        })
        .collect();
    assert_eq!(commands, [&b"one"[..], b"two"]);
}

#[test]
fn a_packet_that_was_there_is_acknowledged_again_but_not_at_once() {
    let mut script = Script::started(&[]);
    script.hears(&data(1, 0, b"one"));
    assert_eq!(script.says(), ["RR 1"]);
    script.hears(&data(1, 0, b"one"));
    assert_eq!(script.says(), [""; 0]);
    script.now += Duration::from_secs(1);
    script.hears(&data(1, 0, b"one"));
    assert_eq!(script.says(), ["RR 1"]);
}

#[test]
fn data_carry_the_acknowledgement() {
    let mut script = Script::started(&[]);
    script.hears(&data(1, 0, b"one"));
    script.sends("a");
    assert_eq!(script.says(), ["1/1:a"]);
    script.hears(&data(2, 1, b"two"));
    script
        .link
        .send_command(script.now, Channel(0), true, b"SY");
    assert_eq!(script.says(), ["2/2:S"]);
}

#[test]
fn damaged_packets_are_asked_for_until_there_are_too_many() {
    let mut script = Script::started(&[("errors", "3"), ("error-decay", "2")]);
    let damaged = |number| {
        let mut packet = data(number, 0, b"text");
        packet[20] ^= 1;
        packet
    };
    for _ in 0..3 {
        script.hears(&damaged(1));
        assert_eq!(script.says(), ["RJ 0"]);
    }
    // Two good ones make up for one.
    script.hears(&[data(1, 0, b"a"), data(2, 0, b"b")].concat());
    script.hears(&damaged(3));
    let error = script.try_hears(&damaged(3)).unwrap_err().to_string();
    assert!(error.contains("too many errors"), "{error}");
}

#[test]
fn both_say_close_and_that_is_the_end() {
    let mut script = Script::started(&[]);
    script.sends("a");
    script.link.close(script.now);
    assert_eq!(script.says(), ["1/0:a", "CLOSE", "CLOSE"]);
    script.hears(&[rr(1), control(Control::Close)].concat());
    assert_eq!(script.events.last(), Some(&LinkEvent::Closed));
    // One that closes while we do not is in error, if the conversation does not close soon.
    let mut script = Script::started(&[]);
    script.hears(&control(Control::Close));
    assert_eq!(
        script.waits().unwrap_err().to_string(),
        "protocol 'g': closed by the other system"
    );
}

#[test]
fn what_the_letters_differ_in_is_the_size_of_packets() {
    // (letter, the size that it asks for, its packet for a short command where the peer asked for 1024)
    for (letter, asked, sent) in [(b'g', 6, 32), (b'G', 4, 1024), (b'v', 5, 32)] {
        let mut link = make(letter, CallRole::Called, Features::NONE, &[]).unwrap();
        let now = Instant::now();
        link.start(now);
        let mut out = Vec::new();
        for packet in [Control::InitA(7), Control::InitB(5), Control::InitC(7)] {
            let packet = control(packet);
            assert_eq!(link.handle_input(now, &packet), Ok(packet.len()));
        }
        link.poll_transmit(now, &mut out);
        let answers = [Control::InitA(7), Control::InitB(asked), Control::InitC(7)];
        assert_eq!(out, answers.map(control).concat(), "{letter}");
        assert_eq!(link.letter(), letter);
        out.clear();
        link.send_command(now, Channel(0), true, b"SY");
        link.poll_transmit(now, &mut out);
        assert_eq!(out.len(), sent + 6, "{letter}");
    }
}
