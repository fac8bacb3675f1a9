//! `[policy]`: what a neighbour may do.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::pick;
use super::value::ByteCount;

const MIB: u64 = 1 << 20;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct PolicySection {
    sender_domains: Option<Patterns>,
    recipient_domains: Option<Patterns>,
    message_limit: Option<ByteCount>,
    reports_per_hour: Option<u32>,
    kept_limit: Option<ByteCount>,
    waiting_limit: Option<ByteCount>,
    spool_limit: Option<ByteCount>,
}

/// A list of patterns: whatever is wrong in it is told at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct Patterns(Vec<DomainPattern>);

impl TryFrom<Vec<String>> for Patterns {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        let (mut patterns, mut wrong) = (Vec::new(), Vec::new());
        for word in &words {
            match word.parse() {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() {
            Ok(Self(patterns))
        } else {
            Err(wrong.join("; "))
        }
    }
}

/// What a neighbour may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Domains that its senders may have; `None`: any.
    pub sender_domains: Option<Vec<DomainPattern>>,
    /// Domains that its recipients may have; `None`: any, as the MTA decides.
    pub recipient_domains: Option<Vec<DomainPattern>>,
    /// Largest message taken, in bytes: 1 GiB, unless set.
    pub message_limit: u64,
    /// How many delivery reports are made for it in an hour: 100, unless set.
    pub reports_per_hour: u32,
    /// How many bytes of its mail are set aside for the postmaster at most: 64 MiB, unless set.
    pub kept_limit: u64,
    /// How many bytes of its mail wait here for the MTA at most: 1 GiB, unless set. Beyond, its batches wait whole.
    pub waiting_limit: u64,
    /// How many bytes of its files may lie in the spool: 4 GiB, unless set, which is four of the largest messages.
    pub spool_limit: u64,
}

impl Policy {
    pub(super) fn new(own: Option<&PolicySection>, all: &PolicySection) -> Self {
        Self {
            sender_domains: pick(own, all, |s| s.sender_domains.clone()).map(|list| list.0),
            recipient_domains: pick(own, all, |s| s.recipient_domains.clone()).map(|list| list.0),
            message_limit: pick(own, all, |s| s.message_limit).map_or(1 << 30, |b| b.0),
            reports_per_hour: pick(own, all, |s| s.reports_per_hour).unwrap_or(100),
            kept_limit: pick(own, all, |s| s.kept_limit).map_or(64 * MIB, |b| b.0),
            waiting_limit: pick(own, all, |s| s.waiting_limit).map_or(1 << 30, |b| b.0),
            spool_limit: pick(own, all, |s| s.spool_limit).map_or(4096 * MIB, |b| b.0),
        }
    }
}

/// Domains that mail may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainPattern {
    /// `*`: any.
    Any,
    /// The empty word: addresses without a domain.
    Without,
    /// `example.org`: this one, in lower case.
    Only(String),
    /// `.example.org`: this one and all below.
    Below(String),
}

impl DomainPattern {
    /// Whether a domain is one of these; empty: there is none.
    #[must_use]
    pub fn fits(&self, domain: &str) -> bool {
        let domain = domain.to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Without => domain.is_empty(),
            Self::Only(only) => domain == *only,
            Self::Below(base) => {
                let above = domain.strip_suffix(base.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

impl FromStr for DomainPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "" => return Ok(Self::Without),
            "*" => return Ok(Self::Any),
            _ => {}
        }
        let (base, pattern): (_, fn(String) -> Self) = match lower.strip_prefix('.') {
            Some(base) => (base, Self::Below),
            None => (lower.as_str(), Self::Only),
        };
        if base.split('.').all(is_label) {
            return Ok(pattern(base.to_owned()));
        }
        let mend = match (lower.strip_prefix('*'), lower.rsplit_once('@')) {
            (Some(below), _) if below.strip_prefix('.').is_some_and(|b| b.split('.').all(is_label)) => {
                format!("write \"{below}\" for that domain and all below")
            }
            (_, Some((_, domain))) => format!("write \"{domain}\", without what is before the '@'"),
            _ => "write \"example.org\" for that one, \".example.org\" for it and all below, \"*\" for any".to_owned(),
        };
        Err(format!("'{text}' is not a domain here; {mend}"))
    }
}

/// Whether this may stand between two dots. Names of systems are domains of bang paths, so it need not be a host's.
fn is_label(label: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "*?@!/<>()[],;\\\"".contains(c);
    !label.is_empty() && !label.contains(odd)
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Without => Ok(()),
            Self::Only(domain) => f.write_str(domain),
            Self::Below(base) => write!(f, ".{base}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_domain_is_refused_with_the_mend() {
        for right in [
            "*",
            "",
            "example.org",
            ".example.org",
            "siteb",
            ".lab",
            "bücher.example",
        ] {
            let pattern: DomainPattern = right.parse().unwrap();
            assert_eq!(pattern.to_string(), right);
        }
        for (wrong, mend) in [
            ("*.example.org", "write \".example.org\""),
            ("*.X", "write \".x\""),
            ("ann@example.org", "write \"example.org\""),
            ("ex*mple.org", "write \"example.org\" for that one"),
            ("**", "for any"),
            (".", "for any"),
            ("a..b", "for any"),
            ("example.org.", "for any"),
            ("a b", "for any"),
            ("siteb!ann", "for any"),
        ] {
            let error = wrong.parse::<DomainPattern>().unwrap_err();
            assert!(
                error.starts_with(&format!("'{wrong}' is not a domain")) && error.contains(mend),
                "{error}"
            );
        }
    }

    #[test]
    fn domains_are_matched_whole() {
        let fits =
            |pattern: &str, domain: &str| pattern.parse::<DomainPattern>().unwrap().fits(domain);
        assert!(fits("Example.org", "exaMple.ORG") && !fits("example.org", "x.example.org"));
        assert!(fits(".lab", "lab") && fits(".lab", "x.lab") && !fits(".lab", "xlab"));
        assert!(fits("", "") && !fits("", "lab") && fits("*", "") && fits("*", "lab"));
    }
}
