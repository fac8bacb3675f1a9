//! Two machines in memory with a bad line between them, for tests of links and of whole conversations. Seeded, with a
//! clock of its own: nothing here sleeps, and every failure can be repeated from its seed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Channel, Link, LinkError, LinkEvent};

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

/// One request of ours on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sending {
    Idle,
    AwaitYes(usize),
    Data(usize, usize),
    AwaitDone(usize),
}

/// A link and the simplest conversation that can use it: it sends its files one by one on each channel, takes the
/// other's, and hands over the turn when the link has but one channel.
pub(crate) struct Side {
    pub(crate) link: Box<dyn Link>,
    files: Vec<Vec<u8>>,
    next_file: usize,
    sending: Vec<Sending>,
    incoming: Vec<Option<Vec<u8>>>,
    my_turn: bool,
    started: bool,
    /// Files of ours that the other side has confirmed.
    pub(crate) confirmed: Vec<usize>,
    /// Complete files from the other side, with their numbers.
    pub(crate) received: Vec<(usize, Vec<u8>)>,
    pub(crate) acknowledged: usize,
    pub(crate) closed: bool,
    pub(crate) started_as: String,
    turned_over: bool,
}

impl Side {
    pub(crate) fn new(
        link: Box<dyn Link>,
        files: Vec<Vec<u8>>,
        channels: usize,
        first: bool,
    ) -> Self {
        Self {
            link,
            files,
            next_file: 0,
            sending: vec![Sending::Idle; channels],
            incoming: vec![None; 256],
            my_turn: first,
            started: false,
            confirmed: Vec::new(),
            received: Vec::new(),
            acknowledged: 0,
            closed: false,
            started_as: String::new(),
            turned_over: false,
        }
    }

    fn channel_of(&self, index: usize) -> Channel {
        if self.link.traits().channels == 1 {
            Channel(0)
        } else {
            Channel(u8::try_from(index).expect("few channels") + 1)
        }
    }

    fn is_done(&self) -> bool {
        self.confirmed.len() == self.files.len()
    }

    /// Offers files and sends data as far as the link takes it; whether anything was done.
    fn push(&mut self, now: Instant) -> bool {
        let ahead = self.link.traits().streams_ahead;
        let mut moved = false;
        if !self.started || !(self.my_turn || ahead) {
            return false;
        }
        for index in 0..self.sending.len() {
            let channel = self.channel_of(index);
            match self.sending[index] {
                Sending::Idle if self.next_file < self.files.len() => {
                    let number = self.next_file;
                    self.next_file += 1;
                    let command = format!("S {number}");
                    self.link
                        .send_command(now, channel, false, command.as_bytes());
                    self.sending[index] = Sending::AwaitYes(number);
                    if ahead {
                        self.begin(index, number);
                    }
                    moved = true;
                }
                Sending::Data(number, from) => {
                    let file = &self.files[number];
                    let taken = self.link.send_data(now, channel, false, &file[from..]);
                    moved |= taken > 0;
                    self.sending[index] = Sending::Data(number, from + taken);
                    if from + taken == file.len() {
                        self.link.end_file(now, channel, false);
                        self.sending[index] = Sending::AwaitDone(number);
                        moved = true;
                    }
                }
                _ => {}
            }
        }
        if !ahead && self.is_done() && !self.turned_over {
            self.turned_over = true;
            self.my_turn = false;
            self.link.send_command(now, Channel(0), false, b"TURN");
            moved = true;
        }
        moved
    }

    fn begin(&mut self, index: usize, number: usize) {
        let size = self.files[number].len() as u64;
        let channel = self.channel_of(index);
        self.link.begin_file(channel, false, 0, Some(size));
        self.sending[index] = Sending::Data(number, 0);
    }

    fn index_of(&self, channel: Channel) -> usize {
        usize::from(channel.0).saturating_sub(usize::from(self.link.traits().channels > 1))
    }

    fn handle(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Started { description } => {
                self.started = true;
                self.started_as = description;
            }
            LinkEvent::Command { channel, bytes, .. } => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.command(now, channel, &text);
            }
            LinkEvent::Data {
                channel,
                position,
                bytes,
                ..
            } => {
                assert!(!bytes.is_empty());
                let file = self.incoming[usize::from(channel.0)]
                    .as_mut()
                    .expect("data of a file that was announced");
                let at = file.len() as u64 - 8;
                assert_eq!(position.unwrap_or(at), at, "data without a gap");
                file.extend(bytes);
            }
            LinkEvent::FileEnd { channel, .. } => {
                let file = self.incoming[usize::from(channel.0)]
                    .take()
                    .expect("the end of a file that was announced");
                let (number, data) = file.split_at(8);
                let number = usize::from_le_bytes(number.try_into().unwrap());
                self.received.push((number, data.to_vec()));
                self.link.send_command(now, channel, true, b"CY");
            }
            LinkEvent::Again { channel, .. } => self.again(channel),
            LinkEvent::Acknowledged => self.acknowledged += 1,
            LinkEvent::Closed => self.closed = true,
        }
    }

    fn again(&mut self, channel: Channel) {
        if let Some(file) = &mut self.incoming[usize::from(channel.0)] {
            file.truncate(8);
            return;
        }
        let index = self.index_of(channel);
        let Some(Sending::AwaitDone(number)) = self.sending.get(index).cloned() else {
            panic!("a file that was not sent is wanted again");
        };
        self.begin(index, number);
    }

    fn command(&mut self, now: Instant, channel: Channel, text: &str) {
        let index = self.index_of(channel);
        match text {
            "SY" => {
                if let Some(Sending::AwaitYes(number)) = self.sending.get(index).cloned() {
                    self.begin(index, number);
                }
            }
            "CY" => {
                let Some(Sending::AwaitDone(number)) = self.sending.get(index).cloned() else {
                    panic!("CY without a file on channel {channel:?}");
                };
                self.confirmed.push(number);
                self.sending[index] = Sending::Idle;
            }
            "TURN" => self.my_turn = true,
            request => {
                let number: usize = request
                    .strip_prefix("S ")
                    .and_then(|number| number.parse().ok())
                    .unwrap_or_else(|| panic!("an unknown command {request:?}"));
                // The file's number goes before its data here.
                self.incoming[usize::from(channel.0)] = Some(number.to_le_bytes().to_vec());
                self.link.expect_file(channel, true, 0);
                self.link.send_command(now, channel, true, b"SY");
            }
        }
    }
}

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
