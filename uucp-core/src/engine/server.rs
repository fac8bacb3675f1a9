//! Waiting for calls: a process for each, so many and no more.
//!
//! The process is this program again with the connection as its standard input and output: what an open call holds in
//! memory dies with it, and a fault in one call is no fault in another.

use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::signals::Signals;
use crate::port::{Listener, spawn};
use crate::spool::{Journal, Severity};

/// How many calls at once.
const CALLS: usize = 100;
/// How many of them from one address.
const CALLS_PER_ADDRESS: usize = 10;

/// The program that answers one call.
#[derive(Debug, Clone)]
pub struct ChildCommand {
    /// Its path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<std::ffi::OsString>,
}

/// A call under way.
struct Call {
    child: Child,
    from: IpAddr,
}

/// Takes calls until a signal ends it. Calls that are under way go on.
///
/// # Errors
/// When the sockets fail.
pub fn serve(
    listener: &Listener,
    command: &ChildCommand,
    journal: &mut Journal,
    signals: &Signals,
) -> std::io::Result<()> {
    let mut calls: Vec<Call> = Vec::new();
    while !signals.stops() {
        // A child that ends after this wakes the wait; one whose signal was just read would not.
        forget_ended(&mut calls);
        let accepted = listener.accept(Some(signals.as_fd()))?;
        forget_ended(&mut calls);
        let Some((stream, from)) = accepted else {
            continue;
        };
        let same = calls.iter().filter(|call| call.from == from).count();
        if calls.len() >= CALLS || same >= CALLS_PER_ADDRESS {
            let text = format!(
                "Call from {from} dropped: {same} from there, {} in all",
                calls.len()
            );
            journal.log(None, None, Severity::Error, &text);
            continue;
        }
        match start(command, stream) {
            Ok(child) => calls.push(Call { child, from }),
            Err(error) => {
                let text = format!("Call from {from} dropped: {error}");
                journal.log(None, None, Severity::Error, &text);
            }
        }
    }
    Ok(())
}

fn forget_ended(calls: &mut Vec<Call>) {
    calls.retain_mut(|call| matches!(call.child.try_wait(), Ok(None)));
}

fn start(command: &ChildCommand, stream: TcpStream) -> std::io::Result<Child> {
    let input = OwnedFd::from(stream);
    let output = input.try_clone()?;
    spawn(
        Command::new(&command.program)
            .args(&command.arguments)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(output)),
    )
}
