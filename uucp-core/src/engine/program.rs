//! Chat programs: run with the line as their standard input and output.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::desk::Desk;
use crate::config::chat::{ProgramItem, ProgramWord};
use crate::name::SystemName;
use crate::port::{Port, spawn};
use crate::spool::Severity;

/// Runs a chat program to its end; whether it ended well. What it says on standard error goes into the log.
pub(super) fn run(port: &dyn Port, words: &[ProgramWord], desk: &mut Desk<'_>) -> bool {
    let words: Vec<Vec<u8>> = words.iter().map(|word| expand(word, desk)).collect();
    match start(port, &words, desk) {
        Ok(good) => good,
        Err(error) => {
            let name = words.first().map(|word| word.escape_ascii().to_string());
            desk.complain(&format!("{}: {error}", name.unwrap_or_default()));
            false
        }
    }
}

fn start(port: &dyn Port, words: &[Vec<u8>], desk: &mut Desk<'_>) -> std::io::Result<bool> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(true);
    };
    let (input, output) = port.descriptors();
    let (input, output) = (input.try_clone_to_owned()?, output.try_clone_to_owned()?);
    // The program expects a line that waits; the flag is shared, so it is put back.
    let before = OFlag::from_bits_retain(fcntl(&input, FcntlArg::F_GETFL)?);
    let blocking = before.difference(OFlag::O_NONBLOCK);
    fcntl(&input, FcntlArg::F_SETFL(blocking))?;
    fcntl(&output, FcntlArg::F_SETFL(blocking))?;
    let (input_again, output_again) = (input.try_clone()?, output.try_clone()?);
    let mut command = Command::new(OsStr::from_bytes(program));
    command
        .args(arguments.iter().map(|word| OsStr::from_bytes(word)))
        .stdin(Stdio::from(File::from(input)))
        .stdout(Stdio::from(File::from(output)))
        .stderr(Stdio::piped());
    let result = spawn(&mut command).and_then(|mut child| {
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                desk.log(None, Severity::Info, &format!("chat: {line}"));
            }
        }
        child.wait()
    });
    let nonblocking = blocking | OFlag::O_NONBLOCK;
    fcntl(&input_again, FcntlArg::F_SETFL(nonblocking))?;
    fcntl(&output_again, FcntlArg::F_SETFL(nonblocking))?;
    Ok(result?.success())
}

fn expand(word: &ProgramWord, desk: &Desk<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for item in &word.0 {
        match item {
            ProgramItem::Text(text) => out.extend_from_slice(text),
            ProgramItem::Login => out.extend_from_slice(&desk.words.login),
            ProgramItem::Password => out.extend_from_slice(desk.words.password.expose()),
            ProgramItem::Phone => out.extend_from_slice(&desk.words.phone),
            ProgramItem::TranslatedPhone => {
                out.extend_from_slice(&desk.words.translated_phone);
            }
            ProgramItem::Port => out.extend_from_slice(desk.line.name.as_bytes()),
            ProgramItem::System => {
                let name = desk.neighbour.as_ref().map(|one| &one.system.name);
                let name = name.or(desk.system.as_ref());
                out.extend_from_slice(name.map(SystemName::as_bytes).unwrap_or_default());
            }
            ProgramItem::Speed => out.extend_from_slice(b"0"),
        }
    }
    out
}
