//! Who has work and may be called at this hour, and when that is looked at again.

use std::time::{Duration, Instant};

use super::planner::Candidate;
use crate::config::Config;
use crate::config::mail::MailConfig;
use crate::config::time::LocalTime;
use crate::engine::neighbour::local_time;
use crate::engine::outcome::{held_up, now_seconds};
use crate::outbox;
use crate::spool::Spool;

/// How often all is looked at though nothing was heard: windows open by the minute.
pub(super) const LOOK: Duration = Duration::from_mins(1);

/// What the clock on the wall says.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    /// The moment of the local week.
    pub(super) local: LocalTime,
    /// Since 1970.
    pub(super) seconds: i64,
}

impl WallClock {
    /// Now.
    pub(super) fn now() -> Self {
        Self {
            local: local_time(),
            seconds: now_seconds(),
        }
    }
}

/// When to look again: `later` is when the planner knows of something to do.
pub(super) fn next_look(now: Instant, later: Option<Instant>) -> Instant {
    later.map_or(now + LOOK, |at| at.min(now + LOOK))
}

/// The systems that have work and may be called at this hour.
///
/// # Errors
/// Why configuration or spool cannot be read.
pub(super) fn candidates(
    config: &Config,
    spool: &Spool,
    now: WallClock,
) -> Result<Vec<Candidate>, String> {
    // What is wrong with the file is told in the call.
    let mail = MailConfig::load(&config.directory).unwrap_or_default();
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let mut names = spool.systems_with_work().map_err(|e| told(&e))?;
    names.extend(outbox::systems_with_work(spool, &mail).map_err(|e| told(&e))?);
    names.sort_unstable();
    names.dedup();
    let mut candidates = Vec::new();
    for name in names {
        // A folder that no sys file knows is left to whoever made it.
        let Some(system) = config.system(&name).map_err(|e| told(&e))? else {
            continue;
        };
        if system.is_allowed(now.local).is_none() || spool.is_locked(&name).unwrap_or(false) {
            continue;
        }
        let status = spool.status(&name).map_err(|e| told(&e))?;
        let held = match held_up(system.settings(), status.as_ref(), now.seconds) {
            None => Duration::ZERO,
            Some(held) => match held.left {
                Some(left) => left,
                None => continue,
            },
        };
        candidates.push(Candidate {
            system: system.name,
            held,
        });
    }
    Ok(candidates)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::planner::Planner;
    use super::*;
    use crate::name::{Grade, SystemName};
    use crate::spool::{Status, StatusKind};
    use crate::wire::command::{ReceiveRequest, Request, RequestOptions};

    /// Sunday, 22 November 2026, so many seconds after midnight.
    fn clock(seconds: i64) -> WallClock {
        let midnight = date(2026, 11, 22).at(0, 0, 0, 0);
        let local = midnight + jiff::SignedDuration::from_secs(seconds);
        WallClock {
            local: LocalTime::from(local),
            seconds,
        }
    }

    struct Lab {
        _folder: tempfile::TempDir,
        config: Config,
        spool: Spool,
    }

    /// A system `hub` with this rule, and a job for it.
    fn lab(time: &str) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for (name, text) in [
            ("sys", format!("system hub\n{time}\n")),
            (
                "config",
                format!(
                    "nodename leaf\nsysfile {}\nspool {}\nlockdir {}\n",
                    at("sys"),
                    at("spool"),
                    at("lock")
                ),
            ),
        ] {
            std::fs::write(at(name), text).unwrap();
        }
        std::fs::create_dir(at("lock")).unwrap();
        let config = Config::load(Some(at("config").as_ref())).unwrap();
        let spool = Spool::open(&config).unwrap();
        let request = Request::Receive(ReceiveRequest {
            from: b"/there".to_vec(),
            to: b"/here".to_vec(),
            user: b"joe".to_vec(),
            options: RequestOptions::new(b""),
            size: None,
        });
        spool
            .queue(&hub(), Grade::DEFAULT, &[request], Vec::new())
            .unwrap();
        Lab {
            _folder: folder,
            config,
            spool,
        }
    }

    fn hub() -> SystemName {
        "hub".parse().unwrap()
    }

    /// Sleeps as the daemon does from that second on, with nothing heard, until it calls; the second of the call, and how
    /// often it looked.
    fn called_at(lab: &Lab, from: i64) -> (i64, u32) {
        let mut planner = Planner::new(1, Duration::ZERO);
        let begun = Instant::now();
        let mut now = begun;
        for looks in 1..2000 {
            let passed = now.duration_since(begun).as_secs();
            let second = from + i64::try_from(passed).unwrap();
            let candidates = candidates(&lab.config, &lab.spool, clock(second)).unwrap();
            let (due, later) = planner.due(now, candidates);
            if !due.is_empty() {
                assert_eq!(due, [hub()]);
                return (second, looks);
            }
            let next = next_look(now, later);
            assert!(next > now, "it does not sleep");
            now = next;
        }
        panic!("no call");
    }

    const HOUR: i64 = 3600;

    #[test]
    fn a_window_that_opens_is_reason_enough_for_a_call() {
        let lab = lab("time Any0800-1200");
        // Within a minute of eight, whenever the daemon began to look.
        assert_eq!(called_at(&lab, 7 * HOUR), (8 * HOUR, 61));
        assert_eq!(called_at(&lab, 7 * HOUR + 17), (8 * HOUR + 17, 61));
        assert_eq!(called_at(&lab, 9 * HOUR), (9 * HOUR, 1));
        // The next day's.
        assert_eq!(called_at(&lab, 13 * HOUR).0, 32 * HOUR);
    }

    #[test]
    fn a_wait_that_is_over_is_another() {
        let lab = lab("time any");
        let status = Status {
            kind: StatusKind::DialFailed,
            retries: 1,
            last: 7 * HOUR,
            wait: Duration::from_secs(650),
            text: String::new(),
        };
        lab.spool.set_status(&hub(), &status).unwrap();
        assert_eq!(called_at(&lab, 7 * HOUR + 10).0, 7 * HOUR + 650);
    }
}
