//! Tests that every link must pass.

mod hostile;

use proptest::prelude::*;

use super::testline::{Faults, Pair, Random, Side, Stopped, files};
use super::*;

fn link(letter: u8, role: CallRole, parameters: &[(&str, &str)]) -> Box<dyn Link> {
    let bare = Features(Features::OURS.0 & !Features::MULTIPLEX.0);
    let (letter, features) = match letter {
        b'T' | b'E' | b'I' | b'J' => (letter.to_ascii_lowercase(), Features::OURS),
        letter => (letter, bare),
    };
    make(letter, role, features, parameters).expect("a known letter")
}

/// Every link there is; `T`, `E`, `I` and `J` are `t`, `e`, `i` and `j` with tagged frames.
fn letters() -> impl Iterator<Item = u8> {
    KNOWN.iter().map(|known| known.letter).chain(*b"TEIJ")
}

/// A pair over a line; lengths are those of the files that each side sends.
fn pair(
    letter: u8,
    parameters: &[(&str, &str)],
    lengths: &[usize],
    seed: u64,
    faults: Faults,
) -> Pair {
    let side = |role, first| {
        let link = link(letter, role, parameters);
        let channels = usize::from(link.traits().channels).min(3);
        let sent = files(seed ^ u64::from(first), lengths);
        Side::new(link, sent, channels, first)
    };
    let sides = [side(CallRole::Caller, true), side(CallRole::Called, false)];
    Pair::new(sides, seed, faults)
}

#[test]
fn every_link_carries_files_both_ways_and_closes() {
    for letter in letters() {
        for piece in [0, 1, 7, 511] {
            let mut pair = pair(
                letter,
                &[],
                &[
                    0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 4095, 4096, 70_000,
                ],
                1,
                Faults::default(),
            );
            pair.piece = piece;
            let ahead = pair.sides[0].link.traits().streams_ahead;
            let letter = char::from(letter);
            assert_eq!(
                pair.transfer(),
                Stopped::Done,
                "{letter} in pieces of {piece}"
            );
            pair.check(true);
            assert_eq!(pair.close(), Stopped::Done, "closing {letter}");
            // With something under way in both directions all the time, there is no such moment.
            if !ahead {
                assert!(pair.sides.iter().all(|side| side.acknowledged > 0));
            }
            assert!(
                pair.elapsed().as_secs() < 10,
                "{letter} took {:?}",
                pair.elapsed()
            );
        }
    }
}

#[test]
fn the_table_agrees_with_the_links() {
    for known in KNOWN {
        let link = link(known.letter, CallRole::Caller, &[]);
        assert_eq!(link.letter(), known.letter);
        assert_eq!(link.traits(), known.traits);
    }
    assert!(make(b'x', CallRole::Caller, Features::NONE, &[]).is_none());
}

#[test]
fn commands_that_nobody_acknowledges_do_not_wait_unseen() {
    for letter in letters() {
        let now = Instant::now();
        let mut sides = [CallRole::Caller, CallRole::Called].map(|role| link(letter, role, &[]));
        let mut started = [false; 2];
        for side in &mut sides {
            side.start(now);
        }
        while started != [true; 2] {
            for from in [0, 1] {
                let mut said = Vec::new();
                while sides[from].poll_transmit(now, &mut said) {}
                sides[1 - from].handle_input(now, &said).unwrap();
                started[from] |= sides[from].poll_event().is_some();
            }
        }
        let mut out = Vec::new();
        let command = [&b"RN2"[..], &[b' '; 300]].concat();
        for _ in 0..10_000 {
            sides[1].send_command(now, Channel(1), true, &command);
            while sides[1].poll_transmit(now, &mut out) {}
        }
        // They are on the line, or are told of.
        let said = out.windows(3).filter(|bytes| bytes == b"RN2").count();
        let told = sides[1].backlog();
        assert!(said == 10_000 || said + told > 1000, "{said} {told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn garbage_ends_in_an_error_or_in_nothing(
        seed in any::<u64>(),
        piece in 1..3000_usize,
        file in any::<bool>(),
    ) {
        let mut random = Random(seed);
        for letter in letters() {
            for role in [CallRole::Caller, CallRole::Called] {
                let mut link = link(letter, role, &[]);
                let now = Instant::now();
                link.start(now);
                if file {
                    while link.poll_event().is_some() {}
                    link.expect_file(Channel(0), true, 0);
                }
                let mut out = Vec::new();
                for _ in 0..60 {
                    let bytes = random.bytes(piece);
                    if link.handle_input(now, &bytes).is_err() {
                        break;
                    }
                    while link.poll_event().is_some() {}
                    link.poll_transmit(now, &mut out);
                    prop_assert!(out.len() < 1 << 20);
                }
            }
        }
    }
}

/// Those that do not need a line without errors.
const CORRECTING: [u8; 8] = *b"giGvjaIJ";

/// What came of many calls over bad lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    done: u32,
    failed: u32,
}

