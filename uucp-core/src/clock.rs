//! The local time, cheaply: programs that live for a few milliseconds ask for it once.
//!
//! The time zone is that of `/etc/localtime`, as for every C program, unless `TZ` is set. The zone's name is of no interest
//! here, and looking for it costs jiff a walk through the whole zone database, some 150 system calls. Who was lent the rights of the
//! owner of the spool has no say in what time the Log has, nor in which file tells it.

use std::sync::OnceLock;

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
