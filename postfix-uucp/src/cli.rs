//! Options. Every value is glued to its option in master.cf, so that an empty one stays an empty one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use uucp_core::name::Grade;
use uucp_core::program::VersionOption;
use uucp_core::send::value::{byte_count, seconds};

/// Queues one message of Postfix for a UUCP neighbour.
///
/// Standard input is the message. Exit status 0: it is durably queued for every recipient, or a report about the recipient
/// is.
#[derive(Debug, Parser)]
#[command(name = "postfix-uucp", version, disable_version_flag = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    version: VersionOption,
    /// The UUCP system to queue for: `--host=$nexthop`.
    #[arg(long, value_name = "SYSTEM")]
    pub(crate) host: OsString,
    /// The envelope sender; empty is the null sender: `--from=$sender`, with `null_sender=`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: OsString,
    /// Postfix's id of the message: a repeated delivery is known by it: `--queue-id=$queue_id`.
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) queue_id: OsString,
    /// The recipients as they were before aliases and the like, in the order of the recipients; Postfix repeats the word for
    /// each: `--original-recipient=$original_recipient`. Only batches can carry them.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) original_recipient: Vec<OsString>,
    /// The message's size as Postfix estimates it, in bytes: `--size=$size`. What counts is what comes.
    #[arg(long, value_name = "BYTES", default_value = "")]
    size: String,
    /// The client that handed the message in: `--client=$client_address`. Accepted, not used.
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    client: OsString,
    /// The protocol it used: `--proto=$client_protocol`. Accepted, not used.
    #[arg(long, value_name = "PROTOCOL", default_value = "")]
    proto: OsString,
    /// Grade of the job (0-9, A-Z, a-z), whatever mail.toml says.
    #[arg(long, value_name = "GRADE")]
    pub(crate) grade: Option<Grade>,
    /// Grades of larger messages, as `BYTES:GRADE`; K, M and G are understood: `100K:N,1M:d`.
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = grade_step)]
    pub(crate) grade_by_size: Vec<(u64, Grade)>,
    /// The command that the other system is asked for; its arguments are the recipients.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// The largest message that is queued, in bytes; K, M and G are understood. 0 is no limit.
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    pub(crate) size_limit: Option<u64>,
    /// How the line is written that tells the other system's rmail the sender.
    #[arg(long, value_name = "STYLE")]
    pub(crate) from_line: Option<FromLine>,
    /// Read the message, queue nothing, and print the requests that would be queued.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The config file to use.
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Answer 75 after this many seconds, whatever holds us up. Keep it below Postfix's own limit, which bounces.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) deadline: Duration,
    /// The recipients: `-- $recipient`.
    #[arg(value_name = "RECIPIENT", required = true, last = true)]
    pub(crate) recipients: Vec<OsString>,
}

/// How the `From ` line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FromLine {
    /// `From user@domain  DATE`
    #[value(alias = "domain")]
    Plain,
    /// `From domain!user DATE remote from NODENAME`
    RemoteFrom,
    /// No such line: for commands that are not an rmail.
    None,
}

fn grade_step(text: &str) -> Result<(u64, Grade), String> {
    let (size, grade) = text
        .split_once(':')
        .ok_or("a step is BYTES:GRADE, such as 100K:N")?;
    let grade = grade
        .parse()
        .map_err(|error: uucp_core::name::NameError| error.to_string())?;
    Ok((byte_count(size)?, grade))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recommended_line_parses_with_empty_values() {
        let a = Arguments::try_parse_from([
            "postfix-uucp",
            "--queue-id=B20A09AA294",
            "--size=312",
            "--from=",
            "--client=",
            "--proto=",
            "--host=leaf",
            "--",
            "-x@leaf.lab",
            "bob@leaf.lab",
        ])
        .unwrap();
        assert_eq!(a.from, "");
        assert_eq!(a.recipients, ["-x@leaf.lab", "bob@leaf.lab"]);
        assert_eq!(a.deadline, Duration::from_mins(1));
    }

    #[test]
    fn a_sender_may_begin_with_a_dash() {
        let a = Arguments::try_parse_from(["p", "--host=x", "--from=-evil@x", "--", "r"]).unwrap();
        assert_eq!(a.from, "-evil@x");
    }

    #[test]
    fn grades_by_size() {
        let steps = ["--grade-by-size=100K:N,1M:d"];
        let a = Arguments::try_parse_from(
            ["p", "--host=x", "--from="]
                .into_iter()
                .chain(steps)
                .chain(["--", "r"]),
        )
        .unwrap();
        let letters: Vec<(u64, u8)> = a
            .grade_by_size
            .iter()
            .map(|(s, g)| (*s, g.byte()))
            .collect();
        assert_eq!(letters, [(102_400, b'N'), (1 << 20, b'd')]);
    }

    #[test]
    fn the_manual_names_every_option() {
        let page = include_str!("../man/postfix-uucp.8.md");
        for argument in <Arguments as clap::CommandFactory>::command().get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("**--{long}")), "--{long}");
            }
        }
    }
}
