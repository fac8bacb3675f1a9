//! The command line. A peer writes most of it: what of that is believed, [`uucp_core::receive::words`] says. The
//! configuration is then named by the environment, which the peer cannot write.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use uucp_core::program;
use uucp_core::receive::DeliveryOptions;
use uucp_core::receive::words::{self, Options};
use uucp_core::sysexits::Audience;

/// Takes one message from standard input, with its `From ` lines, and hands it to this system's MTA.
#[derive(Debug, Parser)]
#[command(name = "rmail", version, about)]
pub(crate) struct Arguments {
    /// Configuration file, instead of /etc/uucp/config; mail.toml is read from beside it
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) delivery: DeliveryOptions,
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

const OPTIONS: Options = Options {
    with_value: &[
        "-I",
        "-D",
        "--config",
        "--domain",
        "--smtp",
        "--lmtp",
        "--sendmail",
        "--maildir",
    ],
    alone: &["-T", "-h", "--help", "-V", "--version"],
};

pub(crate) fn main() -> ExitCode {
    let words = std::env::args_os().collect();
    let arguments = words::separate(words, words::are_by_peer(), &OPTIONS);
    program::main_from("rmail", Audience::Mail, arguments, super::receive::run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_agrees_with_its_definition() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_is_told_from_a_recipient() {
        for argument in Arguments::command().get_arguments() {
            let (long, short) = (argument.get_long(), argument.get_short());
            let long = long.map(|name| format!("--{name}"));
            let short = short.map(|name| format!("-{name}"));
            for option in long.into_iter().chain(short) {
                let list = if argument.get_action().takes_values() {
                    OPTIONS.with_value
                } else {
                    OPTIONS.alone
                };
                assert!(list.contains(&option.as_str()), "{option}");
            }
        }
    }

    #[test]
    fn the_manual_page_tells_every_option() {
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
}
