//! Whole calls over a line that damages one in a hundred in each way, with the protocols' parameters as they are unless set.

use std::time::Duration;

use super::pair::{LineOptions, Pair, PairOptions};
use super::{SIZES, options};
use crate::link::testline::{Faults, Random};

/// Calls of each kind.
const SEEDS: u64 = 1000;

/// What came of a thousand calls.
#[derive(Debug, Default)]
struct Tally {
    whole: u32,
    broken: u32,
}

/// A call for each seed, over a line with these faults; whatever it comes to, every file is at the other side as it was, or
/// still queued. The next call, over a good line, brings what is left.
fn calls(protocol: u8, faults: Faults) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let mut pair = Pair::new(PairOptions {
            line: Some(LineOptions {
                bytes_per_second: 100_000,
                round_trip: Duration::from_millis(10),
                faults,
                seed,
            }),
            ..options(protocol)
        });
        let mut random = Random(seed);
        for (side, name) in [(&mut pair.caller, "A"), (&mut pair.called, "B")] {
            let size = SIZES[usize::try_from(random.below(9)).unwrap()];
            side.queue_mail(&format!("{name}1"), &random.bytes(size));
            side.queue_send(&format!("{name}2"), &random.bytes(90));
        }
        let before = (pair.caller.clone_spool(), pair.called.clone_spool());
        pair.run();
        if [&pair.caller.result, &pair.called.result].map(|result| *result == Some(Ok(())))
            == [true; 2]
        {
            pair.assert_complete();
            tally.whole += 1;
            continue;
        }
        tally.broken += 1;
        pair.assert_nothing_lost(&before.0, &before.1);
        let mut again = Pair::new(options(protocol));
        again.caller.restore(&pair.caller.clone_spool());
        again.called.restore(&pair.called.clone_spool());
        again.run();
        again.assert_complete();
        again.assert_once(&before.0, &before.1);
    }
    eprintln!("{} {faults:?}: {tally:?}", char::from(protocol));
    tally
}

#[test]
fn one_byte_in_a_hundred_damaged_in_each_way_loses_and_doubles_nothing() {
    for protocol in *b"giI" {
        let tally = calls(protocol, Faults::each(10_000));
        // Hardly a packet arrives whole: what is tested is how calls break.
        assert!(tally.broken > 100, "{tally:?}");
    }
}

#[test]
fn one_packet_in_a_hundred_damaged_in_each_way_is_made_good() {
    // Bytes of a full packet with its frame.
    for (protocol, packet) in [(b'g', 70), (b'i', 1034), (b'I', 1034)] {
        let tally = calls(protocol, Faults::each(10_000 / packet));
        assert!(tally.whole > 990, "{tally:?}");
    }
}
