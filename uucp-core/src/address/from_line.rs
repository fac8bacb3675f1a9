//! `From ` lines at the head of a message, RFC 976 section 2.4: how rmail learns the sender, and how it is told.
//!
//! ```text
//! From siteb!bob Fri Nov 20 10:10:47 2026 remote from sitea
//! >From bob Fri Nov 20 09:58:02 2026 remote from siteb
//! ```
//! The newest line comes first, older hops follow with a `>`. Dates were only ever given by example, so nothing depends on
//! them; "remote from" is missing from what Postfix and Sendmail write today.

use jiff::Zoned;
use serde::Deserialize;

use super::bang::BangPath;
use super::envelope::{Address, AddressError, ReversePath};
use crate::name::SystemName;

/// More hops than any network had; what follows is content.
const MOST_LINES: usize = 64;

/// The `From ` and `>From ` lines that a message begins with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FromLines {
    lines: Vec<Line>,
    length: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    user: Vec<u8>,
    remote: Option<Vec<u8>>,
}

impl FromLines {
    /// Reads the lines at the head of a message; there may be none. Any bytes do.
    #[must_use]
    pub fn parse(message: &[u8]) -> Self {
        let mut found = Self::default();
        for raw in message.split_inclusive(|b| *b == b'\n').take(MOST_LINES) {
            let Some(rest) = after_from(raw) else { break };
            found.lines.push(Line::parse(rest));
            found.length += raw.len();
        }
        found
    }

    /// How many bytes of the message they are; the content begins there.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The sender that the lines name.
    ///
    /// The hosts of all lines, newest first, are the path, and the last line names the user. A user with a domain
    /// (`user@domain`) is complete: RFC 976 reads `a!user@domain` as "tell a", everybody else as a user called `a!user`, so no path is put
    /// before it. A path that does not say which neighbour it came from gets `neighbour` before it, unless it already begins
    /// there or with a domain. Without lines, without a user, and for every form of the null sender: null.
    ///
    /// # Errors
    /// When what the lines name is not an address.
    pub fn sender(&self, neighbour: Option<&SystemName>) -> Result<ReversePath, AddressError> {
        let Some((last, newer)) = self.lines.split_last() else {
            return Ok(ReversePath::Null);
        };
        if newer.is_empty() && last.remote.is_none() {
            // A line of today's MTAs, not of a path: `x!y@domain` is the user `x!y`, and reports must find that user.
            let whole = ReversePath::parse(&last.user);
            if whole
                .as_ref()
                .is_ok_and(|sender| sender.address().is_none_or(|a| a.domain().is_some()))
            {
                return whole;
            }
        }
        let mut hosts = Vec::new();
        for line in newer {
            match &line.remote {
                Some(remote) => push_hosts(&mut hosts, remote),
                None => hosts.extend(BangPath::parse(&line.user).hosts),
            }
        }
        if let Some(remote) = &last.remote {
            push_hosts(&mut hosts, remote);
        }
        let BangPath { hosts: tail, user } = BangPath::parse(&last.user);
        hosts.extend(tail);
        let sender = ReversePath::parse(&user)?;
        if sender.address().is_none_or(|a| a.domain().is_some()) {
            return Ok(sender);
        }
        let names_neighbour = self.lines.first().is_some_and(|line| line.remote.is_some());
        if let Some(neighbour) = neighbour.filter(|n| !names_neighbour && !begins_at(&hosts, n)) {
            hosts.insert(0, neighbour.as_bytes().to_vec());
        }
        Address::parse(&BangPath { hosts, user }.to_bytes()).map(ReversePath::Address)
    }
}

/// A host that is itself a path counts as its hosts.
fn push_hosts(hosts: &mut Vec<Vec<u8>>, remote: &[u8]) {
    hosts.extend(
        remote
            .split(|b| *b == b'!')
            .filter(|host| !host.is_empty())
            .map(<[u8]>::to_vec),
    );
}

fn begins_at(hosts: &[Vec<u8>], neighbour: &SystemName) -> bool {
    hosts.first().is_some_and(|first| {
        first.eq_ignore_ascii_case(neighbour.as_bytes()) || first.contains(&b'.')
    })
}

