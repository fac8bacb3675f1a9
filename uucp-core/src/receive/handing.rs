//! Messages on their way to the MTA, in several sessions at a time: who has each already, what policy says, the record,
//! the report, and what waits for another time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::kept::{Kept, KeptMail, Retry};
use super::mail::{Mail, Source, Waited, consignment, wishes};
use crate::address::{Address, Envelope};
use crate::bsmtp::{Hold, Recipient};
use crate::config::mail::Policy;
use crate::delivery::{
    Feed, Ledger, Offer, Outcome, Plan, Receiver, Reply, Settled, Success, Wishes, is_place,
};
use crate::execute::retry::wait_after;
use crate::spool::ObservedTime;
use crate::stop;

/// How long messages wait.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Now.
    pub now: ObservedTime,
    /// After this a message is returned.
    pub age_limit: Duration,
    /// After this its sender is told that it waits.
    pub warn_after: Duration,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that all have now.
    pub delivered: u64,
    /// Messages that needed nothing: all had them before, or they wait already.
    pub known: u64,
    /// Messages of which somebody was refused for good.
    pub refused: u64,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that their senders want held.
    pub held: u64,
    /// Recipients, of all these messages, who got theirs now.
    pub recipients_delivered: u64,
    /// Recipients who were refused for good.
    pub recipients_refused: u64,
    /// Recipients who wait, without those of held messages.
    pub recipients_waiting: u64,
    /// One of the refusals, and what became of it.
    pub refusal: Option<String>,
    /// What was set aside: for whom it was, why, and where it is.
    pub aside: Vec<String>,
    /// One of the reasons to wait.
    pub reason: Option<Reply>,
    /// Why a message could not even be kept: it must come again.
    pub trouble: Option<String>,
}

impl Tally {
    /// Takes another run's into account.
    pub fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.known += other.known;
        self.refused += other.refused;
        self.waiting += other.waiting;
        self.held += other.held;
        self.recipients_delivered += other.recipients_delivered;
        self.recipients_refused += other.recipients_refused;
        self.recipients_waiting += other.recipients_waiting;
        self.aside.extend(other.aside);
        self.refusal = self.refusal.take().or(other.refusal);
        self.reason = self.reason.take().or(other.reason);
        self.trouble = self.trouble.take().or(other.trouble);
    }
}

/// Hands over what a source has: what several sessions are fed with.
#[derive(Debug)]
pub struct Handing<'a, S> {
    source: Mutex<S>,
    ledger: &'a Ledger,
    receiver: Mutex<Receiver<'a>>,
    policy: Policy,
    kept: Mutex<Kept>,
    times: Times,
    tally: Mutex<Tally>,
}

/// A message that is being handed over.
#[derive(Debug)]
pub struct Parcel {
    mail: Mail,
    plan: Plan,
    offered: Envelope,
    wishes: Wishes,
}

impl<'a, S: Source> Handing<'a, S> {
    /// Hands over for one neighbour, whose ledger is held.
    pub fn new(
        source: S,
        ledger: &'a Ledger,
        receiver: Receiver<'a>,
        policy: Policy,
        kept: Kept,
        times: Times,
    ) -> Self {
        Self {
            source: Mutex::new(source),
            ledger,
            receiver: Mutex::new(receiver),
            policy,
            kept: Mutex::new(kept),
            times,
            tally: Mutex::default(),
        }
    }

    /// The end: what was kept is on disk, or that is the trouble.
    pub fn finish(self) -> (S, Tally) {
        let mut tally = into(self.tally);
        if let Err(error) = into(self.kept).commit() {
            tally.trouble = Some(format!("cannot keep messages: {error}"));
        }
        (into(self.source), tally)
    }

    /// How long a message has waited here.
    fn waited(&self, mail: &Mail) -> Duration {
        let waited = mail.waited.as_ref();
        waited.map_or(Duration::ZERO, |waited| self.times.now.since(waited.since))
    }

    fn plan(&self, mut mail: Mail) -> Parcel {
        let by = mail.transaction.parameters.by;
        if by.is_some_and(|by| by.after(self.waited(&mail)).is_over()) {
            let over = || Reply::new("5.4.7", "the time that its sender has set (BY) is over");
            mail.verdict.get_or_insert_with(over);
        }
        let is_done = |recipient: &Address| self.ledger.is_done(&mail.identity, recipient);
        let plan = mail.plan(&self.policy, is_done);
        let offered = Envelope {
            sender: mail.transaction.sender.clone(),
            recipients: plan.offered.clone(),
        };
        let wishes = wishes(&mail.transaction, &offered.recipients, self.waited(&mail));
        Parcel {
            mail,
            plan,
            offered,
            wishes,
        }
    }

