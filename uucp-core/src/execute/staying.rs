//! A command that has done a job and waits for the next: which jobs it may be given, and when it is told to go.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::child::Running;
use crate::name::SystemName;

/// So many jobs one process does: what it has forgotten to give back, it gives back then.
const MOST_JOBS: u32 = 100;
/// For so long it may wait: what it has open, a session with an MTA say, may be gone after that.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What all jobs of one process have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// The program's file.
    pub(super) program: PathBuf,
    /// The system that the jobs came from: for a receiver, whose mail it is.
    pub(super) system: SystemName,
}

/// A command that waits.
#[derive(Debug)]
pub(super) struct Staying {
    running: Option<Running>,
    kind: Kind,
    jobs: u32,
    since: Instant,
}

impl Staying {
    /// A command that has just done its first job.
    pub(super) fn new(running: Running, kind: Kind) -> Self {
        Self {
            running: Some(running),
            kind,
            jobs: 1,
            since: Instant::now(),
        }
    }

    /// Whether it may be given another job of this kind.
    pub(super) fn takes(&self, kind: &Kind) -> bool {
        self.kind == *kind && self.jobs < MOST_JOBS && self.since.elapsed() < LONGEST_WAIT
    }

    /// Gives it another job; what runs is to be given back when it stays again.
    ///
    /// # Errors
    /// When it has gone.
    pub(super) fn start(
        &mut self,
        job: &[u8],
        stdin: &File,
        lock: BorrowedFd<'_>,
        time_limit: Duration,
    ) -> io::Result<Running> {
        let mut running = self.running.take().ok_or(io::ErrorKind::NotConnected)?;
        if let Err(error) = running.go_on(job, stdin.as_fd(), lock, time_limit) {
            self.running = Some(running);
            return Err(error);
        }
        Ok(running)
    }

    /// It has done that one as well.
    pub(super) fn again(&mut self, running: Running) {
        self.running = Some(running);
        self.jobs += 1;
        self.since = Instant::now();
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.dismiss();
        }
    }
}
