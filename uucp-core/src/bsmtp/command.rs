//! One line of a batch outside of content -> one command.

use super::transaction::Reason;
use crate::address::{Address, ReversePath};

/// A command. Text is borrowed from its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'l> {
    Hello {
        name: &'l [u8],
        esmtp: bool,
    },
    Mail(Result<Path<'l, ReversePath>, Reason>),
    Rcpt(Result<Path<'l, Address>, Reason>),
    Data,
    Chunk(Option<Chunk>),
    Reset,
    Noop(&'l [u8]),
    Quit,
    /// Nothing that changes a batch: an empty line, `#! word`, VRFY and its like.
    Idle,
    Unknown,
}

/// An address and the words behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path<'l, A> {
    pub(super) address: A,
    pub(super) words: &'l [u8],
}

/// BDAT: so many bytes follow the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) size: u64,
    pub(super) last: bool,
}

impl<'l> Command<'l> {
    /// Parses a line, without its line end.
    pub(super) fn parse(line: &'l [u8]) -> Self {
        let line = line.trim_ascii();
        if line.starts_with(b"#!") {
            return Self::Idle;
        }
        let end = line.iter().position(u8::is_ascii_whitespace);
        let (verb, rest) = line.split_at(end.unwrap_or(line.len()));
        let rest = rest.trim_ascii_start();
        match &*verb.to_ascii_uppercase() {
            b"HELO" => Self::Hello {
                name: rest,
                esmtp: false,
            },
            b"EHLO" => Self::Hello {
                name: rest,
                esmtp: true,
            },
            b"MAIL" => Self::Mail(mail(rest)),
            b"RCPT" => Self::Rcpt(rcpt(rest)),
            b"DATA" if rest.is_empty() => Self::Data,
            b"BDAT" => Self::Chunk(chunk(rest)),
            b"RSET" => Self::Reset,
            b"NOOP" => Self::Noop(rest),
            b"QUIT" if rest.is_empty() => Self::Quit,
            // The last three are Sendmail's and the old BITNET mailers'.
            b"" | b"VRFY" | b"EXPN" | b"HELP" | b"VERB" | b"ONEX" | b"TICK" => Self::Idle,
            _ => Self::Unknown,
        }
    }
}

fn mail(rest: &[u8]) -> Result<Path<'_, ReversePath>, Reason> {
    let (path, words) = split_path(behind(rest, b"FROM").ok_or(Reason::Syntax)?);
    // Unlike an rmail, nobody writes anything but <> for the null sender here: MAILER-DAEMON is a mailbox.
    let address = match path {
        b"" | b"<>" => ReversePath::Null,
        path => ReversePath::Address(Address::parse(path)?),
    };
    Ok(Path { address, words })
}

fn rcpt(rest: &[u8]) -> Result<Path<'_, Address>, Reason> {
    let (path, words) = split_path(behind(rest, b"TO").ok_or(Reason::Syntax)?);
    let address = Address::parse(path)?;
    Ok(Path { address, words })
}

/// What a MAIL or RCPT says behind its verb, and behind FROM: or TO: where they are there.
pub(super) fn argument(line: &[u8]) -> &[u8] {
    let rest = line.trim_ascii().get(4..).unwrap_or_default().trim_ascii();
    behind(rest, b"FROM")
        .or_else(|| behind(rest, b"TO"))
        .unwrap_or(rest)
}

/// What stands behind `word` and a colon.
fn behind<'l>(rest: &'l [u8], word: &[u8]) -> Option<&'l [u8]> {
    let (head, tail) = rest.split_at_checked(word.len())?;
    let tail = tail.trim_ascii_start().strip_prefix(b":")?;
    head.eq_ignore_ascii_case(word)
        .then(|| tail.trim_ascii_start())
}

/// A path, in angle brackets or bare, and the words behind it.
fn split_path(text: &[u8]) -> (&[u8], &[u8]) {
    let bracketed = text.first() == Some(&b'<');
    let mut quoted = false;
    let mut escaped = false;
    let mut end = text.len();
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if bracketed && !quoted => {
                end = at + 1;
                break;
            }
            b' ' | b'\t' if !bracketed && !quoted => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let (path, words) = text.split_at(end);
    (path, words.trim_ascii())
}

