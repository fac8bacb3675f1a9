//! The options of `uuchk`.

use std::path::PathBuf;

use clap::Parser;

use crate::name::SystemName;
use crate::program::VersionOption;

/// Show what the UUCP configuration means, and everything that is wrong with it
#[derive(Debug, Parser)]
#[command(
    name = "uuchk",
    version,
    disable_version_flag = true,
    after_help = "Examples:\n  uuchk                     everything in /etc/uucp; 0 if nothing is wrong with it\n  uuchk -s hub              one system: when it may be called, over which ports, what it may do\n  uuchk -I ./config --json  another configuration, for a program\n  uuchk --convert /usr/lib/uucp --to ./new   HDB files into Taylor's"
)]
pub(super) struct Arguments {
    /// Show only this system
    #[arg(short = 's', long, value_name = "SYSTEM")]
    pub(super) system: Option<SystemName>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Turn the HDB files of a directory (Systems, Devices, Dialers, Permissions, ...) into Taylor's
    #[arg(long, value_name = "DIR", conflicts_with_all = ["system", "json", "config"])]
    pub(super) convert: Option<PathBuf>,
    /// With --convert: the directory to make for them; without, they are printed
    #[arg(long, value_name = "NEW", requires = "convert")]
    pub(super) to: Option<PathBuf>,
    /// Read this configuration file
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Taken, as by all programs, and without effect: nothing is done that leaves debugging messages
    #[arg(short = 'x', visible_short_alias = 'X', long, value_name = "KINDS")]
    debug: Vec<String>,
    #[command(flatten)]
    version: VersionOption,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_that_of_the_peer() {
        Arguments::command().debug_assert();
        for line in [
            "-s hub -I f",
            "--system hub --config=f",
            "-x 3",
            "-X 3",
            "-Iconfig",
        ] {
            let words = std::iter::once("uuchk").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn every_option_is_in_the_manual_page() {
        let page = include_str!("../../../man/uuchk.8.md");
        for option in Arguments::command().get_arguments() {
            if let Some(long) = option.get_long() {
                assert!(page.contains(&format!("**\\--{long}**")), "--{long}");
            }
            if let Some(short) = option.get_short() {
                assert!(page.contains(&format!("**-{short}**")), "-{short}");
            }
        }
    }
}
