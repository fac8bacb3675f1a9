//! Several sessions with the MTA side by side, each with one message at a time.
//!
//! A session takes its next message while the MTA still has the one before, and sends its envelope as soon as that one is
//! answered; but it sends no content before the outcome of the one before is on record. So at most one message per session can
//! be with the MTA and unknown to us when either dies.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::choice::{Choice, NoWay, Surroundings};
use super::handover::{Done, Handover, Offered};
use super::smtp::Meanwhile;
use super::{Offer, Outcome, Reply, Success};
use crate::address::Address;
use crate::config::mail::DeliverySettings;

/// Where a pool's messages come from, and what becomes of them. Its functions are called by several threads at a time; for
/// one message in the order [`next`](Self::next), [`offer`](Self::offer), [`record`](Self::record) (perhaps many times),
/// [`settle`](Self::settle), and no two of these at a time.
pub trait Feed: Sync {
    /// One message, with whatever else belongs to it.
    type Parcel: Send;

    /// The next message; `None` when there are no more. It is called again before what was taken earlier is settled.
    fn next(&self) -> Option<Self::Parcel>;

    /// What is to be offered of a message.
    fn offer<'p>(&self, parcel: &'p Self::Parcel) -> Offer<'p>;

    /// These have the message now. It returns when that is on disk. After an error nothing more is offered to anybody.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn record(&self, parcel: &Self::Parcel, have_it: &[&Address]) -> std::io::Result<()>;

    /// The message's end for now: outcomes in the order of its recipients, and who tells of success. Who was delivered to is
    /// recorded, or could not be.
    fn settle(&self, parcel: Self::Parcel, outcomes: Vec<Outcome>, success: Success);
}

/// Several hand-overs of one kind.
#[derive(Debug)]
pub struct Pool {
    handovers: Vec<Handover>,
}

impl Pool {
    /// Chooses the way as [`Handover::choose`] does, for as many sessions as are set.
    ///
    /// # Errors
    /// When it is in doubt, says what to set.
    pub fn choose(settings: &DeliverySettings, around: &Surroundings) -> Result<Self, NoWay> {
        let first = Choice::here(settings, around).make()?;
        Ok(Self::of(first, settings.sessions.get()))
    }

    fn of(first: Handover, sessions: u32) -> Self {
        let mut handovers: Vec<Handover> = (1..sessions).map(|_| first.another()).collect();
        handovers.insert(0, first);
        Self { handovers }
    }

    /// Hands over everything that `feed` has. No more sessions are opened than there are messages.
    pub fn run<F: Feed>(&mut self, feed: &F) {
        let shared = Shared::new(feed, self.handovers.len());
        thread::scope(|scope| {
            for handover in &mut self.handovers {
                let Some(parcel) = shared.begin() else { break };
                let shared = &shared;
                scope.spawn(move || Worker::new(handover, shared).work(parcel));
            }
        });
    }
}

/// What the sessions have in common.
struct Shared<'f, F: Feed> {
    feed: &'f F,
    state: Mutex<State<F::Parcel>>,
    /// So many messages in a row over which the MTA went away are the end.
    patience: usize,
}

struct State<P> {
    /// Messages of sessions that could not be opened, for the others.
    returned: Vec<P>,
    /// Sessions that may still take a message.
    at_work: usize,
    /// Messages over which the MTA went away, since it last took or refused one.
    broken: usize,
    /// Why nothing more is offered.
    closed: Option<Reply>,
}

