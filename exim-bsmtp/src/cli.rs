//! Options, and which of the program's modes they ask for.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use uucp_core::name::Grade;
use uucp_core::program::VersionOption;
use uucp_core::send::value::{byte_count, seconds};
use uucp_core::sysexits::{Audience, Failure, Status};

use crate::{collect, dictionary, flush, queue, waiting};

/// Queues batched SMTP of Exim, smail or Sendmail for a UUCP neighbour.
///
/// With a SYSTEM, standard input is a message or a batch for it. Exit status 0: all of it is durably queued, or a report
/// about it is.
#[derive(Debug, Parser)]
#[command(name = "exim-bsmtp", version, disable_version_flag = true, group = ArgGroup::new("round").args(["flush", "collect", "expire"]))]
pub(crate) struct Arguments {
    #[command(flatten)]
    version: VersionOption,
    /// Pack what is queued now, for these systems or for all, into jobs or NNCP packets.
    #[arg(long, conflicts_with_all = ["id", "grade", "size_limit", "dry_run", "deadline"])]
    pub(crate) flush: bool,
    /// Queue what an MTA has left in this directory: a file or a directory for each system.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["id", "dry_run", "deadline"])]
    pub(crate) collect: Option<PathBuf>,
    /// Print the messages that wait, for these systems or for all.
    #[arg(long, conflicts_with_all = ["flush", "collect", "id", "grade", "size_limit", "dry_run", "deadline"])]
    pub(crate) list: bool,
    /// With --list: print JSON.
    #[arg(long, requires = "list")]
    pub(crate) json: bool,
    /// Take the messages named out of the outbox of this system. Nobody is told.
    #[arg(long, value_name = "SYSTEM", conflicts_with_all = ["flush", "collect", "list"])]
    pub(crate) cancel: Option<OsString>,
    /// Return messages to their senders that have waited too long, for these systems or for all.
    #[arg(long, conflicts_with_all = ["flush", "collect", "list", "cancel", "id", "grade", "size_limit", "dry_run", "deadline"])]
    pub(crate) expire: bool,
    /// Train a zstd dictionary for this system, from the mail in its outbox and in the files named.
    #[arg(long, value_name = "SYSTEM", conflicts_with_all = ["flush", "collect"])]
    pub(crate) train: Option<OsString>,
    /// Write the dictionary with this id to the file named, for the other end.
    #[arg(long, value_name = "ID", conflicts_with_all = ["flush", "collect", "train"])]
    pub(crate) dictionary_export: Option<OsString>,
    /// Keep the dictionary in the file named, which the other end, this system, has trained.
    #[arg(long, value_name = "SYSTEM", conflicts_with_all = ["flush", "collect", "train", "dictionary_export"])]
    pub(crate) dictionary_import: Option<OsString>,
    /// The MTA's id of the message: a repeated delivery is known by it: `--id=$message_exim_id`.
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) id: OsString,
    /// Grade of the messages (0-9, A-Z, a-z), whatever mail.toml says of their size.
    #[arg(long, value_name = "GRADE")]
    pub(crate) grade: Option<Grade>,
    /// The largest message that is queued, in bytes; K, M and G are understood. 0 is no limit.
    #[arg(long, value_name = "BYTES", value_parser = byte_count)]
    pub(crate) size_limit: Option<u64>,
    /// Read the batch, queue nothing, and print what would be queued.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Answer 75 after this many seconds, whatever holds us up. Keep it below the transport's `timeout`.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) deadline: Duration,
    /// With --flush, --collect and --expire: say nothing but what went wrong.
    #[arg(short, long, requires = "round")]
    pub(crate) quiet: bool,
    /// The config file to use.
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The UUCP system to queue for: `$host`. With --flush, --collect, --list and --expire, the only systems that count.
    /// With --cancel, messages; with the options about dictionaries, files.
    #[arg(value_name = "SYSTEM", required_unless_present_any = ["flush", "collect", "train", "list", "expire", "cancel"])]
    pub(crate) systems: Vec<OsString>,
}

/// Who reads the exit status: an MTA where mail comes in on standard input, else whoever types or runs a timer.
pub(crate) fn audience(arguments: impl Iterator<Item = OsString>) -> Audience {
    let mut options = arguments.take_while(|word| word != "--");
    if options.any(|word| is_mode(&word)) {
        Audience::Tool
    } else {
        Audience::Mail
    }
}

/// Whether this is an option that asks for more than to queue what comes in on standard input.
fn is_mode(word: &OsStr) -> bool {
    let word = word.as_encoded_bytes();
    let name = word.split(|byte| *byte == b'=').next();
    let modes: [&[u8]; 8] = [
        b"--flush",
        b"--collect",
        b"--list",
        b"--cancel",
        b"--expire",
        b"--train",
        b"--dictionary-export",
        b"--dictionary-import",
    ];
    name.is_some_and(|name| modes.contains(&name))
}

/// Runs the mode that is asked for.
///
/// # Errors
/// As the mode has it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.flush {
        return flush::run(arguments);
    }
    if let Some(result) = waiting::mode(arguments) {
        return result;
    }
    if let Some(result) = dictionary::mode(arguments) {
        return result;
    }
    if let Some(directory) = &arguments.collect {
        return collect::run(arguments, directory);
    }
    match &*arguments.systems {
        [system] => queue::run(arguments, system),
        systems => Err(Failure::new(
            Status::Usage,
            format!("a message is for one system, not for {}", systems.len()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once(&"exim-bsmtp").chain(words))
    }

    #[test]
    fn the_line_of_a_transport_parses() {
        let a = parse(&["--id=1xULd9-000064-31", "leaf"]).unwrap();
        assert_eq!(a.id, "1xULd9-000064-31");
        assert_eq!(a.systems, ["leaf"]);
        assert_eq!(a.deadline, Duration::from_mins(1));
        assert!(parse(&["--id=", "leaf"]).is_ok());
        assert!(parse(&["--id=x"]).is_err());
    }

    #[test]
    fn flush_takes_any_number_of_systems_and_nothing_of_a_message() {
        assert!(parse(&["--flush"]).unwrap().systems.is_empty());
        assert_eq!(parse(&["--flush", "a", "b"]).unwrap().systems.len(), 2);
        for option in [
            "--id=x",
            "--grade=N",
            "--dry-run",
            "--size-limit=1",
            "--deadline=5",
        ] {
            assert!(parse(&["--flush", option]).is_err(), "{option}");
        }
        assert!(parse(&["--quiet", "leaf"]).is_err());
        assert!(parse(&["--json", "leaf"]).is_err());
    }

    #[test]
    fn people_read_what_flush_says_and_mtas_the_rest() {
        let audience = |words: &[&str]| audience(words.iter().map(OsString::from));
        assert_eq!(audience(&["p", "--flush"]), Audience::Tool);
        assert_eq!(audience(&["p", "--collect=/x"]), Audience::Tool);
        assert_eq!(audience(&["p", "--train", "hub"]), Audience::Tool);
        assert_eq!(audience(&["p", "--", "--flush"]), Audience::Mail);
        assert_eq!(audience(&["p", "leaf"]), Audience::Mail);
    }

    #[test]
    fn the_manual_names_every_option() {
        let page = include_str!("../man/exim-bsmtp.8.md");
        for argument in <Arguments as clap::CommandFactory>::command().get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("**--{long}")), "--{long}");
            }
        }
    }
}
