//! One message that has come, and where they come from.

use std::time::Duration;

use super::kept::Retry;
use crate::address::{Address, Envelope};
use crate::bsmtp::{Returned, Transaction};
use crate::config::mail::Policy;
use crate::delivery::{Consignment, Identity, Message, Plan, RecipientWishes, Reply, Wishes};
use crate::spool::ObservedTime;

/// Where messages come from.
pub trait Source: Send {
    /// The next message; `None` when there are no more.
    fn next(&mut self) -> Option<Mail>;
}

/// One message to hand over.
#[derive(Debug)]
pub struct Mail {
    /// What it is in the ledger.
    pub identity: Identity,
    /// What it is kept under, where it has to wait.
    pub name: Identity,
    /// Its envelope and what its sender asked for.
    pub transaction: Transaction,
    /// The message, with our trace line.
    pub message: Message,
    /// Words that stood among the recipients and are no addresses, in a form that a report can show.
    pub unfit: Vec<Address>,
    /// Why nobody may get it, where that is known before it is offered.
    pub verdict: Option<Reply>,
    /// Since when it waits, where it does.
    pub waited: Option<Waited>,
}

impl Mail {
    /// Sorts the recipients; `is_done` knows those of earlier attempts.
    pub fn plan(&self, policy: &Policy, is_done: impl Fn(&Address) -> bool) -> Plan {
        Plan::new(policy, &consignment(self, &self.envelope()), is_done)
    }

    pub(super) fn envelope(&self) -> Envelope {
        let recipients = self.transaction.recipients.iter();
        Envelope {
            sender: self.transaction.sender.clone(),
            recipients: recipients.map(|r| r.address.clone()).collect(),
        }
    }
}

/// What is known of a message that waits.
#[derive(Debug, Clone, Copy)]
pub struct Waited {
    /// When it came.
    pub since: ObservedTime,
    /// How it was tried.
    pub retry: Retry,
}

pub(super) fn consignment<'m>(mail: &'m Mail, envelope: &'m Envelope) -> Consignment<'m> {
    Consignment {
        envelope,
        message: &mail.message,
        job: b"",
        is_recognisable: true,
        is_last_try: false,
        unfit: &mail.unfit,
        verdict: mail.verdict.clone(),
        asked: Some(&mail.transaction),
    }
}

/// What was asked for those who are offered the message; they stand in the order of the envelope.
pub(super) fn wishes(transaction: &Transaction, offered: &[Address], waited: Duration) -> Wishes {
    let mut all = transaction.recipients.iter();
    let recipients = offered
        .iter()
        .map(|address| {
            let recipient = all.find(|recipient| recipient.address == *address);
            recipient.map_or_else(RecipientWishes::default, |recipient| RecipientWishes {
                notify: recipient.notify.map(crate::bsmtp::Notify::value),
                orcpt: recipient.orcpt.clone(),
            })
        })
        .collect();
    let parameters = &transaction.parameters;
    Wishes {
        smtputf8: parameters.smtputf8,
        ret: parameters.returned.map(|returned| match returned {
            Returned::Full => b"FULL".to_vec(),
            Returned::Headers => b"HDRS".to_vec(),
        }),
        envid: parameters.envid.clone(),
        by: parameters.by.map(|by| by.after(waited)),
        mt_priority: parameters.mt_priority,
        recipients,
    }
}
