//! Bad logins, counted by the address that they came from.
//!
//! One file for all of them, `bad-logins`: lines of address, hour of observed time, count. It never holds more than the
//! addresses of this hour, nor more than [`ADDRESSES`].

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::durable::make_directory;
use super::error::At;
use super::sharing::open_shared;
use super::{ObservedTime, Spool, SpoolError, regular};

/// How many bad logins an address has in an hour. A neighbour with a wrong password in its configuration makes one a call.
const LIMIT: u32 = 20;
/// How many addresses are kept in mind: those of an attack from everywhere push each other out, and the rest with them.
const ADDRESSES: usize = 4096;
const HOUR: u64 = 3600;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    address: IpAddr,
    hour: u64,
    count: u32,
}

impl Spool {
    /// Whether a login from an address may be tried: it has not failed too often in this hour. A proxy on this machine stands
    /// for everybody behind it, and is never kept out.
    ///
    /// # Errors
    /// When the count cannot be read.
    pub fn may_log_in_from(&self, address: IpAddr) -> Result<bool, SpoolError> {
        let Some(address) = counted(address) else {
            return Ok(true);
        };
        let hour = hour(self.observed_now()?);
        let path = self.own_folder("bad-logins");
        let mut text = Vec::new();
        match regular::open(&path).and_then(|mut file| file.read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error).at("read", &path),
        }
        let entries = parse(&text, hour);
        let found = entries.iter().find(|entry| entry.address == address);
        Ok(found.is_none_or(|entry| entry.count < LIMIT))
    }

    /// Counts a bad login from an address.
    ///
    /// # Errors
    /// When the count cannot be written.
    pub fn count_bad_login_from(&self, address: IpAddr) -> Result<(), SpoolError> {
        let Some(address) = counted(address) else {
            return Ok(());
        };
        let hour = hour(self.observed_now()?);
        make_directory(&self.own_folder(""))?;
        let path = self.own_folder("bad-logins");
        let write = || -> std::io::Result<()> {
            let mut file = open_shared(&path, OpenOptions::new().read(true).write(true))?;
            file.lock()?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            rewrite(&mut file, &count(parse(&text, hour), address, hour))
        };
        write().at("count in", &path)
    }
}

fn hour(now: ObservedTime) -> u64 {
    now.0 / HOUR
}

/// What stands for an address: of IPv6 the network, since everybody has a whole one. `None`: it is not counted.
fn counted(address: IpAddr) -> Option<IpAddr> {
    const PROXIES: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    let address = address.to_canonical();
    if PROXIES.contains(&address) {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
    })
}

/// The entries of this hour.
fn parse(text: &[u8], hour: u64) -> Vec<Entry> {
    let text = String::from_utf8_lossy(text);
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        Some(Entry {
            address: words.next()?.parse().ok()?,
            hour: words.next()?.parse().ok()?,
            count: words.next()?.parse().ok()?,
        })
    };
    let entries = text.lines().filter_map(entry);
    entries.filter(|entry| entry.hour == hour).collect()
}

/// One more for an address, which becomes the last: the first are forgotten when there are too many.
fn count(mut entries: Vec<Entry>, address: IpAddr, hour: u64) -> Vec<Entry> {
    let before = entries.iter().position(|entry| entry.address == address);
    let before = before.map_or(0, |at| entries.remove(at).count);
    entries.push(Entry {
        address,
        hour,
        count: before.saturating_add(1),
    });
    let surplus = entries.len().saturating_sub(ADDRESSES);
    entries.drain(..surplus);
    entries
}

fn rewrite(file: &mut File, entries: &[Entry]) -> std::io::Result<()> {
    let lines = entries.iter().map(|entry| {
        let Entry {
            address,
            hour,
            count,
        } = entry;
        format!("{address} {hour} {count}\n")
    });
    let text: String = lines.collect();
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::tests::TestSpool;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_bad_logins_in_an_hour() {
        let test = TestSpool::new();
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..LIMIT {
            assert!(test.spool.may_log_in_from(one).unwrap());
            test.spool.count_bad_login_from(one).unwrap();
        }
        assert!(!test.spool.may_log_in_from(one).unwrap());
        assert!(test.spool.may_log_in_from(other).unwrap());
        // The next hour begins anew.
        let kept = [Entry {
            address: one,
            hour: 7,
            count: LIMIT,
        }];
        let held = format!("{one} 7 {LIMIT}\ngarbage\n\n");
        assert_eq!(parse(held.as_bytes(), 7), kept);
        assert_eq!(parse(held.as_bytes(), 8), []);
    }

    #[test]
    fn a_network_is_one_address_and_a_proxy_here_is_none() {
        let network = counted(address("2001:db8:1:2::"));
        assert_eq!(counted(address("2001:db8:1:2:3:4:5:6")), network);
        assert_ne!(counted(address("2001:db8:1:3::1")), network);
        let mapped = counted(address("::ffff:192.0.2.1"));
        assert_eq!(mapped, Some(address("192.0.2.1")));
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(counted(address(here)), None);
        }
        assert!(counted(address("127.0.0.2")).is_some());
    }

    #[test]
    fn addresses_from_everywhere_fill_no_more_than_the_file_may_hold() {
        let mut entries = Vec::new();
        for number in 0..5000_u32 {
            entries = count(entries, Ipv4Addr::from_bits(number).into(), 1);
        }
        assert_eq!(entries.len(), ADDRESSES);
        assert_eq!(entries[ADDRESSES - 1].address, Ipv4Addr::from_bits(4999));
    }
}
