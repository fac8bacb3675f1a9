//! Requests, files and roles while the link protocol runs: from the first command to the last `HY`.
//!
//! The two sides are told apart by who made a request, never by who dialled: [`Outgoing`] are our requests, [`Incoming`]
//! theirs. On a link without channels only the master makes requests; on one with channels both do, and the role matters
//! for hanging up alone.

mod answers;
mod arriving;
mod fruit;
mod hang_up;
mod sending;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::event::{Event, Severity, TransferKey};
use super::handshake::Chosen;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::{ConversationError, Question};
use crate::link::{Channel, Link, LinkEvent};
use crate::wire::command::{Command, Features, Refusal, Reply, Request};
use arriving::Arrived;
use fruit::Fruit;
use hang_up::HangUp;
pub(super) use turns::Flow;
use turns::Turns;

/// How many commands that nobody understands are borne with in one call.
const GARBLED_LIMIT: u32 = 50;

/// How many packets may wait because the peer acknowledges nothing. What honest peers have under way at once, seven requests of
/// ours and the answers to seven of theirs, is less than half of it in the smallest packets.
const BACKLOG: usize = 4096;

/// How many files are committed together at most.
const GROUP_LIMIT: usize = 64;

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
            if self.link.backlog() > BACKLOG {
                return self.out_of_turn("request after request, and no answer acknowledged");
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
        let confirms = matches!(
            reply,
            Reply::FileYes { .. } | Reply::FileNo(_) | Reply::GoOn { .. }
        );
        let serves = if self.duplex {
            from_peer
        } else {
            self.theirs.contains_key(&channel)
        };
        if confirms && serves {
            return self.handle_served(now, channel, reply);
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
