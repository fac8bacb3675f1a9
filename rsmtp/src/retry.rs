//! `--retry`: kept messages are offered again, and reports that wait in the spool.

use std::process::ExitCode;

use uucp_core::delivery::deliver_local_queue;
use uucp_core::receive::{Site, retry};
use uucp_core::spool::{Journal, Severity};
use uucp_core::sysexits::Failure;

use crate::run::say;
use crate::unbatch::said;

/// Offers what is due, or with `all` whatever waits.
pub(crate) fn run(site: &Site, all: bool) -> Result<ExitCode, Failure> {
    let tally = retry::run(site, all)?;
    if let Some(spool) = &site.spool {
        deliver_local_queue(spool, &site.mail).map_err(Failure::temporary)?;
    }
    let said = said(&tally);
    if tally.delivered + tally.refused + tally.waiting > 0 {
        let text = format!(
            "kept messages: {} delivered, {} refused, {} wait on",
            tally.delivered, tally.refused, tally.waiting
        );
        let mut journal = Journal::open(&site.config, "rsmtp");
        journal.log(None, None, Severity::Info, &text);
        for aside in &tally.aside {
            journal.log(None, None, Severity::Error, aside);
        }
    }
    if let Some(trouble) = tally.trouble {
        return Err(Failure::temporary(trouble));
    }
    say("rsmtp", said.as_deref());
    Ok(ExitCode::SUCCESS)
}
