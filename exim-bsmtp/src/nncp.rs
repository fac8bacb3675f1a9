//! `nncp-exec NODE COMMAND`: a batch on its standard input becomes one packet.
//!
//! What its exit says: 0, the packet is in NNCP's spool, synced (unless NNCPNOSYNC is set, which is therefore not passed on);
//! anything else, there is no packet: an unknown node, a handle and arguments of more than 255 bytes, no room. It reads all
//! of its input into memory, so that a batch is best kept to some megabytes (`batch-bytes`). The exit status of a process
//! that was killed, or of one that we did not live to see, is lost: the batch goes again then.
//!
//! It is run with the outbox locked, so it has a time limit. One that is killed may have made its packet before.

use std::fs::File;
use std::io;
use std::process::Command;

use uucp_core::config::mail::Sending;
use uucp_core::delivery::child::{self, Ending};

/// Hands one batch over.
///
/// # Errors
/// When there is no packet, as far as is known.
pub(crate) fn hand_over(sending: &Sending, command: &[u8], batch: &File) -> io::Result<()> {
    let program = &sending.nncp_exec;
    let shown = program.display();
    let mut exec = Command::new(program);
    exec.args(["-quiet", "-noprogress"])
        .arg(&sending.nncp_node)
        .args(words(command))
        .env_remove("NNCPNOSYNC");
    let limit = sending.nncp_time_limit;
    let finished = child::run(exec, batch, &std::env::temp_dir(), limit)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run {shown}: {error}")))?;
    let how = match finished.ending {
        Ending::Exit(0) => return Ok(()),
        Ending::Exit(code) => format!("left {code}"),
        Ending::Signal(signal) => format!("was ended by signal {signal}"),
        Ending::TimeLimit => format!("did not end within {} s and was killed", limit.as_secs()),
    };
    let node = &sending.nncp_node;
    let said = match &*finished.said {
        "" => String::new(),
        said => format!(": {said}"),
    };
    Err(io::Error::other(format!(
        "{shown} {node} {how}{said}; the messages stay queued"
    )))
}

/// The handle and its arguments, as separate words: nothing here passes a shell.
fn words(command: &[u8]) -> Vec<std::ffi::OsString> {
    command
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| std::os::unix::ffi::OsStringExt::from_vec(word.to_vec()))
        .collect()
}
