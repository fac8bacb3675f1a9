//! What a child says, in a file without a name: neither side waits for the other, and what the child leaves running may go on
//! speaking when nobody listens any more. A pipe would end that.
//!
//! Of one that does not stop speaking the beginning is kept, and the rest goes again as it comes, or it would fill the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How much of what a child says is kept, in bytes.
const KEPT: usize = 4096;
/// Up to this the file may grow, in bytes: longer than what anybody says who has anything to say.
const ROOM: u64 = 1 << 20;
/// How often the file is looked at while the child is at work.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// What one child says.
#[derive(Debug)]
pub(super) struct Said(File);

/// Looks after what a child says until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    _ends: mpsc::Sender<()>,
}

impl Said {
    /// Nothing yet.
    pub(super) fn new(scratch: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(scratch).or_else(|_| tempfile::tempfile())?;
        // Else what was cut back would come again as a hole before the next word.
        let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(&file, FcntlArg::F_SETFL(flags | OFlag::O_APPEND))?;
        Ok(Self(file))
    }

    /// For the child's standard output or standard error.
    pub(super) fn for_child(&self) -> io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }

    /// Leaves the beginning of what is too long.
    pub(super) fn cut_back(&self) {
        if self.0.metadata().is_ok_and(|found| found.len() > ROOM) {
            // Whatever keeps it from that, the child is at work and its answer counts.
            let _ = self.0.set_len(KEPT as u64);
        }
    }

    /// Cuts it back from now on, while whoever talks to the child waits elsewhere.
    pub(super) fn watch(&self) -> io::Result<Watch> {
        let said = Self(self.0.try_clone()?);
        let (ends, end) = mpsc::channel::<()>();
        std::thread::Builder::new().spawn(move || {
            while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                said.cut_back();
            }
        })?;
        Ok(Watch { _ends: ends })
    }

    /// The beginning, as one line.
    pub(super) fn line(&self) -> io::Result<String> {
        // Not by the file's position, which the child shares.
        let mut said = vec![0; KEPT];
        let length = self.0.read_at(&mut said, 0)?;
        said.truncate(length);
        let words = String::from_utf8_lossy(&said);
        let words: Vec<&str> = words.split_whitespace().collect();
        Ok(words.join(" "))
    }
}
