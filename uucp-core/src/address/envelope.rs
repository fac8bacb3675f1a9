//! One address, the sender that may be null, and the envelope of both.

use std::fmt;

use thiserror::Error;

use super::bang::BangPath;

/// Longest address taken, in bytes. RFC 5321 asks for 256; MTAs take up to about 2,000; a path over many hops is long.
const LIMIT: usize = 2000;

/// Why some bytes are not an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is nothing.
    #[error("an empty address")]
    Empty,
    /// Longer than any MTA takes.
    #[error("an address of {0} bytes is longer than 2000")]
    TooLong(usize),
    /// NUL, CR, LF or another control character, which no line of SMTP can hold.
    #[error("control character '{}' in the address {address}", .byte.escape_ascii())]
    Control {
        /// The offending byte.
        byte: u8,
        /// The address, escaped for display.
        address: String,
    },
    /// A quoted local part or a bracket that does not end.
    #[error("{0} is not an address: its quotes or brackets do not match")]
    Unbalanced(String),
    /// An `@` with nothing before it, or nothing behind.
    #[error("{address} is no mailbox: the {missing} is missing")]
    Incomplete {
        /// What is missing.
        missing: &'static str,
        /// The address.
        address: String,
    },
    /// A domain with blanks, commas or other characters that end an address.
    #[error("the domain of {0} has characters that no domain has")]
    Domain(String),
}

/// One address without its angle brackets: `user@domain`, `"quoted local"@domain`, `host!host!user`, or a bare `user`.
///
/// Never empty, never longer than 2,000 bytes, no control characters, quotes balanced; otherwise as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Box<[u8]>);

impl Address {
    /// Parses an address, with or without angle brackets and a source route (`<@a,@b:user@domain>`), both of which it
    /// takes off.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what no address can.
    pub fn parse(word: &[u8]) -> Result<Self, AddressError> {
        let inner = strip_route(strip_brackets(word)?);
        if inner.is_empty() {
            return Err(AddressError::Empty);
        }
        if inner.len() > LIMIT {
            return Err(AddressError::TooLong(inner.len()));
        }
        if let Some(&byte) = inner.iter().find(|b| b.is_ascii_control()) {
            let address = inner.escape_ascii().to_string();
            return Err(AddressError::Control { byte, address });
        }
        check_balance(inner)?;
        Ok(Self(inner.into()))
    }

    /// The address as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Local part and domain, where there is an `@` outside the quotes. The last one counts.
    #[must_use]
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        let at = last_at(&self.0)?;
        let (local, rest) = self.0.split_at_checked(at)?;
        Some((local, rest.get(1..)?))
    }

    /// The domain, where there is one.
    #[must_use]
    pub fn domain(&self) -> Option<&[u8]> {
        self.split().map(|(_, domain)| domain)
    }

    /// The local part: everything before the last `@`, or the whole of an address that has none.
    #[must_use]
    pub fn local_part(&self) -> &[u8] {
        self.split().map_or(&*self.0, |(local, _)| local)
    }

    /// Whether every byte is ASCII; an address that is not needs SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The form that a mailbox of RFC 5321 has: pure paths become `user@host` (`a!b!user` is `b!user@a`, as Postfix
    /// writes it), `user%host` becomes `user@host`, and an address without any host gets `domain`, where one is given. Whatever
    /// already has an `@` stays as it is.
    #[must_use]
    pub fn to_mailbox(&self, domain: Option<&str>) -> Self {
        if self.split().is_some() {
            return self.clone();
        }
        let (local, host) = match BangPath::parse(&self.0).into_first_hop() {
            (Some(host), rest) => (rest, Some(host)),
            (None, user) => split_percent(&user),
        };
        let host = host.or_else(|| domain.map(|d| d.as_bytes().to_vec()));
        let Some(host) = host else {
            return self.clone();
        };
        let mut mailbox = local;
        mailbox.push(b'@');
        mailbox.extend_from_slice(&host);
        Self(mailbox.into())
    }
}

