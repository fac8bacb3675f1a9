//! Two machines in memory with a bad line between them, for tests of links and of whole conversations. Seeded, with a
//! clock of its own: nothing here sleeps, and every failure can be repeated from its seed.

mod bad_line;
mod side;

use std::time::{Duration, Instant};

use super::LinkError;
pub(crate) use bad_line::{BadLine, Faults, Random};
pub(crate) use side::Side;

/// Why a pair stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Every file is there and confirmed.
    Done,
    /// A link gave up.
    Failed(LinkError),
    /// The line hung up.
    HungUp,
}

/// Two sides and the line between them.
pub(crate) struct Pair {
    pub(crate) sides: [Side; 2],
    /// `lines[n]` carries what side n sends.
    pub(crate) lines: [BadLine; 2],
    pub(crate) now: Instant,
    pub(crate) begun: Instant,
    /// The longest piece that arrives at once; 0 for any.
    pub(crate) piece: usize,
    /// How many bytes went over each line.
    pub(crate) sent: [usize; 2],
    /// Those bytes, if they are wanted.
    pub(crate) record: bool,
    pub(crate) recorded: [Vec<u8>; 2],
}

impl Pair {
    pub(crate) fn new(sides: [Side; 2], seed: u64, faults: Faults) -> Self {
        let latency = Duration::from_millis(5);
        let now = Instant::now();
        Self {
            sides,
            lines: [
                BadLine::new(seed, faults, latency),
                BadLine::new(!seed, faults, latency),
            ],
            now,
            begun: now,
            piece: 0,
            sent: [0; 2],
            record: false,
            recorded: Default::default(),
        }
    }

    /// Lets one side do what it can without waiting.
    fn drive(&mut self, who: usize) -> Result<bool, LinkError> {
        let (now, side) = (self.now, &mut self.sides[who]);
        let mut moved = false;
        if side.link.poll_timeout().is_some_and(|at| at <= now) {
            side.link.handle_timeout(now)?;
            moved = true;
        }
        while let Some(bytes) = self.lines[1 - who].receive(now) {
            let longest = if self.piece == 0 {
                bytes.len().max(1)
            } else {
                self.piece
            };
            for piece in bytes.chunks(longest) {
                let mut rest = piece;
                while !rest.is_empty() && !side.closed {
                    let used = side.link.handle_input(now, rest)?;
                    rest = &rest[used..];
                    while let Some(event) = side.link.poll_event() {
                        side.handle(now, event);
                    }
                }
            }
            moved = true;
        }
        while let Some(event) = side.link.poll_event() {
            side.handle(now, event);
            moved = true;
        }
        moved |= side.push(now);
        let mut out = Vec::new();
        while side.link.poll_transmit(now, &mut out) {}
        if !out.is_empty() {
            self.sent[who] += out.len();
            if self.record {
                self.recorded[who].extend_from_slice(&out);
            }
            self.lines[who].send(now, &out);
            moved = true;
        }
        Ok(moved)
    }

    /// Lets time pass until something can happen; false when nothing ever will.
    fn wait(&mut self) -> bool {
        let timers = self
            .sides
            .iter()
            .filter_map(|side| side.link.poll_timeout());
        let arrivals = self.lines.iter().filter_map(BadLine::next_arrival);
        match timers.chain(arrivals).min() {
            Some(next) => {
                self.now = self.now.max(next);
                true
            }
            None => false,
        }
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) -> Stopped {
        for _ in 0..2_000_000 {
            if done(self) {
                return Stopped::Done;
            }
            let mut moved = false;
            for who in 0..2 {
                match self.drive(who) {
                    Ok(did) => moved |= did,
                    Err(error) => return Stopped::Failed(error),
                }
            }
            if self.lines.iter().any(BadLine::is_hung_up)
                && self.lines.iter().all(|line| line.next_arrival().is_none())
            {
                return Stopped::HungUp;
            }
            assert!(moved || self.wait(), "both sides wait for ever");
        }
        panic!("no end in sight");
    }

    /// Starts both links and moves every file.
    pub(crate) fn transfer(&mut self) -> Stopped {
        let now = self.now;
        for side in &mut self.sides {
            side.link.start(now);
        }
        self.run_until(|pair| pair.sides.iter().all(Side::is_done))
    }

    /// Closes both links, as both sides do once the hang-up is agreed.
    pub(crate) fn close(&mut self) -> Stopped {
        let now = self.now;
        for side in &mut self.sides {
            side.link.close(now);
        }
        self.run_until(|pair| pair.sides.iter().all(|side| side.closed))
    }

    /// Fails the test if a file arrived that is not the one that was sent, or arrived twice.
    pub(crate) fn check(&self, whole: bool) {
        for (from, to) in [(0, 1), (1, 0)] {
            let (sent, received) = (&self.sides[from].files, &self.sides[to].received);
            let mut seen = vec![false; sent.len()];
            for (number, data) in received {
                assert!(!seen[*number], "file {number} arrived twice");
                seen[*number] = true;
                assert_eq!(data, &sent[*number], "file {number} is another one");
            }
            for number in &self.sides[from].confirmed {
                assert!(
                    seen[*number],
                    "file {number} was confirmed but did not arrive"
                );
            }
            assert!(!whole || seen.iter().all(|s| *s), "a file is missing");
        }
    }

    /// How long it took on the pair's own clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.begun
    }
}

/// Files of the sizes given, filled from the seed.
pub(crate) fn files(seed: u64, sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    sizes.iter().map(|size| random.bytes(*size)).collect()
}
