//! Which words of a command line are options, where a peer may have written them.
//!
//! `uuxqt` and NNCP append the peer's words to the command. So under them nothing is believed but the two options that
//! every rmail has, `-D` and `-T`; any other word, whatever it looks like, is a recipient.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Whether a peer wrote the command line: `uuxqt` or NNCP runs us.
#[must_use]
pub fn are_by_peer() -> bool {
    let is_set = |name| std::env::var_os(name).is_some();
    is_set("UU_MACHINE") || is_set("NNCP_SENDER")
}

/// The options that a program has, as a person may write them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Those that take a value.
    pub(super) with_value: &'static [&'static str],
    /// Those without one.
    pub(super) alone: &'static [&'static str],
}

/// Puts `--` between options and recipients, so that no recipient can be taken for an option: the first word that is no
/// option known here, and everything after it, are recipients. Of a person's words, one that looks like an option is a mistyped
/// one: it stays where it is, and is told.
pub(super) fn separate(words: Vec<OsString>, by_peer: bool, options: &Options) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut sorted: Vec<OsString> = words.next().into_iter().collect();
    let mut rest: Vec<OsString> = words.collect();
    let mut found = Vec::new();
    loop {
        let taken = if by_peer {
            taken_of_peer(&rest)
        } else {
            options.taken(&rest)
        };
        if taken == 0 {
            break;
        }
        found.extend(rest.drain(..taken));
    }
    sorted.append(&mut found);
    let is_mistyped = !by_peer && rest.first().is_some_and(|word| looks_like_option(word));
    if rest.first().is_some_and(|word| word == "--") {
        rest.remove(0);
    }
    if !is_mistyped {
        sorted.push("--".into());
    }
    sorted.append(&mut rest);
    sorted
}

/// Not `-`, `--`, nor an address.
fn looks_like_option(word: &OsStr) -> bool {
    let word = word.as_bytes();
    let is_address = word.iter().any(|byte| matches!(byte, b'@' | b'!'));
    word.starts_with(b"-") && word != b"-" && word != b"--" && !is_address
}

/// How many words at the front are an option that a peer may use, and its value; 0 when there is none.
fn taken_of_peer(words: &[OsString]) -> usize {
    match words.first().map(|word| word.as_bytes()) {
        Some(b"-T") => 1,
        Some(b"-D") if words.len() > 1 => 2,
        Some([b'-', b'D', domain @ ..]) if is_domain(domain) => 1,
        _ => 0,
    }
}

impl Options {
    /// As [`taken_of_peer`], for a person's words.
    fn taken(&self, words: &[OsString]) -> usize {
        let Some(first) = words.first() else { return 0 };
        let is_word = |list: &[&str]| list.iter().any(|option| first == option);
        if is_word(self.alone) || self.with_value.iter().any(|o| is_joined(first, o)) {
            1
        } else if words.len() > 1 && is_word(self.with_value) {
            2
        } else {
            0
        }
    }
}

/// Whether the word is this option with its value.
fn is_joined(word: &OsStr, option: &str) -> bool {
    match word.as_bytes().strip_prefix(option.as_bytes()) {
        Some([b'=', ..]) => option.starts_with("--"),
        Some(value) => match option {
            "-I" => !value.is_empty(),
            "-D" => is_domain(value),
            _ => false,
        },
        None => false,
    }
}

/// `-Dsite.example` is the option; `-Dave@site.example` is a recipient.
fn is_domain(word: &[u8]) -> bool {
    !word.is_empty()
        && word
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// The bytes of a recipient, without the parentheses that `uux` quotes with.
pub(super) fn unquoted(word: &OsStr) -> Vec<u8> {
    let bytes = word.as_bytes();
    bytes
        .strip_prefix(b"(")
        .and_then(|inner| inner.strip_suffix(b")"))
        .map_or_else(|| OsString::into_vec(word.to_owned()), <[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        with_value: &["-I", "-D", "--smtp", "--sendmail", "--maildir"],
        alone: &["-T", "--help"],
    };

    fn sorted(words: &str, by_peer: bool) -> String {
        let words = words.split(' ').map(OsString::from).collect();
        let sorted = separate(words, by_peer, &OPTIONS);
        sorted.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_a_peer_writes_is_a_recipient() {
        for (words, expected) in [
            ("rmail alice", "rmail -- alice"),
            ("rmail -D lab alice -D x", "rmail -D lab -- alice -D x"),
            ("rmail -Dlab -T alice", "rmail -Dlab -T -- alice"),
            ("rmail -Dave@lab", "rmail -- -Dave@lab"),
            ("rmail -D", "rmail -- -D"),
            ("rmail -T -x@dom -y", "rmail -T -- -x@dom -y"),
            ("rmail -- -x@dom", "rmail -- -x@dom"),
            ("rmail -I/tmp/evil a", "rmail -- -I/tmp/evil a"),
            (
                "rmail --sendmail /tmp/evil a",
                "rmail -- --sendmail /tmp/evil a",
            ),
            ("rmail --maildir=/tmp -- a", "rmail -- --maildir=/tmp -- a"),
            ("rmail --help", "rmail -- --help"),
            ("rmail -bp", "rmail -- -bp"),
        ] {
            assert_eq!(sorted(words, true), expected, "{words}");
        }
    }

    #[test]
    fn what_a_person_writes_may_be_an_option() {
        for (words, expected) in [
            (
                "rmail -I /e/config --smtp h:25 alice -T",
                "rmail -I /e/config --smtp h:25 -- alice -T",
            ),
            (
                "rmail -I/e/config --maildir=/m/%u -- -x",
                "rmail -I/e/config --maildir=/m/%u -- -x",
            ),
            ("rmail --help", "rmail --help --"),
            ("rmail -x@dom -y!z", "rmail -- -x@dom -y!z"),
            // Mistyped: they are told, not delivered to.
            ("rmail --smpt h:25 bob", "rmail --smpt h:25 bob"),
            ("rmail -T -oQ/tmp bob", "rmail -T -oQ/tmp bob"),
        ] {
            assert_eq!(sorted(words, false), expected, "{words}");
        }
    }

    #[test]
    fn parentheses_are_quotes() {
        for (word, expected) in [
            ("(a@b)", "a@b"),
            ("a@b", "a@b"),
            ("a@b)", "a@b)"),
            ("()", ""),
            ("((a))", "(a)"),
        ] {
            assert_eq!(unquoted(OsStr::new(word)), expected.as_bytes());
        }
    }
}