    /// When a message that comes now is to be offered first, where its sender asked for later (RFC 4865). Nothing is held
    /// longer than messages wait.
    fn held_until(&self, mail: &Mail) -> Option<ObservedTime> {
        let wait = match mail.transaction.parameters.hold.as_ref()? {
            Hold::For(seconds) => Duration::from_secs(*seconds),
            Hold::Until(date) => {
                let date: Timestamp = std::str::from_utf8(date).ok()?.parse().ok()?;
                Duration::try_from(date.duration_since(Timestamp::now())).ok()?
            }
        };
        // Whom nobody else will tell of is told now.
        let is_new = mail.waited.is_none() && mail.verdict.is_none() && mail.unfit.is_empty();
        let recipients = &mail.transaction.recipients;
        let is_known = |r: &Recipient| self.ledger.is_done(&mail.identity, &r.address);
        (is_new && !wait.is_zero() && !recipients.iter().any(is_known))
            .then(|| self.times.now.after(wait.min(self.times.age_limit)))
    }

    /// Its age counts from the time when it may go.
    fn hold(&self, mail: &Mail, next: ObservedTime) {
        let kept = KeptMail {
            identity: mail.identity,
            since: next,
            transaction: &mail.transaction,
            message: &mail.message,
        };
        let retry = Retry {
            next,
            ..Retry::default()
        };
        let mut store = lock(&self.kept);
        let put = store.put(&mail.name, &kept);
        let mut tally = lock(&self.tally);
        match put.and_then(|()| store.set_retry(&mail.name, retry)) {
            Ok(()) => tally.held += 1,
            Err(error) => {
                let text = || format!("cannot keep a message: {error}");
                tally.trouble.get_or_insert_with(text);
            }
        }
    }

    /// All have it.
    fn end(&self, mail: &Mail) {
        if mail.waited.is_some()
            && let Err(error) = lock(&self.kept).remove(&mail.name)
        {
            // It will be found done the next time.
            lock(&self.tally).trouble = Some(format!("cannot remove a kept message: {error}"));
        }
    }

    fn conclude(&self, parcel: Parcel, outcomes: Vec<Outcome>) {
        let Parcel { mail, plan, .. } = parcel;
        let outcomes = self.too_late(&mail, outcomes);
        let has_it = |outcome: &Outcome| *outcome == Outcome::Delivered;
        let delivered = outcomes.iter().filter(|outcome| has_it(outcome)).count();
        let settled = if plan.refuses_nobody() && outcomes.iter().all(has_it) {
            Settled::default()
        } else {
            let mut record =
                |recipients: &[&Address]| self.ledger.record(&mail.identity, recipients);
            let envelope = mail.envelope();
            let consignment = consignment(&mail, &envelope);
            lock(&self.receiver).conclude(&consignment, plan, outcomes, &mut record)
        };
        self.note(&settled, delivered);
        if settled.waiting.is_empty() {
            self.end(&mail);
        } else {
            self.wait(&mail, &settled);
        }
    }

    /// Tells the sender who has the message, which is on record.
    fn tell_of_success(&self, parcel: &Parcel, outcomes: &[Outcome], success: Success) {
        let offered = parcel.offered.recipients.iter().zip(outcomes);
        let have_it: Vec<Address> = offered
            .filter(|(_, outcome)| **outcome == Outcome::Delivered)
            .map(|(who, _)| who.clone())
            .collect();
        let envelope = parcel.mail.envelope();
        let consignment = consignment(&parcel.mail, &envelope);
        lock(&self.receiver).tell_of_success(&consignment, &have_it, success);
    }

    /// Whoever waited too long is refused.
    fn too_late(&self, mail: &Mail, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let Some(waited) = mail.waited else {
            return outcomes;
        };
        if self.times.now.since(waited.since) < self.times.age_limit {
            return outcomes;
        }
        let late = |outcome| match outcome {
            Outcome::Deferred(reply) => Outcome::Refused(Reply {
                status: "5.4.7".to_owned(),
                text: format!(
                    "tried {} times, given up; at last: {}",
                    waited.retry.attempts + 1,
                    reply.text
                ),
                remote: reply.remote,
            }),
            other => other,
        };
        outcomes.into_iter().map(late).collect()
    }

