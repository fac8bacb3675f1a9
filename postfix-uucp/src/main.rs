//! `postfix-uucp`: Postfix's pipe(8) transport. One message in, one durable queue entry out.

mod batched;
mod cli;
mod content;
mod link;
mod recipients;
mod send;

use std::process::ExitCode;

fn main() -> ExitCode {
    uucp_core::program::main(
        "postfix-uucp",
        uucp_core::sysexits::Audience::Mail,
        send::run,
    )
}
