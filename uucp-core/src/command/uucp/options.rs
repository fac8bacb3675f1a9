//! The command line of `uucp`, as the peer's takes it: options before, between and after the names of files.

use std::ffi::OsString;

use clap::{ArgAction, Args, Parser};

use crate::command::common::Common;

/// Copies files between this system and others.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "uucp",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    args_override_self = true,
    infer_long_args = true,
    override_usage = "uucp [options] FILE... DESTINATION",
    after_help = "Examples:\n  uucp report.txt 'hub!~/'            send a file to the public directory of hub\n  uucp 'hub!~/list' .                 fetch one\n  uucp 'hub!~/*.txt' in/              fetch what fits a pattern\n  uucp -R photos 'hub!far!~/photos/'  send a directory to far, by way of hub"
)]
pub(in crate::command) struct Arguments {
    /// What `uuto` takes, too.
    #[command(flatten)]
    pub(in crate::command) options: Options,
}

/// Options and files.
#[derive(Debug, Clone, Args)]
pub(in crate::command) struct Options {
    /// Do not copy local files to the spool directory; they are read when they are sent.
    #[arg(short = 'c', long = "nocopy", overrides_with = "copy")]
    pub(in crate::command) no_copy: bool,
    /// Copy local files to the spool directory (the default).
    #[arg(short = 'C', visible_short_alias = 'p', long)]
    pub(in crate::command) copy: bool,
    /// Make directories that are missing (the default).
    #[arg(short = 'd', long, overrides_with = "no_directories")]
    pub(in crate::command) directories: bool,
    /// Make no directories.
    #[arg(short = 'f', long = "nodirectories")]
    pub(in crate::command) no_directories: bool,
    /// Grade of the job: 0-9, A-Z, a-z, from the most to the least urgent.
    #[arg(short = 'g', long, value_name = "GRADE", allow_hyphen_values = true)]
    pub(in crate::command) grade: Option<OsString>,
    /// Tell by mail how it went.
    #[arg(short = 'm', long)]
    pub(in crate::command) mail: bool,
    /// Tell this user of the destination by mail.
    #[arg(short = 'n', long, value_name = "USER", allow_hyphen_values = true)]
    pub(in crate::command) notify: Option<OsString>,
    /// Copy directories with all that is in them.
    #[arg(short = 'R', long)]
    pub(in crate::command) recursive: bool,
    /// Do not start uucico.
    #[arg(short = 'r', long = "nouucico")]
    pub(in crate::command) no_uucico: bool,
    /// Taken, as the peer takes it, and without effect.
    #[arg(short = 's', long, value_name = "FILE", allow_hyphen_values = true)]
    status: Option<OsString>,
    /// Print the ids of the jobs, as uustat takes them.
    #[arg(short = 'j', long)]
    pub(in crate::command) jobid: bool,
    /// Do not put the working directory before relative names of remote files.
    #[arg(short = 'W', long)]
    pub(in crate::command) noexpand: bool,
    /// The destination is `system!user`; the files go to ~/receive/USER/THIS-SYSTEM there.
    #[arg(short = 't', long)]
    pub(in crate::command) uuto: bool,
    /// On behalf of this user of another system; what uuxqt calls uucp with.
    #[arg(
        short = 'u',
        long = "user",
        value_name = "SYSTEM!USER",
        allow_hyphen_values = true
    )]
    pub(in crate::command) user: Option<OsString>,
    #[command(flatten)]
    pub(in crate::command) common: Common,
    /// Print this help.
    #[arg(short = 'h', long, action = ArgAction::HelpLong)]
    help: Option<bool>,
    /// The files, `[system!...]path`, and where they go.
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::command) files: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        let words = std::iter::once("uucp").chain(line.split(' '));
        Arguments::try_parse_from(words).map(|arguments| arguments.options)
    }

    #[test]
    fn options_stand_anywhere_grouped_or_shortened() {
        for line in [
            "-rjgC -nann f b!~/",
            "f -r -j b!~/ -g C -n ann",
            "--nouu f --jobid --gra=C b!~/ --notify ann",
        ] {
            let options = parse(line).unwrap();
            assert!(options.no_uucico && options.jobid, "{line}");
            assert_eq!(options.grade, Some("C".into()), "{line}");
            assert_eq!(options.notify, Some("ann".into()), "{line}");
            assert_eq!(options.files, ["f", "b!~/"], "{line}");
        }
        let options = parse("-r -- -x b!~/").unwrap();
        assert_eq!(options.files, ["-x", "b!~/"]);
    }

    #[test]
    fn the_last_of_two_that_exclude_each_other_counts() {
        assert!(!parse("-C -c f b!x").unwrap().copy);
        assert!(parse("-c -p f b!x").unwrap().copy);
        assert!(!parse("-c -p f b!x").unwrap().no_copy);
        assert!(parse("-d -f f b!x").unwrap().no_directories);
        assert!(!parse("-f -d f b!x").unwrap().no_directories);
    }

    #[test]
    fn wrong_options_are_errors() {
        for line in ["-r", "-e f b!x", "--nosuch f b!x", "f b!x -g"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_manual_names_every_option() {
        let page = include_str!("../../../man/uucp.1.md");
        for argument in <Arguments as clap::CommandFactory>::command().get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("**--{long}")), "--{long}");
            }
            if let Some(short) = argument.get_short() {
                assert!(page.contains(&format!("**-{short}")), "-{short}");
            }
        }
    }
}
