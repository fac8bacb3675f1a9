//! Time that was observed to pass: ages and limits that no step of the wall clock can stretch or shrink.
//!
//! One small file counts seconds. While the machine runs, what its own clock since boot says is added; over a reboot, what
//! the wall clock says, but at most a day and never less than nothing, and the time since boot. So a machine that boots in
//! 1970 and is set right by NTP ages its queue by the minutes it ran; one that was off for a month ages it by a day.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use super::names::unique;
use super::{Spool, SpoolError, durable};

/// Seconds that this spool has been seen to live through. Comparable with others of the same spool only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ObservedTime(pub u64);

impl ObservedTime {
    /// How much time was observed between `earlier` and this.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait.as_secs()))
    }
}

/// What the machine's clocks say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    boot: String,
    since_boot: u64,
    wall: u64,
}

impl Reading {
    fn now() -> Self {
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map(|time| u64::try_from(time.tv_sec()).unwrap_or_default())
            .unwrap_or_default();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            boot: boot_id().to_owned(),
            since_boot,
            wall: wall.as_secs(),
        }
    }
}

/// What the kernel calls this boot; a process sees one.
fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        boot.trim().replace(' ', "-")
    })
}

/// The most that a reboot may add for the time when nobody looked, in seconds.
const LONGEST_UNSEEN: u64 = 86_400;

/// How often the file is written, in seconds: the error that a crash can cause.
const WRITE_INTERVAL: u64 = 60;

/// What the file says: the count, and the clocks when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Count {
    observed: u64,
    reading: Reading,
}

impl Count {
    fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.strip_suffix('\n')?;
        let mut words = text.split(' ');
        let mut number = || words.next()?.parse().ok();
        let (observed, since_boot, wall) = (number()?, number()?, number()?);
        Some(Self {
            observed,
            reading: Reading {
                boot: words.next()?.to_owned(),
                since_boot,
                wall,
            },
        })
    }

    fn emit(&self) -> String {
        format!(
            "{} {} {} {}\n",
            self.observed, self.reading.since_boot, self.reading.wall, self.reading.boot
        )
    }

    /// The count at another reading of the clocks.
    fn at(&self, now: &Reading) -> u64 {
        let passed = if now.boot == self.reading.boot {
            now.since_boot.saturating_sub(self.reading.since_boot)
        } else {
            let wall = now.wall.saturating_sub(self.reading.wall);
            wall.min(LONGEST_UNSEEN).max(now.since_boot)
        };
        self.observed.saturating_add(passed)
    }
}

impl Spool {
    /// The observed time now.
    ///
    /// # Errors
    /// When the clock file cannot be read, or a first one not be written.
    pub fn observed_now(&self) -> Result<ObservedTime, SpoolError> {
        let clock = Clock {
            path: self.own_folder("clock"),
            before: self.own_folder("clock.before"),
            new: self.new_path(),
        };
        clock.at(Reading::now(), 0)
    }
}

/// The observed time of a spool, else of a directory.
///
/// # Errors
/// When the clock file cannot be read, or a first one not be written.
pub(crate) fn observed(
    spool: Option<&Spool>,
    directory: &Path,
) -> Result<ObservedTime, SpoolError> {
    spool.map_or_else(|| observed_in(directory), Spool::observed_now)
}

fn observed_in(directory: &Path) -> Result<ObservedTime, SpoolError> {
    let now = Reading::now();
    let clock = Clock {
        path: directory.join("clock"),
        before: directory.join("clock.before"),
        new: directory.join(format!(".clock-{}", unique())),
    };
    // Earlier programs took the wall clock's seconds here: what they have left must not lie far ahead.
    let first = now.wall;
    clock.at(now, first)
}

/// The files of a count.
#[derive(Debug)]
struct Clock {
    path: PathBuf,
    /// What the file said before it was written last. It is not synced, and a power failure may leave nothing of it: were the
    /// count to begin anew then, all that is to happen at a time would wait for as long as the spool has lived.
    before: PathBuf,
    new: PathBuf,
}

impl Clock {
    /// The count now; it begins with `first`.
    fn at(self, now: Reading, first: u64) -> Result<ObservedTime, SpoolError> {
        let last = read(&self.path)?;
        let is_whole = last.is_some();
        let stored = match last {
            Some(count) => Some(count),
            None => read(&self.before)?,
        };
        let observed = stored.as_ref().map_or(first, |count| count.at(&now));
        let fresh = stored.as_ref().is_some_and(|count| {
            count.reading.boot == now.boot && observed - count.observed < WRITE_INTERVAL
        });
        if fresh && is_whole {
            return Ok(ObservedTime(observed));
        }
        if is_whole && std::fs::hard_link(&self.path, &self.new).is_ok() {
            let _ = std::fs::rename(&self.new, &self.before);
            // Two names of one file are not renamed into one.
            let _ = std::fs::remove_file(&self.new);
        }
        let count = Count {
            observed,
            reading: now,
        };
        let content = count.emit();
        match durable::replace(
            &self.new,
            &self.path,
            durable::FILE_MODE,
            content.as_bytes(),
            false,
        ) {
            // A full disk changes nothing of what is known.
            Err(_) if stored.is_some() => {}
            other => other?,
        }
        Ok(ObservedTime(observed))
    }
}

