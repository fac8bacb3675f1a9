//! Collecting batches that an MTA has left in files: one file for a system, to which it appends (Exim's `appendfile` with
//! `use_bsmtp`), or a directory for a system with a file for a message (smail; Exim with `$message_exim_id` in the file's name, or
//! `maildir_format`).
//!
//! Station: sender. A batch is never read where the MTA writes it. Under the MTA's own locks it is moved to a name that no
//! MTA knows, `SYSTEM.batch.UNIQUE`; then its messages are queued; then it goes. That name is what makes it happen once: after
//! a crash whoever collects next finds it, and the submission record of that name tells what is queued already.
//!
//! # Locks
//! 1. `SYSTEM.lock`, for as long as the move takes and no longer. Exim gives up after ten times three seconds.
//! 2. A write lock (fcntl) on the file, from before the move until the file is gone. An Exim that had opened the file before
//!    fails on this lock, and opens the new one.
//!
//! While both are held, the name must still lead to the file that was locked.

mod batch;
mod drop_box;
mod error;
mod lockfile;

pub use batch::Batch;
pub use drop_box::{DropBox, Found, Waiting};
pub use error::CollectError;

/// Something that no other process has: time, process, count.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{:x}{:06x}-{:x}-{:x}",
        time.as_secs(),
        time.subsec_micros(),
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

#[cfg(test)]
mod tests;