fn chunk(rest: &[u8]) -> Option<Chunk> {
    let text = std::str::from_utf8(rest).ok()?;
    let mut words = text.split_ascii_whitespace();
    let size = words.next()?;
    let last = words.next();
    let valid = size.bytes().all(|b| b.is_ascii_digit())
        && last.is_none_or(|word| word.eq_ignore_ascii_case("LAST"))
        && words.next().is_none();
    let size = size.parse().ok().filter(|_| valid)?;
    Some(Chunk {
        size,
        last: last.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressError;

    fn sender(line: &str) -> (String, String) {
        match Command::parse(line.as_bytes()) {
            Command::Mail(Ok(path)) => (
                path.address.to_string(),
                String::from_utf8(path.words.to_vec()).unwrap(),
            ),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn recipient(line: &[u8]) -> Vec<u8> {
        match Command::parse(line) {
            Command::Rcpt(Ok(path)) => path.address.as_bytes().to_vec(),
            other => panic!("{}: {other:?}", line.escape_ascii()),
        }
    }

    #[test]
    fn senders_of_every_form() {
        for (line, address, words) in [
            ("MAIL FROM:<bob@leaf.lab>", "bob@leaf.lab", ""),
            (
                "mail from: <bob@leaf.lab>  SIZE=1 X",
                "bob@leaf.lab",
                "SIZE=1 X",
            ),
            ("MAIL FROM :bob@leaf.lab SIZE=1", "bob@leaf.lab", "SIZE=1"),
            ("  MAIL FROM:<@a,@b:c@d>\r", "c@d", ""),
            ("MAIL FROM:<a!b!c>", "a!b!c", ""),
            ("MAIL FROM:<bob>", "bob", ""),
            ("MAIL FROM:<MAILER-DAEMON@x>", "MAILER-DAEMON@x", ""),
            ("MAIL FROM:<>", "<>", ""),
            ("MAIL FROM:<> SIZE=5", "<>", "SIZE=5"),
            ("MAIL FROM:", "<>", ""),
            ("MAIL FROM:<\"a> b\\\"\"@x> Y", "\"a> b\\\"\"@x", "Y"),
            ("MAIL FROM:\"a b\"@x Y", "\"a b\"@x", "Y"),
        ] {
            assert_eq!(sender(line), (address.to_owned(), words.to_owned()));
        }
    }

    #[test]
    fn recipients_stay_bytes() {
        assert_eq!(recipient(b"RCPT TO:<\xc5\xbeofie@x>"), b"\xc5\xbeofie@x");
        assert_eq!(recipient(b"rcpt to:<\xff@x>"), b"\xff@x");
        assert_eq!(recipient(b"RCPT TO:<-x@hub.lab>"), b"-x@hub.lab");
        assert_eq!(recipient(b"RCPT TO:postmaster"), b"postmaster");
        assert_eq!(recipient(b"RCPT TO:<a b@x>"), b"a b@x");
    }

    #[test]
    fn what_holds_no_address() {
        let reason = |line: &[u8]| match Command::parse(line) {
            Command::Mail(Err(reason)) | Command::Rcpt(Err(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(b"RCPT TO:<>"), Reason::Address(AddressError::Empty));
        assert_eq!(reason(b"RCPT"), Reason::Syntax);
        assert_eq!(reason(b"RCPT <a@b>"), Reason::Syntax);
        assert_eq!(reason(b"MAIL FROM <a@b>"), Reason::Syntax);
        assert_eq!(reason(b"MAIL TO:<a@b>"), Reason::Syntax);
        for line in [
            &b"RCPT TO:<a@b"[..],
            b"RCPT TO:<\"a@b>",
            b"RCPT TO:<a\0b@x>",
            b"MAIL FROM:<a",
        ] {
            assert!(matches!(reason(line), Reason::Address(_)));
        }
    }

    #[test]
    fn the_other_commands() {
        for (line, command) in [
            (
                &b"HELO leaf.lab"[..],
                Command::Hello {
                    name: b"leaf.lab",
                    esmtp: false,
                },
            ),
            (
                b"ehlo",
                Command::Hello {
                    name: b"",
                    esmtp: true,
                },
            ),
            (b"data\r", Command::Data),
            (b"DATA x", Command::Unknown),
            (
                b"BDAT 86 LAST",
                Command::Chunk(Some(Chunk {
                    size: 86,
                    last: true,
                })),
            ),
            (
                b"bdat 0 last",
                Command::Chunk(Some(Chunk {
                    size: 0,
                    last: true,
                })),
            ),
            (
                b"BDAT 5",
                Command::Chunk(Some(Chunk {
                    size: 5,
                    last: false,
                })),
            ),
            (b"BDAT", Command::Chunk(None)),
            (b"BDAT +5", Command::Chunk(None)),
            (b"BDAT 5 FIRST", Command::Chunk(None)),
            (b"BDAT 99999999999999999999", Command::Chunk(None)),
            (b"RSET", Command::Reset),
            (b"NOOP bangpath", Command::Noop(b"bangpath")),
            (b"QUIT ", Command::Quit),
            (b"", Command::Idle),
            (b"#! rsmtp 5", Command::Idle),
            (b"VRFY bob", Command::Idle),
            (b"STARTTLS", Command::Unknown),
            (b".", Command::Unknown),
            (b"From bob Fri", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), command, "{}", line.escape_ascii());
        }
    }
}
