//! Two conversations in memory, each with a spool in memory, and a line between them that can end at any byte.

mod damage;
mod hostile;
mod lines;
mod pair;
mod refused;
mod restart;
mod side;

use std::time::Duration;

use super::*;
use crate::wire::command::{Features, Refusal};
use pair::{Pair, PairOptions};
use side::Side;

/// `T`, `E`, `I` and `J` are `t`, `e`, `i` and `j` as they are between two of ours, where many requests are under way at
/// once.
const PROTOCOLS: [u8; 14] = *b"tegiTEIJGvjfya";

/// Those that see every damage, or nearly.
const CORRECTING: &[u8] = b"giGvjaIJ";

/// Sizes around every packet and block boundary of the protocols.
const SIZES: [usize; 12] = [
    0, 1, 63, 64, 65, 1023, 1024, 1025, 4095, 4096, 20_000, 70_001,
];

fn options(protocol: u8) -> PairOptions {
    let bare = Features(Features::OURS.0 & !Features::MULTIPLEX.0);
    let (protocol, features) = match protocol {
        b'T' | b'E' | b'I' | b'J' => (protocol.to_ascii_lowercase(), Features::OURS),
        protocol => (protocol, bare),
    };
    PairOptions {
        protocol,
        features,
        ..PairOptions::default()
    }
}

fn queue_some(side: &mut Side, name: &str) {
    for (at, size) in SIZES.iter().enumerate() {
        let content: Vec<u8> = (0..*size).map(|i| (i * 31 + at) as u8).collect();
        if at % 2 == 0 {
            side.queue_mail(&format!("{name}{at:02}"), &content);
        } else {
            side.queue_send(&format!("{name}{at:02}"), &content);
        }
    }
}

#[test]
fn every_protocol_carries_files_of_both_sides_in_one_call() {
    for protocol in PROTOCOLS {
        for (caller, called) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut pair = Pair::new(options(protocol));
            if caller {
                queue_some(&mut pair.caller, "A");
            }
            if called {
                queue_some(&mut pair.called, "B");
            }
            pair.run();
            pair.assert_complete();
        }
    }
}

#[test]
fn who_has_said_the_last_word_is_not_waited_for() {
    for (protocol, chunk) in PROTOCOLS
        .into_iter()
        .flat_map(|p| [(p, usize::MAX), (p, 5)])
    {
        let mut pair = Pair::new(PairOptions {
            chunk,
            ..options(protocol)
        });
        pair.caller.queue_mail("A1", b"mail");
        pair.run();
        pair.assert_complete();
        let sides = [&pair.caller, &pair.called];
        let done = sides.map(|side| side.conversation.as_ref().unwrap().peer_is_done());
        assert_eq!(done, [true; 2], "{}", char::from(protocol));
    }
    // A line that was lost says nothing of the kind.
    let mut pair = Pair::new(PairOptions {
        hang_up_at: Some(700),
        ..options(b't')
    });
    pair.caller.queue_mail("A1", b"mail");
    pair.run();
    let caller = pair.caller.conversation.as_ref().unwrap();
    assert!(pair.caller.result != Some(Ok(())) && !caller.peer_is_done());
}

#[test]
fn a_line_of_one_direction_at_a_time_carries_files_of_both_sides() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(PairOptions {
            half_duplex: true,
            ..options(protocol)
        });
        queue_some(&mut pair.caller, "A");
        queue_some(&mut pair.called, "B");
        pair.run();
        pair.assert_complete();
        // The caller's all come first: the called side waits until it is master.
        let order = pair.caller.order.borrow().clone();
        let turn = order.iter().position(|id| id.starts_with('B')).unwrap();
        assert_eq!(turn, SIZES.len(), "{}: {order:?}", char::from(protocol));
    }
}

