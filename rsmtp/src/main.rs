//! rsmtp: takes batched SMTP, plain or compressed, from a neighbour and hands every message to this system's MTA once.

mod batch;
mod cli;
mod hand_over;
mod input;
mod list;
mod message;
mod retry;
mod run;
mod series;
mod unbatch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
