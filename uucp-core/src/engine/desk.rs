//! Answers to a conversation's questions: the spool, the rules of the neighbour, the journal.

mod sending;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::confine::{Reach, confine};
use super::debugging::Debugging;
use super::encryption::Certified;
use super::line::LineInfo;
use super::neighbour::Neighbour;
use super::outside::Outside;
use super::progress::Progress;
use super::receive::Receptions;
use super::refusals::{Refusals, about, bounded};
use super::serve::Served;
use super::server::ToServer;
use super::signals::Signals;
use crate::config::Config;
use crate::conversation::{Conversation, ConversationError, Event, Severity, TransferKey};
use crate::link::CallRole;
use crate::name::SystemName;
use crate::spool::{self, Journal, Spool, Status, StatusKind};
use crate::wire::command::Features;

/// How much of a file is read at a time.
const READ: usize = 256 * 1024;

/// How much went over the line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// When the link protocol began.
    pub(super) since: Option<Instant>,
}

/// A file that flows from us.
#[derive(Debug)]
struct Flow {
    since: Instant,
    from: u64,
}

/// The one who knows spool and configuration while a call runs.
pub(super) struct Desk<'a> {
    pub(super) config: &'a Config,
    pub(super) spool: Spool,
    pub(super) journal: Journal,
    pub(super) line: LineInfo,
    /// The login name that the operating system or an option has given.
    pub(super) login: Option<Vec<u8>>,
    /// The address that the call comes from, where there is one.
    pub(super) from: Option<IpAddr>,
    /// The same, where its bad logins are counted here.
    pub(super) counts_from: Option<IpAddr>,
    /// What the caller has shown, where the line is encrypted.
    pub(super) certified: Option<Certified>,
    pub(super) neighbour: Option<Neighbour>,
    /// Where the journal says so before the neighbour is known.
    pub(super) system: Option<SystemName>,
    pub(super) receptions: Receptions,
    pub(super) served: HashMap<TransferKey, Served>,
    flows: HashMap<TransferKey, Flow>,
    /// Confirmed, but not yet put away: with the time they took and where they began.
    finished: Vec<(TransferKey, Option<(Duration, u64)>)>,
    buffer: Vec<u8>,
    pub(super) totals: Totals,
    /// Executions that came in.
    pub(super) executions: u64,
    /// Who does what this thread may not.
    pub(super) outside: Outside,
    pub(super) progress: Progress,
    /// What of the peer's refused requests has been told.
    pub(super) refusals: Refusals,
    /// Messages that this call alone is to leave.
    pub(super) debugging: Debugging,
    /// Who took the call, and waits to hear of the login.
    pub(super) server: Option<ToServer>,
    /// The signals that this process gets.
    pub(super) signals: Option<&'a Signals>,
    /// The hook before the call has been run, so the one after it is to be.
    pub(super) hooked: bool,
    /// Words for chat programs.
    pub(super) words: crate::conversation::ChatWords,
    /// The number of this call, to be written down when the handshake begins.
    pub(super) sequence: Option<u32>,
    /// How many calls have failed in a row before this one.
    pub(super) failures_before: u32,
    /// Whether the other system was reached, as far as that is a modem's to say.
    pub(super) dialed: bool,
    logged_in: bool,
}

impl<'a> Desk<'a> {
    /// A desk for one call.
    pub(super) fn new(
        config: &'a Config,
        spool: Spool,
        journal: Journal,
        role: CallRole,
        line: LineInfo,
    ) -> Self {
        Self {
            config,
            spool,
            journal,
            line,
            login: None,
            from: None,
            counts_from: None,
            certified: None,
            neighbour: None,
            system: None,
            receptions: Receptions::default(),
            served: HashMap::new(),
            flows: HashMap::new(),
            finished: Vec::new(),
            buffer: vec![0; READ],
            totals: Totals::default(),
            executions: 0,
            outside: Outside::default(),
            progress: Progress::off(),
            refusals: Refusals::default(),
            debugging: Debugging::default(),
            server: None,
            signals: None,
            hooked: false,
            words: crate::conversation::ChatWords::default(),
            sequence: None,
            failures_before: 0,
            dialed: true,
            logged_in: role == CallRole::Called,
        }
    }

