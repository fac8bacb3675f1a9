//! The command line. A peer writes most of it: `uuxqt` and NNCP append the peer's words to the command.
//!
//! So under them (`UU_MACHINE` or `NNCP_SENDER` set) nothing on the command line is believed but the two options that
//! every rmail has, `-D` and `-T`; any other word, whatever it looks like, is a recipient. The configuration is then named by the
//! environment, which the peer cannot write.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use uucp_core::config::mail::HostPort;
use uucp_core::program;
use uucp_core::sysexits::Audience;

/// Takes one message from standard input, with its `From ` lines, and hands it to this system's MTA.
#[derive(Debug, Parser)]
#[command(name = "rmail", version, about)]
pub(crate) struct Arguments {
    /// Configuration file, instead of /etc/uucp/config; mail.toml is read from beside it
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Hand over by SMTP to this server
    #[arg(long, value_name = "HOST:PORT", group = "method")]
    pub(crate) smtp: Option<HostPort>,
    /// Hand over through this sendmail command
    #[arg(long, value_name = "COMMAND", group = "method")]
    pub(crate) sendmail: Option<PathBuf>,
    /// Deliver into Maildir folders; %u is the recipient's local part, %d the domain
    #[arg(long, value_name = "FOLDER", group = "method")]
    pub(crate) maildir: Option<PathBuf>,
    /// Domain that completes the neighbour's name in the trace line
    #[arg(short = 'D', long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Accepted and ignored, as older rmails have it
    #[arg(short = 'T')]
    pub(crate) debug: bool,
    /// Who is to get the message: bang paths, domain addresses, or both; parentheses around them are taken off
    #[arg(last = true, value_name = "RECIPIENT")]
    pub(crate) recipients: Vec<OsString>,
}

pub(crate) fn main() -> ExitCode {
    let is_set = |name| std::env::var_os(name).is_some();
    let by_peer = is_set("UU_MACHINE") || is_set("NNCP_SENDER");
    let arguments = sort(std::env::args_os().collect(), by_peer);
    program::main_from("rmail", Audience::Mail, arguments, super::receive::run)
}

/// Options that take a value, as a person may write them.
const WITH_VALUE: [&str; 6] = ["-I", "-D", "--config", "--domain", "--smtp", "--sendmail"];
/// Options without one.
const ALONE: [&str; 5] = ["-T", "-h", "--help", "-V", "--version"];

/// Puts `--` between options and recipients, so that no recipient can be taken for an option: the first word that is no
/// option known here, and everything after it, are recipients.
fn sort(words: Vec<OsString>, by_peer: bool) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut sorted: Vec<OsString> = words.next().into_iter().collect();
    let mut rest: Vec<OsString> = words.collect();
    let mut options = Vec::new();
    loop {
        let taken = options_taken(&rest, by_peer);
        if taken == 0 {
            break;
        }
        options.extend(rest.drain(..taken));
    }
    if rest.first().is_some_and(|word| word == "--") {
        rest.remove(0);
    }
    sorted.append(&mut options);
    sorted.push("--".into());
    sorted.append(&mut rest);
    sorted
}

/// How many words at the front are an option and its value; 0 when there is none.
fn options_taken(words: &[OsString], by_peer: bool) -> usize {
    let Some(first) = words.first() else { return 0 };
    let has_value = words.len() > 1;
    let is_word = |list: &[&str]| list.iter().any(|option| first == option);
    if by_peer {
        return match first.as_bytes() {
            b"-T" => 1,
            b"-D" if has_value => 2,
            [b'-', b'D', domain @ ..] if is_domain(domain) => 1,
            _ => 0,
        };
    }
    let is_joined = |option: &str| {
        let bytes = first.as_bytes();
        match bytes.strip_prefix(option.as_bytes()) {
            Some([b'=', ..]) => option.starts_with("--"),
            Some(value) => {
                option == "-I" && !value.is_empty() || option == "-D" && is_domain(value)
            }
            None => false,
        }
    };
    if is_word(&ALONE)
        || WITH_VALUE
            .iter()
            .chain(&["--maildir"])
            .any(|option| is_joined(option))
    {
        1
    } else if has_value && (is_word(&WITH_VALUE) || first == "--maildir") {
        2
    } else {
        0
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
pub(crate) fn unquoted(word: &OsStr) -> Vec<u8> {
    let bytes = word.as_bytes();
    bytes
        .strip_prefix(b"(")
        .and_then(|inner| inner.strip_suffix(b")"))
        .map_or_else(|| OsString::into_vec(word.to_owned()), <[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(words: &str, by_peer: bool) -> String {
        let words = words.split(' ').map(OsString::from).collect();
        let sorted = sort(words, by_peer);
        sorted.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn clap_agrees_with_its_definition() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_manual_page_tells_every_option() {
        use clap::CommandFactory;
        let page = include_str!("../man/rmail.8.md");
        for argument in Arguments::command().get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("\\--{long}**")), "--{long}");
            }
            if let Some(short) = argument.get_short() {
                assert!(page.contains(&format!("**-{short}**")), "-{short}");
            }
        }
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
            ("rmail -oQ/tmp alice", "rmail -- -oQ/tmp alice"),
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
