//! The peer's requests: judged by the spool, their files received or sent, confirmed.

use std::time::Instant;

use super::event::{Admission, Arrival, Event, Offer, TransferKey};
use super::session::{Flow, Session};
use super::{ConversationError, Question};
use crate::link::Channel;
use crate::name::Grade;
use crate::wire::command::{Features, Refusal, Reply, Request, RequestKind};

/// How many bytes a file must have for the requester to be asked from where on it wants it: a round trip's worth.
const RESTART_WORTH: u64 = 64 * 1024;

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
    /// `R`: the requester is to say from where on it wants the file of this size.
    Announced { size: u64 },
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
            version: None,
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
        let resumes = self.can_resume();
        let Some(one) = self.theirs.get_mut(&channel) else {
            return;
        };
        let Offer {
            mode,
            size,
            version,
        } = match offer {
            Ok(offer) => offer,
            Err(refusal) => {
                let to = one.kind;
                self.theirs.remove(&channel);
                self.send(now, channel, true, &Reply::No { to, refusal }.into());
                return;
            }
        };
        let version = version.filter(|_| resumes && size >= RESTART_WORTH);
        one.progress = Progress::Announced { size };
        let reply = Reply::ReceiveYes {
            mode,
            size: Some(size),
            version,
            more_work,
        };
        self.send(now, channel, true, &reply.into());
        if version.is_none() {
            self.begin_serving(now, channel, 0, size);
        }
    }

    fn begin_serving(&mut self, now: Instant, channel: Channel, position: u64, size: u64) {
        let Some(one) = self.theirs.get_mut(&channel) else {
            return;
        };
        one.progress = Progress::Flowing { position, size };
        let key = one.key;
        let done = one.advance(0);
        self.link.begin_file(channel, true, position, Some(size));
        self.events.push_back(Event::Sending(key, position));
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
                self.begin_serving(now, channel, 0, size);
                Ok(())
            }
            _ => self.out_of_turn("a file is wanted again that was not sent"),
        }
    }

    /// The peer's word on the file that it had asked for: from where on, or what came of it.
    pub(super) fn handle_served(
        &mut self,
        now: Instant,
        channel: Channel,
        reply: Reply,
    ) -> Result<(), ConversationError> {
        let Some(one) = self.theirs.get(&channel) else {
            return self.out_of_turn("a word on a file that was not asked for");
        };
        let key = one.key;
        let served = match (one.progress, reply) {
            (Progress::Announced { size }, Reply::GoOn { position }) if position <= size => {
                self.begin_serving(now, channel, position, size);
                return Ok(());
            }
            (Progress::Announced { .. }, Reply::FileNo(_)) => {
                if self.ahead {
                    // Where files need no word to flow, one that was announced has an end.
                    self.link.end_file(now, channel, true);
                }
                false
            }
            (Progress::Ended { .. }, Reply::FileNo(_)) => false,
            (Progress::Ended { .. }, Reply::FileYes { .. }) => true,
            (_, Reply::GoOn { .. }) => return self.out_of_turn("a file that nobody announced"),
            _ => return self.out_of_turn("a confirmation of a file that was not sent"),
        };
        self.theirs.remove(&channel);
        self.events.push_back(Event::Served(key, served));
        Ok(())
    }

    /// Whether a file that was asked for may be continued.
    pub(super) fn can_resume(&self) -> bool {
        self.features.contains(Features::RESUMED) && self.can_restart()
    }
}
