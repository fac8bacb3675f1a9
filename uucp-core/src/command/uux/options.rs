//! The command line of `uux`, as the peer's takes it: short options alone or grouped, long ones whole or shortened, `-`
//! for standard input, and no option after the first word of the command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{ArgAction, Parser, ValueEnum};

use crate::command::common::Common;

/// Queues a command to be executed on another system.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "uux",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    args_override_self = true,
    infer_long_args = true,
    override_usage = "uux [options] [-] command"
)]
pub(super) struct Arguments {
    /// Read standard input for the standard input of the command; a lone `-` does the same.
    #[arg(short = 'p', long)]
    pub(super) stdin: bool,
    /// Do not copy local files to the spool directory (the default).
    #[arg(short = 'c', long = "nocopy", overrides_with = "copy")]
    pub(super) no_copy: bool,
    /// Copy local files to the spool directory.
    #[arg(short = 'C', long)]
    pub(super) copy: bool,
    /// Link local files into the spool directory; copy them where that is impossible, unless -c is given.
    #[arg(short = 'l', long)]
    pub(super) link: bool,
    /// Grade of the job: 0-9, A-Z, a-z, from the most to the least urgent.
    #[arg(short = 'g', long, value_name = "GRADE", allow_hyphen_values = true)]
    pub(super) grade: Option<OsString>,
    /// Do not report how the execution went, even if it failed.
    #[arg(short = 'n')]
    pub(super) silent: bool,
    /// Report only a failure.
    #[arg(short = 'z')]
    pub(super) report_errors: bool,
    /// `no` is -n, `error` is -z.
    #[arg(long, value_name = "WHEN")]
    pub(super) notification: Option<Notification>,
    /// Do not start uucico.
    #[arg(short = 'r', long = "nouucico")]
    pub(super) no_uucico: bool,
    /// Address to report to, instead of the user who runs this.
    #[arg(short = 'a', long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(super) requestor: Option<OsString>,
    /// Return the standard input with the report.
    #[arg(short = 'b', long)]
    pub(super) return_stdin: bool,
    /// Report to this file on the other system.
    #[arg(short = 's', long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) status: Option<OsString>,
    /// Print the job's id, as uustat takes it.
    #[arg(short = 'j', long)]
    pub(super) jobid: bool,
    /// Do not put the working directory before relative names of remote files.
    #[arg(short = 'W', long)]
    pub(super) noexpand: bool,
    #[command(flatten)]
    pub(super) common: Common,
    /// Print this help.
    #[arg(short = 'h', long, action = ArgAction::HelpLong)]
    help: Option<bool>,
    /// The command: `system!program`, then arguments, files and redirections.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub(super) command: Vec<OsString>,
}

/// When to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Notification {
    /// Never.
    #[value(alias = "n", alias = "false", alias = "f")]
    No,
    /// On failure.
    #[value(alias = "e")]
    Error,
}

impl Arguments {
    /// Whether nothing is to be reported.
    #[must_use]
    pub(super) fn notify_nobody(&self) -> bool {
        self.silent || self.notification == Some(Notification::No)
    }

    /// Whether failures are to be reported, in so many words.
    #[must_use]
    pub(super) fn notify_errors(&self) -> bool {
        self.report_errors || self.notification == Some(Notification::Error)
    }
}

/// Short options that take a value.
const SHORT_WITH_VALUE: &[u8] = b"gasxI";
/// Long options that take a value, each with the shortest form that is no other option's.
const LONG_WITH_VALUE: [(&str, usize); 6] = [
    ("grade", 1),
    ("notification", 3),
    ("requestor", 3),
    ("status", 3),
    ("debug", 1),
    ("config", 3),
];

/// Turns the peer's command line into one that clap reads the same way: `-` becomes `--stdin`, and `--` is put before the
/// first word of the command.
#[must_use]
pub(super) fn translate(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut out: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        if bytes == b"-" {
            out.push("--stdin".into());
        } else if bytes == b"--" {
            out.push(argument);
            break;
        } else if !bytes.starts_with(b"-") {
            out.push("--".into());
            out.push(argument);
            break;
        } else if value_follows(bytes) {
            // `-a$sender` of a mail transport whose sender is empty: the `-` behind it is not the address.
            if bytes.ends_with(b"a") && arguments.peek().is_some_and(|next| next == "-") {
                out.extend(without_last(&argument));
            } else {
                out.push(argument);
                out.extend(arguments.next());
            }
        } else {
            out.push(argument);
        }
    }
    out.extend(arguments);
    out
}

