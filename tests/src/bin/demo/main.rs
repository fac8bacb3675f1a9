//! `cargo demo`: one real message from node `leaf` to node `hub`, by the programs of this workspace alone.
//!
//! Whoever runs it needs a Rust toolchain and nothing else: no root, no MTA, no UUCP. Both nodes live in one folder, which
//! stays, so that the reader can go on from there.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "it speaks to a person, and what it expects of its own folder it may insist on"
)]

mod journey;
mod message;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use journey::Journey;

/// Sends one message from node `leaf` to node `hub` over TCP on loopback and shows every station on the way.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// The message to send, with its header; `-` is standard input. A sample with an attachment unless given.
    file: Option<PathBuf>,
    /// Where both nodes are made and left; must be empty or not exist. A new folder in the temporary directory unless given.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The link protocol: t, e, g or i.
    #[arg(long, default_value = "t", value_parser = ["t", "e", "g", "i"])]
    protocol: String,
    /// The envelope sender.
    #[arg(long, default_value = "ann@leaf.example", value_name = "ADDRESS")]
    from: String,
    /// The envelope recipient.
    #[arg(long, default_value = "bob@hub.example", value_name = "ADDRESS")]
    to: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    std::panic::set_hook(Box::new(|info| {
        let said = info
            .payload()
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| {
                info.payload()
                    .downcast_ref::<&str>()
                    .map(ToString::to_string)
            });
        println!("\nThe demo failed: {}", said.unwrap_or_default());
    }));
    // A panic has said why, and the nodes have shown their logs.
    std::panic::catch_unwind(|| run(&arguments)).unwrap_or(ExitCode::FAILURE)
}

fn run(arguments: &Arguments) -> ExitCode {
    let (content, source) = match read_message(arguments.file.as_deref()) {
        Ok(read) => read,
        Err(why) => {
            println!("The demo cannot begin: {why}");
            return ExitCode::FAILURE;
        }
    };
    let folder = match make_folder(arguments.keep.as_deref()) {
        Ok(folder) => folder,
        Err(why) => {
            println!("The demo cannot begin: {why}");
            return ExitCode::FAILURE;
        }
    };
    println!("Bangpath: one message from leaf to hub, by UUCP over TCP\n");
    let journey = Journey {
        folder: &folder,
        from: &arguments.from,
        to: &arguments.to,
        protocol: &arguments.protocol,
    };
    let arrived = journey.travel(&content, &source);
    arrived.show();
    match message::difference(&content, &arrived.content) {
        None => {
            println!(
                "The {} bytes that arrived are the bytes that were sent.",
                message::grouped(content.len())
            );
            journey.show_what_next(&arrived);
            ExitCode::SUCCESS
        }
        Some(difference) => {
            println!("What arrived differs from what was sent: {difference}");
            ExitCode::FAILURE
        }
    }
}

/// The message and a word on where it is from.
fn read_message(file: Option<&Path>) -> Result<(Vec<u8>, String), String> {
    match file {
        Some(path) if path != Path::new("-") => {
            let content =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok((content, path.display().to_string()))
        }
        given => {
            let content = read_stdin(given.is_some())?;
            if content.is_empty() {
                Ok((message::sample(), "a sample with an attachment".into()))
            } else {
                Ok((content, "standard input".into()))
            }
        }
    }
}

/// Standard input, when it was asked for or when something lies in it; a terminal or a silent pipe is not waited for.
fn read_stdin(asked: bool) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let stdin = std::io::stdin();
    if asked || (!stdin.is_terminal() && has_input(&stdin)) {
        stdin
            .lock()
            .read_to_end(&mut content)
            .map_err(|error| format!("standard input: {error}"))?;
        if asked && content.is_empty() {
            return Err("standard input is empty".into());
        }
    }
    Ok(content)
}

fn has_input(stdin: &std::io::Stdin) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut asked = [PollFd::new(
        std::os::fd::AsFd::as_fd(stdin),
        PollFlags::POLLIN,
    )];
    matches!(poll(&mut asked, PollTimeout::from(200_u8)), Ok(1))
}

fn make_folder(keep: Option<&Path>) -> Result<PathBuf, String> {
    let Some(path) = keep else {
        let made = tempfile::Builder::new().prefix("bangpath-demo-").tempdir();
        return made
            .map(tempfile::TempDir::keep)
            .map_err(|error| format!("no temporary folder: {error}"));
    };
    let explain = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(path).map_err(explain)?;
    if std::fs::read_dir(path).map_err(explain)?.next().is_some() {
        return Err(format!("{} is not empty", path.display()));
    }
    // The configuration holds absolute paths.
    path.canonicalize().map_err(explain)
}
