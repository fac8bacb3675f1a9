//! What a neighbour may do: domains of senders and recipients, and how many reports it can cause.

use std::io;
use std::path::Path;

use crate::address::{Address, ReversePath};
use crate::config::mail::{DomainPattern, Policy};
use crate::name::SystemName;
use crate::spool::{ObservedTime, count_in_hour, make_shared_directory};

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

fn permits(patterns: Option<&[DomainPattern]>, address: &Address) -> bool {
    let Some(patterns) = patterns else {
        return true;
    };
    let mailbox = address.to_mailbox(None);
    let domain = String::from_utf8_lossy(mailbox.domain().unwrap_or_default()).into_owned();
    patterns.iter().any(|pattern| pattern.fits(&domain))
}

/// Whether one more report may be made for this neighbour in this hour; counts it.
///
/// # Errors
/// When the count cannot be read or written.
pub(super) fn may_report(
    state: &Path,
    neighbour: Option<&SystemName>,
    limit: u32,
    now: ObservedTime,
) -> io::Result<bool> {
    let folder = state.join("reports");
    make_shared_directory(&folder)?;
    let file = folder.join(neighbour.map_or("-", SystemName::as_str));
    count_in_hour(&file, limit, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn domains_are_matched_whole() {
        let patterns = ["example.org", ".Lab", "siteb"].map(|one| one.parse().unwrap());
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
            assert!(permits(Some(&[DomainPattern::Any]), &address(who)));
        }
        assert!(permits(Some(&[DomainPattern::Without]), &address("bob")));
    }

    #[test]
    fn the_reports_of_an_hour_are_those_of_one_neighbour() {
        let state = tempfile::tempdir().unwrap();
        let hub: SystemName = "hub".parse().unwrap();
        let may = |whose| may_report(state.path(), whose, 1, ObservedTime(0)).unwrap();
        assert_eq!(
            [may(None), may(None), may(Some(&hub)), may(Some(&hub))],
            [true, false, true, false]
        );
    }
}