#[test]
fn files_are_asked_for_in_both_directions() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        for size in [0, 1, 5000] {
            pair.called.offer(&format!("/pub/b{size}"), &vec![7; size]);
            pair.caller.offer(&format!("/pub/a{size}"), &vec![8; size]);
            pair.caller.queue_receive(&format!("/pub/b{size}"));
            pair.called.queue_receive(&format!("/pub/a{size}"));
        }
        pair.caller.queue_receive("/pub/missing");
        queue_some(&mut pair.called, "B");
        pair.run();
        pair.assert_complete();
        assert_eq!(pair.caller.refused.len(), 1, "{}", char::from(protocol));
        assert_eq!(pair.caller.asked_for.len(), 3);
        assert_eq!(pair.called.asked_for.len(), 3);
    }
}

#[test]
fn a_file_that_the_peer_asks_for_does_not_wait_for_all_of_ours() {
    for protocol in *b"iTE" {
        let mut pair = Pair::new(options(protocol));
        for at in 0..300 {
            pair.caller
                .queue_mail(&format!("A{at:03}"), &vec![7; 70_000]);
        }
        pair.caller.offer("/pub/a", &vec![8; 70_000]);
        pair.called.queue_receive("/pub/a");
        pair.run();
        pair.assert_complete();
        let order = pair.caller.order.borrow().clone();
        let at = order.iter().position(|id| id == "/pub/a").unwrap();
        assert!(at < 200, "{}: {at}", char::from(protocol));
    }
}

#[test]
fn how_the_input_is_cut_does_not_matter() {
    for protocol in PROTOCOLS {
        let transcript = |chunk: usize| {
            let mut pair = Pair::new(PairOptions {
                chunk,
                ..options(protocol)
            });
            queue_some(&mut pair.caller, "A");
            queue_some(&mut pair.called, "B");
            pair.run();
            pair.assert_complete();
            (pair.caller.received.clone(), pair.called.received.clone())
        };
        let whole = transcript(usize::MAX);
        for chunk in [1, 2, 7, 100, 4097] {
            assert_eq!(transcript(chunk), whole, "{} {chunk}", char::from(protocol));
        }
    }
}

#[test]
fn a_line_that_ends_at_any_byte_loses_and_doubles_nothing() {
    for protocol in PROTOCOLS {
        let mut whole = Pair::new(options(protocol));
        whole.caller.queue_mail("A1", b"first");
        whole.caller.queue_mail("A2", &[5; 300]);
        whole.called.queue_mail("B1", b"back");
        let (caller, called) = (whole.caller.clone_spool(), whole.called.clone_spool());
        whole.run();
        whole.assert_complete();
        let length = whole.carried();
        for end in (0..length).step_by(3) {
            let mut pair = Pair::new(PairOptions {
                hang_up_at: Some(end),
                ..options(protocol)
            });
            pair.caller.restore(&caller);
            pair.called.restore(&called);
            pair.run();
            pair.assert_nothing_lost(&caller, &called);
            // The next call finishes what this one left.
            let mut again = Pair::new(options(protocol));
            again.caller.restore(&pair.caller.clone_spool());
            again.called.restore(&pair.called.clone_spool());
            again.run();
            again.assert_complete();
            again.assert_once(&caller, &called);
        }
    }
}

#[test]
fn complete_files_are_committed_in_groups() {
    let mut pair = Pair::new(options(b'i'));
    for at in 0..70 {
        pair.caller.queue_mail(&format!("A{at:02}"), &[1; 500]);
    }
    pair.run();
    pair.assert_complete();
    // Seven requests are under way at once, so seven files share a round of syncs.
    assert!(pair.called.commits <= 20, "{} commits", pair.called.commits);
}

#[test]
fn a_login_leads_to_the_handshake() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(PairOptions {
            login: true,
            ..options(protocol)
        });
        queue_some(&mut pair.caller, "A");
        pair.run();
        pair.assert_complete();
        assert_eq!(pair.called.login.as_deref(), Some(&b"Ualpha"[..]));
    }
}

#[test]
fn a_silent_peer_is_given_up_wherever_it_falls_silent() {
    // The peer's bytes stop (but the line stays) after so many.
    for protocol in PROTOCOLS {
        for silent_after in [0, 5, 20, 30, 60, 700, 2000] {
            let mut pair = Pair::new(PairOptions {
                silent_after: Some(silent_after),
                ..options(protocol)
            });
            pair.caller.queue_mail("A1", &[9; 3000]);
            pair.called.queue_mail("B1", &[9; 3000]);
            let elapsed = pair.run();
            assert!(pair.caller.result.is_some() && pair.called.result.is_some());
            assert!(elapsed < Duration::from_mins(10), "{elapsed:?}");
        }
    }
}

