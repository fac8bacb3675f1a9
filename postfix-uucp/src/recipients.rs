//! Recipients as words of the remote command line: carried as they are, written another way that means the same, or refused
//! each for itself.

use std::fmt;

use uucp_core::address::word::{COMMAND_LINE_LIMIT, Obstacle, check_request_word, shield_tilde};
use uucp_core::address::{Address, AddressError};
use uucp_core::config::mail::Format;

/// A recipient that can be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient<'a> {
    /// As Postfix gave it.
    pub(crate) given: &'a [u8],
    /// As it stands in the command line, or in the envelope of a batch.
    pub(crate) word: Vec<u8>,
}

/// A recipient that cannot be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused<'a> {
    /// As Postfix gave it.
    pub(crate) given: &'a [u8],
    /// Why not.
    pub(crate) reason: Reason,
}

/// Why a recipient cannot be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its bytes do not survive the way.
    Obstacle(Obstacle),
    /// SMTP cannot say it.
    Address(AddressError),
    /// The other system's rmail would take it for an option, and no other way to write it is safe.
    Hyphen,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obstacle(obstacle) => write!(f, "{obstacle} in a UUCP command"),
            Self::Address(error) => error.fmt(f),
            Self::Hyphen => f.write_str("a leading '-' would be taken for an option"),
        }
    }
}

/// Tells the recipients that can be queued, as mail of this format, from those that cannot.
pub(crate) fn sort<'a>(
    given: &[&'a [u8]],
    format: Format,
) -> (Vec<Recipient<'a>>, Vec<Refused<'a>>) {
    let mut good = Vec::with_capacity(given.len());
    let mut refused = Vec::new();
    for &given in given {
        let word = match format {
            Format::Rmail => to_word(given),
            Format::Bsmtp => to_path(given),
        };
        match word {
            Ok(word) => good.push(Recipient { given, word }),
            Err(reason) => refused.push(Refused { given, reason }),
        }
    }
    (good, refused)
}

/// The word for an address.
///
/// A leading `-` is written in the quoted form of RFC 5321 (`"-x"@domain` is the same mailbox as `-x@domain`): the rmails of
/// Postfix and Sendmail refuse the whole message otherwise. A leading `~` is doubled, since uuxqt expands a single one.
fn to_word(address: &[u8]) -> Result<Vec<u8>, Reason> {
    let word = match address.first() {
        Some(b'-') => quote_local_part(address).ok_or(Reason::Hyphen)?,
        _ => shield_tilde(address),
    };
    check_request_word(&word).map_err(Reason::Obstacle)?;
    Ok(word)
}

/// The address as it stands between the angle brackets of RCPT. Without the flag `q` Postfix gives a local part that needs
/// quotes without them.
fn to_path(address: &[u8]) -> Result<Vec<u8>, Reason> {
    let at = address.iter().rposition(|b| *b == b'@');
    let (local, rest) = address.split_at(at.unwrap_or(address.len()));
    let special = |b: &u8| matches!(b, b' ' | b'"' | b'\\' | b'<' | b'>' | b'@');
    let mut path = Vec::with_capacity(address.len() + 2);
    if local.first() != Some(&b'"') && local.iter().any(special) {
        path.push(b'"');
        for byte in local {
            if matches!(byte, b'"' | b'\\') {
                path.push(b'\\');
            }
            path.push(*byte);
        }
        path.push(b'"');
    } else {
        path.extend_from_slice(local);
    }
    path.extend_from_slice(rest);
    Address::parse(&path).map_err(Reason::Address)?;
    Ok(path)
}

fn quote_local_part(address: &[u8]) -> Option<Vec<u8>> {
    let at = address.iter().rposition(|b| *b == b'@')?;
    let (local, domain) = address.split_at_checked(at)?;
    if local.iter().any(|b| matches!(b, b'"' | b'\\' | b'!')) {
        return None;
    }
    Some([b"\"", local, b"\"", domain].concat())
}

