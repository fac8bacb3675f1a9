//! One message on its way into the outbox.

use std::io::Write;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit};
use uucp_core::bsmtp::{Transaction, Verb};
use uucp_core::outbox::OutboxDraft;
use uucp_core::report::RETURN_LIMIT;
use uucp_core::send::{Refusal, report};
use uucp_core::spool::{
    Delivery, EntryName, Journal, LocalMailDraft, SealedMessage, Severity, Spool, SpoolError,
    SubmissionKey,
};
use uucp_core::sysexits::{Failure, Status};

use crate::fingerprint::Fingerprint;
use crate::link::Link;

/// More messages in a round of syncs gain nothing.
const LARGEST_GROUP: usize = 512;

/// How many messages can be in the making at a time: each holds a file open.
pub(crate) fn group_size() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
    usize::try_from(limit / 2)
        .unwrap_or(LARGEST_GROUP)
        .clamp(16, LARGEST_GROUP)
}

/// One message on its way into the outbox.
pub(crate) struct Message<'a> {
    link: &'a Link<'a>,
    spool: &'a Spool,
    transaction: Transaction,
    draft: OutboxDraft,
    fingerprint: Fingerprint,
    size: u64,
    /// The beginning, for a report.
    head: Vec<u8>,
}

/// A message that is written to its end, with what its sender is told.
pub(crate) struct Ready {
    pub(crate) message: Option<SealedMessage>,
    /// Its name in the outbox.
    pub(crate) name: Option<EntryName>,
    pub(crate) report: Option<Vec<u8>>,
    /// Who gets the report.
    pub(crate) to: Vec<Vec<u8>>,
    pub(crate) refusals: Vec<Refusal>,
    /// For the log.
    pub(crate) shown: String,
}

impl<'a> Message<'a> {
    pub(crate) fn begin(
        link: &'a Link<'a>,
        spool: &'a Spool,
        transaction: Transaction,
    ) -> Result<Self, Failure> {
        let draft = OutboxDraft::new(spool, &link.system).map_err(|e| of_spool(&e))?;
        Ok(Self {
            link,
            spool,
            transaction,
            draft,
            fingerprint: Fingerprint::new(),
            size: 0,
            head: Vec::new(),
        })
    }

