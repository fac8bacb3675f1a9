//! `uuto`: sends files to a user of another system, where `uupick` finds them.
//!
//! Taylor UUCP manual, *Invoking uuto*. It is `uucp -t -R -c`.

use std::process::ExitCode;

use clap::Parser;

use super::uucp::options::Options;
use crate::program;
use crate::sysexits::Audience;

/// Sends files to a user of another system.
#[derive(Debug, Parser)]
#[command(
    name = "uuto",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    args_override_self = true,
    infer_long_args = true,
    override_usage = "uuto [options] FILE... SYSTEM!USER",
    after_help = "Examples:\n  uuto report.txt hub!ann         ann fetches it there with uupick\n  uuto photos list.txt hub!far!ann  a directory and a file, by way of hub"
)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    // Before the options given, so that a -C among them counts.
    let fixed = ["-t", "-R", "-c"].map(Into::into);
    let mut arguments = std::env::args_os();
    let all = arguments.next().into_iter().chain(fixed);
    let all = all.chain(arguments).collect();
    program::main_for_everybody("uuto", Audience::Plain, all, |arguments: &Arguments| {
        super::uucp::run(&arguments.options)
    })
}