/// `user%host` without an `@`: the old way to write `user@host`.
fn split_percent(user: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let quoted = user.first() == Some(&b'"');
    match user.iter().rposition(|b| *b == b'%') {
        Some(at) if !quoted && at > 0 && at + 1 < user.len() => {
            let (local, host) = user.split_at(at);
            (local.to_vec(), host.get(1..).map(<[u8]>::to_vec))
        }
        _ => (user.to_vec(), None),
    }
}

fn strip_brackets(word: &[u8]) -> Result<&[u8], AddressError> {
    match (word.first(), word.last()) {
        (Some(b'<'), Some(b'>')) if word.len() >= 2 => {
            Ok(word.get(1..word.len() - 1).unwrap_or_default())
        }
        (Some(b'<'), _) => Err(AddressError::Unbalanced(word.escape_ascii().to_string())),
        _ => Ok(word),
    }
}

/// RFC 5321, appendix C: a receiver may take a source route off. What is left has none, so that it stays as it is the next
/// time.
fn strip_route(mut path: &[u8]) -> &[u8] {
    while path.first() == Some(&b'@') {
        let colon = path.iter().position(|b| *b == b':');
        match colon.and_then(|colon| path.get(colon + 1..)) {
            Some(rest) if !rest.is_empty() => path = rest,
            _ => break,
        }
    }
    path
}

/// Walks over the bytes outside quotes; `None` when a quote does not end.
fn last_unquoted(bytes: &[u8], wanted: u8) -> Result<Option<usize>, ()> {
    let mut found = None;
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == wanted && !quoted => found = Some(at),
            _ => {}
        }
    }
    if quoted || escaped {
        Err(())
    } else {
        Ok(found)
    }
}

fn check_balance(inner: &[u8]) -> Result<(), AddressError> {
    let unbalanced = || AddressError::Unbalanced(inner.escape_ascii().to_string());
    if last_unquoted(inner, b'>')
        .map_err(|()| unbalanced())?
        .is_some()
    {
        return Err(unbalanced());
    }
    Ok(())
}

fn last_at(bytes: &[u8]) -> Option<usize> {
    last_unquoted(bytes, b'@').ok().flatten()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => f.write_str(text),
            Err(_) => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

/// Where reports about a message go: an address, or nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReversePath {
    /// `<>`: the message is itself a report; nothing is ever sent about it.
    Null,
    /// The sender.
    Address(Address),
}

impl ReversePath {
    /// Parses a sender. Null are: nothing, `<>`, `MAILER-DAEMON`, `MAILER-DAEMON@anything`, and each of these at the end
    /// of a bang path (`host!MAILER-DAEMON`, `host!<>`, `host!`), upper or lower case.
    ///
    /// # Errors
    /// When it is neither null nor an address.
    pub fn parse(word: &[u8]) -> Result<Self, AddressError> {
        if is_null(word) {
            return Ok(Self::Null);
        }
        Address::parse(word).map(Self::Address)
    }

    /// Whether this is the null sender.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The address, where there is one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The bytes between the angle brackets of `MAIL FROM:<...>`: empty for the null sender.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.address().map_or(&[], Address::as_bytes)
    }
}

fn is_null(word: &[u8]) -> bool {
    let inner = strip_brackets(word).unwrap_or(word);
    let last = inner
        .iter()
        .rposition(|b| *b == b'!')
        .and_then(|bang| inner.get(bang + 1..))
        .unwrap_or(inner);
    let is_daemon = |user: &[u8]| user.eq_ignore_ascii_case(b"MAILER-DAEMON");
    let local = last.split(|b| *b == b'@').next().unwrap_or_default();
    last.is_empty() || last == b"<>" || is_daemon(local)
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Sender and recipients of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where reports go.
    pub sender: ReversePath,
    /// Who is to get it, in the order given.
    pub recipients: Vec<Address>,
}