    /// Takes more of the content. What is over the limit is only counted.
    pub(crate) fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.size += text.len() as u64;
        self.fingerprint.update(text);
        let room = (RETURN_LIMIT + 1).saturating_sub(self.head.len());
        self.head
            .extend_from_slice(text.get(..room).unwrap_or(text));
        if self.is_too_large() {
            return Ok(());
        }
        self.draft
            .write_all(text)
            .map_err(|error| Failure::temporary(format!("cannot spool the message: {error}")))
    }

    fn is_too_large(&self) -> bool {
        let limit = self.link.sending.size_limit;
        limit.is_some_and(|limit| self.size > limit)
    }

    /// Queues what no earlier run has queued. `alone`: the exit status is about this message only.
    pub(crate) fn submit(
        mut self,
        number: u64,
        alone: bool,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let key = self.key(number);
        let mut refusals = self.refusals();
        if alone
            && self.transaction.recipients.is_empty()
            && let Some(first) = refusals.first()
        {
            return Err(Failure::new(first.status, first.reason.clone()));
        }
        let submission = self
            .spool
            .begin_submission(&key, deadline)
            .map_err(|e| of_spool(&e))?;
        let recipients = &mut self.transaction.recipients;
        recipients.retain(|r| !submission.is_covered(r.address.as_bytes()));
        refusals.retain(|refusal| !submission.is_covered(&refusal.given));
        if recipients.is_empty() && refusals.is_empty() {
            return Ok(());
        }
        let covered: Vec<Vec<u8>> = recipients
            .iter()
            .map(|r| r.address.as_bytes().to_vec())
            .chain(refusals.iter().map(|refusal| refusal.given.clone()))
            .collect();
        let covered: Vec<&[u8]> = covered.iter().map(Vec::as_slice).collect();
        let sender = self.transaction.sender.clone();
        let to: Vec<Vec<u8>> = sender
            .address()
            .map(|address| address.as_bytes().to_vec())
            .into_iter()
            .collect();
        let report = self.report(&refusals)?;
        let mails: Vec<LocalMailDraft<'_>> = report
            .iter()
            .map(|content| LocalMailDraft {
                sender: b"",
                recipients: &to,
                content,
            })
            .collect();
        let (link, shown) = (self.link, self.transaction.summary());
        let messages = self.seal()?.into_iter().collect();
        let queued = submission
            .commit(Delivery {
                recipients: &covered,
                messages,
                mails: &mails,
                ..Delivery::default()
            })
            .map_err(|e| of_spool(&e))?;
        let mut journal = Journal::open(link.config, "exim-bsmtp");
        log(
            &mut journal,
            link,
            queued.messages.first(),
            &shown,
            &refusals,
        );
        Ok(())
    }

    /// What is needed to queue it together with others; `None` when nobody gets it and nobody can be told.
    ///
    /// # Errors
    /// When it cannot be written; [`Status::DataError`] when no outbox can hold it.
    pub(crate) fn ready(mut self) -> Result<Option<Ready>, Failure> {
        let refusals = self.refusals();
        let report = self.report(&refusals)?;
        if self.transaction.recipients.is_empty() && report.is_none() {
            return Ok(None);
        }
        let to = self.transaction.sender.address();
        let to = to.map(|address| address.as_bytes().to_vec());
        let shown = self.transaction.summary();
        let message = self.seal()?;
        Ok(Some(Ready {
            name: message.as_ref().map(|message| message.name().clone()),
            message,
            report,
            to: to.into_iter().collect(),
            refusals,
            shown,
        }))
    }

    /// What makes two runs the same message: the MTA's id, the sender, the content. Without an id, a `Received:` line says
    /// that nobody has sent the same twice; where there is none, every run counts.
    fn key(&mut self, number: u64) -> SubmissionKey {
        let fingerprint = std::mem::replace(&mut self.fingerprint, Fingerprint::new());
        let (content_hash, traced) = fingerprint.finish();
        let mut message_id = match self.link.id {
            [] if traced => b"received".to_vec(),
            [] => {
                let (process, now) = (std::process::id(), self.link.date.timestamp());
                format!("{process}.{now}.{number}").into_bytes()
            }
            id => [b"id ", id].concat(),
        };
        message_id.push(0);
        message_id.extend_from_slice(self.transaction.sender.as_bytes());
        SubmissionKey {
            message_id,
            content_hash,
            system: self.link.system.clone(),
        }
    }

    /// Who cannot get it; of a message that is too large nobody can.
    fn refusals(&mut self) -> Vec<Refusal> {
        let refused = std::mem::take(&mut self.transaction.refused);
        let mut refusals: Vec<Refusal> = refused
            .into_iter()
            .filter(|refused| refused.verb == Verb::Rcpt)
            .map(|refused| Refusal {
                reason: format!("{}: {}", refused.text.escape_ascii(), refused.reason),
                given: refused.text,
                status: Status::BadAddress,
            })
            .collect();
        if self.is_too_large() {
            let limit = self.link.sending.size_limit.unwrap_or_default();
            let reason =
                format!("the message is larger than {limit} bytes, the limit of this link");
            let recipients = std::mem::take(&mut self.transaction.recipients);
            refusals.extend(recipients.into_iter().map(|recipient| Refusal {
                given: recipient.address.as_bytes().to_vec(),
                status: Status::TooLarge,
                reason: reason.clone(),
            }));
        }
        refusals
    }

    /// The message for those who get it; none where nobody does.
    fn seal(self) -> Result<Option<SealedMessage>, Failure> {
        if self.transaction.recipients.is_empty() {
            return Ok(None);
        }
        let priority = self.transaction.parameters.mt_priority;
        let grade = self.link.sending.grade_with_priority(self.size, priority);
        let sealed = self.draft.seal(&self.transaction, grade);
        sealed.map(Some).map_err(|e| of_spool(&e))
    }

    fn report(&self, refusals: &[Refusal]) -> Result<Option<Vec<u8>>, Failure> {
        let link = self.link;
        let sender = &self.transaction.sender;
        let date = link.date.clone();
        report(sender, refusals, &self.head, link.config, &link.mail, date)
    }
}

/// What the spool refuses is temporary, unless the message itself is the reason.
pub(crate) fn of_spool(error: &SpoolError) -> Failure {
    match error {
        SpoolError::Unqueueable { .. } => Failure::new(Status::DataError, error.to_string()),
        _ => Failure::temporary(error),
    }
}

pub(crate) fn log(
    journal: &mut Journal,
    link: &Link<'_>,
    queued: Option<&EntryName>,
    shown: &str,
    refusals: &[Refusal],
) {
    let mut write = |severity, text: &str| {
        let (system, user) = (Some(&link.system), Some(&*link.user));
        journal.log(system, user, severity, text);
    };
    if let Some(name) = queued {
        write(Severity::Info, &format!("Queuing message {name} {shown}"));
    }
    for refusal in refusals {
        let text = format!(
            "Refused {}: {}",
            refusal.given.escape_ascii(),
            refusal.reason
        );
        write(Severity::Error, &text);
    }
}