/// What follows `From ` or `>From `. `From :` is an old way to write the header field.
fn after_from(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b">").unwrap_or(line);
    let rest = line.strip_prefix(b"From ")?.trim_ascii_start();
    (rest.first() != Some(&b':')).then_some(rest)
}

impl Line {
    fn parse(rest: &[u8]) -> Self {
        let (rest, remote) = split_remote(rest);
        let user = if is_date(rest) { b"" } else { first_word(rest) };
        Self {
            user: user.to_vec(),
            remote: remote.map(<[u8]>::to_vec),
        }
    }
}

/// Cuts `remote from HOST` off the end.
fn split_remote(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    const MARK: &[u8] = b"remote from ";
    let begins_word = |at: usize| at == 0 || rest.get(at - 1).is_some_and(u8::is_ascii_whitespace);
    let at = rest
        .windows(MARK.len())
        .enumerate()
        .rfind(|(at, window)| *window == MARK && begins_word(*at))
        .map(|(at, _)| at);
    let Some((before, after)) = at.and_then(|at| rest.split_at_checked(at)) else {
        return (rest, None);
    };
    let host = first_word(
        after
            .get(MARK.len()..)
            .unwrap_or_default()
            .trim_ascii_start(),
    );
    (before, (!host.is_empty()).then_some(host))
}

/// The bytes up to the first blank outside quotes; up to the first blank at all where the quotes do not end.
fn first_word(text: &[u8]) -> &[u8] {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return text.get(..at).unwrap_or(text),
            _ => {}
        }
    }
    if quoted {
        return text
            .split(u8::is_ascii_whitespace)
            .next()
            .unwrap_or_default();
    }
    text
}

/// Whether the line goes on with a date where the user should be: a weekday and a month, or a weekday and a day.
fn is_date(rest: &[u8]) -> bool {
    const DAYS: [&[u8]; 7] = [b"sun", b"mon", b"tue", b"wed", b"thu", b"fri", b"sat"];
    const MONTHS: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let mut words = rest
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| word.strip_suffix(b",").unwrap_or(word).to_ascii_lowercase());
    let day = words.next().unwrap_or_default();
    let next = words.next().unwrap_or_default();
    DAYS.contains(&day.as_slice())
        && (MONTHS.contains(&next.as_slice())
            || next.iter().all(u8::is_ascii_digit) && !next.is_empty())
}

/// How a sender writes the `From ` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromLineStyle {
    /// `From user@domain  DATE`, as Postfix's `F` flag writes it.
    #[default]
    Plain,
    /// `From domain!user DATE remote from NODENAME`, for peers that know paths only.
    RemoteFrom,
}

/// Builds the one `From ` line that a message is given on its way to a peer's rmail, line feed included.
///
/// The null sender is always `From <>  DATE`: the one form that Postfix's, Sendmail's, Exim's and our rmail all read as null.
/// An address that cannot be turned into a path unharmed (quoted local part, `%` or `!` in it) is written plain in both
/// styles.
#[must_use]
pub fn from_line(
    sender: &ReversePath,
    date: &Zoned,
    style: FromLineStyle,
    nodename: &SystemName,
) -> Vec<u8> {
    let date = date.strftime("%a %b %e %H:%M:%S %Y").to_string();
    let path = match (style, sender.address()) {
        (FromLineStyle::RemoteFrom, Some(address)) => as_path(address),
        _ => None,
    };
    let mut line = b"From ".to_vec();
    if let Some(path) = path {
        line.extend_from_slice(&path);
        line.extend_from_slice(format!(" {date} remote from {nodename}\n").as_bytes());
    } else {
        line.extend_from_slice(sender.address().map_or(b"<>", Address::as_bytes));
        line.extend_from_slice(format!("  {date}\n").as_bytes());
    }
    line
}

fn as_path(address: &Address) -> Option<Vec<u8>> {
    let Some((local, domain)) = address.split() else {
        return Some(address.as_bytes().to_vec());
    };
    let plain = |b: &u8| b.is_ascii_graphic() && !b"\"\\!%@()<>".contains(b);
    if !local.iter().all(plain) || !domain.iter().all(plain) {
        return None;
    }
    Some([domain, b"!", local].concat())
}
