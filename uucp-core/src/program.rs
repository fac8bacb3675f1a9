//! What every `main` does: arguments, panic hook, `Result` -> exit status.
//!
//! The arguments' types are clap's; the statuses are ours. clap's own 2 and a panic's 101 bounce mail, so neither leaves a
//! program of this project.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use crate::owner;
use crate::sysexits::{Audience, Failure, Status};

/// How the version is asked for: `-v`, as of the peer's programs, or `-V`, as of most others.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct VersionOption {
    /// Print the version
    #[arg(short = 'v', visible_short_alias = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// Runs one program: parses the arguments, calls `run`, and turns what it gives back into an exit status and at most one
/// line on standard error.
///
/// `name` is the program's own name, as it stands before its messages. For [`Audience::Mail`] the line begins with the
/// enhanced status code instead, which Postfix reads.
pub fn main<A: Parser>(
    name: &'static str,
    audience: Audience,
    run: fn(&A) -> Result<ExitCode, Failure>,
) -> ExitCode {
    main_from(name, audience, std::env::args_os().collect(), run)
}

/// As [`main`], with the arguments given: for programs that translate an older command line first.
pub fn main_from<A: Parser>(
    name: &'static str,
    audience: Audience,
    arguments: Vec<OsString>,
    run: fn(&A) -> Result<ExitCode, Failure>,
) -> ExitCode {
    let refuse = || owner::refuse_setuid().map_or(Ok(()), Err);
    start(name, audience, arguments, refuse, run)
}

/// As [`main_from`], for a program that may be setuid and setgid to the owner of the spool, so that everybody can use it.
#[cfg(feature = "cli")]
pub(crate) fn main_for_everybody<A: Parser>(
    name: &'static str,
    audience: Audience,
    arguments: Vec<OsString>,
    run: fn(&A) -> Result<ExitCode, Failure>,
) -> ExitCode {
    start(name, audience, arguments, owner::borrow, run)
}

fn start<A: Parser>(
    name: &'static str,
    audience: Audience,
    arguments: Vec<OsString>,
    rights: fn() -> Result<(), Failure>,
    run: fn(&A) -> Result<ExitCode, Failure>,
) -> ExitCode {
    set_panic_hook(name, audience);
    // Before anything is opened.
    if let Err(failure) = rights() {
        return report(name, audience, &failure);
    }
    let parsed = match A::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return answer_clap(name, audience, &error),
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&parsed))) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => report(name, audience, &failure),
        // The hook has already printed its line.
        Err(_) => ExitCode::from(Status::Software.exit_status(audience)),
    }
}

/// Prints a failure as its audience reads it, and gives its exit status.
#[must_use]
pub fn report(name: &str, audience: Audience, failure: &Failure) -> ExitCode {
    let line = one_line(&failure.message);
    let told = match audience {
        Audience::Mail => format!("{} {name}: {line}\n", failure.status.enhanced()),
        Audience::Tool | Audience::Plain => format!("{name}: {}\n", failure.message),
    };
    // In one piece: others may write there, too. A closed standard error must not change the exit status.
    let _ = io::stderr().lock().write_all(told.as_bytes());
    ExitCode::from(failure.status.exit_status(audience))
}

/// Prints what a listing shows, as JSON or as text. Whoever reads no further has seen enough.
///
/// # Errors
/// When standard output cannot be written.
pub fn print<T: Serialize>(
    shown: &T,
    json: bool,
    text: impl FnOnce(&T) -> String,
) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    let written = if json {
        serde_json::to_writer_pretty(&mut out, shown)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        out.write_all(text(shown).as_bytes())
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::temporary(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// `--help` and `--version` are answers; everything else is wrong usage.
fn answer_clap(name: &str, audience: Audience, error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let failure = match audience {
        Audience::Mail => Failure::new(
            Status::Usage,
            format!("wrong options, see --help: {}", what_is_wrong(text)),
        ),
        Audience::Tool | Audience::Plain => Failure::new(Status::Usage, text),
    };
    report(name, audience, &failure)
}

fn set_panic_hook(name: &'static str, audience: Audience) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map(|l| format!(" at {}:{}", l.file(), l.line()))
            .unwrap_or_default();
        let said = info
            .payload()
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let failure = Failure::new(Status::Software, format!("internal error{place}: {said}"));
        let _ = report(name, audience, &failure);
    }));
}

/// What stands before clap's advice, in one line: what is missing has lines of its own.
fn what_is_wrong(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// Line breaks and control characters of whatever was quoted become blanks: an MTA logs one line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Args {
        #[arg(long)]
        fail: bool,
        #[arg(long)]
        panic: bool,
    }

    fn run(args: &Args) -> Result<ExitCode, Failure> {
        assert!(!args.panic, "asked to");
        if args.fail {
            Err(Failure::new(Status::OsError, "disk full"))
        } else {
            Ok(ExitCode::SUCCESS)
        }
    }

    fn status(audience: Audience, args: &[&str]) -> String {
        let arguments = std::iter::once("prog")
            .chain(args.iter().copied())
            .map(OsString::from)
            .collect();
        format!("{:?}", main_from("prog", audience, arguments, run))
    }

    #[test]
    fn mail_programs_leave_75_for_every_trouble_of_their_own() {
        let temporary = format!("{:?}", ExitCode::from(75));
        for args in [&["--fail"][..], &["--panic"], &["--no-such-option"]] {
            assert_eq!(status(Audience::Mail, args), temporary, "{args:?}");
        }
        assert_eq!(
            status(Audience::Mail, &[]),
            format!("{:?}", ExitCode::SUCCESS)
        );
        assert_eq!(
            status(Audience::Tool, &["--no-such-option"]),
            format!("{:?}", ExitCode::from(64))
        );
    }

    #[test]
    fn options_that_are_missing_are_named_on_the_one_line() {
        #[derive(Debug, Parser)]
        struct Two {
            #[arg(long)]
            _system: String,
            _recipients: Vec<String>,
        }
        let error = Two::try_parse_from(["prog", "a@b"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            what_is_wrong(&error),
            "error: the following required arguments were not provided: --system <SYSTEM>"
        );
        let error = Two::try_parse_from(["prog", "--sistem"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            what_is_wrong(&error),
            "error: unexpected argument '--sistem' found"
        );
    }

    #[test]
    fn what_an_mta_logs_is_one_line() {
        assert_eq!(one_line("a\nb\tc"), "a b c");
    }
}
