//! `nncp-exec NODE COMMAND`: a batch on its standard input becomes one packet.
//!
//! What its exit says: 0, the packet is in NNCP's spool, synced (unless NNCPNOSYNC is set, which is therefore not passed on);
//! anything else, there is no packet: an unknown node, a handle and arguments of more than 255 bytes, no room. It reads all
//! of its input into memory, so that a batch is best kept to some megabytes (`batch-bytes`). The exit status of a process
//! that was killed, or of one that we did not live to see, is lost: the batch goes again then.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use uucp_core::config::mail::Sending;

/// How much of what it says is shown.
const SAID: u64 = 4096;

/// Hands one batch over.
///
/// # Errors
/// When there is no packet, as far as is known.
pub(crate) fn hand_over(sending: &Sending, command: &[u8], batch: File) -> io::Result<()> {
    let program = &sending.nncp_exec;
    let shown = program.display();
    let mut child = Command::new(program)
        .args(["-quiet", "-noprogress"])
        .arg(&sending.nncp_node)
        .args(words(command))
        .env_remove("NNCPNOSYNC")
        .stdin(batch)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run {shown}: {error}")))?;
    let mut said = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.by_ref().take(SAID).read_to_end(&mut said)?;
        // A pipe that nobody reads would end it.
        io::copy(&mut stderr, &mut io::sink())?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("left {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    let said = String::from_utf8_lossy(&said);
    let said = said.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let node = &sending.nncp_node;
    Err(io::Error::other(if said.is_empty() {
        format!("{shown} {node} {how}; the messages stay queued")
    } else {
        format!("{shown} {node} {how}: {said}; the messages stay queued")
    }))
}

/// The handle and its arguments, as separate words: nothing here passes a shell.
fn words(command: &[u8]) -> Vec<std::ffi::OsString> {
    command
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| std::os::unix::ffi::OsStringExt::from_vec(word.to_vec()))
        .collect()
}
