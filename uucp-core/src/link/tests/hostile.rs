//! A peer whose packets are right, and which lies in all of them: numbers never sent, windows and sizes of nothing, endless
//! repetitions. It can end the call, and make it slow; not more.

use std::time::Duration;

use super::*;
use crate::wire::{g, i, j};

/// What one answer to so little may take.
const MUCH: usize = 1 << 18;

fn text_of(random: &mut Random) -> Vec<u8> {
    let texts: [&[u8]; 8] = [
        b"",
        b"\0",
        b"S a b c - c 0666\0",
        b"RY 0\0",
        b"H\0",
        b"HY\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ];
    if let Some(text) = texts.get(below(random, 10)) {
        return text.to_vec();
    }
    let length = below(random, 4096);
    random.bytes(length)
}

fn below(random: &mut Random, limit: u64) -> usize {
    usize::try_from(random.below(limit)).unwrap()
}

/// A packet of `i` by the caller.
fn packet_of_i(random: &mut Random) -> Vec<u8> {
    let kinds = [
        i::Kind::Data,
        i::Kind::Sync,
        i::Kind::Ack,
        i::Kind::Nak,
        i::Kind::Spos,
        i::Kind::Close,
    ];
    // CLOSE ends it, and little follows.
    let closes = random.below(50) == 0;
    let kind = kinds[below(random, if closes { 6 } else { 5 })];
    let data = match kind {
        i::Kind::Data => text_of(random),
        i::Kind::Sync => [0, 1, random.byte(), random.byte()][below(random, 2)..].to_vec(),
        i::Kind::Spos => random.bytes(4),
        _ => Vec::new(),
    };
    let header = i::Header {
        kind,
        sequence: i::Sequence::new(random.byte()),
        acknowledged: i::Sequence::new(random.byte() % (1 << random.below(6))),
        local: random.byte() & 7,
        remote: random.byte() & 7,
        caller: true,
        length: data.len(),
    };
    let mut out = Vec::new();
    i::Form::default().emit(header, &data, &mut out);
    out
}

fn packet_of_j(random: &mut Random) -> Vec<u8> {
    let lists: [&[u8]; 3] = [b"", b"\\021\\023", b"\\000\\377\\007\\015"];
    let avoid = j::Avoid::parse(lists[below(random, 3)]).unwrap();
    let mut out = Vec::new();
    if random.below(8) == 0 {
        avoid.emit(&mut out);
    }
    let mut packet = packet_of_i(random);
    packet.truncate(j::ALWAYS_FITS);
    j::emit(&packet, &avoid, &mut out);
    out
}

fn packet_of_g(random: &mut Random) -> Vec<u8> {
    let (number, value) = (g::Sequence::new(random.byte()), random.byte() & 7);
    let control = match random.below(60) {
        0 => g::Control::Close,
        1..10 => g::Control::Rj(number),
        10..20 => g::Control::Srj(number),
        20..30 => g::Control::Rr(number),
        30..34 => g::Control::InitA(value),
        34..38 => g::Control::InitB(value),
        38..42 => g::Control::InitC(value),
        _ => {
            let mut out = Vec::new();
            let mut text = text_of(random);
            text.truncate(63);
            let body = g::Body::command(64, &text);
            body.emit(number, g::Sequence::new(value), false, &mut out);
            return out;
        }
    };
    let mut out = Vec::new();
    control.emit(false, &mut out);
    out
}

/// All that is said now; whether there was little.
fn drain(link: &mut dyn Link, now: Instant) -> usize {
    let mut out = Vec::new();
    while link.poll_transmit(now, &mut out) {
        assert!(out.len() < MUCH, "{}", char::from(link.letter()));
    }
    let mut events = 0;
    while link.poll_event().is_some() {
        events += 1;
        assert!(events < 1000);
    }
    out.len()
}

/// We send a file all the while; then the peer falls silent.
fn bear(letter: u8, packet: fn(&mut Random) -> Vec<u8>, seed: u64) {
    let mut random = Random(seed);
    let mut now = Instant::now();
    let mut link = make(letter, CallRole::Called, Features::NONE, &[]).unwrap();
    link.start(now);
    let start = match letter {
        b'g' => [
            g::Control::InitA(7),
            g::Control::InitB(1),
            g::Control::InitC(7),
        ]
        .into_iter()
        .flat_map(|control| {
            let mut out = Vec::new();
            control.emit(false, &mut out);
            out
        })
        .collect(),
        _ => packet(&mut random),
    };
    let mut said = link.handle_input(now, &start).map(drop);
    link.begin_file(Channel(1), false, 0, None);
    for _ in 0..400 {
        drain(&mut *link, now);
        link.send_data(now, Channel(1), false, &[b'x'; 3000]);
        if random.below(10) == 0 {
            link.send_command(now, Channel(1), true, b"RN2");
        }
        let mut input = packet(&mut random);
        if random.below(4) == 0 {
            // The same again and again.
            input = input.repeat(1 + 60_000 / input.len() % 40);
        }
        said = said.and_then(|()| link.handle_input(now, &input).map(drop));
        if random.below(20) == 0 {
            now += Duration::from_secs(random.below(12));
            said = said.and_then(|()| link.handle_timeout(now));
        }
        if said.is_err() {
            return;
        }
    }
    for _ in 0..2000 {
        drain(&mut *link, now);
        match link.poll_timeout() {
            Some(at) => now = now.max(at),
            // It has ended.
            None => return,
        }
        if link.handle_timeout(now).is_err() {
            return;
        }
    }
    panic!("{}: nobody speaks, and nobody ends it", char::from(letter));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_peer_that_lies_in_right_packets_ends_the_call_at_most(seed in any::<u64>()) {
        bear(b'i', packet_of_i, seed);
        bear(b'j', packet_of_j, seed);
        bear(b'g', packet_of_g, seed);
        bear(b'G', packet_of_g, seed);
        bear(b'v', packet_of_g, seed);
    }
}
