//! `exim-bsmtp`: batched SMTP of Exim, smail or Sendmail into the outbox, and from there into jobs or NNCP packets.

mod batch;
mod cli;
mod collect;
mod dictionary;
mod fingerprint;
mod flush;
mod link;
mod message;
mod nncp;
mod queue;
mod waiting;

use std::process::ExitCode;

fn main() -> ExitCode {
    uucp_core::program::main("exim-bsmtp", cli::audience(std::env::args_os()), cli::run)
}
