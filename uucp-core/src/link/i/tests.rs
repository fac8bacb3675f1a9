//! Scripts: what is said to an `i` link, and what it says, with the time that passes between.

use std::time::Duration;

use super::receiver::{Input, scan};
use crate::link::{CallRole, Channel, LinkError, LinkEvent, make};
use crate::wire::command::Features;
use crate::wire::i::{Form, Header, Kind, Sequence, Sync};

const FORM: Form = Form {
    complement: false,
    sealed: false,
};

/// An answering link.
type Script = crate::link::script::Script<super::I>;

/// A packet of the caller.
fn packet(kind: Kind, sequence: u8, acknowledged: u8, data: &[u8]) -> Vec<u8> {
    let header = Header {
        kind,
        sequence: Sequence::new(sequence),
        acknowledged: Sequence::new(acknowledged),
        local: 1,
        remote: 0,
        caller: true,
        length: data.len(),
    };
    let mut out = Vec::new();
    FORM.emit(header, data, &mut out);
    out
}

fn sync(packet_size: u16, window: u8) -> Vec<u8> {
    let sync = Sync {
        packet_size,
        window,
        channels: Some(7),
    };
    packet(Kind::Sync, 0, 0, &sync.to_bytes())
}

fn row(number: u8) -> Vec<u8> {
    packet(Kind::Data, number, 0, b"x")
}

impl Script {
    fn new(parameters: &[(&str, &str)]) -> Self {
        let link = make(b'i', CallRole::Called, Features::NONE, parameters).unwrap();
        Self::of(link)
    }

    /// After the start; the peer takes packets of 1024 bytes.
    fn started(parameters: &[(&str, &str)]) -> Self {
        let mut script = Self::new(parameters);
        assert_eq!(script.says(), ["SYNC 4095/16"]);
        script.hears(&sync(1024, 16));
        script.assert_started();
        script
    }

    /// What goes out now: kind, number, what is acknowledged, and how much data.
    fn says(&mut self) -> Vec<String> {
        let out = self.sent();
        let mut said = Vec::new();
        let mut rest = &out[..];
        while !rest.is_empty() {
            let (used, _, input) = scan(rest, FORM, false, false);
            let Input::Packet(header, Some(data)) = input else {
                panic!("{input:?}");
            };
            let (number, last) = (header.sequence.number(), header.acknowledged.number());
            said.push(match header.kind {
                Kind::Sync => {
                    let sync = Sync::parse(data).unwrap();
                    format!("SYNC {}/{}", sync.packet_size, sync.window)
                }
                Kind::Ack => format!("ACK {last}"),
                Kind::Nak => format!("NAK {number}"),
                Kind::Spos => format!("SPOS {number}/{last}"),
                Kind::Close => format!("CLOSE {number}"),
                Kind::Data => format!("{number}/{last}:{}", data.len()),
            });
            rest = &rest[used..];
        }
        said
    }

    fn sends(&mut self, command: &[u8]) {
        self.link.send_command(self.now, Channel(1), false, command);
    }
}

/// The answerer waits a second longer, lest both sides send again at the same moment.
const ELEVEN: Duration = Duration::from_secs(11);

#[test]
fn a_sync_that_nobody_answers_is_repeated_six_times() {
    let mut script = Script::new(&[]);
    for _ in 0..6 {
        assert_eq!(script.says(), ["SYNC 4095/16"]);
        assert_eq!(script.waits().unwrap(), Duration::from_secs(10));
    }
    assert_eq!(script.says(), ["SYNC 4095/16"]);
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("the start of the protocol"), "{error}");
}

#[test]
fn a_sync_that_comes_again_means_that_ours_was_lost_with_all_that_followed() {
    let mut script = Script::started(&[]);
    script.sends(b"S a b");
    assert_eq!(script.says(), ["1/0:6"]);
    // Too soon: this one was under way when ours was.
    script.now += Duration::from_secs(4);
    script.hears(&sync(1024, 16));
    assert_eq!(script.says(), [""; 0]);
    script.now += Duration::from_secs(2);
    script.hears(&sync(1024, 16));
    assert_eq!(script.says(), ["SYNC 4095/16", "1/0:6"]);
    // Once anything else has come, the peer has ours.
    script.hears(&packet(Kind::Ack, 0, 1, &[]));
    script.now += Duration::from_secs(9);
    script.hears(&sync(1024, 16));
    assert_eq!(script.says(), [""; 0]);
}

#[test]
fn a_later_sync_makes_packets_smaller() {
    let mut script = Script::started(&[]);
    script.hears(&row(1));
    script.sends(&[b'x'; 1999]);
    assert_eq!(script.says(), ["1/1:1024", "2/1:976"]);
    script.hears(&sync(400, 2));
    script.sends(&[b'x'; 999]);
    assert_eq!(script.says(), [""; 0], "the window holds two");
    script.hears(&packet(Kind::Ack, 0, 2, &[]));
    assert_eq!(script.says(), ["3/1:400", "4/1:400"]);
    script.hears(&packet(Kind::Ack, 0, 3, &[]));
    assert_eq!(script.says(), ["5/1:200"]);
    for bad in [sync(0, 16), sync(1024, 0)] {
        let error = Script::started(&[]).try_hears(&bad).unwrap_err();
        assert!(matches!(error, LinkError::Remote { .. }), "{error}");
    }
}

