//! A file that grows is written out while it does: the sync at its end then finds little left to do, and the disk has worked
//! while the line was busy.

use std::fs::File;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// How much has to be new before it is written out. Less would make many small writes of one long one; the last of it is
/// what the sync still waits for.
const STEP: u64 = 8 << 20;

/// How far a growing file has been handed to the disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WriteOut {
    begun: u64,
}

impl WriteOut {
    /// Of a file of which so many bytes were there before.
    pub(super) fn after(begun: u64) -> Self {
        Self { begun }
    }

    /// The file has grown up to here; whether there was enough to start with.
    pub(super) fn grown(&mut self, file: &File, end: u64) -> bool {
        let is_due = end.saturating_sub(self.begun) >= STEP;
        if is_due {
            self.start(file, end);
        }
        is_due
    }

    /// The file is complete: what is new is written out, without waiting. Several files that are synced after this share the
    /// journal's commit.
    pub(super) fn start(&mut self, file: &File, end: u64) {
        let bounds = (i64::try_from(self.begun), i64::try_from(end));
        if let (Ok(begun), Ok(end)) = bounds {
            // `POSIX_FADV_DONTNEED` begins to write on Linux; elsewhere it does no harm. What is clean already it would throw
            // out of memory, though whoever the file is for reads it soon: so each byte is told of once.
            let length = end.saturating_sub(begun);
            let _ = posix_fadvise(file, begun, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
        self.begun = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_told_of_in_steps_and_no_byte_twice() {
        let file = tempfile::tempfile().unwrap();
        let mut out = WriteOut::default();
        assert!(!out.grown(&file, STEP - 1));
        assert!(out.grown(&file, STEP));
        assert!(!out.grown(&file, 2 * STEP - 1));
        assert!(out.grown(&file, 2 * STEP + 5));
        assert_eq!(out.begun, 2 * STEP + 5);
        out.start(&file, 2 * STEP + 6);
        assert_eq!(out.begun, 2 * STEP + 6);
        // What was kept of an earlier attempt is not new.
        assert!(!WriteOut::after(STEP).grown(&file, 2 * STEP - 1));
        assert!(WriteOut::after(STEP).grown(&file, 2 * STEP));
    }
}
