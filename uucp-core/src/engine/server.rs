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
#[derive(Debug)]
struct Call {
    child: Child,
    from: IpAddr,
}

/// The calls that are being answered.
#[derive(Debug, Default)]
pub(super) struct Answering(Vec<Call>);

impl Answering {
    /// Answers a call in a process of its own; why not, for the log.
    ///
    /// The caller of this keeps the connection open until it has written the log: who is hung up on can read why.
    pub(super) fn take(
        &mut self,
        command: &ChildCommand,
        stream: &TcpStream,
        from: IpAddr,
    ) -> Result<(), String> {
        self.forget_ended();
        let same = self.0.iter().filter(|call| call.from == from).count();
        if self.0.len() >= CALLS || same >= CALLS_PER_ADDRESS {
            let all = self.0.len();
            return Err(format!(
                "Call from {from} dropped: {same} from there, {all} in all"
            ));
        }
        let child =
            start(command, stream).map_err(|error| format!("Call from {from} dropped: {error}"))?;
        self.0.push(Call { child, from });
        Ok(())
    }

    pub(super) fn forget_ended(&mut self) {
        self.0
            .retain_mut(|call| matches!(call.child.try_wait(), Ok(None)));
    }

    pub(super) fn is_idle(&mut self) -> bool {
        self.forget_ended();
        self.0.is_empty()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Child> {
        self.0.iter().map(|call| &call.child)
    }
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
    let mut calls = Answering::default();
    while !signals.stops() {
        // A child that ends after this wakes the wait; one whose signal was just read would not.
        calls.forget_ended();
        let accepted = listener.accept(Some(signals.as_fd()))?;
        if let Some((stream, from)) = accepted
            && let Err(text) = calls.take(command, &stream, from)
        {
            journal.log(None, None, Severity::Error, &text);
        }
    }
    Ok(())
}

fn start(command: &ChildCommand, stream: &TcpStream) -> std::io::Result<Child> {
    let input = OwnedFd::from(stream.try_clone()?);
    let output = input.try_clone()?;
    spawn(
        Command::new(&command.program)
            .args(&command.arguments)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(output)),
    )
}