#[test]
fn what_is_missing_is_asked_for_once_and_what_came_early_is_kept() {
    let mut script = Script::started(&[]);
    script.hears(&[row(1), row(4)].concat());
    assert_eq!(script.says(), ["NAK 2", "NAK 3"]);
    script.hears(&row(5));
    assert_eq!(script.says(), [""; 0]);
    script.hears(&row(2));
    assert_eq!(script.says(), [""; 0]);
    script.hears(&row(3));
    script.sends(b"H");
    assert_eq!(script.says(), ["1/5:2"]);
}

#[test]
fn an_acknowledgement_is_due_after_half_a_window() {
    let mut script = Script::started(&[]);
    for number in 1..8 {
        script.hears(&row(number));
        assert_eq!(script.says(), [""; 0]);
    }
    script.hears(&row(8));
    assert_eq!(script.says(), ["ACK 8"]);
    // One that was there is told of at once: its acknowledgement was lost.
    script.hears(&row(8));
    assert_eq!(script.says(), ["ACK 8"]);
    let mut script = Script::started(&[("ack-frequency", "1")]);
    script.hears(&row(1));
    assert_eq!(script.says(), ["ACK 1"]);
}

#[test]
fn a_packet_that_is_asked_for_is_sent_again_alone() {
    let mut script = Script::started(&[]);
    for _ in 0..3 {
        script.sends(b"S");
    }
    assert_eq!(script.says(), ["1/0:2", "2/0:2", "3/0:2"]);
    script.hears(&row(1));
    script.hears(&packet(Kind::Nak, 2, 0, &[]));
    assert_eq!(script.says(), ["2/1:2"]);
    // Of what was not sent yet, the peer can only know that our acknowledgement was lost.
    script.hears(&packet(Kind::Nak, 4, 3, &[]));
    assert_eq!(script.says(), ["ACK 1"]);
}

#[test]
fn silence_is_met_with_a_question_and_the_oldest_packet_six_times() {
    let mut script = Script::started(&[]);
    script.sends(b"S");
    script.sends(b"S");
    script.says();
    for _ in 0..6 {
        assert_eq!(script.waits().unwrap(), ELEVEN);
        assert_eq!(script.says(), ["NAK 1", "1/0:2"]);
    }
    let error = script.waits().unwrap_err().to_string();
    assert!(error.contains("an acknowledgement"), "{error}");
    let mut idle = Script::started(&[]);
    idle.waits().unwrap();
    assert_eq!(idle.says(), ["NAK 1"]);
}

#[test]
fn too_many_errors_halve_the_packets_and_end_the_call_when_they_are_small() {
    let mut script = Script::started(&[("errors", "3")]);
    let mut damaged = packet(Kind::Data, 1, 0, b"text");
    damaged[7] ^= 1;
    let mut error = None;
    for size in [2047, 1023, 511, 0] {
        for _ in 0..3 {
            script.hears(&damaged);
            assert_eq!(script.says(), ["NAK 1"]);
        }
        match script.try_hears(&damaged) {
            Ok(()) => assert_eq!(
                script.says(),
                ["NAK 1".to_owned(), format!("SYNC {size}/16")]
            ),
            Err(found) => error = Some((size, found.to_string())),
        }
    }
    let expected = "protocol 'i': too many errors".to_owned();
    assert_eq!(error, Some((0, expected)));
}

#[test]
fn what_trickles_in_of_one_damaged_packet_is_one_error() {
    let mut script = Script::started(&[("errors", "1")]);
    for _ in 0..1000 {
        script.hears(b"x");
    }
    script.hears(&row(1));
    script.sends(b"H");
    assert_eq!(script.says(), ["1/1:2"]);
    // The next one is another.
    script.hears(b"x");
    assert_eq!(script.says(), ["SYNC 2047/16"]);
}

#[test]
fn good_packets_make_up_for_errors() {
    let mut script = Script::started(&[("errors", "2"), ("error-decay", "2")]);
    let mut damaged = packet(Kind::Data, 5, 0, b"text");
    damaged[7] ^= 1;
    script.hears(&[row(1), row(2), row(3), row(4)].concat());
    for _ in 0..4 {
        script.hears(&damaged);
        assert_eq!(script.says(), ["NAK 5"]);
    }
    script.hears(&damaged);
    assert_eq!(script.says(), ["NAK 5", "SYNC 2047/16"]);
}

#[test]
fn close_follows_everything_and_is_answered() {
    let mut script = Script::started(&[]);
    script.sends(b"HY");
    script.link.close(script.now);
    assert_eq!(script.says(), ["1/0:3", "CLOSE 2"]);
    script.hears(&packet(Kind::Close, 1, 1, &[]));
    assert_eq!(script.events.last(), Some(&LinkEvent::Closed));
    let mut script = Script::started(&[]);
    script.hears(&packet(Kind::Close, 1, 0, &[]));
    let error = script.waits().unwrap_err().to_string();
    assert_eq!(error, "protocol 'i': closed by the other system");
}
