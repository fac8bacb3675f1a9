//! The local time, cheaply: programs that live for a few milliseconds ask for it once.
//!
//! The time zone is that of `/etc/localtime`, as for every C program, unless `TZ` is set. The zone's name is of no interest
//! here, and looking for it costs jiff a walk through the whole zone database, some 150 system calls. Who was lent the rights of the
//! owner of the spool has no say in what time the Log has, nor in which file tells it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::owner::is_lent;

/// Now, in local time.
#[must_use]
pub fn now() -> Zoned {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(zone);
    Timestamp::now().to_zoned(zone.clone())
}

/// Whether something was written longer ago than that. What stands as far in the future was written before the clock was set
/// back, nobody knows when: were that not long ago, it would become so only when the clock has caught up, perhaps in years.
pub(crate) fn is_older(written: SystemTime, than: Duration) -> bool {
    let apart = SystemTime::now()
        .duration_since(written)
        .unwrap_or_else(|ahead| ahead.duration());
    apart > than
}

/// A time that is left, in words and rounded up: nobody who waits for so long is too early.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn zone() -> TimeZone {
    if std::env::var_os("TZ").is_some() && !is_lent() {
        return TimeZone::system();
    }
    std::fs::read("/etc/localtime")
        .ok()
        .and_then(|data| TimeZone::tzif("Local", &data).ok())
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_in_the_future_is_old() {
        let (hour, now) = (Duration::from_hours(1), SystemTime::now());
        let year = 365 * 24 * hour;
        for (written, old) in [
            (now, false),
            (now - hour / 2, false),
            (now + hour / 2, false),
            (now - 2 * hour, true),
            (now + year, true),
            (SystemTime::UNIX_EPOCH, true),
        ] {
            assert_eq!(is_older(written, hour), old, "{written:?}");
        }
    }

    #[test]
    fn a_time_in_words_is_never_shorter() {
        let words = |milliseconds| in_words(Duration::from_millis(milliseconds));
        assert_eq!(words(0), "0 seconds");
        assert_eq!(words(1), "1 second");
        assert_eq!(words(60_000), "60 seconds");
        assert_eq!(words(119_001), "2 minutes");
        assert_eq!(words(120_001), "3 minutes");
        assert_eq!(words(7_200_000), "2 hours");
        assert_eq!(words(7_200_001), "3 hours");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it is what we compare with")]
    fn it_is_the_local_time_of_everybody_else() {
        let (ours, theirs) = (now(), Zoned::now());
        assert_eq!(ours.offset(), theirs.offset());
        assert!(
            theirs
                .timestamp()
                .duration_since(ours.timestamp())
                .as_secs()
                < 60
        );
    }
}