    fn note(&self, settled: &Settled, delivered: usize) {
        let mut tally = lock(&self.tally);
        tally.recipients_delivered += delivered as u64;
        tally.recipients_refused += settled.refused.len() as u64;
        tally.recipients_waiting += settled.waiting.len() as u64;
        if let Some((recipient, reply)) = settled.refused.first() {
            tally.refused += 1;
            let told = |note: &str| format!("{} {recipient}: {reply}; {note}", reply.status);
            let first = settled.notes.first();
            let first = first.map_or("the sender is told", String::as_str);
            tally.refusal.get_or_insert_with(|| told(first));
            let places = settled.notes.iter().filter(|note| is_place(note));
            tally.aside.extend(places.map(|note| told(note)));
        }
        if settled.waiting.is_empty() {
            tally.delivered += u64::from(settled.refused.is_empty());
        } else {
            tally.waiting += 1;
            let first = settled.waiting.first().map(|(_, reply)| reply.clone());
            tally.reason = tally.reason.take().or(first);
        }
    }

    /// Keeps what is left of a message for another time.
    fn wait(&self, mail: &Mail, settled: &Settled) {
        let mut retry = mail.waited.map(|waited| waited.retry).unwrap_or_default();
        retry.attempts = retry.attempts.saturating_add(1);
        retry.next = self.times.now.after(wait_after(retry.attempts));
        let kept = match mail.waited {
            Some(waited) => {
                retry.is_warned |= self.warn(mail, waited, settled);
                lock(&self.kept).set_retry(&mail.name, retry)
            }
            None => self
                .keep(mail, settled)
                .and_then(|()| lock(&self.kept).set_retry(&mail.name, retry)),
        };
        if let Err(error) = kept {
            lock(&self.tally)
                .trouble
                .get_or_insert_with(|| format!("cannot keep a message: {error}"));
        }
    }

    fn keep(&self, mail: &Mail, settled: &Settled) -> std::io::Result<()> {
        let mut left = mail.transaction.clone();
        let waits = |address: &Address| settled.waiting.iter().any(|(who, _)| who == address);
        if mail.unfit.iter().any(waits) {
            let text = "nobody could be told of what is no address";
            return Err(std::io::Error::other(text));
        }
        if settled.waiting.len() < left.recipients.len() {
            let waiting: std::collections::HashSet<&Address> =
                settled.waiting.iter().map(|(who, _)| who).collect();
            left.recipients
                .retain(|recipient| waiting.contains(&recipient.address));
        }
        let kept = KeptMail {
            identity: mail.identity,
            since: self.times.now,
            transaction: &left,
            message: &mail.message,
        };
        lock(&self.kept).put(&mail.name, &kept)
    }

    /// Tells the sender, once, that the message waits. Whether that was done now.
    fn warn(&self, mail: &Mail, waited: Waited, settled: &Settled) -> bool {
        let age = self.times.now.since(waited.since);
        if waited.retry.is_warned || age < self.times.warn_after {
            return false;
        }
        let envelope = mail.envelope();
        let left = self.times.age_limit.saturating_sub(age);
        let consignment = consignment(mail, &envelope);
        lock(&self.receiver).warn(&consignment, &settled.waiting, left)
    }
}

impl<S: Source> Feed for Handing<'_, S> {
    type Parcel = Parcel;

    fn next(&self) -> Option<Parcel> {
        loop {
            if stop::is_asked() {
                let text = || "told to end: the rest is offered the next time".to_owned();
                lock(&self.tally).trouble.get_or_insert_with(text);
                return None;
            }
            let mail = lock(&self.source).next()?;
            if let Some(next) = self.held_until(&mail) {
                self.hold(&mail, next);
                continue;
            }
            let parcel = self.plan(mail);
            if parcel.plan.is_done() {
                lock(&self.tally).known += 1;
                self.end(&parcel.mail);
            } else if parcel.offered.recipients.is_empty() {
                self.conclude(parcel, Vec::new());
            } else {
                return Some(parcel);
            }
        }
    }

    fn offer<'p>(&self, parcel: &'p Parcel) -> Offer<'p> {
        Offer {
            envelope: &parcel.offered,
            message: &parcel.mail.message,
            wishes: &parcel.wishes,
        }
    }

    fn record(&self, parcel: &Parcel, have_it: &[&Address]) -> std::io::Result<()> {
        self.ledger.record(&parcel.mail.identity, have_it)
    }

    fn settle(&self, parcel: Parcel, outcomes: Vec<Outcome>, success: Success) {
        if success != Success::Passed && parcel.wishes.want_success() {
            self.tell_of_success(&parcel, &outcomes, success);
        }
        self.conclude(parcel, outcomes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
