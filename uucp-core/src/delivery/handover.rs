//! One way to hand mail over, from the choice to the outcome of every recipient.

use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::choice::{Choice, NoWay, Surroundings};
use super::maildir::Maildir;
use super::offer::{Offer, Success};
use super::parts::Parts;
use super::sendmail::Sendmail;
use super::smtp::{self, AtEase, Meanwhile, Recipient, Smtp, Transact, Transacted, Transaction};
use super::{Message, Outcome, Record, Reply};
use crate::address::{Address, BangPath, Envelope};
use crate::config::mail::DeliverySettings;

/// A way to hand mail over, chosen and ready; an SMTP session stays open from one message to the next.
#[derive(Debug)]
pub struct Handover {
    pub(super) way: Way,
    pub(super) domain: Option<String>,
    pub(super) scratch: PathBuf,
}

#[derive(Debug)]
pub(super) enum Way {
    Smtp(Box<Smtp>),
    Batch(Batch),
    Sendmail(Sendmail),
    Maildir(Maildir),
}

/// What an offer came to.
#[derive(Debug)]
pub(super) enum Offered {
    /// It was offered.
    Done(Done),
    /// No session could be opened, so nobody was offered anything.
    NoSession(Reply),
}

/// Outcomes of one message.
#[derive(Debug)]
pub(super) struct Done {
    /// In the envelope's order.
    pub(super) outcomes: Vec<Outcome>,
    /// Positions of those who have it and are not recorded yet.
    pub(super) unrecorded: Vec<usize>,
    /// The MTA went away over it.
    pub(super) is_broken: bool,
}

impl Handover {
    /// Chooses the way: the method that is set, else the one whose setting stands alone, else what is found. Then, in this
    /// order: with the `sendmail` of Postfix, Exim, Sendmail or OpenSMTPD, their port 25 on 127.0.0.1 if it answers and the command if not;
    /// with msmtp's, dma's or nullmailer's, the command; without any `sendmail`, port 25 if it answers, else the Maildir, unless
    /// there are traces of an MTA: one that is just being upgraded must not find its mail where nobody looks.
    ///
    /// # Errors
    /// When it is in doubt, says what to set.
    pub fn choose(settings: &DeliverySettings, around: &Surroundings) -> Result<Self, NoWay> {
        Choice::here(settings, around).make()
    }

    /// The same way once more, with a session of its own.
    pub(super) fn another(&self) -> Self {
        let way = match &self.way {
            Way::Smtp(smtp) => Way::Smtp(Box::new(smtp.another())),
            Way::Batch(batch) => Way::Batch(batch.another()),
            Way::Sendmail(sendmail) => Way::Sendmail(sendmail.clone()),
            Way::Maildir(maildir) => Way::Maildir(maildir.clone()),
        };
        Self {
            way,
            domain: self.domain.clone(),
            scratch: self.scratch.clone(),
        }
    }

    /// Offers a message to every recipient of its envelope; the outcomes are in their order.
    pub fn deliver(
        &mut self,
        envelope: &Envelope,
        message: &Message,
        record: &mut Record<'_>,
    ) -> Vec<Outcome> {
        self.deliver_offer(&Offer::plain(envelope, message), record)
    }

    /// Offers a message, with what its sender asked for, to every recipient of its envelope; the outcomes are in their order.
    pub fn deliver_offer(&mut self, offer: &Offer<'_>, record: &mut Record<'_>) -> Vec<Outcome> {
        let recipients = &offer.envelope.recipients;
        match self.offer(offer, record, &mut AtEase) {
            Offered::NoSession(reply) => vec![Outcome::Deferred(reply); recipients.len()],
            Offered::Done(done) => {
                let have_it: Vec<_> = done
                    .unrecorded
                    .iter()
                    .filter_map(|index| recipients.get(*index))
                    .collect();
                if !have_it.is_empty() {
                    // All that could still be offered was: an error can stop nothing more.
                    let _ = record(&have_it);
                }
                done.outcomes
            }
        }
    }

    /// Who answers a `NOTIFY=SUCCESS` of the last message.
    #[must_use]
    pub fn success(&self) -> Success {
        match &self.way {
            Way::Smtp(smtp) if smtp.passes_dsn() => Success::Passed,
            Way::Maildir(_) => Success::Delivered,
            _ => Success::Relayed,
        }
    }

    /// Offers a message. All of its parts but the last are recorded when this returns. `meanwhile` is told before anybody is
    /// given content, where possible while the MTA looks at the envelope; and in a dialogue, while the MTA has the content.
    pub(super) fn offer(
        &mut self,
        offer: &Offer<'_>,
        record: &mut Record<'_>,
        meanwhile: &mut dyn Meanwhile,
    ) -> Offered {
        let mut parts = Parts::new(&offer.envelope.recipients);
        let mut is_broken = false;
        let domain = match &self.way {
            // The command completes addresses itself.
            Way::Sendmail(_) => None,
            _ => self.domain.as_deref(),
        };
        if !matches!(self.way, Way::Maildir(_)) {
            let garbles = matches!(&self.way, Way::Smtp(smtp) if smtp.garbles_comments());
            parts.sift(|recipient| misfit(recipient, domain, garbles));
        }
        let session: Option<&mut dyn Transact> = match &mut self.way {
            Way::Smtp(smtp) => Some(&mut **smtp),
            Way::Batch(batch) => Some(batch),
            Way::Sendmail(_) | Way::Maildir(_) => None,
        };
        if let Some(session) = session {
            let ended = in_session(session, domain, offer, &mut parts, record, meanwhile);
            match ended {
                Ok(broken) => is_broken = broken,
                Err(reply) => return Offered::NoSession(reply),
            }
        } else if let Err(reply) = meanwhile.before_content() {
            parts.give_up(&Outcome::Deferred(reply));
        } else if let Way::Sendmail(sendmail) = &self.way {
            by_sendmail(sendmail, &self.scratch, offer, &mut parts, record);
        } else if let Way::Maildir(maildir) = &self.way {
            by_maildir(maildir, domain, offer, &mut parts, record);
        }
        let (outcomes, unrecorded) = parts.end();
        Offered::Done(Done {
            outcomes,
            unrecorded,
            is_broken,
        })
    }
}