/// A count, if there is one that is whole.
fn read(path: &Path) -> Result<Option<Count>, SpoolError> {
    match durable::read_small(path, 4096) {
        // As any other garbage: it must not stand for a fault of the file that is being received.
        Err(SpoolError::Corrupt { .. }) => Ok(None),
        other => Ok(other?.and_then(|content| Count::parse(&content))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TestSpool;
    use super::*;

    fn reading(boot: &str, since_boot: u64, wall: u64) -> Reading {
        Reading {
            boot: boot.to_owned(),
            since_boot,
            wall,
        }
    }

    #[test]
    fn steps_of_the_wall_clock_age_nothing() {
        let count = Count {
            observed: 1000,
            reading: reading("b1", 50, 1_800_000_000),
        };
        assert_eq!(Count::parse(count.emit().as_bytes()), Some(count.clone()));
        // Same boot: the time since boot decides, wherever the wall clock jumps.
        assert_eq!(count.at(&reading("b1", 80, 0)), 1030);
        assert_eq!(count.at(&reading("b1", 80, u64::MAX)), 1030);
        // A boot in 1970: only what it has run.
        assert_eq!(count.at(&reading("b2", 20, 20)), 1020);
        // Off for a month, or a clock set right: a day.
        assert_eq!(
            count.at(&reading("b2", 20, 1_800_000_000 + 30 * 86_400)),
            1000 + 86_400
        );
        // Off for an hour.
        assert_eq!(count.at(&reading("b2", 20, 1_800_003_600)), 4600);
        // Running for a week since that boot, nobody looked.
        assert_eq!(count.at(&reading("b2", 7 * 86_400, 0)), 1000 + 7 * 86_400);
    }

    #[test]
    fn the_count_only_grows_and_survives_a_broken_file() {
        let test = TestSpool::new();
        let first = test.spool.observed_now().unwrap();
        assert!(test.spool.observed_now().unwrap() >= first);
        let path = test.spool.own_folder("clock");
        std::fs::write(&path, "86400 1 1 another-boot\n").unwrap();
        assert!(test.spool.observed_now().unwrap().0 > 86_400);
        // What a power failure has left of it.
        for lost in ["garbage", ""] {
            std::fs::write(&path, lost).unwrap();
            assert!(test.spool.observed_now().unwrap().0 > 86_400);
            assert!(test.spool.observed_now().unwrap().0 > 86_400);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(test.spool.observed_now().unwrap().0 > 86_400);
    }

    #[test]
    fn a_full_disk_changes_nothing_of_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let clock = |new: &str| Clock {
            path: folder.path().join("clock"),
            before: folder.path().join("clock.before"),
            new: folder.path().join(new),
        };
        // Where nothing can be made.
        let full = "file/new";
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(clock(full).at(reading("b1", 50, 7), 0).is_err());
        clock("new").at(reading("b1", 50, 7), 1000).unwrap();
        for _ in 0..2 {
            let later = reading("b1", 50 + 2 * WRITE_INTERVAL, 7);
            let observed = clock(full).at(later, 0).unwrap();
            assert_eq!(observed.0, 1000 + 2 * WRITE_INTERVAL);
        }
    }

    /// Were it seconds since 1970 instead, all that waits would be too old, and all that is remembered forgotten.
    #[test]
    fn what_a_spool_cannot_tell_is_told_by_no_other_clock() {
        let test = TestSpool::new();
        let other = tempfile::tempdir().unwrap();
        test.spool.observed_now().unwrap();
        for name in ["clock", "clock.before"] {
            let path = test.spool.own_folder(name);
            let _ = std::fs::remove_file(&path);
            std::fs::create_dir(&path).unwrap();
        }
        assert!(observed(Some(&test.spool), other.path()).is_err());
        assert!(observed(None, other.path()).is_ok());
    }

    #[test]
    fn without_a_spool_the_wall_clock_tells_only_the_first_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = observed_in(folder.path()).unwrap();
        assert!(first.0.abs_diff(Reading::now().wall) < 600);
        let count = format!("77 {} 1 {}\n", Reading::now().since_boot, boot_id());
        std::fs::write(folder.path().join("clock"), count).unwrap();
        assert!(observed_in(folder.path()).unwrap().0 < 77 + 600);
    }
}