/// A call for each seed. Whatever arrives must be what was sent; a call that ends well must have brought all.
fn bad_calls(letter: u8, parameters: &[(&str, &str)], lengths: &[usize], faults: Faults) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..1000 {
        let mut pair = pair(letter, parameters, lengths, seed, faults);
        let stopped = pair.transfer();
        pair.check(stopped == Stopped::Done);
        match stopped {
            Stopped::Done => tally.done += 1,
            Stopped::Failed(_) => tally.failed += 1,
            Stopped::HungUp => panic!("nobody hung up"),
        }
    }
    eprintln!("{} {faults:?}: {tally:?}", char::from(letter));
    tally
}

#[test]
fn what_corrects_errors_over_a_line_that_damages_one_byte_in_a_thousand_in_each_way() {
    for letter in CORRECTING {
        let small = [("packet-size", "64")];
        let tally = bad_calls(letter, &small, &[0, 90, 500], Faults::each(1000));
        assert!(tally.failed < 5, "{tally:?}");
    }
}

#[test]
fn what_corrects_errors_over_a_line_that_damages_one_byte_in_a_hundred_in_each_way() {
    for letter in CORRECTING {
        let small = [
            ("packet-size", "32"),
            ("errors", "10000"),
            ("retries", "20"),
            ("startup-retries", "20"),
        ];
        let tally = bad_calls(letter, &small, &[0, 90], Faults::each(10_000));
        assert!(tally.done > 100, "{tally:?}");
    }
}

#[test]
fn y_ends_the_call_over_a_line_that_damages_bytes() {
    let tally = bad_calls(b'y', &[], &[0, 90, 500], Faults::each(50));
    assert!(tally.done > 100 && tally.failed > 100, "{tally:?}");
}

/// What a receiver makes of `bytes` that come in pieces; data that follow each other joined.
fn understood(letter: u8, bytes: &[u8], cuts: &[usize]) -> Vec<LinkEvent> {
    let mut link = link(letter, CallRole::Called, &[]);
    let now = Instant::now();
    link.start(now);
    let mut events: Vec<LinkEvent> = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (mut piece, tail) = rest.split_at(cut.min(rest.len()));
        rest = tail;
        loop {
            let used = link.handle_input(now, piece).expect("good input");
            piece = &piece[used..];
            while let Some(event) = link.poll_event() {
                take(link.as_mut(), &mut events, event);
            }
            if piece.is_empty() {
                break;
            }
        }
    }
    events
}

fn take(link: &mut dyn Link, events: &mut Vec<LinkEvent>, event: LinkEvent) {
    match (event, events.last_mut()) {
        (LinkEvent::Started { .. } | LinkEvent::Acknowledged, _) => {}
        (LinkEvent::Data { bytes, .. }, Some(LinkEvent::Data { bytes: before, .. })) => {
            before.extend(bytes);
        }
        (event, _) => {
            if let LinkEvent::Command {
                channel,
                from_peer,
                bytes,
            } = &event
                && bytes.starts_with(b"S")
            {
                link.expect_file(*channel, *from_peer, 0);
            }
            events.push(event);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn streams_are_understood_alike_however_they_are_cut(
        sizes in prop::collection::vec(0..5000_usize, 1..4),
        cuts in prop::collection::vec(0..1200_usize, 0..40),
        seed in any::<u64>(),
    ) {
        for letter in *b"teTE" {
            let mut sender = link(letter, CallRole::Caller, &[]);
            let now = Instant::now();
            sender.start(now);
            while sender.poll_event().is_some() {}
            let mut bytes = Vec::new();
            let channel = Channel(u8::from(letter.is_ascii_uppercase()));
            let contents = files(seed, &sizes);
            for content in &contents {
                sender.send_command(now, channel, false, b"S a b");
                sender.begin_file(channel, false, 0, Some(content.len() as u64));
                let mut rest = &content[..];
                while !rest.is_empty() {
                    let taken = sender.send_data(now, channel, false, rest);
                    rest = &rest[taken..];
                    sender.poll_transmit(now, &mut bytes);
                }
                sender.end_file(now, channel, false);
                sender.poll_transmit(now, &mut bytes);
            }
            let whole = understood(letter, &bytes, &[]);
            let received: Vec<&[u8]> = whole
                .iter()
                .filter_map(|event| match event {
                    LinkEvent::Data { bytes, .. } => Some(&bytes[..]),
                    _ => None,
                })
                .collect();
            let sent: Vec<&[u8]> = contents.iter().map(|c| &c[..]).filter(|c| !c.is_empty()).collect();
            prop_assert_eq!(received, sent);
            let ends = whole.iter().filter(|event| matches!(event, LinkEvent::FileEnd { .. })).count();
            prop_assert_eq!(ends, contents.len());
            prop_assert_eq!(understood(letter, &bytes, &cuts), whole);
        }
    }
}
