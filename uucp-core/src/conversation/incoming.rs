//! The peer's requests: judged by the spool, their files received or sent, confirmed.

use std::time::Instant;

use super::event::{Admission, Arrival, Event, Offer, TransferKey};
use super::session::{Flow, Session};
use super::{ConversationError, Question};
use crate::link::Channel;
use crate::name::Grade;
use crate::wire::command::{Refusal, Reply, Request, RequestKind};

/// A request of the peer on its channel.
pub(super) struct Incoming {
    key: TransferKey,
    kind: RequestKind,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The spool is being asked.
    Asking,
    /// `S`, `E`: the file comes.
    Receiving,
    /// `S`, `E`: refused, but its data is on the way.
    Discarding,
    /// `S`, `E`: the file is here and waits for its commit.
    Complete,
    /// `R`: the file flows.
    Flowing { position: u64, size: u64 },
    /// `R`: the whole file of this size is out, the confirmation is awaited.
    Ended { size: u64 },
}

impl Incoming {
    /// Whose data arrives here: `Some(None)` if it is to be thrown away.
    #[expect(
        clippy::option_option,
        reason = "no reception, a reception to be thrown away, a reception: three answers"
    )]
    pub(super) fn receiving(&mut self) -> Option<Option<TransferKey>> {
        match self.progress {
            Progress::Receiving => Some(Some(self.key)),
            Progress::Discarding => Some(None),
            _ => None,
        }
    }

    /// As [`receiving`](Self::receiving), at the end of the file.
    #[expect(clippy::option_option, reason = "as for `receiving`")]
    pub(super) fn complete(&mut self) -> Option<Option<TransferKey>> {
        let key = self.receiving();
        if self.progress == Progress::Receiving {
            self.progress = Progress::Complete;
        }
        key
    }

    /// The file, if it flows from us. Its job is the peer's, and of what grade that is the request does not say.
    pub(super) fn flow(&self, channel: Channel) -> Option<Flow> {
        match self.progress {
            Progress::Flowing { position, size } => Some(Flow {
                channel,
                from_peer: true,
                key: self.key,
                grade: Grade::DEFAULT,
                position,
                size,
            }),
            _ => None,
        }
    }

    /// So many more bytes are out; true: that was the last.
    pub(super) fn advance(&mut self, bytes: usize) -> bool {
        let Progress::Flowing { position, size } = self.progress else {
            return false;
        };
        let position = position.saturating_add(bytes as u64);
        let done = position >= size;
        self.progress = if done {
            Progress::Ended { size }
        } else {
            Progress::Flowing { position, size }
        };
        done
    }
}

impl Session {
    /// Takes a request up and asks the spool about it.
    pub(super) fn begin_incoming(&mut self, channel: Channel, request: Request) {
        let key = self.new_key();
        self.theirs.insert(
            channel,
            Incoming {
                key,
                kind: request.kind(),
                progress: Progress::Asking,
            },
        );
        match request {
            Request::Send(ref send) => {
                let (mode, size) = (send.mode, send.size);
                self.ask_to_receive(channel, key, request, mode, size);
            }
            Request::Execute(ref execute) => {
                let (mode, size) = (execute.file.mode, execute.file.size);
                self.ask_to_receive(channel, key, request, mode, size);
            }
            Request::Receive(request) => {
                self.ask(Question::Offer(channel), Event::Offer { key, request });
            }
            Request::Expand(request) => {
                self.ask(Question::Expand(channel), Event::Expand(request));
            }
        }
    }

    fn ask_to_receive(
        &mut self,
        channel: Channel,
        key: TransferKey,
        request: Request,
        mode: u32,
        size: Option<u64>,
    ) {
        let arrival = Arrival {
            key,
            request,
            ours: false,
            mode,
            size,
            restart: self.can_restart(),
        };
        self.ask(
            Question::ReceiveTheirs(channel),
            Event::Receive(Box::new(arrival)),
        );
    }

    pub(super) fn admit_theirs(&mut self, now: Instant, channel: Channel, admission: Admission) {
        let ahead = self.ahead;
        let restart = self.can_restart();
        let Some(one) = self.theirs.get_mut(&channel) else {
            return;
        };
        let kind = one.kind;
        match admission {
            Admission::Begin(offset) => {
                let position = if restart { offset } else { 0 };
                one.progress = Progress::Receiving;
                let reply = if kind == RequestKind::Execute {
                    Reply::ExecuteYes { position }
                } else {
                    Reply::SendYes { position }
                };
                self.send(now, channel, true, &reply.into());
                self.link.expect_file(channel, true, position);
            }
            Admission::Refuse(refusal) => {
                if ahead {
                    // What has overtaken the refusal is not to be taken for commands.
                    one.progress = Progress::Discarding;
                    self.link.expect_file(channel, true, 0);
                } else {
                    self.theirs.remove(&channel);
                }
                let reply = Reply::No { to: kind, refusal };
                self.send(now, channel, true, &reply.into());
            }
        }
    }

    /// Sends the file that the peer asked for, or a refusal.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        channel: Channel,
        offer: Result<Offer, Refusal>,
        more_work: bool,
    ) {
        let Some(one) = self.theirs.get_mut(&channel) else {
            return;
        };
        let Offer { mode, size } = match offer {
            Ok(offer) => offer,
            Err(refusal) => {
                let to = one.kind;
                self.theirs.remove(&channel);
                self.send(now, channel, true, &Reply::No { to, refusal }.into());
                return;
            }
        };
        let reply = Reply::ReceiveYes {
            mode,
            size: Some(size),
            more_work,
        };
        self.send(now, channel, true, &reply.into());
        self.begin_serving(now, channel, size);
    }

    fn begin_serving(&mut self, now: Instant, channel: Channel, size: u64) {
        let Some(one) = self.theirs.get_mut(&channel) else {
            return;
        };
        one.progress = Progress::Flowing { position: 0, size };
        let key = one.key;
        let done = one.advance(0);
        self.link.begin_file(channel, true, 0, Some(size));
        self.events.push_back(Event::Sending(key, 0));
        if done {
            self.link.end_file(now, channel, true);
        }
    }

    /// The peer has got a file that it asked for damaged, and wants it once more.
    pub(super) fn serve_again(
        &mut self,
        now: Instant,
        channel: Channel,
    ) -> Result<(), ConversationError> {
        match self.theirs.get(&channel).map(|one| one.progress) {
            Some(Progress::Ended { size }) => {
                self.begin_serving(now, channel, size);
                Ok(())
            }
            _ => self.out_of_turn("a file is wanted again that was not sent"),
        }
    }

    /// The peer's word on the file that it had asked for.
    pub(super) fn handle_served(
        &mut self,
        channel: Channel,
        reply: Reply,
    ) -> Result<(), ConversationError> {
        match self.theirs.get(&channel) {
            Some(one) if matches!(one.progress, Progress::Ended { .. }) => {
                let key = one.key;
                self.theirs.remove(&channel);
                let yes = matches!(reply, Reply::FileYes { .. });
                self.events.push_back(Event::Served(key, yes));
                Ok(())
            }
            _ => self.out_of_turn("a confirmation of a file that was not sent"),
        }
    }
}
