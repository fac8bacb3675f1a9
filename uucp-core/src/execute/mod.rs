//! What `uuxqt` does with an execute file: permission, environment, run, retry, report.
//!
//! A run is one process that lists the jobs and hands them out ([`queue`]) and some that run them, one job at a time
//! ([`worker`]); so a run that is killed leaves workers that bring their jobs to an end and note it.

pub mod arguments;
pub mod child;
pub mod environment;
mod files;
mod finish;
mod forward;
pub mod job;
mod line;
pub mod permission;
pub mod queue;
mod report;
pub mod retry;
pub mod series;
mod start;
mod staying;
pub mod worker;

use std::fmt::Write as _;

use crate::config::mail::MailConfig;
use crate::report::note;
use crate::spool::{Journal, Severity, Spool, SpoolError};

/// Lines of a note to the postmaster that name files; the log names all.
const FILES_NAMED: usize = 50;

/// Removes what runs that were killed left behind: the files of jobs that are done, and directories that commands ran in.
///
/// # Errors
/// When the files of jobs cannot be looked through or removed.
pub fn sweep(spool: &Spool) -> Result<(), SpoolError> {
    files::sweep(spool);
    spool.finish_dead_executions()
}

/// Sets aside files that nothing has named for days, and tells the log and the postmaster: among them may be mail.
///
/// # Errors
/// When the spool cannot be looked through, or the note cannot be queued.
pub fn keep_unnamed(
    spool: &Spool,
    mail: &MailConfig,
    journal: &mut Journal,
) -> Result<(), SpoolError> {
    let (mut lines, mut kept) = (String::new(), 0);
    for one in spool.collect_unnamed()? {
        // A lock in the making is nobody's loss.
        let Some(to) = &one.to else {
            continue;
        };
        let (from, to) = (one.from.display(), to.display());
        let text = format!("{from} was named by no job for eight days; kept as {to}");
        journal.log(one.system.as_ref(), None, Severity::Error, &text);
        kept += 1;
        if kept <= FILES_NAMED {
            let _ = writeln!(lines, "{to}");
        }
    }
    if kept == 0 {
        return Ok(());
    }
    let text = format!(
        "{kept} files lay in the spool for eight days and no job named them. A crash can leave copies of what was done, but \
         also mail whose job never came. They are kept, and deleted by nobody but you:\n\n{lines}"
    );
    note::tell_postmaster(spool, mail, "UUCP files without a job", &text)
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
