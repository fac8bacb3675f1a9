//! One message from a neighbour, to its end: who has it already, what policy says, the hand-over, the report about
//! refusals. What is left is for another time.

pub(crate) mod aside;
mod complaint;
mod notice;

use std::collections::BTreeSet;
use std::io;

use jiff::Zoned;

use super::journal::{Journal, JournalError, JournalKey};
use super::{Handover, Message, NoWay, Outcome, Record, Reply, Surroundings, policy};
use crate::address::{Address, Envelope};
use crate::bsmtp::Transaction;
use crate::config::mail::{MailConfig, Policy};
use crate::name::SystemName;
use crate::spool::{ObservedTime, Spool, observed};

/// What became of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many recipients have it now, those of earlier attempts among them.
    pub delivered: usize,
    /// Who was refused for good, and why; the sender was told, or the message was set aside.
    pub refused: Vec<(Address, Reply)>,
    /// Why somebody is to be tried again; `None` when the message is done.
    pub deferred: Option<Reply>,
    /// Who is to be tried again, and why.
    pub waiting: Vec<(Address, Reply)>,
    /// What else is worth a line: where a refused message was put.
    pub notes: Vec<String>,
}

/// Settles messages of one neighbour, or of this system itself.
#[derive(Debug)]
pub struct Receiver<'a> {
    spool: Option<&'a Spool>,
    config: &'a MailConfig,
    around: Surroundings,
    neighbour: Option<&'a SystemName>,
    policy: Policy,
    handover: Handover,
    now: Zoned,
}

/// One message to settle.
#[derive(Debug)]
pub struct Consignment<'a> {
    /// Sender and recipients.
    pub envelope: &'a Envelope,
    /// The message, with our trace line.
    pub message: &'a Message,
    /// The id of the job that brought it; empty where none is known.
    pub job: &'a [u8],
    /// Whether two of its kind would differ, by a Message-ID or a trace line or by the job's id, so that an equal one of the
    /// same job is the same one.
    pub is_recognisable: bool,
    /// Whether nobody tries again: whoever does not get it now is refused.
    pub is_last_try: bool,
    /// Words that stood among the recipients and are no addresses, in a form that a report can show.
    pub unfit: &'a [Address],
    /// Why nobody may get it, where that is known before it is offered.
    pub verdict: Option<Reply>,
    /// What its sender asked for, where that is known: when to be told, and what to be told.
    pub asked: Option<&'a Transaction>,
}

impl<'a> Receiver<'a> {
    /// A receiver for one neighbour; `None` for this system's own mail.
    ///
    /// # Errors
    /// When it cannot be told how mail is handed over.
    pub fn new(
        config: &'a MailConfig,
        spool: Option<&'a Spool>,
        around: Surroundings,
        neighbour: Option<&'a SystemName>,
        now: Zoned,
    ) -> Result<Self, NoWay> {
        let handover = Handover::choose(&config.delivery(neighbour), &around)?;
        Ok(Self {
            spool,
            config,
            around,
            neighbour,
            policy: config.policy(neighbour),
            handover,
            now,
        })
    }

    /// The time of the next message.
    pub fn set_now(&mut self, now: Zoned) {
        self.now = now;
    }

    /// Brings a message as far as it goes now.
    pub fn settle(&mut self, consignment: &Consignment<'_>) -> Settled {
        let envelope = consignment.envelope;
        let identity = JournalKey {
            neighbour: self.neighbour,
            job: consignment.job,
            sender: &envelope.sender,
            digest: consignment.message.digest(),
        };
        let all = envelope.recipients.iter().chain(consignment.unfit);
        let state = &self.around.state;
        let now = self.observed().map_err(|source| JournalError::Io {
            path: state.clone(),
            source,
        });
        let opened = now.and_then(|now| Journal::open(state, &identity, now));
        let opened = opened.and_then(|mut journal| {
            let rest: Vec<_> = all.filter(|one| !journal.is_done(one)).collect();
            match journal.reserve(rest.into_iter()) {
                Ok(()) => Ok(journal),
                Err(error) => {
                    journal.close(false);
                    Err(error)
                }
            }
        });
        let mut journal = match opened {
            Ok(journal) => journal,
            // One recipient has it or has it not: nothing needs to be remembered between.
            Err(JournalError::Io { .. })
                if envelope.recipients.len() + consignment.unfit.len() == 1 =>
            {
                Journal::none()
            }
            Err(error) => return put_off(Reply::new("4.3.0", error.to_string())),
        };
        let settled = self.offer(consignment, &mut journal);
        let is_done = settled.deferred.is_none();
        journal.close(is_done && !self.is_remembered(consignment));
        settled
    }

    /// Whether it is known again when it comes a second time after it was done.
    fn is_remembered(&self, consignment: &Consignment<'_>) -> bool {
        consignment.is_recognisable && self.neighbour.is_some()
    }

    /// The observed time, as the spool counts it; where there is none, the state directory.
    fn observed(&self) -> io::Result<ObservedTime> {
        observed(self.spool, &self.around.state).map_err(io::Error::other)
    }

    fn offer(&mut self, consignment: &Consignment<'_>, journal: &mut Journal) -> Settled {
        let plan = Plan::new(&self.policy, consignment, |r| journal.is_done(r));
        let is_divided = !plan.refused.is_empty();
        let is_remembered = self.is_remembered(consignment);
        let part = Envelope {
            sender: consignment.envelope.sender.clone(),
            recipients: plan.offered.clone(),
        };
        let all = part.recipients.len();
        let mut record = |have_it: &[&Address]| {
            let durable = is_remembered || is_divided || have_it.len() < all;
            journal.record(have_it, durable)
        };
        let outcomes = self
            .handover
            .deliver(&part, consignment.message, &mut record);
        let outcomes = if consignment.is_last_try {
            outcomes.into_iter().map(given_up).collect()
        } else {
            outcomes
        };
        let is_left = outcomes.iter().any(|o| matches!(o, Outcome::Deferred(_)));
        let durable = is_left || is_remembered;
        let mut record = |refused: &[&Address]| journal.record(refused, durable);
        self.conclude(consignment, plan, outcomes, &mut record)
    }

