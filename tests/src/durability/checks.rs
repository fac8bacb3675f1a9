//! The rules: which answer stands on what.

mod calls;
mod jobs;
mod senders;

use std::path::{Path, PathBuf};

pub use self::calls::*;
pub use self::jobs::*;
pub use self::senders::*;
use super::Disk;
use crate::strace::Call;

/// What a check found: how often the answers were given, and what was wrong at any of them.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many answers were looked at; 0 means that the check has seen nothing.
    pub answers: usize,
    /// Each wrong one, with the line of the log.
    pub wrong: Vec<String>,
}

impl Findings {
    fn answer(&mut self, line: usize, what: &str, at_risk: &[String]) {
        self.answers += 1;
        for risk in at_risk {
            self.wrong.push(format!("line {line}: {what}, but {risk}"));
        }
    }

    /// A file goes; too early, if there is a reason to say so.
    fn removal(&mut self, line: usize, path: &Path, early: Option<&String>) {
        let what = format!("{} is removed", path.display());
        self.answer(
            line,
            &what,
            early.map(std::slice::from_ref).unwrap_or_default(),
        );
    }

    /// Panics unless at least `least` answers were seen, and all were right.
    #[track_caller]
    pub fn expect_right(&self, what: &str, least: usize) {
        assert!(
            self.answers >= least,
            "{what}: only {} of {least} answers were seen",
            self.answers
        );
        assert!(self.wrong.is_empty(), "{what}:\n{}", self.wrong.join("\n"));
    }
}

fn unlinked(disk: &Disk, pid: u32, call: &Call) -> Option<PathBuf> {
    match call.name.as_str() {
        "unlink" => disk.path(pid, call, None, 0),
        "unlinkat" => disk.path(pid, call, Some(0), 1),
        _ => None,
    }
}

fn is_sending(call: &Call) -> bool {
    matches!(
        call.name.as_str(),
        "write" | "writev" | "sendto" | "sendmsg"
    ) && is_line(call)
}

fn is_line(call: &Call) -> bool {
    call.descriptor_path(0).is_some_and(|path| {
        ["socket:", "pipe:", "TCP:", "TCPv6:"]
            .iter()
            .any(|kind| path.starts_with(kind))
    })
}