#[test]
fn garbage_at_any_stage_neither_panics_nor_lingers() {
    use crate::link::testline::Random;
    for seed in 0..400 {
        let mut random = Random(seed);
        let protocol = PROTOCOLS[usize::try_from(random.below(PROTOCOLS.len() as u64)).unwrap()];
        let mut pair = Pair::new(PairOptions {
            login: random.below(2) == 0,
            noise_after: Some(random.below(1500) as usize),
            noise: random.bytes(3000),
            ..options(protocol)
        });
        queue_some(&mut pair.caller, "A");
        queue_some(&mut pair.called, "B");
        let before = (pair.caller.clone_spool(), pair.called.clone_spool());
        pair.run();
        assert!(pair.caller.result.is_some(), "seed {seed}");
        // t and e trust the line: noise within a file is part of the file.
        if CORRECTING.contains(&protocol) {
            pair.assert_nothing_lost(&before.0, &before.1);
        }
    }
}

#[test]
fn work_that_comes_while_the_call_lasts_goes_in_this_call() {
    for protocol in PROTOCOLS {
        let mut pair = Pair::new(options(protocol));
        for at in 1..=200 {
            pair.caller.queue_mail(&format!("A{at:03}"), b"mail");
        }
        pair.called.late_as_slave = Some("B1".into());
        pair.caller.late_as_master = Some("A999".into());
        pair.run();
        pair.assert_complete();
        let order = pair.caller.order.borrow().clone();
        assert_eq!(order.len(), 202, "{}", char::from(protocol));
        // The master hands over; it does not send the rest of its queue first.
        let at = order.iter().position(|id| id == "B1").unwrap();
        assert!(at < 100, "{}: {at}", char::from(protocol));
    }
}

#[test]
fn no_file_holds_the_line_for_longer_than_it_may() {
    let long = vec![7; 400_000];
    // Both sides send on their own request, and the caller has asked for a file; the line takes a while for each packet.
    let order = |max_file_time: Duration| {
        let mut pair = Pair::new(PairOptions {
            max_file_time,
            delay: Duration::from_millis(100),
            ..options(b'i')
        });
        for (side, name) in [(&mut pair.caller, "A"), (&mut pair.called, "B")] {
            side.queue_mail(&format!("{name}1-long"), &long);
            side.queue_mail(&format!("{name}2-short"), b"mail");
        }
        pair.called.offer("/long", &long);
        pair.caller.queue_receive("/long");
        pair.run();
        pair.assert_complete();
        pair.caller.order.borrow().clone()
    };
    let at = |order: &[String], id: &str| order.iter().position(|one| one == id).unwrap();
    for name in ["A", "B"] {
        let (long, short) = (format!("{name}1-long"), format!("{name}2-short"));
        let patient = order(Duration::ZERO);
        assert!(at(&patient, &long) < at(&patient, &short), "{patient:?}");
        let hasty = order(Duration::from_secs(1));
        assert!(at(&hasty, &short) < at(&hasty, &long), "{hasty:?}");
        assert!(at(&hasty, &short) < at(&hasty, "/long"), "{hasty:?}");
    }
}

/// Takes a called side that believes its login to protocol `t`.
pub(crate) fn bring_to_t(conversation: &mut Conversation, now: Instant) {
    conversation.handle_input(now, b"\x10Salpha -R -N047\0");
    while let Some(event) = conversation.poll_event(now) {
        if matches!(event, Event::Identify(_)) {
            let admitted = Admitted {
                protocols: b"t".to_vec(),
                parameters: Vec::new(),
                half_duplex: false,
                max_file_time: Duration::ZERO,
                chat: None,
            };
            conversation.answer_identity(now, Verdict::Admit(Box::new(admitted)));
        }
    }
    conversation.handle_input(now, b"\x10Ut\0");
    while conversation.poll_event(now).is_some() {}
}