    /// What became of a message that was offered as planned: those who were refused are reported and recorded.
    pub fn conclude(
        &mut self,
        consignment: &Consignment<'_>,
        plan: Plan,
        outcomes: Vec<Outcome>,
        record: &mut Record<'_>,
    ) -> Settled {
        let mut settled = Settled {
            delivered: plan.done,
            ..Settled::default()
        };
        let mut refused = plan.refused;
        for (recipient, outcome) in plan.offered.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Delivered => settled.delivered += 1,
                Outcome::Refused(reply) => refused.push((recipient, reply)),
                Outcome::Deferred(reply) => settled.waiting.push((recipient, reply)),
            }
        }
        settled.deferred = settled.waiting.last().map(|(_, reply)| reply.clone());
        if !refused.is_empty() {
            self.settle_refusals(consignment, refused, record, &mut settled);
        }
        settled
    }

    /// The sender is told, or the message is set aside; then, and not before, the refused ones are done.
    fn settle_refusals(
        &mut self,
        consignment: &Consignment<'_>,
        refused: Vec<(Address, Reply)>,
        record: &mut Record<'_>,
        settled: &mut Settled,
    ) {
        let told = self.complain(consignment, &refused).and_then(|note| {
            let recipients: Vec<&Address> =
                refused.iter().map(|(recipient, _)| recipient).collect();
            record(&recipients)
                .map_err(|e| Reply::new("4.3.0", format!("cannot record who was reported: {e}")))?;
            Ok(note)
        });
        match told {
            Ok(note) => {
                settled.notes.extend(note);
                settled.refused = refused;
            }
            Err(reply) => {
                let wait = |(recipient, _)| (recipient, reply.clone());
                settled.waiting.extend(refused.into_iter().map(wait));
                settled.deferred = Some(reply);
            }
        }
    }
}

/// Who is to be offered a message, and who is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Who is to be offered it, each once, in order.
    pub offered: Vec<Address>,
    /// Who is refused by our own rules.
    refused: Vec<(Address, Reply)>,
    /// How many have it already.
    done: usize,
}

impl Plan {
    /// Sorts a message's recipients; `is_done` knows those of earlier attempts.
    pub fn new(
        policy: &Policy,
        consignment: &Consignment<'_>,
        is_done: impl Fn(&Address) -> bool,
    ) -> Self {
        let (rest, done) = outstanding(&consignment.envelope.recipients, &is_done);
        let (offered, mut refused) = sort_by_policy(policy, consignment, rest);
        let (unfit, _) = outstanding(consignment.unfit, &is_done);
        let refuse = |word| (word, Reply::new("5.1.3", "this is not an address"));
        refused.extend(unfit.into_iter().map(refuse));
        Self {
            offered,
            refused,
            done,
        }
    }

    /// Who is refused by our own rules, and why.
    #[must_use]
    pub fn refused(&self) -> &[(Address, Reply)] {
        &self.refused
    }

    /// Whether our own rules refuse nobody.
    #[must_use]
    pub fn refuses_nobody(&self) -> bool {
        self.refused.is_empty()
    }

    /// Whether there is nobody left: all have it, or were reported.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.offered.is_empty() && self.refused.is_empty()
    }
}

/// Who may be offered the message, and who is refused by our own rules.
fn sort_by_policy(
    policy: &Policy,
    consignment: &Consignment<'_>,
    rest: Vec<Address>,
) -> (Vec<Address>, Vec<(Address, Reply)>) {
    let verdict = consignment.verdict.clone().or_else(|| {
        let permitted = policy::permits_sender(policy, &consignment.envelope.sender);
        (!permitted).then(|| Reply::new("5.7.1", "this neighbour may not send from that domain"))
    });
    if let Some(verdict) = verdict {
        let refuse = |recipient| (recipient, verdict.clone());
        return (Vec::new(), rest.into_iter().map(refuse).collect());
    }
    let (offered, refused): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|recipient| policy::permits_recipient(policy, recipient));
    let text = "this neighbour may not send to that domain";
    let refuse = |recipient| (recipient, Reply::new("5.7.1", text));
    (offered, refused.into_iter().map(refuse).collect())
}

/// Those who are not done, each once, in order; and how many are.
fn outstanding(
    recipients: &[Address],
    is_done: impl Fn(&Address) -> bool,
) -> (Vec<Address>, usize) {
    let mut seen = BTreeSet::new();
    let (mut rest, mut done) = (Vec::new(), 0);
    for recipient in recipients.iter().filter(|r| seen.insert(*r)) {
        if is_done(recipient) {
            done += 1;
        } else {
            rest.push(recipient.clone());
        }
    }
    (rest, done)
}

/// Who was refused for now is refused for good when nobody tries again.
fn given_up(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Deferred(reply) => Outcome::Refused(Reply {
            status: "5.4.7".to_owned(),
            text: format!("tried for too long, given up; at last: {}", reply.text),
            remote: reply.remote,
        }),
        other => other,
    }
}

fn put_off(reply: Reply) -> Settled {
    Settled {
        deferred: Some(reply),
        ..Settled::default()
    }
}

#[cfg(test)]
mod tests;