    /// What kind of failure it is when the call ends now.
    pub(super) fn stage_of_failure(&self) -> StatusKind {
        if self.totals.since.is_some() {
            StatusKind::CallFailed
        } else if self.logged_in {
            StatusKind::HandshakeFailed
        } else {
            StatusKind::LoginFailed
        }
    }

    /// The chat script is through: from here on the call counts in the sequence.
    fn logged_in(&mut self) -> Result<(), String> {
        self.logged_in = true;
        self.note("Login successful");
        match (&self.neighbour, self.sequence) {
            (Some(neighbour), Some(number)) => self
                .spool
                .set_call_sequence(&neighbour.system.name, number)
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    /// Writes a line of the log.
    pub(super) fn log(&mut self, user: Option<&[u8]>, severity: spool::Severity, text: &str) {
        let system = self
            .neighbour
            .as_ref()
            .map(|neighbour| &neighbour.system.name)
            .or(self.system.as_ref());
        self.journal.log(system, user, severity, text);
    }

    pub(super) fn note(&mut self, text: &str) {
        self.log(None, spool::Severity::Info, text);
    }

    pub(super) fn complain(&mut self, text: &str) {
        self.log(None, spool::Severity::Error, text);
    }

    /// A line about a caller that does not come in: with its address at the end, where nothing that it says can stand.
    pub(super) fn with_address(&self, text: String) -> String {
        match self.from {
            Some(from) => format!("{text} (from {from})"),
            None => text,
        }
    }

    /// Tells of a request of the peer's that comes to nothing, unless enough has been told of such.
    pub(super) fn tell_refused(&mut self, user: &[u8], what: &str, reason: &str) {
        if self.refusals.may_tell() {
            self.log(Some(user), spool::Severity::Error, &about(what, reason));
        }
    }

    /// Does what an event asks for, and answers it.
    pub(super) fn handle(&mut self, event: Event, conversation: &mut Conversation) {
        let result = self.answer(event, conversation);
        if let Err(reason) = result {
            conversation.fail(Instant::now(), ConversationError::Local(reason));
        }
    }

    /// The conversation has come to its end in order.
    pub(super) fn ended_in_order(&mut self) {
        if let Some(neighbour) = &mut self.neighbour {
            neighbour.inbox.over();
        }
    }

    fn answer(&mut self, event: Event, conversation: &mut Conversation) -> Result<(), String> {
        match event {
            Event::Log(Severity::Note, text) => self.note(&text),
            Event::Log(Severity::Error, text) => self.complain(&bounded(&text)),
            Event::Dialed => self.dialed = true,
            Event::LoggedIn => self.logged_in()?,
            Event::CheckLogin { login, password } => {
                let good = self.check_login(&login, password.0.expose());
                if good {
                    conversation.greet_as(self.own_name(&login));
                }
                conversation.answer_login(Instant::now(), good);
            }
            Event::Identify(introduction) => {
                let verdict = self.identify(&introduction);
                conversation.answer_identity(Instant::now(), verdict);
            }
            Event::Talking {
                letter,
                description,
                features,
                largest,
            } => self.talking(letter, &description, features, largest),
            Event::NextWork(key) => {
                let work = self.next_work(key)?;
                conversation.answer_work(Instant::now(), work);
            }
            Event::Receive(arrival) => {
                let admission = self.receive(&arrival);
                conversation.answer_receive(Instant::now(), admission);
            }
            Event::Data {
                key,
                position,
                bytes,
            } => self.receptions.write(key, position, &bytes)?,
            Event::Void(key) => self.receptions.begin_anew(key),
            Event::Commit(keys) => {
                let placed = self.commit(&keys);
                conversation.answer_commit(Instant::now(), placed);
            }
            Event::Offer { key, request } => {
                let offer = self.offer(key, &request);
                conversation.answer_offer(Instant::now(), offer);
            }
            Event::Expand(request) => {
                let yes = self.expand(&request);
                conversation.answer_expand(Instant::now(), yes);
            }
            Event::Sending(key, position) => self.sending(key, position),
            Event::Confirmed(key) => self.confirmed(key),
            Event::Refused(key, refusal) => self.refused(key, refusal)?,
            Event::Served(key, good) => self.served(key, good),
            Event::Acknowledged => {
                if let Some(neighbour) = &mut self.neighbour {
                    neighbour.inbox.acknowledged();
                }
            }
            Event::RunProgram { .. }
            | Event::Break
            | Event::SetLine(_)
            | Event::Carrier(_)
            | Event::Finished(_) => {}
        }
        Ok(())
    }

    fn talking(&mut self, letter: u8, description: &str, features: Features, largest: Option<u64>) {
        let blank = if description.is_empty() { "" } else { " " };
        let letter = char::from(letter);
        self.note(&format!(
            "Handshake successful (protocol '{letter}'{blank}{description})"
        ));
        self.confine();
        self.totals.since = Some(Instant::now());
        if let Some(neighbour) = &mut self.neighbour {
            neighbour.learn(features, largest);
            let status = Status {
                kind: StatusKind::Talking,
                retries: 0,
                last: jiff::Timestamp::now().as_second(),
                wait: Duration::ZERO,
                text: StatusKind::Talking.text().to_owned(),
            };
            let name = neighbour.system.name.clone();
            if let Err(error) = self.spool.set_status(&name, &status) {
                self.complain(&error.to_string());
            }
        }
    }

    /// From here on the other side's words lead nowhere but where the configuration says.
    fn confine(&mut self) {
        let Some(neighbour) = &mut self.neighbour else {
            return;
        };
        if !neighbour.confined || !self.outside.is_there() {
            return;
        }
        neighbour.queue.outside = self.outside.clone();
        let reach = Reach::of_call(self.config, &neighbour.settings, &neighbour.pubdir);
        match confine(&reach) {
            Ok(()) => tracing::debug!(target: "uucp::spooldir", ?reach, "confined"),
            Err(reason) => tracing::info!(target: "uucp::spooldir", %reason, "not confined"),
        }
    }

    /// Whether there are new jobs of ours to tell the peer about.
    pub(super) fn has_news(&mut self) -> Result<bool, String> {
        match &mut self.neighbour {
            Some(neighbour) if neighbour.may_request && self.totals.since.is_some() => neighbour
                .queue
                .has_news()
                .map_err(|error| error.to_string()),
            _ => Ok(false),
        }
    }

    fn next_work(&mut self, key: TransferKey) -> Result<Option<crate::conversation::Work>, String> {
        let Some(neighbour) = &mut self.neighbour else {
            return Ok(None);
        };
        if !neighbour.may_request && neighbour.queue.ever_transfers() {
            return Ok(None);
        }
        let work = neighbour.queue.next(key);
        let complaints = std::mem::take(&mut neighbour.queue.complaints);
        let packer = neighbour.queue.packer.as_mut();
        let notes = packer.map(|packer| std::mem::take(&mut packer.notes));
        for note in notes.into_iter().flatten() {
            self.note(&note);
        }
        for complaint in complaints {
            self.complain(&complaint);
        }
        work.map_err(|error| error.to_string())
    }

    /// Ends the jobs of which nothing is left but what can never be done.
    fn give_up_hopeless(&mut self) -> Result<(), String> {
        let queue = self.neighbour.as_mut().map(|one| &mut one.queue);
        let hopeless = queue.map(|queue| std::mem::take(&mut queue.hopeless));
        for mut one in hopeless.into_iter().flatten() {
            let Some(neighbour) = &mut self.neighbour else {
                continue;
            };
            let told = match neighbour.queue.keep(&mut one) {
                Ok(kept) => self.give_up(&one.request, &one.reason, &kept),
                // It stays, and keeps nothing behind it from going.
                Err(error) => {
                    self.complain(&format!("{}; it stays queued: {error}", one.reason));
                    false
                }
            };
            if let Some(neighbour) = &mut self.neighbour {
                let given_up = neighbour.queue.given_up(one, told);
                given_up.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
