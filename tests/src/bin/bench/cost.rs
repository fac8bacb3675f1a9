//! What a large file costs in processor time, at both ends together: the protocol, the disk and the socket.

use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use suite_tests::process;
use suite_tests::programs::Side;

use crate::calls::{megabytes, pair};
use crate::table::{Better, Table};

/// A file by each protocol. Of those that take Taylor's a minute for 16 MB there is less. The lowest of each counts: in a virtual
/// machine, time in which the host finds memory is counted as ours or as theirs, whoever comes to it first.
pub(crate) fn files(table: &mut Table, size: usize) {
    for (protocol, share) in [
        ("t", 1),
        ("e", 1),
        ("g", 4),
        ("i", 16),
        ("G", 4),
        ("v", 4),
        ("j", 16),
        ("f", 4),
        ("y", 1),
        ("a", 16),
    ] {
        let size = size / share;
        let cost = |side| move || microseconds(side, protocol, size) / megabytes(size);
        let name = format!(
            "processor time for one file of {:.0} MB, {protocol}, both ends",
            megabytes(size)
        );
        table.compare_best(
            &name,
            "µs/MB",
            Better::Less,
            cost(Side::Ours),
            cost(Side::Taylor),
        );
    }
}

/// Microseconds that both ends need for a file of `length` bytes, their start and their login included.
#[allow(
    clippy::cast_precision_loss,
    reason = "times of a benchmark are far below 2^52"
)]
fn microseconds(side: Side, protocol: &str, length: usize) -> f64 {
    // Who answers is a child of the listener, and not every listener waits for its children: then they become ours.
    prctl::set_child_subreaper(true).expect("a kernel that gives us orphans");
    let pair = pair(side, side, protocol);
    let before = spent_by_children();
    pair.file(length);
    let listener = pair.listener();
    process::wait_for("the end of who answered", process::PATIENCE, || {
        process::children(listener).is_empty().then_some(())
    });
    drop(pair);
    reap_orphans();
    (spent_by_children() - before) as f64
}

fn spent_by_children() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel's count");
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

/// What it costs counts once somebody has waited for it.
fn reap_orphans() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}
