//! Mail of our own making: reports and notes that wait in the spool's local-mail queue until the MTA takes them.

use jiff::Zoned;

use super::settle::Consignment;
use super::{Message, Receiver, Surroundings};
use crate::address::{Address, Envelope, ReversePath};
use crate::config::mail::MailConfig;
use crate::spool::{LocalMail, LocalMailDraft, Spool, SpoolError};

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
/// A mail that is refused for good is set aside: nearly all of them are reports, and nobody reports about a report.
///
/// # Errors
/// When the queue cannot be read.
pub fn deliver_local_queue(spool: &Spool, config: &MailConfig) -> Result<usize, SpoolError> {
    let names = spool.local_mail_names()?;
    if names.is_empty() {
        return Ok(0);
    }
    let around = Surroundings::new(config, spool.nodename(), spool.root());
    let Ok(mut receiver) = Receiver::new(config, Some(spool), around, None, Zoned::now()) else {
        return Ok(names.len());
    };
    let mut left = 0;
    for name in names {
        let Some(mail) = spool.take_local_mail(&name)? else {
            continue;
        };
        if hand_over(&mut receiver, &name, &mail) {
            mail.remove()?;
        } else {
            left += 1;
        }
    }
    Ok(left)
}

/// Whether the mail is done.
fn hand_over(receiver: &mut Receiver<'_>, name: &str, mail: &LocalMail) -> bool {
    let envelope = Envelope {
        sender: ReversePath::parse(&mail.sender).unwrap_or(ReversePath::Null),
        recipients: mail
            .recipients
            .iter()
            .filter_map(|recipient| Address::parse(recipient).ok())
            .collect(),
    };
    let settled = receiver.settle(&Consignment {
        envelope: &envelope,
        message: &Message::from_bytes(mail.content.clone()),
        job: name.as_bytes(),
        is_recognisable: false,
        unfit: &[],
        verdict: None,
        asked: None,
    });
    settled.deferred.is_none()
}
