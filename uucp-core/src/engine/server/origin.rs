//! Where calls come from, and what is known of those places: who has logged in from there, who has tried in vain.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// So many wrong passwords, and nothing from there is taken for a while: at first, and at most. It doubles with as many
/// again.
const WRONG_PASSWORDS: u32 = 10;
const FIRST_BAR: Duration = Duration::from_mins(1);
const LONGEST_BAR: Duration = Duration::from_hours(1);
/// What is older than this counts no more.
const MEMORY: Duration = Duration::from_hours(24);
/// How many places are remembered.
const PLACES: usize = 4096;

/// One place, as far as limits go: an IPv4 address, or the /64 network of an IPv6 address, since everybody who has one such
/// address has all of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(six) => {
                let [a, b, c, d, ..] = six.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            four @ IpAddr::V4(_) => four,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(four) => four.fmt(f),
            IpAddr::V6(six) => write!(f, "{six}/64"),
        }
    }
}

/// What is known of one place.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// Wrong passwords since the last good one.
    failures: u32,
    barred_until: Option<Instant>,
    /// A known system has called from there.
    friend: bool,
    last: Instant,
}

/// What is known of the places that calls came from.
#[derive(Debug, Default)]
pub(super) struct Reputation(HashMap<Origin, Record>);

impl Reputation {
    /// A wrong password came from there.
    pub(super) fn failed(&mut self, now: Instant, origin: Origin) {
        let record = self.record(now, origin);
        record.failures = record.failures.saturating_add(1);
        if record.failures.is_multiple_of(WRONG_PASSWORDS) {
            let doublings = (record.failures / WRONG_PASSWORDS - 1).min(16);
            let time = FIRST_BAR.saturating_mul(1 << doublings).min(LONGEST_BAR);
            record.barred_until = Some(now + time);
        }
    }

    /// A known system has come in from there.
    pub(super) fn logged_in(&mut self, now: Instant, origin: Origin) {
        let record = self.record(now, origin);
        record.failures = 0;
        record.barred_until = None;
        record.friend = true;
    }

    /// For how long nothing is taken from there.
    pub(super) fn barred(&self, now: Instant, origin: Origin) -> Option<Duration> {
        let until = self.0.get(&origin)?.barred_until?;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Whether a known system has called from there.
    pub(super) fn is_friend(&self, now: Instant, origin: Origin) -> bool {
        let known = self.0.get(&origin);
        known.is_some_and(|record| record.friend && now < record.last + MEMORY)
    }

    fn record(&mut self, now: Instant, origin: Origin) -> &mut Record {
        if self.0.len() >= PLACES && !self.0.contains_key(&origin) {
            let least = self.0.iter().min_by_key(|(_, one)| (one.friend, one.last));
            if let Some(least) = least.map(|(origin, _)| *origin) {
                self.0.remove(&least);
            }
        }
        let new = Record {
            failures: 0,
            barred_until: None,
            friend: false,
            last: now,
        };
        let record = self.0.entry(origin).or_insert(new);
        if record.last + MEMORY <= now {
            *record = new;
        }
        record.last = now;
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_ipv6_network_is_one_place() {
        assert_eq!(origin("2001:db8:1:2:3::4"), origin("2001:db8:1:2:ffff::1"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("2001:db8:1:2:3::4").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn who_guesses_passwords_is_shut_out_for_longer_and_longer() {
        let mut reputation = Reputation::default();
        let (one, other) = (origin("192.0.2.1"), origin("192.0.2.2"));
        let mut now = Instant::now();
        let mut bars = Vec::new();
        for _ in 0..80 {
            assert_eq!(reputation.barred(now, one), None);
            reputation.failed(now, one);
            if let Some(left) = reputation.barred(now, one) {
                bars.push(left.as_secs() / 60);
                now += left;
            }
        }
        assert_eq!(bars, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(reputation.barred(now, other), None);
        reputation.failed(now, one);
        reputation.logged_in(now, one);
        for _ in 1..WRONG_PASSWORDS {
            reputation.failed(now, one);
        }
        assert_eq!(reputation.barred(now, one), None);
        reputation.failed(now, one);
        assert_eq!(reputation.barred(now, one), Some(FIRST_BAR));
        // A day later it is forgotten.
        reputation.failed(now + MEMORY, one);
        assert_eq!(reputation.barred(now + MEMORY, one), None);
    }

    #[test]
    fn strangers_do_not_push_friends_out_of_memory() {
        let mut reputation = Reputation::default();
        let friend = origin("192.0.2.1");
        let now = Instant::now();
        reputation.logged_in(now, friend);
        for number in 0..2 * u32::try_from(PLACES).unwrap() {
            let stranger = Origin::from(IpAddr::from(number.to_be_bytes()));
            reputation.failed(now + Duration::from_secs(1), stranger);
        }
        assert!(reputation.is_friend(now, friend));
        assert_eq!(reputation.0.len(), PLACES);
        assert!(!reputation.is_friend(now + MEMORY, friend));
    }
}
