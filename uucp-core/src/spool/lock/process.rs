//! Whether the process that a lock file names lives, and can have written the file.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::pidfile::Found;

/// A process that was started this many seconds after the lock file was written did not write it: the start is known to a
/// hundredth of a second, the clock to which both are compared may have been adjusted a little.
const START_SLACK: f64 = 5.0;

/// Whether the process that a lock file names lives, and can have written it.
pub(super) fn is_alive(found: &Found) -> bool {
    let pid = found.identity.pid;
    // Our own number in a file that we did not write: an earlier life of the number.
    if pid <= 0 || u32::try_from(pid) == Ok(std::process::id()) {
        return false;
    }
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return false;
    }
    // Without /proc the file is believed.
    let Some(process) = Process::read(pid) else {
        return true;
    };
    #[allow(
        clippy::cast_precision_loss,
        reason = "nanoseconds since 1970 as seconds: a microsecond is lost"
    )]
    let written = found.identity.written as f64 / 1e9;
    !process.zombie && !process.started_after(written)
}

/// What `/proc` tells of a process.
pub(super) struct Process {
    pub(super) zombie: bool,
    pub(super) uucp: bool,
    /// Seconds after boot.
    pub(super) started: f64,
    /// When the machine booted, in seconds since 1970 as the clock says now.
    pub(super) booted: f64,
}

impl Process {
    pub(super) fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (head, tail) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?;
        // Field 22 of the line; the state is the third.
        let ticks: f64 = fields.nth(18)?.parse().ok()?;
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let booted = machine
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?;
        #[allow(clippy::cast_precision_loss, reason = "a hundred")]
        let per_second = per_second as f64;
        Some(Self {
            zombie: matches!(state, "Z" | "X"),
            uucp: matches!(name, "uucico" | "uuxqt" | "cu" | "uucp"),
            started: ticks / per_second,
            booted: booted.parse().ok()?,
        })
    }

    /// Whether the process began after a moment of the wall clock.
    ///
    /// A file from before the boot may also mean that the clock was set since: where the process is one that makes such
    /// locks it is then given the benefit of the doubt.
    pub(super) fn started_after(&self, moment: f64) -> bool {
        if self.uucp && moment < self.booted {
            return false;
        }
        self.booted + self.started > moment + START_SLACK
    }
}
