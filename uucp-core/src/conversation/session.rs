//! Requests, files and roles while the link protocol runs: from the first command to the last `HY`.
//!
//! The two sides are told apart by who made a request, never by who dialled: [`Outgoing`] are our requests, [`Incoming`]
//! theirs. On a link without channels only the master makes requests; on one with channels both do, and the role matters
//! for hanging up alone.

mod answers;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::event::{Event, Severity, TransferKey, Wanted};
use super::handshake::Chosen;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::{ConversationError, Question};
use crate::link::{Channel, Link, LinkEvent};
use crate::wire::command::{Command, Features, Refusal, Reply, Request};
pub(super) use turns::Flow;
use turns::Turns;

/// How many commands that nobody understands are borne with in one call.
const GARBLED_LIMIT: u32 = 50;

/// How many files are committed together at most.
const GROUP_LIMIT: usize = 64;

/// How far the hanging up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HangUp {
    /// Not begun.
    No,
    /// As master: `H` is out.
    Asked,
    /// As slave: `HY HY` is out.
    Agreed,
    /// The link's own closing exchange.
    Closing,
    /// Raw bytes again.
    Closed,
}

/// How many bytes of files count as a step forward.
const STEP: usize = 1024;

/// When the call last got anywhere: bytes of files, a file in its place, an answer to a request of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fruit {
    pub(super) since: Instant,
    bytes: usize,
}

impl Fruit {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
        }
    }

    fn count(&mut self, now: Instant, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= STEP {
            *self = Self::new(now);
        }
    }
}

/// A complete reception that waits for its commit.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    channel: Channel,
    ours: bool,
    key: TransferKey,
}

/// The state of a running link.
pub(super) struct Session {
    pub(super) link: Box<dyn Link>,
    pub(super) features: Features,
    /// The largest file the peer takes.
    largest: Option<u64>,
    pub(super) events: VecDeque<Event>,
    pub(super) question: Option<Question>,
    /// Whether both sides may make requests at any time.
    pub(super) duplex: bool,
    /// Whether data may overtake the answer to its request.
    pub(super) ahead: bool,
    pub(super) ours: BTreeMap<Channel, Outgoing>,
    pub(super) theirs: BTreeMap<Channel, Incoming>,
    /// How many requests of ours may be under way.
    channels: u8,
    master: bool,
    hang_up: HangUp,
    started: bool,
    arrived: Vec<Arrived>,
    committing: Vec<Arrived>,
    /// No more work, as far as we were told.
    dry: bool,
    /// That was said when nothing of ours was under way any more.
    looked_last: bool,
    /// The slave wants to be master: no new request, then `H`.
    hand_over: bool,
    /// We are slave and have found work.
    wants_turn: bool,
    /// When something whole last came in, or anything went out.
    pub(super) progress: Instant,
    pub(super) fruit: Fruit,
    garbled: u32,
    next_key: u64,
    turns: Turns,
}

impl Session {
    pub(super) fn new(now: Instant, link: Box<dyn Link>, chosen: &Chosen, master: bool) -> Self {
        let traits = link.traits();
        Self {
            link,
            features: chosen.features,
            largest: chosen.largest,
            events: VecDeque::new(),
            question: None,
            duplex: traits.channels > 1,
            ahead: traits.streams_ahead,
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            channels: traits.channels.max(1),
            master,
            hang_up: HangUp::No,
            started: false,
            arrived: Vec::new(),
            committing: Vec::new(),
            dry: false,
            looked_last: false,
            hand_over: false,
            wants_turn: false,
            progress: now,
            fruit: Fruit::new(now),
            garbled: 0,
            next_key: 0,
            turns: Turns::default(),
        }
    }

    /// One request at a time, the master's: the line carries one direction at a time.
    pub(super) fn use_one_channel(&mut self) {
        self.duplex = false;
        self.channels = 1;
    }

    /// No file has the line for longer than this while another one waits; zero: as long as it takes.
    pub(super) fn limit_file_time(&mut self, limit: Duration) {
        self.turns.limit = limit;
    }

    /// Whether the link has closed and raw bytes follow.
    pub(super) fn is_closed(&self) -> bool {
        self.hang_up == HangUp::Closed
    }

    /// Whether both sides have agreed to end the call: a line that is lost from here on does no harm.
    pub(super) fn is_ending(&self) -> bool {
        matches!(
            self.hang_up,
            HangUp::Agreed | HangUp::Closing | HangUp::Closed
        )
    }

