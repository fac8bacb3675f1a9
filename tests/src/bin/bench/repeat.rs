//! One command after the other, as fast as they can be started: by a small process of the node's owner, so that what is measured
//! is the commands and not how this program changes its user for each.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use suite_tests::node::Node;
use suite_tests::{process, programs};

use crate::calls::per_second;

/// Stands for the number of the command in its arguments.
const NUMBER: &str = "{number}";

/// How many descriptors a process may have: Debian's programs close as many, one by one, before they begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Descriptors {
    /// As many as this process.
    AsHere,
    /// As many as login shells and services have by default.
    AsUsual,
}

/// The usual soft limit.
const USUAL: u64 = 1024;

/// Runs a program of a node `count` times, each with the file `input` on its standard input; how many ended in a second.
pub(crate) fn rate(
    node: &Node,
    descriptors: Descriptors,
    program: &Path,
    arguments: &[&str],
    input: &Path,
    count: usize,
) -> f64 {
    let own = programs::bin("bench");
    let mut command = process::command_as(node.owner(), &own);
    command.current_dir(node.folder()).arg("--repeat");
    let limit = match descriptors {
        Descriptors::AsHere => here().0,
        Descriptors::AsUsual => USUAL,
    };
    command.arg(limit.to_string()).arg(count.to_string());
    command.arg(input).arg(program);
    command.arg("-I").arg(node.config()).args(arguments);
    let run = process::run(command, node.folder());
    run.expect_success("repeating a command");
    run.output.trim().parse().expect("a rate")
}

fn here() -> (u64, u64) {
    getrlimit(Resource::RLIMIT_NOFILE).expect("a limit")
}

/// What `--repeat` does; prints the rate.
pub(crate) fn run(words: &[OsString]) {
    let [limit, count, input, program, arguments @ ..] = words else {
        panic!("a limit, a count, a file and a command are needed");
    };
    let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let limit = number(limit).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, limit, here().1).expect("fewer descriptors");
    let count = number(count).and_then(|count| usize::try_from(count).ok());
    let count = count.expect("a count");
    let start = Instant::now();
    for number in 0..count {
        let number = number.to_string();
        let arguments = arguments.iter().map(|argument| match argument.to_str() {
            Some(text) => text.replace(NUMBER, &number).into(),
            None => argument.clone(),
        });
        let mut command = Command::new(program);
        command.args(arguments);
        command.stdin(File::open(input).expect("the input"));
        let status = command.status().expect("the command");
        assert!(status.success(), "{status}");
    }
    println!("{}", per_second(count, start.elapsed().as_secs_f64()));
}