/// Whether the server went away over it; an error where there was no session from the first.
fn in_session(
    session: &mut dyn Transact,
    domain: Option<&str>,
    offer: &Offer<'_>,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
    meanwhile: &mut dyn Meanwhile,
) -> Result<bool, Reply> {
    let sender = sender_of(offer.envelope, domain);
    let mut is_first = true;
    while parts.go_on(record) {
        let recipients: Vec<Recipient<'_>> = parts
            .next(smtp::MOST_RECIPIENTS)
            .into_iter()
            .map(|(index, recipient)| Recipient {
                address: said(recipient, domain),
                wishes: offer.wishes.of(index),
            })
            .collect();
        let transaction = Transaction {
            sender: &sender,
            recipients: &recipients,
            wishes: offer.wishes,
            message: offer.message,
        };
        let (outcomes, is_broken) = match session.transact(&transaction, meanwhile) {
            Transacted::Outcomes {
                outcomes,
                is_broken,
            } => (outcomes, is_broken),
            Transacted::NoSession(reply) if is_first => return Err(reply),
            Transacted::NoSession(reply) => {
                parts.give_up(&Outcome::Deferred(reply));
                return Ok(true);
            }
        };
        is_first = false;
        // A server that takes nothing now will not take the next part either.
        let is_hopeless = outcomes
            .iter()
            .all(|o| matches!(o, Some(Outcome::Deferred(_))));
        let last = outcomes.last().cloned().flatten();
        let goes_on = outcomes.iter().any(Option::is_none);
        parts.settle(outcomes);
        if is_hopeless && let Some(outcome) = last {
            parts.give_up(&outcome);
        }
        if is_broken && !goes_on {
            parts.give_up(&Outcome::Deferred(Reply::new(
                "4.4.2",
                "the server went away over another part of the message",
            )));
            return Ok(true);
        }
    }
    Ok(false)
}

fn by_sendmail(
    sendmail: &Sendmail,
    scratch: &Path,
    offer: &Offer<'_>,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
) {
    let file = match offer.message.to_file(scratch) {
        Ok(file) => file,
        Err(error) => {
            let text = format!("cannot write a temporary file: {error}");
            return parts.give_up(&Outcome::Deferred(Reply::new("4.3.0", text)));
        }
    };
    let sender = sender_of(offer.envelope, None);
    while parts.go_on(record) {
        let mut recipients: Vec<Vec<u8>> = parts
            .next(sendmail.most())
            .into_iter()
            .map(|(_, recipient)| said(recipient, None))
            .collect();
        recipients.truncate(sendmail.part(&recipients));
        let outcome = sendmail.call(&sender, &recipients, &file, scratch);
        parts.settle(vec![Some(outcome); recipients.len()]);
    }
}

fn by_maildir(
    maildir: &Maildir,
    domain: Option<&str>,
    offer: &Offer<'_>,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
) {
    while parts.go_on(record) {
        for (_, recipient) in parts.next(1) {
            let mailbox = recipient.to_mailbox(domain);
            // A path leads to another system even where that one has the name of a domain.
            let is_path = recipient.domain().is_none()
                && !BangPath::parse(recipient.as_bytes()).hosts.is_empty();
            let outcome = if is_path || !maildir.serves(&mailbox) {
                let text = "this system has no MTA that could send on to another";
                Outcome::Refused(Reply::new("5.1.2", text))
            } else {
                maildir.deliver(&offer.envelope.sender, &mailbox, offer.message)
            };
            parts.settle(vec![Some(outcome)]);
        }
    }
}

/// The sender as it stands between angle brackets; nothing for the null sender.
fn sender_of(envelope: &Envelope, domain: Option<&str>) -> Vec<u8> {
    let sender = envelope.sender.address();
    sender.map_or_else(Vec::new, |address| said(address, domain))
}

/// The address as the MTA is told it. One that is none is for the MTA to judge: it is the sender's.
fn said(address: &Address, domain: Option<&str>) -> Vec<u8> {
    let mailbox = address.to_mailbox(domain);
    mailbox
        .to_smtp()
        .unwrap_or_else(|_| mailbox.as_bytes().to_vec())
}

/// Why nobody is to be offered a message for this recipient: an MTA might take it for others.
fn misfit(recipient: &Address, domain: Option<&str>, garbles_comments: bool) -> Option<Reply> {
    let text = match recipient.to_mailbox(domain).to_smtp() {
        Err(error) => error.to_string(),
        Ok(said) if garbles_comments && said.iter().any(|b| matches!(b, b'(' | b')')) => {
            format!("Sendmail's command cannot carry {recipient}: it drops what is in parentheses")
        }
        Ok(_) => return None,
    };
    Some(Reply::new("5.1.3", text))
}

#[cfg(test)]
mod tests;