/// Command lines for these recipients, each within the limit, with the recipients of each.
pub(crate) fn command_lines<'r, 'a>(
    command: &[u8],
    recipients: impl IntoIterator<Item = &'r Recipient<'a>>,
) -> Vec<CommandLine<'r, 'a>>
where
    'a: 'r,
{
    let mut lines: Vec<CommandLine<'r, 'a>> = Vec::new();
    for recipient in recipients {
        let length = recipient.word.len() + 1;
        match lines.last_mut() {
            Some(line) if line.text.len() + length <= COMMAND_LINE_LIMIT => line.push(recipient),
            _ => {
                let mut line = CommandLine {
                    text: command.to_vec(),
                    recipients: Vec::new(),
                };
                line.push(recipient);
                lines.push(line);
            }
        }
    }
    lines
}

/// One command line.
#[derive(Debug)]
pub(crate) struct CommandLine<'r, 'a> {
    /// The command and its arguments.
    pub(crate) text: Vec<u8>,
    /// Whom it covers.
    pub(crate) recipients: Vec<&'r Recipient<'a>>,
}

impl<'r, 'a> CommandLine<'r, 'a> {
    fn push(&mut self, recipient: &'r Recipient<'a>) {
        self.text.push(b' ');
        self.text.extend_from_slice(&recipient.word);
        self.recipients.push(recipient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipient_for_itself() {
        for (address, word) in [
            ("alice@leaf.lab", "alice@leaf.lab"),
            ("x!y@dom", "x!y@dom"),
            ("u%h@dom", "u%h@dom"),
            ("\u{17e}ofie@x", "\u{17e}ofie@x"),
            ("o'brien@x", "o'brien@x"),
            ("\"p(q)\"@x", "\"p(q)\"@x"),
            ("a;b|c`d`$(e)<f>@x", "a;b|c`d`$(e)<f>@x"),
            ("-x@dom", "\"-x\"@dom"),
            ("~root@dom", "~~root@dom"),
        ] {
            assert_eq!(to_word(address.as_bytes()).unwrap(), word.as_bytes());
        }
        for address in [
            &b""[..],
            b"\"a b\"@leaf.lab",
            b"\"bs\\\\x\"@leaf.lab",
            b"a\tb@x",
            b"a\nb@x",
            b"a\rb@x",
            b"a\0b@x",
            b"-x",
            b"-x!y@z",
            b"-a b@x",
            &[b'a'; 5000],
        ] {
            assert!(to_word(address).is_err(), "{}", address.escape_ascii());
        }
    }

    #[test]
    fn a_batch_carries_what_a_command_line_cannot() {
        for (address, path) in [
            ("alice@leaf.lab", "alice@leaf.lab"),
            ("-x@dom", "-x@dom"),
            ("~root@dom", "~root@dom"),
            ("x!y@dom", "x!y@dom"),
            ("\"a b\"@dom", "\"a b\"@dom"),
            ("a b@dom", "\"a b\"@dom"),
            ("a>b@dom", "\"a>b\"@dom"),
            ("\u{17e}ofie@x", "\u{17e}ofie@x"),
        ] {
            let found = to_path(address.as_bytes());
            assert_eq!(found.as_deref(), Ok(path.as_bytes()), "{address}");
        }
        for address in [&b""[..], b"a\tb@x", b"a\nRCPT TO:<eve@x>", &[b'a'; 5000]] {
            assert!(to_path(address).is_err(), "{}", address.escape_ascii());
        }
    }

    #[test]
    fn long_lists_become_several_lines_and_nobody_is_left_out() {
        let addresses: Vec<String> = (0..50).map(|n| format!("{n:0200}@x")).collect();
        let given: Vec<&[u8]> = addresses.iter().map(String::as_bytes).collect();
        let (good, refused) = sort(&given, Format::Rmail);
        assert!(refused.is_empty());
        let lines = command_lines(b"rmail", &good);
        assert!(lines.len() > 1);
        let mut seen = Vec::new();
        for line in &lines {
            assert!(line.text.len() <= COMMAND_LINE_LIMIT);
            let words = line.text.split(|b| *b == b' ').skip(1);
            seen.extend(words.map(<[u8]>::to_vec));
        }
        assert_eq!(seen, given);
    }
}
