//! Slow lines and long ones: how much of the line is payload, and how long a call takes. The clock is the pair's own, so
//! these numbers are the same on every machine.

use std::time::Duration;

use super::pair::{LineOptions, Pair, PairOptions};
use super::{SIZES, options};
use crate::link::testline::{Faults, Random};
use crate::wire::command::Features;
use crate::wire::i::Form;

/// 9,600 bits a second, ten for each byte.
const SLOW: LineOptions = LineOptions {
    bytes_per_second: 960,
    round_trip: Duration::from_millis(20),
    faults: NO_FAULTS,
    seed: 0,
};

/// 10 Mbit a second, around the world.
const LONG: LineOptions = LineOptions {
    bytes_per_second: 1_250_000,
    round_trip: Duration::from_millis(100),
    faults: NO_FAULTS,
    seed: 0,
};

const NO_FAULTS: Faults = Faults {
    drop: 0,
    flip: 0,
    insert: 0,
    duplicate: 0,
    delay: 0,
    burst: 0,
    hang_up_at: None,
};

/// What Debian's Taylor announces.
const TAYLORS: Features = Features(0o47);

/// What the last version of Taylor's announces: the check byte of `i` is complemented.
const TAYLORS_LAST: Features = Features(0o147);

/// The packet sizes of the two letters that a slow line with errors is for.
const PACKETS: [(u8, &str); 3] = [(b'i', "1024"), (b'I', "1024"), (b'g', "256")];

/// Of a thousand bytes that the line could carry while the calls last, how many are of files. Some calls, each with other
/// damage; both directions are counted where both are busy.
fn payload(protocol: u8, size: &'static str, faults: Faults, sizes: &[usize], both: bool) -> u128 {
    let (mut carried, mut could) = (0, 0);
    for seed in 0..4 {
        let line = LineOptions {
            faults,
            seed,
            ..SLOW
        };
        let mut pair = Pair::new(PairOptions {
            line: Some(line),
            parameters: vec![("packet-size", size)],
            ..options(protocol)
        });
        let mut random = Random(seed);
        for (at, size) in sizes.iter().enumerate() {
            pair.caller
                .queue_mail(&format!("A{at:03}"), &random.bytes(*size));
            if both {
                pair.called
                    .queue_mail(&format!("B{at:03}"), &random.bytes(*size));
            }
        }
        let elapsed = pair.run();
        pair.assert_complete();
        let directions = 1 + u128::from(both);
        let all: usize = sizes.iter().sum();
        carried += all as u128 * directions;
        could += elapsed.as_millis() * u128::from(line.bytes_per_second) * directions / 1000;
    }
    let payload = carried * 1000 / could;
    eprintln!(
        "{} {faults:?}, {} files, both ways {both}: {payload} of 1000 bytes",
        char::from(protocol),
        sizes.len()
    );
    payload
}

/// Damage to one packet of a thousand, or of a hundred: a packet of `size` bytes is damaged by every flipped bit.
fn damaged(per_thousand: u64, size: &str) -> Faults {
    let around: u64 = size.parse::<u64>().unwrap() + 16;
    Faults {
        flip: (per_thousand * 1000).div_ceil(around),
        ..NO_FAULTS
    }
}

#[test]
fn a_slow_line_that_damages_packets_is_mostly_payload() {
    let files = [60_000; 5];
    for (protocol, size) in PACKETS {
        for (per_thousand, of_i, of_g) in [(1, 850, 800), (10, 700, 650)] {
            let least = if protocol == b'g' { of_g } else { of_i };
            let faults = damaged(per_thousand, size);
            let got = payload(protocol, size, faults, &files, false);
            assert!(got >= least, "{}: {got}", char::from(protocol));
            if protocol != b'g' {
                let got = payload(protocol, size, faults, &files, true);
                assert!(got >= least, "{}, both: {got}", char::from(protocol));
            }
        }
    }
}

#[test]
fn a_slow_line_that_loses_bytes_is_mostly_payload() {
    let files = [60_000; 5];
    for (protocol, size) in PACKETS {
        for (per_thousand, of_i, of_g) in [(1, 850, 800), (10, 700, 650)] {
            let least = if protocol == b'g' { of_g } else { of_i };
            let faults = Faults {
                drop: damaged(per_thousand, size).flip,
                ..NO_FAULTS
            };
            let got = payload(protocol, size, faults, &files, false);
            assert!(got >= least, "{}: {got}", char::from(protocol));
        }
    }
}

