//! The command line, and the names under which the program is called.
//!
//! A peer may have written the words behind the command: under `uuxqt` and NNCP none of them is believed, since everything
//! that rsmtp must know stands in its input and in the environment. Of `crmail` they are the recipients.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use uucp_core::program::{self, VersionOption};
use uucp_core::receive::{DeliveryOptions, MessageOptions, words};
use uucp_core::sysexits::Audience;

/// Takes batched SMTP, plain or compressed, and hands every message to this system's MTA once.
#[derive(Debug, Parser)]
#[command(
    name = "rsmtp",
    version,
    disable_version_flag = true,
    about = "Takes batched SMTP, plain or compressed, and hands every message to this system's MTA once",
    after_help = "Examples:\n  rsmtp <batch               hand over what is in a batch\n  rsmtp --list batch.gz      show what is in it\n  rsmtp --dry-run batch      show what would become of each message\n  rsmtp --retry              offer again what the MTA refused for now"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    version: VersionOption,
    /// Configuration file, instead of /etc/uucp/config; mail.toml is read from beside it
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) delivery: DeliveryOptions,
    /// Only show what is in the batch
    #[arg(long, group = "task")]
    pub(crate) list: bool,
    /// Only show what would become of each message
    #[arg(long, group = "task")]
    pub(crate) dry_run: bool,
    /// Offer kept messages again that are due
    #[arg(long, group = "task", conflicts_with = "batch")]
    pub(crate) retry: bool,
    /// With --retry: also those that are not due yet
    #[arg(long, requires = "retry")]
    pub(crate) now: bool,
    /// With --list or --dry-run: as JSON
    #[arg(long, conflicts_with = "retry")]
    pub(crate) json: bool,
    /// The batch, instead of standard input; with --list or --dry-run any number of them
    #[arg(value_name = "FILE")]
    pub(crate) batch: Vec<PathBuf>,
}

/// Takes one compressed message from standard input, with its `From ` lines, and hands it to this system's MTA.
#[derive(Debug, Parser)]
#[command(
    name = "crmail",
    version,
    disable_version_flag = true,
    about = "Takes one compressed message from standard input, with its From_ lines, and hands it to this system's MTA"
)]
pub(crate) struct MessageArguments {
    #[command(flatten)]
    version: VersionOption,
    #[command(flatten)]
    pub(crate) message: MessageOptions,
}

/// The name under which recipients are words of the command line.
const MESSAGE_NAME: &str = "crmail";

pub(crate) fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let by_peer = words::are_by_peer();
    if is_for_one_message(words.first()) {
        let words = MessageOptions::separate(words, by_peer);
        return program::main_from(MESSAGE_NAME, Audience::Mail, words, super::run::message);
    }
    if by_peer {
        words.truncate(1);
    }
    program::main_from("rsmtp", Audience::Mail, words, super::run::batch)
}

fn is_for_one_message(name: Option<&OsString>) -> bool {
    name.and_then(|name| Path::new(name).file_name()) == Some(OsStr::new(MESSAGE_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_agrees_with_its_definitions() {
        Arguments::command().debug_assert();
        MessageArguments::command().debug_assert();
    }

    #[test]
    fn the_manual_page_tells_every_option_and_every_name() {
        let page = include_str!("../man/rsmtp.8.md");
        let commands = [Arguments::command(), MessageArguments::command()];
        for argument in commands.iter().flat_map(clap::Command::get_arguments) {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("\\--{long}**")), "--{long}");
            }
            if let Some(short) = argument.get_short() {
                assert!(page.contains(&format!("**-{short}**")), "-{short}");
            }
        }
        for name in [
            "rsmtp", "bsmtp", "rcsmtp", "crsmtp", "cbsmtp", "csmtp", "rgsmtp", "grsmtp", "gbsmtp",
            "gsmtp", "rbsmtp", "bbsmtp", "rfsmtp", "frsmtp", "fbsmtp", "crmail",
        ] {
            assert!(page.contains(&format!("**{name}**")), "{name}");
        }
    }

    #[test]
    fn only_crmail_has_recipients_behind_it() {
        for (name, expected) in [
            ("crmail", true),
            ("/usr/bin/crmail", true),
            ("rsmtp", false),
            ("/usr/bin/rcsmtp", false),
        ] {
            assert_eq!(is_for_one_message(Some(&name.into())), expected, "{name}");
        }
        assert!(!is_for_one_message(None));
    }
}