impl<'f, F: Feed> Shared<'f, F> {
    fn new(feed: &'f F, sessions: usize) -> Self {
        Self {
            feed,
            state: Mutex::new(State {
                returned: Vec::new(),
                at_work: 0,
                broken: 0,
                closed: None,
            }),
            patience: 2 * sessions,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<F::Parcel>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first message of a new session.
    fn begin(&self) -> Option<F::Parcel> {
        let parcel = self.feed.next()?;
        self.lock().at_work += 1;
        Some(parcel)
    }

    /// The next message of a session; without one the session is at its end.
    fn take(&self) -> Option<F::Parcel> {
        if let Some(parcel) = self.lock().returned.pop() {
            return Some(parcel);
        }
        if let Some(parcel) = self.feed.next() {
            return Some(parcel);
        }
        let mut state = self.lock();
        let parcel = state.returned.pop();
        state.at_work -= usize::from(parcel.is_none());
        parcel
    }

    /// A session cannot be opened: another one, where there is one, gets its message. The last one keeps it, and nothing more
    /// is offered.
    fn give_back(&self, parcel: F::Parcel, reply: Reply) -> Option<F::Parcel> {
        let mut state = self.lock();
        if state.at_work > 1 {
            state.at_work -= 1;
            state.returned.push(parcel);
            return None;
        }
        state.closed.get_or_insert(reply);
        Some(parcel)
    }

    fn closed(&self) -> Option<Reply> {
        self.lock().closed.clone()
    }

    fn close(&self, reply: Reply) {
        self.lock().closed.get_or_insert(reply);
    }

    /// Counts messages over which the MTA went away.
    fn note(&self, is_broken: bool, outcomes: &[Outcome]) {
        let mut state = self.lock();
        state.broken = if is_broken { state.broken + 1 } else { 0 };
        if state.broken >= self.patience
            && let Some(Outcome::Deferred(reply)) = outcomes.last()
        {
            state.closed.get_or_insert_with(|| reply.clone());
        }
    }
}

/// One session.
struct Worker<'w, 'f, F: Feed> {
    handover: &'w mut Handover,
    shared: &'w Shared<'f, F>,
    ahead: Ahead<F::Parcel>,
}

/// What a session has taken while the MTA still had the message before.
#[derive(Default)]
enum Ahead<P> {
    /// Nothing: no content was sent.
    #[default]
    Nothing,
    /// The next message, or the end.
    Taken(Option<P>),
}

/// A message that was offered and is not settled.
struct Pending<P> {
    parcel: P,
    done: Done,
    success: Success,
}

impl<'w, 'f, F: Feed> Worker<'w, 'f, F> {
    fn new(handover: &'w mut Handover, shared: &'w Shared<'f, F>) -> Self {
        Self {
            handover,
            shared,
            ahead: Ahead::Nothing,
        }
    }

    fn work(mut self, first: F::Parcel) {
        let mut next = Some(first);
        let mut pending = None;
        while let Some(parcel) = next.take() {
            let offered = self.offer(&parcel, &mut pending);
            match offered {
                Offered::Done(done) => {
                    // Where there was nobody to offer it to, or the session broke at once, the one before still waits.
                    let _ = settle(self.shared, &mut pending);
                    self.shared.note(done.is_broken, &done.outcomes);
                    let success = self.handover.success();
                    pending = Some(Pending {
                        parcel,
                        done,
                        success,
                    });
                }
                Offered::NoSession(reply) => {
                    // Nothing is left unsettled behind a session that waits for its end.
                    let _ = settle(self.shared, &mut pending);
                    match self.shared.give_back(parcel, reply) {
                        None => return,
                        Some(parcel) => next = Some(parcel),
                    }
                    continue;
                }
            }
            next = match std::mem::take(&mut self.ahead) {
                Ahead::Nothing => self.shared.take(),
                Ahead::Taken(next) => next,
            };
        }
        let _ = settle(self.shared, &mut pending);
    }

    fn offer(&mut self, parcel: &F::Parcel, pending: &mut Option<Pending<F::Parcel>>) -> Offered {
        let shared = self.shared;
        let offer = shared.feed.offer(parcel);
        if let Some(reply) = shared.closed() {
            let _ = settle(shared, pending);
            return Offered::Done(Done {
                outcomes: vec![Outcome::Deferred(reply); offer.envelope.recipients.len()],
                unrecorded: Vec::new(),
                is_broken: false,
            });
        }
        let mut record = |have_it: &[&Address]| record(shared, parcel, have_it);
        let mut between = Between {
            shared,
            pending,
            ahead: &mut self.ahead,
        };
        self.handover.offer(&offer, &mut record, &mut between)
    }
}

/// Between the contents of two messages: the one before is settled, the one behind is taken.
struct Between<'b, 'f, F: Feed> {
    shared: &'b Shared<'f, F>,
    pending: &'b mut Option<Pending<F::Parcel>>,
    ahead: &'b mut Ahead<F::Parcel>,
}

impl<F: Feed> Meanwhile for Between<'_, '_, F> {
    fn before_content(&mut self) -> Result<(), Reply> {
        settle(self.shared, self.pending)
    }

    fn after_content(&mut self) {
        // A message that goes in several parts has several contents.
        if matches!(self.ahead, Ahead::Nothing) {
            *self.ahead = Ahead::Taken(self.shared.take());
        }
    }
}

fn record<F: Feed>(
    shared: &Shared<'_, F>,
    parcel: &F::Parcel,
    have_it: &[&Address],
) -> std::io::Result<()> {
    shared.feed.record(parcel, have_it).inspect_err(|error| {
        let text = format!("cannot record who has a message: {error}");
        shared.close(Reply::new("4.3.0", text));
    })
}

/// Records and settles the message before; an error where nothing more may be offered.
fn settle<F: Feed>(
    shared: &Shared<'_, F>,
    pending: &mut Option<Pending<F::Parcel>>,
) -> Result<(), Reply> {
    if let Some(Pending {
        parcel,
        done,
        success,
    }) = pending.take()
    {
        let offer = shared.feed.offer(&parcel);
        let recipients = &offer.envelope.recipients;
        let have_it: Vec<&Address> = done
            .unrecorded
            .iter()
            .filter_map(|index| recipients.get(*index))
            .collect();
        if !have_it.is_empty() {
            // An error closes the pool; the message's own outcome stands.
            let _ = record(shared, &parcel, &have_it);
        }
        shared.feed.settle(parcel, done.outcomes, success);
    }
    match shared.closed() {
        None => Ok(()),
        Some(reply) => Err(reply),
    }
}

#[cfg(test)]
mod tests;
