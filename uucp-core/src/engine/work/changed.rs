//! Files of users that have changed since they may have been offered.
//!
//! A file that is sent from where it lies, or that is linked into the spool, can change between two attempts. A peer that
//! has a part of it would go on from there, and have a file that never was. So it is offered under a new name, under which
//! the peer has nothing.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::WorkQueue;
use crate::engine::paths;
use crate::name::{SpoolName, TempName};
use crate::spool::{SpoolError, WorkFile};
use crate::wire::command::{Request, SendRequest};

impl WorkQueue {
    /// Reads a work file, with new temporary names for files that are younger than it is. The name that is given makes it
    /// younger than they are.
    pub(super) fn read_work(&self, name: &SpoolName) -> Result<WorkFile, SpoolError> {
        let work = self.spool.read_work(&self.system, name)?;
        let changed = self.changed_files(&work);
        if changed.is_empty() {
            return Ok(work);
        }
        for temp in &changed {
            let fresh = self.spool.rename_offer(&work.job, temp)?;
            tracing::debug!(target: "uucp::spooldir", %temp, %fresh, "changed since it was offered");
        }
        self.spool.read_work(&self.system, name)
    }

    fn changed_files(&self, work: &WorkFile) -> Vec<SpoolName> {
        let requests = work.requests.iter().filter_map(|request| match request {
            Request::Send(send) => Some(send),
            Request::Execute(execute) => Some(&execute.file),
            Request::Receive(_) | Request::Expand(_) => None,
        });
        let mut written = None;
        requests
            .filter_map(|send| {
                let temp = TempName::parse(&send.temp)?;
                let changed = self.last_change(send, temp.as_spool_name())?;
                // Where nothing can change, the work file is not looked at either.
                let written = *written.get_or_insert_with(|| {
                    let path = self.spool.data_path(&self.system, &work.job.work);
                    std::fs::metadata(path).ok()?.modified().ok()
                });
                (changed >= written?).then(|| temp.as_spool_name().clone())
            })
            .collect()
    }

    /// When a file of a user's last changed; `None` for what is ours alone, and for what is not there.
    fn last_change(&self, send: &SendRequest, temp: &SpoolName) -> Option<SystemTime> {
        if send.options.contains(b'C') {
            let file = std::fs::metadata(self.spool.data_path(&self.system, temp)).ok()?;
            // One that was refused has a second name of our own; any other is a user's.
            let shared = match file.nlink() {
                0 | 1 => false,
                2 => !self.spool.is_preserved(&self.system, temp),
                _ => true,
            };
            // The link itself is younger than the work file may be, so only the content counts.
            return shared.then(|| file.modified().ok()).flatten();
        }
        let path = paths::absolute(&send.from, &self.limits.pubdir)?;
        let file = std::fs::metadata(path).ok()?;
        // An older file that was moved to its place has changed too.
        file.modified().ok().max(state_changed(&file))
    }
}

/// When a file's content, name or mode last changed.
pub(in crate::engine) fn state_changed(file: &Metadata) -> Option<SystemTime> {
    let seconds = Duration::from_secs(u64::try_from(file.ctime()).ok()?);
    let rest = Duration::from_nanos(u64::try_from(file.ctime_nsec()).ok()?);
    UNIX_EPOCH.checked_add(seconds + rest)
}
