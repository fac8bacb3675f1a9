//! Our requests: made, answered, their files sent or received, confirmed.

use std::time::Instant;

use super::event::{Admission, Arrival, Event, Severity, TransferKey, Work};
use super::session::{Flow, Session};
use super::{ConversationError, Question};
use crate::link::Channel;
use crate::name::Grade;
use crate::wire::command::{Command, Features, Refusal, Reply, Request, RequestKind};

/// A request of ours on its channel.
pub(super) struct Outgoing {
    key: TransferKey,
    request: Request,
    grade: Grade,
    size: u64,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The request is out, nothing flows.
    Asked,
    /// `S`, `E`: the file flows; on links that stream ahead perhaps before its answer has come.
    Flowing { position: u64, answered: bool },
    /// `S`, `E`: the whole file is out.
    Ended { answered: bool },
    /// `R`: the peer begins to send, or waits to be told from where on; our spool is being asked.
    Admitting { waits: bool },
    /// `R`: the file comes.
    Receiving,
    /// `R`: the file comes, but cannot be stored.
    Discarding(Refusal),
    /// `R`: the file is refused before any of it has come; its end comes all the same.
    Refusing(Refusal),
    /// `R`: the file is here and waits for its commit.
    Complete,
}

impl Outgoing {
    /// Whose data arrives here: `Some(None)` if it is to be thrown away.
    #[expect(
        clippy::option_option,
        reason = "no reception, a reception to be thrown away, a reception: three answers"
    )]
    pub(super) fn receiving(&mut self) -> Option<Option<TransferKey>> {
        match self.progress {
            Progress::Receiving => Some(Some(self.key)),
            Progress::Discarding(_) | Progress::Refusing(_) => Some(None),
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

    /// The file, if it flows from us.
    pub(super) fn flow(&self, channel: Channel) -> Option<Flow> {
        match self.progress {
            Progress::Flowing { position, .. } => Some(Flow {
                channel,
                from_peer: false,
                key: self.key,
                grade: self.grade,
                position,
                size: self.size,
            }),
            _ => None,
        }
    }

    /// So many more bytes are out; true: that was the last.
    pub(super) fn advance(&mut self, bytes: usize) -> bool {
        let Progress::Flowing { position, answered } = self.progress else {
            return false;
        };
        let position = position.saturating_add(bytes as u64);
        let done = position >= self.size;
        self.progress = if done {
            Progress::Ended { answered }
        } else {
            Progress::Flowing { position, answered }
        };
        done
    }

    fn discards(&self) -> Option<Refusal> {
        match self.progress {
            Progress::Discarding(refusal) | Progress::Refusing(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl Session {
    /// Makes a request. One that this peer cannot be sent is refused at once.
    pub(super) fn begin_outgoing(&mut self, now: Instant, key: TransferKey, work: Work) {
        let Work {
            mut request,
            grade,
            size,
        } = work;
        match &mut request {
            Request::Send(send) => send.size = Some(size),
            Request::Execute(execute) => execute.file.size = Some(size),
            Request::Receive(_) | Request::Expand(_) => {}
        }
        let command = Command::Request(request.clone());
        let bytes = match command.to_bytes(self.features) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.log(Severity::Error, error.to_string());
                self.events
                    .push_back(Event::Refused(key, Refusal::NotPermitted));
                return;
            }
        };
        let limit = self.link.traits().command_limit;
        if bytes.len() > limit {
            let letter = char::from(self.link.letter());
            let text = format!(
                "protocol '{letter}' cannot carry a request of {} bytes, at most {limit}: the job waits for a call over another one",
                bytes.len()
            );
            self.log(Severity::Error, text);
            self.events
                .push_back(Event::Refused(key, Refusal::TooLargeNow));
            return;
        }
        let channel = self.free_channel();
        tracing::trace!(target: "uucp::uucp_proto", command = %bytes.escape_ascii(), ?channel, "sent");
        self.link.send_command(now, channel, false, &bytes);
        let sends = matches!(request.kind(), RequestKind::Send | RequestKind::Execute);
        self.ours.insert(
            channel,
            Outgoing {
                key,
                request,
                grade,
                size,
                progress: Progress::Asked,
            },
        );
        if sends && self.ahead && size <= self.link.traits().ahead_limit {
            self.begin_flow(now, channel, 0, false);
        }
    }

    fn begin_flow(&mut self, now: Instant, channel: Channel, position: u64, answered: bool) {
        let Some(one) = self.ours.get_mut(&channel) else {
            return;
        };
        one.progress = Progress::Flowing { position, answered };
        self.link
            .begin_file(channel, false, position, Some(one.size));
        self.events.push_back(Event::Sending(one.key, position));
        if one.advance(0) {
            self.link.end_file(now, channel, false);
        }
    }

    /// The peer has got a file of ours damaged, and wants it once more.
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        channel: Channel,
    ) -> Result<(), ConversationError> {
        match self.ours.get(&channel).map(|one| one.progress) {
            Some(Progress::Ended { answered }) => {
                self.begin_flow(now, channel, 0, answered);
                Ok(())
            }
            _ => self.out_of_turn("a file is wanted again that was not sent"),
        }
    }

    /// An answer to a request of ours, or the confirmation of a file of ours.
    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        channel: Channel,
        reply: Reply,
    ) -> Result<(), ConversationError> {
        let Some(one) = self.ours.get(&channel) else {
            return self.note_garbled("an answer to nothing that was asked");
        };
        let (kind, progress, key) = (one.request.kind(), one.progress, one.key);
        match (reply, kind) {
            (Reply::SendYes { position }, RequestKind::Send)
            | (Reply::ExecuteYes { position }, RequestKind::Execute) => {
                self.handle_yes(now, channel, position)
            }
            (
                Reply::ReceiveYes {
                    mode,
                    size: told,
                    version,
                    ..
                },
                RequestKind::Receive,
            ) if progress == Progress::Asked => {
                let version = version.filter(|_| self.can_resume());
                self.ask_to_store(channel, mode, told, version);
                Ok(())
            }
            (Reply::ExpandYes, RequestKind::Expand) => {
                self.ours.remove(&channel);
                self.events.push_back(Event::Confirmed(key));
                Ok(())
            }
            (Reply::No { to, refusal }, _) if to == kind => self.handle_no(now, channel, refusal),
            (Reply::FileYes { .. }, _) if progress == (Progress::Ended { answered: true }) => {
                self.ours.remove(&channel);
                self.events.push_back(Event::Confirmed(key));
                Ok(())
            }
            (Reply::FileNo(_), _) if matches!(progress, Progress::Ended { .. }) => {
                self.ours.remove(&channel);
                self.events
                    .push_back(Event::Refused(key, Refusal::NotPlaced));
                Ok(())
            }
            _ => self.out_of_turn("an answer that does not fit the request"),
        }
    }

    /// `SY`, `EY`: the file may flow, or may go on further ahead.
    fn handle_yes(
        &mut self,
        now: Instant,
        channel: Channel,
        start: u64,
    ) -> Result<(), ConversationError> {
        let Some(one) = self.ours.get_mut(&channel) else {
            return Ok(());
        };
        if start > one.size {
            return self.out_of_turn("a file is to go on beyond its end");
        }
        match one.progress {
            Progress::Asked => self.begin_flow(now, channel, start, true),
            Progress::Flowing {
                position,
                answered: false,
            } if start > position => self.begin_flow(now, channel, start, true),
            Progress::Flowing {
                position,
                answered: false,
            } => {
                one.progress = Progress::Flowing {
                    position,
                    answered: true,
                };
            }
            Progress::Ended { answered: false } => {
                one.progress = Progress::Ended { answered: true };
            }
            _ => return self.out_of_turn("a second answer to one request"),
        }
        Ok(())
    }

    fn handle_no(
        &mut self,
        now: Instant,
        channel: Channel,
        refusal: Refusal,
    ) -> Result<(), ConversationError> {
        let Some(one) = self.ours.remove(&channel) else {
            return Ok(());
        };
        let sends = matches!(one.request.kind(), RequestKind::Send | RequestKind::Execute);
        match one.progress {
            // Whether its data had set out already, the peer cannot know: it awaits their end.
            Progress::Asked if sends && self.ahead => self.link.end_file(now, channel, false),
            Progress::Asked | Progress::Ended { answered: false } => {}
            // The peer throws away what has overtaken its answer, up to the end mark.
            Progress::Flowing {
                answered: false, ..
            } => self.link.end_file(now, channel, false),
            _ => return self.out_of_turn("a refusal after the answer"),
        }
        self.events.push_back(Event::Refused(one.key, refusal));
        Ok(())
    }

    /// `RY`: the file comes; where to, and from where on?
    fn ask_to_store(
        &mut self,
        channel: Channel,
        mode: u32,
        size: Option<u64>,
        version: Option<u64>,
    ) {
        let Some(one) = self.ours.get_mut(&channel) else {
            return;
        };
        let waits = version.is_some();
        one.progress = Progress::Admitting { waits };
        let arrival = Arrival {
            key: one.key,
            request: one.request.clone(),
            ours: true,
            mode,
            size,
            version,
            restart: waits,
        };
        self.ask(
            Question::ReceiveOurs(channel),
            Event::Receive(Box::new(arrival)),
        );
    }

    pub(super) fn admit_ours(&mut self, now: Instant, channel: Channel, admission: Admission) {
        let Some(one) = self.ours.get_mut(&channel) else {
            return;
        };
        let waits = one.progress == Progress::Admitting { waits: true };
        one.progress = match admission {
            Admission::Begin(_) => Progress::Receiving,
            Admission::Refuse(refusal) if waits => Progress::Refusing(refusal),
            Admission::Refuse(refusal) => Progress::Discarding(refusal),
        };
        match admission {
            Admission::Begin(position) if waits => {
                let word = Reply::GoOn { position };
                self.send(now, channel, false, &word.into());
                self.link.expect_file(channel, false, position);
            }
            Admission::Refuse(_) if waits => {
                let word = Reply::FileNo(Refusal::NotPlaced);
                self.send(now, channel, false, &word.into());
                if !self.ahead {
                    self.end_discarded(now, channel);
                }
            }
            _ => self.link.expect_file(channel, false, 0),
        }
    }

    /// The end of a file that we had asked for and could not store.
    pub(super) fn end_discarded(&mut self, now: Instant, channel: Channel) {
        let Some(one) = self.ours.remove(&channel) else {
            return;
        };
        if matches!(one.progress, Progress::Discarding(_)) {
            let word = Reply::FileNo(Refusal::NotPlaced);
            self.send(now, channel, false, &word.into());
        }
        let refusal = one.discards().unwrap_or(Refusal::Unexplained);
        self.events.push_back(Event::Refused(one.key, refusal));
    }

    /// Whether a broken transfer may be continued.
    pub(super) fn can_restart(&self) -> bool {
        self.features.contains(Features::RESTART) && self.link.traits().restart
    }
}