/// Whether the option's value is the next argument.
fn value_follows(option: &[u8]) -> bool {
    if let Some(long) = option.strip_prefix(b"--") {
        return LONG_WITH_VALUE
            .iter()
            .any(|(name, shortest)| long.len() >= *shortest && name.as_bytes().starts_with(long));
    }
    let letters = option.strip_prefix(b"-").unwrap_or_default();
    letters.iter().position(|b| SHORT_WITH_VALUE.contains(b)) == letters.len().checked_sub(1)
}

/// A group of short options without its last letter.
fn without_last(group: &OsStr) -> Option<OsString> {
    let (_, shorter) = group.as_bytes().split_last()?;
    (shorter.len() > 1).then(|| OsStr::from_bytes(shorter).to_os_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        let words = std::iter::once("uux").chain(line.split(' '));
        Arguments::try_parse_from(translate(words.map(OsString::from)))
    }

    fn command(arguments: &Arguments) -> Vec<&str> {
        let words = arguments.command.iter();
        words.map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn the_published_call_of_postfix() {
        let a = parse("-r -n -z -abob@hub.lab - leaf!rmail (alice@leaf.lab)").unwrap();
        assert!(a.no_uucico && a.notify_nobody() && a.notify_errors() && a.stdin);
        assert_eq!(a.requestor, Some("bob@hub.lab".into()));
        assert_eq!(command(&a), ["leaf!rmail", "(alice@leaf.lab)"]);
    }

    #[test]
    fn groups_values_and_shortened_long_options() {
        for line in [
            "-rpgC -ame beta!x",
            "-r -p -g C -a me beta!x",
            "--stdin --nouucico --grade=C --requestor=me beta!x",
            "--std --nou --gr C --req me beta!x",
            "-gA -gC --requestor you -ame -rp beta!x",
        ] {
            let a = parse(line).unwrap();
            assert!(a.no_uucico && a.stdin, "{line}");
            assert_eq!(a.grade, Some("C".into()), "{line}");
            assert_eq!(a.requestor, Some("me".into()), "{line}");
            assert_eq!(command(&a), ["beta!x"], "{line}");
        }
        assert!(parse("--notification=no -r x").unwrap().notify_nobody());
        assert!(parse("--notification error x").unwrap().notify_errors());
    }

    #[test]
    fn options_end_at_the_first_word() {
        let a = parse("-r beta!rmail - -n --grade x").unwrap();
        assert!(!a.stdin && !a.silent);
        assert_eq!(command(&a), ["beta!rmail", "-", "-n", "--grade", "x"]);
        let a = parse("-r -- beta!rmail -x").unwrap();
        assert_eq!(command(&a), ["beta!rmail", "-x"]);
    }

    #[test]
    fn an_address_may_begin_with_a_dash_or_be_empty() {
        let a = parse("-a-evil@x - beta!rmail x").unwrap();
        assert_eq!(a.requestor, Some("-evil@x".into()));
        let a = parse("-r -n -a - beta!rmail x").unwrap();
        assert!(a.stdin && a.requestor.is_none());
        let a = parse("-rna - beta!rmail x").unwrap();
        assert!(a.stdin && a.silent && a.requestor.is_none());
    }

    #[test]
    fn the_last_of_copy_and_nocopy_counts() {
        assert!(!parse("-C -c beta!x").unwrap().copy);
        assert!(parse("-c -C beta!x").unwrap().copy);
    }

    #[test]
    fn wrong_options_are_errors() {
        for line in [
            "-r -",
            "-g",
            "-e beta!x",
            "--no beta!x",
            "--nosuch beta!x",
            "-h",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_manual_names_every_option() {
        let page = include_str!("../../../man/uux.1.md");
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
