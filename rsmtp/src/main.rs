//! rsmtp: takes batched SMTP, plain or compressed, from a neighbour and hands every message to this system's MTA once.

mod batch;
mod cli;
mod input;
mod list;
mod retry;
mod run;
mod unbatch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