    /// What is awaited, for the message of a timeout.
    pub(super) fn awaited(&self) -> &'static str {
        if !self.started {
            "the start of the protocol"
        } else if !self.theirs.is_empty() {
            "the file"
        } else if self.master {
            "an answer"
        } else {
            "a command"
        }
    }

    /// Tells that work has been found while we are slave.
    pub(super) fn request_turn(&mut self) {
        self.wants_turn = !self.master && !self.duplex;
        self.dry = false;
    }

    pub(super) fn poll_event(&mut self, now: Instant) -> Result<Option<Event>, ConversationError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.question.is_some() || self.is_closed() {
                return Ok(None);
            }
            if let Some(event) = self.link.poll_event() {
                self.handle_link_event(now, event)?;
            } else if !self.go_on(now) {
                return Ok(None);
            }
        }
    }

    fn handle_link_event(
        &mut self,
        now: Instant,
        event: LinkEvent,
    ) -> Result<(), ConversationError> {
        self.progress = now;
        match event {
            LinkEvent::Started { description } => {
                self.started = true;
                self.events.push_back(Event::Talking {
                    letter: self.link.letter(),
                    description,
                    features: self.features,
                    largest: self.largest,
                });
                Ok(())
            }
            LinkEvent::Command {
                channel,
                from_peer,
                bytes,
            } => self.handle_command(now, self.channel(channel), from_peer, &bytes),
            LinkEvent::Data {
                channel,
                from_peer,
                position,
                bytes,
            } => {
                let count = bytes.len();
                tracing::trace!(target: "uucp::proto", ?channel, ?position, count, "file data received");
                self.handle_data(now, self.channel(channel), from_peer, position, bytes)
            }
            LinkEvent::FileEnd { channel, from_peer } => {
                tracing::trace!(target: "uucp::proto", ?channel, "end of file received");
                self.handle_file_end(now, self.channel(channel), from_peer)
            }
            LinkEvent::Again { channel, from_peer } => {
                self.handle_again(now, self.channel(channel), from_peer)
            }
            LinkEvent::Acknowledged => {
                self.events.push_back(Event::Acknowledged);
                Ok(())
            }
            LinkEvent::Closed => {
                self.hang_up = HangUp::Closed;
                Ok(())
            }
        }
    }

    /// The channel that an exchange is kept under: links without channels may name any.
    fn channel(&self, channel: Channel) -> Channel {
        if self.duplex { channel } else { Channel(0) }
    }

    fn handle_command(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
        bytes: &[u8],
    ) -> Result<(), ConversationError> {
        tracing::trace!(target: "uucp::uucp_proto", command = %bytes.escape_ascii(), ?channel, from_peer, "received");
        match Command::parse(bytes) {
            Ok(Command::Request(request)) => self.handle_request(channel, request),
            Ok(Command::HangUp) => self.handle_hang_up(now),
            Ok(Command::HangUpYes) => {
                self.handle_hang_up_yes(now);
                Ok(())
            }
            Ok(Command::HangUpNo) => {
                self.handle_hang_up_no();
                Ok(())
            }
            Ok(Command::Reply(reply)) => self.handle_reply(now, channel, from_peer, reply),
            Err(error) => self.note_garbled(&error.to_string()),
        }
    }

    /// A command that nobody understands is logged and passed over: there is no answer to it.
    pub(super) fn note_garbled(&mut self, what: &str) -> Result<(), ConversationError> {
        self.garbled += 1;
        if self.garbled > GARBLED_LIMIT {
            return Err(ConversationError::Remote(
                "too many garbled commands".into(),
            ));
        }
        self.log(Severity::Error, format!("Received {what}"));
        Ok(())
    }

    fn handle_request(
        &mut self,
        channel: Channel,
        request: Request,
    ) -> Result<(), ConversationError> {
        if !self.duplex && self.master {
            return self.out_of_turn("a request from the slave");
        }
        if self.theirs.contains_key(&channel) {
            return self.out_of_turn("a request while another one is under way");
        }
        self.begin_incoming(channel, request);
        Ok(())
    }

    pub(super) fn out_of_turn<T>(&self, what: &str) -> Result<T, ConversationError> {
        Err(ConversationError::Remote(format!(
            "protocol '{}': {what}",
            char::from(self.link.letter())
        )))
    }

    fn handle_reply(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
        reply: Reply,
    ) -> Result<(), ConversationError> {
        let confirms = matches!(reply, Reply::FileYes { .. } | Reply::FileNo(_));
        let serves = if self.duplex {
            from_peer
        } else {
            self.theirs.contains_key(&channel)
        };
        if confirms && serves {
            return self.handle_served(channel, reply);
        }
        self.fruit = Fruit::new(now);
        if let Reply::FileYes { more_work: true }
        | Reply::ReceiveYes {
            more_work: true, ..
        } = reply
        {
            self.hand_over = true;
        }
        if reply_is_no_channel(&reply) {
            self.channels = (self.channels - 1).max(2.min(self.channels));
        }
        self.handle_answer(now, channel, reply)
    }

    fn handle_data(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
        position: Option<u64>,
        bytes: Vec<u8>,
    ) -> Result<(), ConversationError> {
        let key = if self.is_theirs(channel, from_peer) {
            self.theirs.get_mut(&channel).map(Incoming::receiving)
        } else {
            self.ours.get_mut(&channel).map(Outgoing::receiving)
        };
        match key.flatten() {
            Some(Some(key)) => {
                self.fruit.count(now, bytes.len());
                self.events.push_back(Event::Data {
                    key,
                    position,
                    bytes,
                });
                Ok(())
            }
            // A file that was refused: its data has overtaken the refusal.
            Some(None) => Ok(()),
            None => self.out_of_turn("file data that nobody asked for"),
        }
    }

    /// A file was damaged on its way, and begins anew: one that comes, or one that was sent.
    fn handle_again(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
    ) -> Result<(), ConversationError> {
        let ours = !self.is_theirs(channel, from_peer);
        let key = if ours {
            self.ours.get_mut(&channel).map(Outgoing::receiving)
        } else {
            self.theirs.get_mut(&channel).map(Incoming::receiving)
        };
        match key.flatten() {
            Some(Some(key)) => self.events.push_back(Event::Void(key)),
            Some(None) => {}
            None if ours => return self.send_again(now, channel),
            None => return self.serve_again(now, channel),
        }
        Ok(())
    }

    fn handle_file_end(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
    ) -> Result<(), ConversationError> {
        let ours = !self.is_theirs(channel, from_peer);
        let key = if ours {
            self.ours.get_mut(&channel).map(Outgoing::complete)
        } else {
            self.theirs.get_mut(&channel).map(Incoming::complete)
        };
        match key.flatten() {
            Some(Some(key)) => self.arrived.push(Arrived { channel, ours, key }),
            Some(None) if ours => self.end_discarded(now, channel),
            Some(None) => {
                self.theirs.remove(&channel);
            }
            None => return self.out_of_turn("the end of a file that nobody asked for"),
        }
        Ok(())
    }

    fn is_theirs(&self, channel: Channel, from_peer: bool) -> bool {
        if self.duplex {
            from_peer
        } else {
            self.theirs.contains_key(&channel)
        }
    }

    /// What there is to do when the link has nothing more to say; false: nothing, wait.
    fn go_on(&mut self, now: Instant) -> bool {
        if !self.started {
            return false;
        }
        if !self.arrived.is_empty() {
            let rest = self.arrived.split_off(self.arrived.len().min(GROUP_LIMIT));
            self.committing = std::mem::replace(&mut self.arrived, rest);
            let keys = self.committing.iter().map(|one| one.key).collect();
            self.ask(Question::Commit, Event::Commit(keys));
            return true;
        }
        if self.hang_up != HangUp::No || !(self.master || self.duplex) {
            return false;
        }
        if self.master && self.ours.is_empty() && !self.looked_last {
            // What has been queued since is asked for before the call ends.
            self.dry = false;
        }
        if !self.dry && !self.hand_over && self.ours.len() < usize::from(self.channels) {
            self.ask_for_work(Question::Work);
            return true;
        }
        if self.master && self.ours.is_empty() {
            self.send(now, Channel(0), false, &Command::HangUp);
            self.hang_up = HangUp::Asked;
        }
        false
    }

    fn ask_for_work(&mut self, question: Question) {
        let key = self.new_key();
        self.ask(question, Event::NextWork(key));
    }

    pub(super) fn new_key(&mut self) -> TransferKey {
        self.next_key += 1;
        TransferKey(self.next_key)
    }

    pub(super) fn ask(&mut self, question: Question, event: Event) {
        self.question = Some(question);
        self.events.push_back(event);
    }

    /// The slave's answer to `H` depends on whether there is work.
    fn handle_hang_up(&mut self, now: Instant) -> Result<(), ConversationError> {
        if self.master {
            return self.out_of_turn("H from the slave");
        }
        if self.hang_up != HangUp::No {
            return Ok(());
        }
        if self.ours.is_empty() {
            self.dry = false;
            self.ask_for_work(Question::LastWork);
        } else {
            self.become_master(now);
        }
        Ok(())
    }

    fn become_master(&mut self, now: Instant) {
        self.send(now, Channel(0), false, &Command::HangUpNo);
        self.master = true;
        self.hand_over = false;
        self.looked_last = false;
        self.wants_turn = false;
    }

    fn handle_hang_up_yes(&mut self, now: Instant) {
        match self.hang_up {
            HangUp::Asked => {
                self.send(now, Channel(0), false, &Command::HangUpYes);
                self.close(now);
            }
            HangUp::Agreed => self.close(now),
            _ => {}
        }
    }

    fn handle_hang_up_no(&mut self) {
        if self.hang_up == HangUp::Asked {
            self.hang_up = HangUp::No;
            self.master = false;
            self.hand_over = false;
            // What comes in while the other side works is found when it asks to hang up.
            self.dry = true;
        }
    }

    fn close(&mut self, now: Instant) {
        self.hang_up = HangUp::Closing;
        self.link.close(now);
    }

    /// A free channel for a request of ours; there is one, as their number is checked before work is asked for.
    pub(super) fn free_channel(&self) -> Channel {
        if !self.duplex {
            return Channel(0);
        }
        (1..=u8::MAX)
            .map(Channel)
            .find(|channel| !self.ours.contains_key(channel))
            .unwrap_or(Channel(1))
    }

    /// Sends a command; one that cannot be carried is told, and is the caller's to have checked before.
    pub(super) fn send(
        &mut self,
        now: Instant,
        channel: Channel,
        from_peer: bool,
        command: &Command,
    ) {
        match command.to_bytes(self.features) {
            Ok(bytes) => {
                tracing::trace!(target: "uucp::uucp_proto", command = %bytes.escape_ascii(), ?channel, from_peer, "sent");
                self.link.send_command(now, channel, from_peer, &bytes);
            }
            Err(error) => self.log(Severity::Error, error.to_string()),
        }
    }

    pub(super) fn log(&mut self, severity: Severity, text: String) {
        self.events.push_back(Event::Log(severity, text));
    }

    /// The next bytes of a file that there is room for.
    pub(super) fn poll_wanted(&mut self) -> Option<Wanted> {
        if self.is_ending() {
            return None;
        }
        let room = self.link.send_room();
        if room == 0 {
            return None;
        }
        let flow = self.turns.next(self.flows())?;
        let left = usize::try_from(flow.size - flow.position).unwrap_or(usize::MAX);
        Some(Wanted {
            key: flow.key,
            position: flow.position,
            room: room.min(left),
        })
    }

    /// Takes bytes that [`poll_wanted`](Self::poll_wanted) asked for; gives back how many.
    pub(super) fn supply(&mut self, now: Instant, key: TransferKey, bytes: &[u8]) -> usize {
        let Some(flow) = self.flows().find(|flow| flow.key == key) else {
            return 0;
        };
        let (channel, from_peer) = (flow.channel, flow.from_peer);
        let taken = self.link.send_data(now, channel, from_peer, bytes);
        tracing::trace!(target: "uucp::proto", ?channel, position = flow.position, count = taken, "file data sent");
        self.turns.took(now, key);
        self.fruit.count(now, taken);
        let done = if from_peer {
            self.theirs.get_mut(&channel).map(|one| one.advance(taken))
        } else {
            self.ours.get_mut(&channel).map(|one| one.advance(taken))
        };
        if done == Some(true) {
            self.link.end_file(now, channel, from_peer);
        }
        taken
    }

    /// Everything that flows from us.
    fn flows(&self) -> impl Iterator<Item = Flow> + Clone {
        let ours = self.ours.iter();
        let theirs = self.theirs.iter();
        ours.filter_map(|(channel, one)| one.flow(*channel))
            .chain(theirs.filter_map(|(channel, one)| one.flow(*channel)))
    }
}

fn reply_is_no_channel(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::No {
            refusal: Refusal::NoChannel,
            ..
        }
    )
}
