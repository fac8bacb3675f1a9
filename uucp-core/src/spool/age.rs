//! Time that was observed to pass: ages and limits that no step of the wall clock can stretch or shrink.
//!
//! One small file counts seconds. While the machine runs, what its own clock since boot says is added; over a reboot, what
//! the wall clock says, but at most a day and never less than nothing, and the time since boot. So a machine that boots in
//! 1970 and is set right by NTP ages its queue by the minutes it ran; one that was off for a month ages it by a day.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

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
    /// When the clock file cannot be read or written.
    pub fn observed_now(&self) -> Result<ObservedTime, SpoolError> {
        let path = self.own_folder("clock");
        let now = Reading::now();
        let stored = match durable::read_small(&path, 4096) {
            // As any other garbage: it must not stand for a fault of the file that is being received.
            Err(SpoolError::Corrupt { .. }) => None,
            other => other?.and_then(|content| Count::parse(&content)),
        };
        let observed = stored.as_ref().map_or(0, |count| count.at(&now));
        let fresh = stored.is_some_and(|count| {
            count.reading.boot == now.boot && observed - count.observed < WRITE_INTERVAL
        });
        if !fresh {
            let count = Count {
                observed,
                reading: now,
            };
            durable::replace(
                &self.new_path(),
                &path,
                durable::FILE_MODE,
                count.emit().as_bytes(),
                false,
            )?;
        }
        Ok(ObservedTime(observed))
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
        std::fs::write(&path, "garbage").unwrap();
        test.spool.observed_now().unwrap();
    }
}
