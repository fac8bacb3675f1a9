//! What a call costs: empty, with many small jobs, with one large file; and what it takes in memory.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use suite_tests::Site;
use suite_tests::node::{Listener, Node, Reach};
use suite_tests::payload::Random;
use suite_tests::process;
use suite_tests::programs::Side;
use suite_tests::queue::HandQueue;

use crate::table::{self, Better, Table};

const MEGABYTE: f64 = 1e6;

/// Two nodes and a listener, ready for one call from leaf to hub.
pub(crate) struct Pair {
    pub(crate) leaf: Node,
    pub(crate) hub: Node,
    listener: Listener,
}

impl Pair {
    /// Mails a second that one call carries.
    pub(crate) fn mails(&self, count: usize) -> f64 {
        let mut queue = HandQueue::new(&self.leaf, "hub");
        let mail = Random::new(3).bytes(4096);
        for number in 0..count {
            queue.execution('N', &format!("rmail user{number}@hub.example"), &mail);
        }
        let seconds = call(self);
        assert_eq!(self.hub.count("leaf/X."), count, "not all jobs arrived");
        per_second(count, seconds)
    }

    /// The process that waits for calls.
    pub(crate) fn listener(&self) -> nix::unistd::Pid {
        self.listener.pid()
    }

    /// Megabytes a second at which one file goes.
    pub(crate) fn file(&self, size: usize) -> f64 {
        let data = Random::new(5).bytes(size);
        HandQueue::new(&self.leaf, "hub").file('N', "/large", "~/large", &data);
        warm_memory(3 * size);
        let seconds = call(self);
        let arrived = std::fs::read(self.hub.public().join("large")).expect("the file");
        assert!(arrived == data, "the file arrived damaged");
        megabytes(size) / seconds
    }
}

pub(crate) fn pair(caller: Side, answerer: Side, protocol: &str) -> Pair {
    pair_over(caller, answerer, protocol, |port| port)
}

/// A pair with something between: `line` is told the hub's port, and tells the one to call.
pub(crate) fn pair_over(
    caller: Side,
    answerer: Side,
    protocol: &str,
    line: impl FnOnce(u16) -> u16,
) -> Pair {
    pair_reached(caller, answerer, protocol, |_, hub| {
        let listener = hub.listen();
        let reach = Reach::Tcp(line(listener.port()));
        (listener, reach)
    })
}

/// A pair whose leaf reaches the hub as `listen` says, which is given the two and makes the hub listen.
pub(crate) fn pair_reached(
    caller: Side,
    answerer: Side,
    protocol: &str,
    listen: impl FnOnce(&Node, &Node) -> (Listener, Reach),
) -> Pair {
    let folder = Site::new("bench");
    let (leaf, hub) = (
        Node::new(&folder, "leaf", caller),
        Node::new(&folder, "hub", answerer),
    );
    let (listener, reach) = listen(&leaf, &hub);
    leaf.add_neighbour("hub", protocol, &reach, "");
    hub.add_neighbour("leaf", protocol, &Reach::Never, "");
    table::keep(folder);
    Pair {
        leaf,
        hub,
        listener,
    }
}

/// Seconds that the call takes.
pub(crate) fn call(pair: &Pair) -> f64 {
    // What was queued by hand is on the disk, as a sender of ours leaves it.
    nix::unistd::sync();
    let start = Instant::now();
    pair.leaf.call("hub").expect_success("the call");
    start.elapsed().as_secs_f64()
}

/// Every link protocol that both have.
pub(crate) const PROTOCOLS: [&str; 10] = ["t", "e", "g", "i", "G", "v", "j", "f", "y", "a"];

pub(crate) fn empty(table: &mut Table) {
    for protocol in PROTOCOLS {
        let measure = |side| move || 1e3 * call(&pair(side, side, protocol));
        let name = format!("empty call, {protocol}");
        table.compare(
            &name,
            "ms",
            Better::Less,
            measure(Side::Ours),
            measure(Side::Taylor),
        );
    }
}

pub(crate) fn jobs(table: &mut Table, count: usize) {
    let rate = |caller, answerer, protocol: &'static str, count: usize| {
        move || pair(caller, answerer, protocol).mails(count)
    };
    // The other side's rate does not depend on how many there are; at 6 a second a tenth is enough.
    let few = (count / 5).max(1);
    for protocol in PROTOCOLS {
        // Of `a` even fewer: where Taylor's loses a message it takes 20 seconds.
        let few = if protocol == "a" {
            few.div_ceil(10)
        } else {
            few
        };
        ways(table, ("", protocol), (count, few), rate);
    }
}

