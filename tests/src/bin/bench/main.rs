//! The same work by our programs and by Debian's uucp, side by side in one run; prints a Markdown table.
//!
//! Ours sync every file and directory before they answer, Debian's sync nothing. Run it in release, as root on Debian.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "it speaks to a person, and what it expects of its own folders it may insist on"
)]

mod batches;
mod calls;
mod cost;
mod long;
mod mail;
mod repeat;
mod safer;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use suite_tests::peers;

use table::Table;

/// Measures our programs against Debian's uucp and prints a Markdown table.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// A tenth of the work, for a first look.
    #[arg(long)]
    quick: bool,
    /// Only this: a limit of descriptors, how often, the input, and a command.
    #[arg(long, hide = true, num_args = 4.., allow_hyphen_values = true)]
    repeat: Option<Vec<OsString>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(words) = &arguments.repeat {
        repeat::run(words);
        return ExitCode::SUCCESS;
    }
    if cfg!(debug_assertions) {
        println!("This is a debug build: the numbers mean little. Use cargo run --release.\n");
    }
    let peers = match peers::peers() {
        Ok(peers) => peers,
        Err(why) => {
            println!("Nothing to compare with: {why}.");
            return ExitCode::FAILURE;
        }
    };
    let scale = if arguments.quick { 10 } else { 1 };
    let mut table = Table::new(&arguments.only, arguments.runs.max(1));
    calls::empty(&mut table);
    calls::jobs(&mut table, 1000 / scale);
    calls::files(&mut table, 256_000_000 / scale);
    cost::files(&mut table, 256_000_000 / scale);
    calls::memory(&mut table, 10_000 / scale);
    calls::memory(&mut table, 100_000 / scale);
    calls::waiting(&mut table, 100_000 / scale);
    long::mails(&mut table, 200 / scale);
    mail::queueing_alone(&mut table, 1000 / scale);
    mail::queueing_under_postfix(&mut table, peers, 1000 / scale);
    mail::execution(&mut table, peers, 1000 / scale);
    table.print();
    let mut safer = Table::against("Without", &arguments.only, arguments.runs.max(1));
    safer::all(&mut safer, 1000 / scale, 256_000_000 / scale);
    safer.print();
    let mut batches = Table::against("The other way", &arguments.only, arguments.runs.max(1));
    batches::all(&mut batches, peers, 1000 / scale);
    batches.print();
    batches::wire(&arguments.only, 1000 / scale);
    table::remove_kept();
    ExitCode::SUCCESS
}
