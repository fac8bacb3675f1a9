//! What a neighbour may do: domains of senders and recipients, and how many reports it can cause.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::address::{Address, ReversePath};
use crate::config::mail::Policy;
use crate::name::SystemName;

/// Whether mail from this sender may come in. Reports (null sender) always may: they answer mail of ours.
pub(super) fn permits_sender(policy: &Policy, sender: &ReversePath) -> bool {
    sender
        .address()
        .is_none_or(|address| permits(policy.sender_domains.as_deref(), address))
}

/// Whether mail to this recipient may come in.
pub(super) fn permits_recipient(policy: &Policy, recipient: &Address) -> bool {
    permits(policy.recipient_domains.as_deref(), recipient)
}

fn permits(patterns: Option<&[String]>, address: &Address) -> bool {
    let Some(patterns) = patterns else {
        return true;
    };
    let mailbox = address.to_mailbox(None);
    let domain = String::from_utf8_lossy(mailbox.domain().unwrap_or_default()).to_ascii_lowercase();
    patterns
        .iter()
        .any(|pattern| matches(&pattern.to_ascii_lowercase(), &domain))
}

/// `*`: any; `.example.org`: it and all below; `example.org`: it alone; the empty word: addresses without a domain.
fn matches(pattern: &str, domain: &str) -> bool {
    match pattern.strip_prefix('.') {
        _ if pattern == "*" => true,
        Some(base) => domain == base || domain.ends_with(pattern),
        None => domain == pattern,
    }
}

/// Whether one more report may be made for this neighbour in this hour; counts it.
///
/// # Errors
/// When the count cannot be read or written.
pub(super) fn may_report(
    state: &Path,
    neighbour: Option<&SystemName>,
    limit: u32,
    now_seconds: i64,
) -> io::Result<bool> {
    let folder = state.join("reports");
    super::maildir::make_directory(&folder)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o660)
        .open(folder.join(neighbour.map_or("-", SystemName::as_str)))?;
    file.lock()?;
    let mut held = Vec::new();
    (&file).take(100).read_to_end(&mut held)?;
    let text = String::from_utf8_lossy(&held);
    let hour = now_seconds.div_euclid(3600);
    let mut words = text.split_whitespace();
    let same_hour = words.next().and_then(|w| w.parse().ok()) == Some(hour);
    let count: u32 = words
        .next()
        .and_then(|w| w.parse().ok())
        .filter(|_| same_hour)
        .unwrap_or(0);
    if count >= limit {
        return Ok(false);
    }
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(format!("{hour} {}\n", count + 1).as_bytes())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn domains_are_matched_whole() {
        let patterns = [
            "example.org".to_owned(),
            ".Lab".to_owned(),
            "siteb".to_owned(),
        ];
        for (who, expected) in [
            ("a@example.org", true),
            ("a@EXAMPLE.org", true),
            ("a@x.example.org", false),
            ("a@notexample.org", false),
            ("a@lab", true),
            ("a@x.lab", true),
            ("a@xlab", false),
            ("siteb!bob", true),
            ("sitec!siteb!bob", false),
            ("bob", false),
            ("\"x@example.org\"@evil.example", false),
        ] {
            assert_eq!(permits(Some(&patterns), &address(who)), expected, "{who}");
            assert!(permits(None, &address(who)));
            assert!(permits(Some(&["*".to_owned()]), &address(who)));
        }
        assert!(permits(Some(&[String::new()]), &address("bob")));
    }

    #[test]
    fn reports_are_counted_by_the_hour() {
        let state = tempfile::tempdir().unwrap();
        let may = |second| may_report(state.path(), None, 2, second).unwrap();
        assert_eq!(
            [may(0), may(10), may(3599), may(3600), may(3601), may(7199)],
            [true, true, false, true, true, false]
        );
        std::fs::write(state.path().join("reports/-"), "garbage\n").unwrap();
        assert!(may(7200));
    }
}
