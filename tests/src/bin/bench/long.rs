//! Mails over a long line: 10 Mbit a second, a round trip of 100 ms.

use std::time::Duration;

use suite_tests::long_line::LongLine;
use suite_tests::programs::Side;

use crate::calls::{PROTOCOLS, pair_over, ways};
use crate::table::Table;

const ROUND_TRIP: Duration = Duration::from_millis(100);
const BYTES_PER_SECOND: u32 = 1_250_000;

/// `count` mails of 4 KB, all ways, over every protocol.
pub(crate) fn mails(table: &mut Table, count: usize) {
    for protocol in PROTOCOLS {
        // Where each mail takes several round trips, a tenth tells as much.
        let few = match protocol {
            "i" | "j" => count,
            "a" => count.div_ceil(100),
            _ => count.div_ceil(10),
        };
        ways(
            table,
            ("long line, ", protocol),
            (count, few),
            |caller, answerer, protocol, count| move || rate(caller, answerer, protocol, count),
        );
    }
}

/// Mails a second, the whole call counted.
fn rate(caller: Side, answerer: Side, protocol: &str, count: usize) -> f64 {
    pair_over(caller, answerer, protocol, |port| {
        LongLine::at_rate(port, ROUND_TRIP, BYTES_PER_SECOND).port()
    })
    .mails(count)
}