#[test]
fn a_slow_line_carries_mails_as_well_as_large_files() {
    let mails = [4096; 50];
    for (protocol, size) in PACKETS {
        let least = if protocol == b'g' { 700 } else { 850 };
        let got = payload(protocol, size, damaged(1, size), &mails, false);
        assert!(got >= least, "{}: {got}", char::from(protocol));
    }
}

/// Seconds of a call with 200 mails of 4 KB over the long line, from the login on, in milliseconds.
fn mails_over_a_long_line(protocol: u8, features: Features, size: &'static str) -> u128 {
    let mut pair = Pair::new(PairOptions {
        protocol: protocol.to_ascii_lowercase(),
        login: true,
        line: Some(LONG),
        features,
        parameters: vec![("packet-size", size)],
        ..PairOptions::default()
    });
    for at in 0..200 {
        pair.caller.queue_mail(&format!("A{at:03}"), &[7; 4096]);
    }
    let elapsed = pair.run();
    pair.assert_complete();
    let milliseconds = elapsed.as_millis();
    eprintln!(
        "{} {features:?} {size}: {milliseconds} ms",
        char::from(protocol)
    );
    milliseconds
}

#[test]
fn a_long_line_is_kept_busy() {
    // With what Taylor knows, seven requests and sixteen packets at once; then between two of ours. The packets of `j` are
    // half as large.
    for (protocol, size, of_taylors, of_ours) in [
        (b'i', "4095", 8000, 3000),
        (b'j', "2993", 10_000, 4000),
        (b't', "0", 90_000, 3000),
    ] {
        let bare = mails_over_a_long_line(protocol, TAYLORS, size);
        assert!(bare < of_taylors, "{bare} ms");
        let ours = mails_over_a_long_line(protocol, Features::OURS, size);
        assert!(ours < of_ours, "{ours} ms");
    }
}

#[test]
fn hanging_up_takes_one_round_trip_of_a_long_line() {
    // Half a one for the greeting, one each for the names, the request, the file and the farewell, and half a one until the
    // called side has heard the last word. Two of ours do not wait for the answer to the request; `y` has a beginning of its own.
    for (protocol, round_trips) in [
        (b't', 5),
        (b'e', 5),
        (b'f', 5),
        (b'y', 6),
        (b'T', 4),
        (b'E', 4),
    ] {
        let mut pair = Pair::new(PairOptions {
            line: Some(LONG),
            ..options(protocol)
        });
        pair.caller.queue_mail("A1", b"mail");
        let elapsed = pair.run();
        pair.assert_complete();
        let most = LONG.round_trip * round_trips + LONG.round_trip / 2;
        assert!(elapsed < most, "{}: {elapsed:?}", char::from(protocol));
    }
}

#[test]
fn over_i_taylors_with_either_check_byte_are_understood() {
    let faults = Faults {
        drop: 1,
        flip: 1,
        ..NO_FAULTS
    };
    for (peer, complement) in [(TAYLORS, false), (TAYLORS_LAST, true)] {
        for (peer_calls, damaged) in [(true, false), (false, false), (true, true), (false, true)] {
            let line = LineOptions { faults, ..LONG };
            let (features, called_features) = if peer_calls {
                (peer, Features::OURS)
            } else {
                (Features::OURS, peer)
            };
            let mut pair = Pair::new(PairOptions {
                protocol: b'i',
                features,
                called_features,
                line: damaged.then_some(line),
                ..PairOptions::default()
            });
            for (side, name) in [(&mut pair.caller, "A"), (&mut pair.called, "B")] {
                for (at, size) in SIZES.into_iter().enumerate() {
                    let content: Vec<u8> = (0..size).map(|i| (i * 31 + at) as u8).collect();
                    side.queue_mail(&format!("{name}{at:02}"), &content);
                }
            }
            pair.run();
            pair.assert_complete();
            if damaged {
                continue;
            }
            let packet = pair.said_after(b"\x10Ui\0").first_chunk().unwrap();
            let understood = |complement| {
                let form = Form {
                    complement,
                    sealed: false,
                };
                form.parse(*packet).is_some()
            };
            assert!(understood(complement), "{peer:?} {packet:x?}");
            assert!(!understood(!complement), "{peer:?} {packet:x?}");
        }
    }
}
