//! rmail: takes one message from a UUCP neighbour, as RFC 976 says, and hands it to this system's MTA.

mod cli;
mod receive;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
