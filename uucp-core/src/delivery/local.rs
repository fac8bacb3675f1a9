//! Mail of our own making: reports and notes that wait in the spool's local-mail queue until the MTA takes them.

use std::time::Instant;

use super::settle::Consignment;
use super::{Message, Receiver, Surroundings};
use crate::address::{Address, Envelope, ReversePath};
use crate::clock;
use crate::config::mail::MailConfig;
use crate::report::note;
use crate::spool::{LocalMail, LocalMailDraft, Spool, SpoolError};
use crate::stop;

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
/// A mail that is refused for good is set aside: nearly all of them are reports, and nobody reports about a report. A file
/// that is no such mail goes to `.Corrupt/`, and the postmaster is told.
///
/// # Errors
/// When the queue cannot be read, or a file of it could not be understood; the others were handed over all the same.
pub fn deliver_local_queue(spool: &Spool, config: &MailConfig) -> Result<usize, SpoolError> {
    drain(spool, config, usize::MAX, None)
}

/// As [`deliver_local_queue`], for a program that has something else to do and nobody after it who would: no more than
/// `most` mails, none begun after `until`, and none after the first that is put off, since the MTA will put off the others.
///
/// # Errors
/// As for [`deliver_local_queue`].
pub fn deliver_some_local_mail(
    spool: &Spool,
    config: &MailConfig,
    most: usize,
    until: Instant,
) -> Result<usize, SpoolError> {
    drain(spool, config, most, Some(until))
}

fn drain(
    spool: &Spool,
    config: &MailConfig,
    most: usize,
    until: Option<Instant>,
) -> Result<usize, SpoolError> {
    let names = spool.local_mail_names()?;
    if names.is_empty() {
        return Ok(0);
    }
    let around = Surroundings::new(config, spool.nodename(), spool.root());
    let Ok(mut receiver) = Receiver::new(config, Some(spool), around, None, clock::now()) else {
        return Ok(names.len());
    };
    // Whoever cannot hold them hands over all the same: a double is better than a loss.
    let _ = stop::hold();
    let (mut left, mut garbage) = (names.len(), None);
    for name in names.iter().take(most) {
        if stop::is_asked() || until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let mail = match spool.take_local_mail(name) {
            Ok(Some(mail)) => mail,
            Ok(None) => {
                left -= 1;
                continue;
            }
            Err(error @ SpoolError::Corrupt { .. }) => {
                left -= 1;
                tell_of_garbage(spool, config, &error)?;
                garbage = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if hand_over(&mut receiver, name, &mail) {
            mail.remove()?;
            left -= 1;
        } else if until.is_some() {
            break;
        }
    }
    garbage.map_or(Ok(left), Err)
}

/// Somebody's report or note is lost to whoever it was for; a person can still read it.
fn tell_of_garbage(
    spool: &Spool,
    config: &MailConfig,
    error: &SpoolError,
) -> Result<(), SpoolError> {
    let text = format!(
        "A mail that waited in the spool for this system's MTA, most likely a report, cannot be read. It is kept:\n\n{error}\n"
    );
    note::tell_postmaster(spool, config, "UUCP mail that cannot be read", &text)
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
        is_last_try: false,
        unfit: &[],
        verdict: None,
        asked: None,
    });
    settled.deferred.is_none()
}
