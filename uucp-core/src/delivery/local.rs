//! Mail of our own making: reports and notes that wait in the spool's local-mail queue until the MTA takes them.

use crate::config::mail::MailConfig;
use crate::spool::{LocalMailDraft, Spool, SpoolError};

/// Queues one mail durably, then tries to hand over whatever waits. Once it is queued, an MTA that is down is no error.
///
/// # Errors
/// When it cannot be queued.
pub fn local_mail(
    config: &MailConfig,
    spool: &Spool,
    mail: &LocalMailDraft<'_>,
) -> Result<(), SpoolError> {
    spool.enqueue_local_mail(mail)?;
    let _ = deliver_local_queue(spool, config);
    Ok(())
}

/// Hands over the mail that waits in the spool's local-mail queue; returns how many are left for another time.
///
/// # Errors
/// When the queue cannot be read.
pub fn deliver_local_queue(spool: &Spool, config: &MailConfig) -> Result<usize, SpoolError> {
    let _ = (spool, config);
    todo!()
}