/// Ours with ours, and with Taylor's both ways round, each beside Taylor's pair: `counts` are the numbers of mails that ours
/// alone carry, and that any other pair does. `rate` makes the measurement of two sides, a protocol, a number of mails.
pub(crate) fn ways<F: FnMut() -> f64>(
    table: &mut Table,
    (line, protocol): (&str, &'static str),
    (count, few): (usize, usize),
    rate: impl Fn(Side, Side, &'static str, usize) -> F,
) {
    let mut other = None;
    for (name, caller, answerer) in [
        ("ours both ends", Side::Ours, Side::Ours),
        ("ours calls Taylor's", Side::Ours, Side::Taylor),
        ("Taylor's calls ours", Side::Taylor, Side::Ours),
    ] {
        let name = format!("{line}mails of 4 KB, {protocol}, {name}");
        if !table.wants(&name) {
            continue;
        }
        let other = *other
            .get_or_insert_with(|| table.median(rate(Side::Taylor, Side::Taylor, protocol, few)));
        let count = if caller == answerer { count } else { few };
        let ours = table.median(rate(caller, answerer, protocol, count));
        table.row(&name, "/s", Better::More, ours, Some(other));
    }
}

/// Large files, and what the machine can do. In a virtual machine memory comes at a third of the speed when the host has to
/// give it first, for a quarter of a second now and then: so the highest rate counts, of every one.
pub(crate) fn files(table: &mut Table, size: usize) {
    let rate =
        |side, protocol: &'static str, size: usize| move || pair(side, side, protocol).file(size);
    for (protocol, ours, taylors) in [
        ("t", size, size),
        ("e", size, size),
        ("g", size / 4, size / 16),
        ("i", size / 4, size / 16),
        ("G", size / 4, size / 16),
        ("v", size / 4, size / 16),
        ("j", size / 4, size / 16),
        ("f", size / 4, size / 4),
        ("y", size, size),
        ("a", size / 4, size / 16),
    ] {
        let name = format!("one file of {:.0} MB, {protocol}", megabytes(ours));
        table.compare_best(
            &name,
            "MB/s",
            Better::More,
            rate(Side::Ours, protocol, ours),
            rate(Side::Taylor, protocol, taylors),
        );
    }
    let name = "the same over a plain socket into a synced file";
    if table.wants(name) {
        let plain = table.highest(|| megabytes(size) / plain_copy(size));
        table.row(name, "MB/s", Better::More, plain, None);
    }
}

/// Seconds for `size` bytes from a file through a loopback socket into a synced file: what the machine can do.
fn plain_copy(size: usize) -> f64 {
    let folder = Site::new("bench");
    let path = folder.path().to_owned();
    table::keep(folder);
    let from = path.join("from");
    std::fs::write(&from, Random::new(5).bytes(size)).expect("the file");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its number");
    warm_memory(3 * size);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::open(&from).expect("the file");
            let mut socket = TcpStream::connect(address).expect("a connection");
            copy(&mut file, &mut socket);
        });
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut file = std::fs::File::create(path.join("to")).expect("a file");
        copy(&mut socket, &mut file);
        file.sync_all().expect("sync");
    });
    start.elapsed().as_secs_f64()
}

/// Touches free memory, and frees it again. In a virtual machine whose host takes back what is free, whoever uses it first
/// waits for it: that is nobody's merit who comes second.
///
/// What is to be written is written first: that takes long enough for the host to take the memory back.
fn warm_memory(size: usize) {
    nix::unistd::sync();
    let mut memory = vec![1_u8; size];
    std::hint::black_box(memory.as_mut_slice());
}

/// With a buffer of our own: what the kernel could do by itself is not what is asked here.
fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer).expect("read") {
            0 => return,
            length => to.write_all(&buffer[..length]).expect("write"),
        }
    }
}

/// A long queue: how long until the first job of it arrives, and how many go in a second, of `count` that wait.
pub(crate) fn waiting(table: &mut Table, count: usize) {
    let first = format!("first mail of {count} queued arrives after");
    let all = format!("mails of 1 KB, t, all of {count} queued, ours both ends");
    if !table.wants(&first) && !table.wants(&all) {
        return;
    }
    let fill = |side| {
        let pair = pair(side, side, "t");
        let mut queue = HandQueue::new(&pair.leaf, "hub");
        for number in 0..count {
            queue.execution(
                'N',
                &format!("rmail user{number}@hub.example"),
                &[b'x'; 1024],
            );
        }
        pair
    };
    let begin = |pair: &Pair| {
        let start = Instant::now();
        let running = pair.leaf.start("uucico", &["-S", "hub"]);
        process::wait_for("the first mail", process::PATIENCE, || {
            (pair.hub.count("leaf/X.") > 0).then_some(())
        });
        (start, 1e3 * start.elapsed().as_secs_f64(), running)
    };
    let (_, other, other_call) = begin(&fill(Side::Taylor));
    drop(other_call);
    let pair = fill(Side::Ours);
    let (start, ours, call) = begin(&pair);
    table.row(&first, "ms", Better::Less, ours, Some(other));
    call.finish(process::PATIENCE).expect_success("the call");
    let rate = per_second(count, start.elapsed().as_secs_f64());
    assert_eq!(pair.hub.count("leaf/X."), count, "not all jobs arrived");
    table.row(&all, "/s", Better::More, rate, None);
}

/// Resident memory of the calling uucico with many jobs queued, at its highest.
pub(crate) fn memory(table: &mut Table, count: usize) {
    let name = format!("resident memory of the caller, {count} jobs queued");
    if !table.wants(&name) {
        return;
    }
    let peak = |side| {
        let pair = pair(side, side, "t");
        let mut queue = HandQueue::new(&pair.leaf, "hub");
        for number in 0..count {
            queue.execution('N', &format!("rmail user{number}@hub.example"), b"x");
        }
        let mut running = pair.leaf.start("uucico", &["-S", "hub"]);
        let status = format!("/proc/{}/status", running.pid());
        let (start, mut highest) = (Instant::now(), 0.0);
        // Long enough to have read the queue; the other side's whole call would take minutes.
        while !running.has_ended() && start.elapsed().as_secs() < 5 {
            let kilobytes = peak_kilobytes(&process::lossy(std::path::Path::new(&status)));
            highest = f64::max(highest, kilobytes / 1024.0);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        highest
    };
    let (ours, other) = (peak(Side::Ours), peak(Side::Taylor));
    table.row(&name, "MiB", Better::Less, ours, Some(other));
}

pub(crate) fn peak_kilobytes(status: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
pub(crate) fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[allow(
    clippy::cast_precision_loss,
    reason = "sizes of a benchmark are far below 2^52"
)]
pub(crate) fn megabytes(size: usize) -> f64 {
    size as f64 / MEGABYTE
}
