//! A line that damages what it carries, on the tests' own clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A small generator of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

/// What a line does to the bytes on it: each number is the chance per million bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) drop: u64,
    pub(crate) flip: u64,
    pub(crate) insert: u64,
    pub(crate) duplicate: u64,
    /// The line stands still for up to three seconds.
    pub(crate) delay: u64,
    /// Up to forty bytes in a row are noise.
    pub(crate) burst: u64,
    /// The line ends after so many bytes.
    pub(crate) hang_up_at: Option<usize>,
}

impl Faults {
    /// The same chance for every kind of damage.
    pub(crate) fn each(per_million: u64) -> Self {
        Self {
            drop: per_million,
            flip: per_million,
            insert: per_million,
            duplicate: per_million,
            delay: per_million,
            burst: per_million / 10,
            hang_up_at: None,
        }
    }
}

/// One direction of a line: bytes come out in order, some time after they went in, and not as they went in.
#[derive(Debug, Clone)]
pub(crate) struct BadLine {
    random: Random,
    faults: Faults,
    latency: Duration,
    /// Bytes a second; `None`: any number at once.
    rate: Option<u32>,
    /// So many bytes pass before anything happens to one.
    unharmed: usize,
    /// The line stands still until then.
    blocked: Option<Instant>,
    /// All that was put on the line has left by then.
    free: Option<Instant>,
    burst: u64,
    carried: usize,
    under_way: VecDeque<(Instant, Vec<u8>)>,
}

impl BadLine {
    pub(crate) fn new(seed: u64, faults: Faults, latency: Duration) -> Self {
        Self {
            random: Random(seed),
            faults,
            latency,
            rate: None,
            unharmed: 0,
            blocked: None,
            free: None,
            burst: 0,
            carried: 0,
            under_way: VecDeque::new(),
        }
    }

    /// The same line, that takes so many bytes a second and no more.
    pub(crate) fn at_rate(mut self, bytes_per_second: u32) -> Self {
        self.rate = Some(bytes_per_second);
        self
    }

    /// The same line, that does nothing to the first bytes.
    pub(crate) fn sparing(mut self, bytes: usize) -> Self {
        self.unharmed = bytes;
        self
    }

    /// Whether the line has ended.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.faults.hang_up_at.is_some_and(|at| self.carried >= at)
    }

    fn happens(&mut self, per_million: u64) -> bool {
        per_million > 0 && self.random.below(1_000_000) < per_million
    }

    /// Puts bytes on the line.
    pub(crate) fn send(&mut self, now: Instant, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        let faults = self.faults;
        for &byte in bytes {
            if self.is_hung_up() {
                break;
            }
            self.carried += 1;
            if self.carried <= self.unharmed {
                out.push(byte);
                continue;
            }
            if self.happens(faults.burst) {
                self.burst = self.random.below(40);
            }
            if self.burst > 0 {
                self.burst -= 1;
                out.push(self.random.byte());
                continue;
            }
            if self.happens(faults.insert) {
                out.push(self.random.byte());
            }
            if self.happens(faults.drop) {
                continue;
            }
            let flipped = if self.happens(faults.flip) {
                byte ^ (1 << self.random.below(8))
            } else {
                byte
            };
            out.push(flipped);
            if self.happens(faults.duplicate) {
                out.push(flipped);
            }
            if self.happens(faults.delay) {
                let still = Duration::from_millis(self.random.below(3000));
                self.blocked = Some(self.blocked.unwrap_or(now).max(now) + still);
            }
        }
        let start = self.blocked.unwrap_or(now).max(now);
        let Some(rate) = self.rate else {
            self.under_way.push_back((start + self.latency, out));
            return;
        };
        // What takes a thousandth of a second may come at once.
        let grain = usize::try_from(rate / 1000).unwrap_or(0).max(8);
        for piece in out.chunks(grain) {
            let takes = Duration::from_secs(piece.len() as u64) / rate;
            let leaves = self.free.unwrap_or(start).max(start) + takes;
            self.free = Some(leaves);
            self.under_way
                .push_back((leaves + self.latency, piece.to_vec()));
        }
    }

    /// Takes off what has arrived by now.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        let due = self.under_way.front()?.0;
        (due <= now).then(|| self.under_way.pop_front().map(|(_, bytes)| bytes))?
    }

    /// When something arrives next.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, _)| *due)
    }
}
