//! What the spool answers to the questions of a session, and what follows from it.

use std::time::Instant;

use super::super::event::{Admission, Event, Offer, Placed, TransferKey, Work};
use super::super::{ConversationError, Question};
use super::{Fruit, HangUp, Session};
use crate::link::Channel;
use crate::wire::command::{Command, Refusal, Reply, RequestKind};

impl Session {
    pub(in crate::conversation) fn answer_work(
        &mut self,
        now: Instant,
        key: TransferKey,
        work: Option<Work>,
    ) {
        let last = self.question == Some(Question::LastWork);
        self.question = None;
        match work {
            Some(work) => {
                self.looked_last = false;
                if last {
                    self.become_master(now);
                }
                self.begin_outgoing(now, key, work);
            }
            None if last => {
                self.dry = true;
                self.send(now, Channel(0), false, &Command::HangUpYes);
                self.send(now, Channel(0), false, &Command::HangUpYes);
                self.hang_up = HangUp::Agreed;
                if self.link.traits().closes_silently {
                    // The master's own `HY` tells nothing new, and on a long line it takes long to come.
                    self.close(now);
                }
            }
            None => {
                self.dry = true;
                self.looked_last = self.ours.is_empty();
            }
        }
    }

    /// The key that the last [`Event::NextWork`] named.
    pub(in crate::conversation) fn work_key(&self) -> TransferKey {
        TransferKey(self.next_key)
    }

    pub(in crate::conversation) fn answer_commit(
        &mut self,
        now: Instant,
        placed: Vec<Placed>,
    ) -> Result<(), ConversationError> {
        self.question = None;
        self.fruit = Fruit::new(now);
        let arrived = std::mem::take(&mut self.committing);
        for (one, placed) in arrived.into_iter().zip(placed) {
            let is_placed = matches!(placed, Placed::Yes);
            let reply = match placed {
                Placed::Yes => Reply::FileYes {
                    more_work: self.wants_turn && !one.ours,
                },
                Placed::No => Reply::FileNo(Refusal::NotPlaced),
                Placed::Failed(reason) => return Err(ConversationError::Local(reason)),
            };
            self.send(now, one.channel, !one.ours, &reply.into());
            if one.ours {
                self.ours.remove(&one.channel);
                self.events.push_back(if is_placed {
                    Event::Confirmed(one.key)
                } else {
                    Event::Refused(one.key, Refusal::NotPlaced)
                });
            } else {
                self.theirs.remove(&one.channel);
            }
        }
        Ok(())
    }

    pub(in crate::conversation) fn answer_receive(&mut self, now: Instant, admission: Admission) {
        match self.question.take() {
            Some(Question::ReceiveTheirs(channel)) => self.admit_theirs(now, channel, admission),
            Some(Question::ReceiveOurs(channel)) => self.admit_ours(now, channel, admission),
            other => self.question = other,
        }
    }

    pub(in crate::conversation) fn answer_offer(
        &mut self,
        now: Instant,
        offer: Result<Offer, Refusal>,
    ) {
        if let Some(Question::Offer(channel)) = self.question {
            self.question = None;
            self.serve(now, channel, offer, self.wants_turn);
        }
    }

    pub(in crate::conversation) fn answer_expand(&mut self, now: Instant, yes: bool) {
        if let Some(Question::Expand(channel)) = self.question {
            self.question = None;
            self.theirs.remove(&channel);
            let reply = if yes {
                Reply::ExpandYes
            } else {
                Reply::No {
                    to: RequestKind::Expand,
                    refusal: Refusal::NotPermitted,
                }
            };
            self.send(now, channel, true, &reply.into());
        }
    }
}
