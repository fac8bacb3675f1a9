//! What the process that answers a call tells the server that started it, a byte each.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

const LOGGED_IN: u8 = b'L';
const WRONG_PASSWORD: u8 = b'W';

/// One thing told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// A known system has come in.
    LoggedIn,
    /// A password was wrong.
    WrongPassword,
}

/// The way to the server, in the process that answers.
#[derive(Debug)]
pub struct ToServer(File);

impl ToServer {
    /// What was standard output.
    #[must_use]
    pub fn new(output: OwnedFd) -> Self {
        Self(output.into())
    }

    /// A known system has come in.
    pub(in crate::engine) fn logged_in(&mut self) {
        self.tell(LOGGED_IN);
    }

    /// A password was wrong.
    pub(in crate::engine) fn wrong_password(&mut self) {
        self.tell(WRONG_PASSWORD);
    }

    fn tell(&mut self, byte: u8) {
        // The server may have ended; the call goes on.
        let _ = self.0.write_all(&[byte]);
    }
}

/// Reads what there is; and whether more may come.
pub(super) fn read(mut input: impl Read) -> (Vec<Report>, bool) {
    let mut reports = Vec::new();
    let mut buffer = [0; 64];
    loop {
        let bytes = match input.read(&mut buffer) {
            Ok(0) => return (reports, false),
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return (reports, error.kind() == std::io::ErrorKind::WouldBlock),
        };
        reports.extend(bytes.iter().filter_map(|byte| match *byte {
            LOGGED_IN => Some(Report::LoggedIn),
            WRONG_PASSWORD => Some(Report::WrongPassword),
            _ => None,
        }));
    }
}
