//! The command line. A peer writes most of it: what of that is believed, [`uucp_core::receive::words`] says. The
//! configuration is then named by the environment, which the peer cannot write.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use uucp_core::program::{self, VersionOption};
use uucp_core::receive::{MessageOptions, words};
use uucp_core::sysexits::{Audience, Failure, Status};

/// Takes one message from standard input, with its `From ` lines, and hands it to this system's MTA.
#[derive(Debug, Parser)]
#[command(
    name = "rmail",
    version,
    disable_version_flag = true,
    about = "Takes one message from standard input, with its From_ lines, and hands it to this system's MTA"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    version: VersionOption,
    #[command(flatten)]
    pub(crate) message: MessageOptions,
}

pub(crate) fn main() -> ExitCode {
    let words = std::env::args_os().collect();
    let arguments = MessageOptions::separate(words, words::are_by_peer());
    program::main_from("rmail", Audience::Mail, arguments, super::receive::run)
}

/// The words of a further job, which are the peer's.
pub(crate) fn further(words: Vec<OsString>) -> Result<Arguments, Failure> {
    let words = std::iter::once("rmail".into()).chain(words).collect();
    Arguments::try_parse_from(MessageOptions::separate(words, true))
        .map_err(|error| Failure::new(Status::Usage, error.to_string()))
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
