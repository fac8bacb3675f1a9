//! What `uuxqt` does with an execute file: permission, environment, run, retry, report.
//!
//! A run is one process that lists the jobs and hands them out ([`queue`]) and some that run them, one job at a time
//! ([`worker`]); so a run that is killed leaves workers that bring their jobs to an end and note it.

pub mod arguments;
pub mod child;
pub mod environment;
mod files;
mod finish;
pub mod job;
pub mod permission;
pub mod queue;
mod report;
pub mod retry;
pub mod worker;

use crate::config::mail::MailConfig;
use crate::report::note;
use crate::spool::{Spool, SpoolError};

/// Removes what runs that were killed left behind.
pub fn sweep(spool: &Spool) {
    files::sweep(spool);
}

/// Tells the postmaster, once an hour, about failures that were too many to be told about one by one.
///
/// # Errors
/// When the note cannot be queued.
pub fn tell_of_untold(
    spool: &Spool,
    mail: &MailConfig,
    tally: &queue::Tally,
) -> Result<(), SpoolError> {
    for (system, count) in &tally.untold {
        if !spool.may_note("summaries", system, 1)? {
            continue;
        }
        let text = format!(
            "{count} more jobs of system {system} failed, too many to report each. Of those of the next hour nothing is told.\n\
             They are kept in {}/.Failed/{system}/ and .Corrupt/; the log says why they failed.\n",
            spool.root().display()
        );
        note::tell_postmaster(spool, mail, "UUCP executions failed", &text)?;
    }
    Ok(())
}
