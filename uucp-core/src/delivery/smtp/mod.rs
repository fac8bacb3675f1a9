//! SMTP and LMTP to the local MTA, as RFC 5321's and RFC 2033's client: pipelined where offered (RFC 2920), an outcome per
//! recipient.
//!
//! Hand-written because the known client crates take no bang paths, send bare line feeds, or tell one outcome for all.

mod command;
mod connection;
mod dot;
mod reply;
mod session;
mod verdict;

#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::command::Commands;
use self::reply::{NotSmtp, ServerReply};
use self::session::Session;
use self::verdict::Verdicts;
use super::offer::{RecipientWishes, Wishes};
use super::{Flavour, Message, Outcome, Reply};
use crate::config::mail::ServerAddress;

pub(super) use self::dot::DotStuffer;

/// Recipients in one transaction. Every server takes 100 (RFC 5321), the ones we know take 1,000.
pub(super) const MOST_RECIPIENTS: usize = 500;
/// Commands sent before the replies are read: their replies fit any socket's buffer, so neither side blocks the other.
const GROUP: usize = 100;
/// Longest command that every server takes, in bytes, its line end included (RFC 5321, 4.5.3.1.4).
const COMMAND_LIMIT: usize = 512;
/// After so many refusals without a message taken a new session is opened: Postfix slows a session down after 10 and ends
/// it after 20.
const MOST_REFUSALS: u32 = 8;

/// Who is talked to.
#[derive(Debug, Clone)]
pub(super) enum Peer {
    /// A server that listens.
    Server(ServerAddress),
    /// `COMMAND -bs`.
    Program { command: PathBuf, flavour: Flavour },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) => address.fmt(f),
            Self::Program { command, .. } => write!(f, "{} -bs", command.display()),
        }
    }
}

/// How it is talked to.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) peer: Peer,
    /// LMTP: LHLO, and a reply for each recipient.
    pub(super) is_lmtp: bool,
    /// Our name.
    pub(super) hello: String,
    /// How long one message may take.
    pub(super) limit: Duration,
    /// How many messages go through one session.
    pub(super) session_messages: Option<NonZeroU32>,
    /// Where a program's complaints are written.
    pub(super) scratch: PathBuf,
}

/// A server, and the session with it while there is one.
#[derive(Debug)]
pub(super) struct Smtp {
    client: Client,
    session: Option<Session>,
    passes_dsn: bool,
}

/// One transaction: bytes that stand between angle brackets, what the sender asked for, and the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction<'a> {
    pub(super) sender: &'a [u8],
    pub(super) recipients: &'a [Recipient<'a>],
    pub(super) wishes: &'a Wishes,
    pub(super) message: &'a Message,
}

/// One recipient of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Recipient<'a> {
    pub(super) address: Vec<u8>,
    pub(super) wishes: &'a RecipientWishes,
}

/// What a transaction came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Transacted {
    /// Outcomes in the recipients' order; `None`: to be offered again now.
    Outcomes {
        outcomes: Vec<Option<Outcome>>,
        /// The server went away over it.
        is_broken: bool,
    },
    /// No session could be opened, so nothing was offered.
    NoSession(Reply),
}

/// Called before content is sent, while the server looks at the envelope; an error is the end of the transaction.
pub(super) type Meanwhile<'a> = dyn FnMut() -> Result<(), Reply> + 'a;

/// A session, or what has one: transactions go through it one after the other.
pub(super) trait Transact {
    /// Offers one message to at most [`MOST_RECIPIENTS`] recipients.
    fn transact(
        &mut self,
        transaction: &Transaction<'_>,
        meanwhile: &mut Meanwhile<'_>,
    ) -> Transacted;
}

impl Smtp {
    pub(super) fn new(client: Client) -> Self {
        let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let is_clean = !client.hello.is_empty() && client.hello.chars().all(clean);
        let hello = if is_clean {
            client.hello.clone()
        } else {
            "localhost".to_owned()
        };
        Self {
            client: Client { hello, ..client },
            session: None,
            passes_dsn: false,
        }
    }

    /// The same way again, for a session of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.client.clone())
    }

    /// What it is and where, in a word.
    #[cfg(test)]
    pub(super) fn described(&self) -> String {
        let protocol = if self.client.is_lmtp { "lmtp" } else { "smtp" };
        match &self.client.peer {
            Peer::Server(_) => protocol.to_owned(),
            Peer::Program { flavour, .. } => format!("dialogue {flavour:?}"),
        }
    }

    /// Opens a session if there is none; whether there is one now.
    pub(super) fn connect(&mut self) -> bool {
        if self.session.is_none() {
            self.session = self.open(Instant::now() + self.client.limit).ok();
        }
        self.session.is_some()
    }

    /// Whether what is in parentheses is lost, though it is quoted: Sendmail's command hands mail on without the quotes.
    pub(super) fn garbles_comments(&self) -> bool {
        let flavour = match &self.client.peer {
            Peer::Program { flavour, .. } => Some(*flavour),
            Peer::Server(_) => None,
        };
        flavour == Some(Flavour::Sendmail)
    }

    /// Whether the server of the last session took wishes about reports.
    pub(super) fn passes_dsn(&self) -> bool {
        self.passes_dsn
    }

    fn open(&mut self, deadline: Instant) -> Result<Session, Broken> {
        let session = Session::open(&self.client, deadline)?;
        self.passes_dsn = session.extensions.dsn;
        Ok(session)
    }

    fn verdicts(&self, transaction: &Transaction<'_>) -> Verdicts {
        Verdicts::new(transaction.recipients.len(), self.client.peer.to_string())
    }
    fn finish(
        &mut self,
        mut session: Session,
        ended: Result<(), Broken>,
        verdicts: Verdicts,
    ) -> Transacted {
        let Err(broken) = ended else {
            session.refusals = if verdicts.any_delivered() {
                0
            } else {
                session.refusals.saturating_add(verdicts.refusals())
            };
            let is_used_up = self
                .client
                .session_messages
                .is_some_and(|most| session.begun >= most.get());
            if !is_used_up && session.refusals < MOST_REFUSALS {
                self.session = Some(session);
            }
            return Transacted::Outcomes {
                outcomes: verdicts.outcomes(),
                is_broken: false,
            };
        };
        let broken = session.explained(broken);
        Transacted::Outcomes {
            outcomes: verdicts.broken(&broken),
            is_broken: true,
        }
    }
}

impl Transact for Smtp {
    fn transact(
        &mut self,
        transaction: &Transaction<'_>,
        meanwhile: &mut Meanwhile<'_>,
    ) -> Transacted {
        let deadline = Instant::now() + self.client.limit;
        if let Some(mut session) = self.session.take() {
            session.set_deadline(deadline);
            let mut verdicts = self.verdicts(transaction);
            let ended = run(&mut session, transaction, &mut verdicts, meanwhile);
            // A server may close a session that was idle or long; until DATA was answered a new one loses nothing.
            let is_stale = matches!(&ended, Err(broken) if broken.is_gone());
            if !is_stale || verdicts.content_sent {
                return self.finish(session, ended, verdicts);
            }
        }
        let mut verdicts = self.verdicts(transaction);
        match self.open(deadline) {
            Ok(mut session) => {
                let ended = run(&mut session, transaction, &mut verdicts, meanwhile);
                self.finish(session, ended, verdicts)
            }
            Err(broken) => Transacted::NoSession(Reply {
                status: "4.4.1".to_owned(),
                text: broken.text,
                remote: Some(self.client.peer.to_string()),
            }),
        }
    }
}

/// The session is over, and why. What was not confirmed is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    status: &'static str,
    text: String,
    /// The server has not kept to its time.
    is_late: bool,
    /// The server said so itself, with 421, instead of doing what it was asked.
    is_closing: bool,
    /// It is ourselves who cannot go on.
    is_ours: bool,
}

impl Broken {
    fn new(text: impl Into<String>) -> Self {
        Self {
            status: "4.4.2",
            text: text.into(),
            is_late: false,
            is_closing: false,
            is_ours: false,
        }
    }

    fn late(missing: &str) -> Self {
        Self {
            is_late: true,
            ..Self::new(format!(
                "the server has not {missing} within the time limit"
            ))
        }
    }

    fn closing(reply: &ServerReply) -> Self {
        Self {
            is_closing: true,
            ..Self::new(reply.to_string())
        }
    }

    fn ours(reply: &Reply) -> Self {
        Self {
            status: "4.3.0",
            is_ours: true,
            ..Self::new(reply.to_string())
        }
    }

    /// Whether the server may be there again at once.
    fn is_gone(&self) -> bool {
        !self.is_late && !self.is_ours
    }
}

impl From<NotSmtp> for Broken {
    fn from(NotSmtp(text): NotSmtp) -> Self {
        Self::new(text)
    }
}

/// The transaction from MAIL to the reply to the final dot.
fn run(
    session: &mut Session,
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
    meanwhile: &mut Meanwhile<'_>,
) -> Result<(), Broken> {
    let mut meanwhile = || meanwhile().map_err(|reply| Broken::ours(&reply));
    let Some(commands) = Commands::new(session, transaction, verdicts) else {
        return meanwhile();
    };
    if session.unfinished {
        session.ask("RSET")?;
    }
    session.unfinished = true;
    session.begun = session.begun.saturating_add(1);
    let data = if session.extensions.pipelining {
        offer_pipelined(session, &commands, verdicts, &mut meanwhile)?
    } else {
        offer_in_lockstep(session, &commands, verdicts, &mut meanwhile)?
    };
    let Some(data) = data else { return Ok(()) };
    if data.code != 354 {
        verdicts.hear_data(&data);
        return Ok(());
    }
    send_content(session, transaction, verdicts)
}

/// MAIL, RCPTs and DATA in groups; the reply to DATA.
fn offer_pipelined(
    session: &mut Session,
    commands: &Commands,
    verdicts: &mut Verdicts,
    meanwhile: &mut dyn FnMut() -> Result<(), Broken>,
) -> Result<Option<ServerReply>, Broken> {
    let mut group = commands.mail.clone();
    let mut is_first = true;
    let mut parts = commands.rcpt.chunks(GROUP).peekable();
    while let Some(part) = parts.next() {
        for (_, command) in part {
            group.extend_from_slice(command);
        }
        let is_last = parts.peek().is_none();
        if is_last {
            group.extend_from_slice(b"DATA\r\n");
        }
        session.send(&group)?;
        group.clear();
        if is_first {
            meanwhile()?;
            verdicts.hear_mail(&session.read_reply()?);
        }
        is_first = false;
        for (index, command) in part {
            let reply = session.read_reply()?;
            verdicts.hear_rcpt(*index, &reply, command.len() > COMMAND_LIMIT);
        }
        if is_last {
            return session.read_reply().map(Some);
        }
        if verdicts.mail_was_refused() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// One command, one reply; DATA only when somebody is to get it.
fn offer_in_lockstep(
    session: &mut Session,
    commands: &Commands,
    verdicts: &mut Verdicts,
    meanwhile: &mut dyn FnMut() -> Result<(), Broken>,
) -> Result<Option<ServerReply>, Broken> {
    session.send(&commands.mail)?;
    meanwhile()?;
    verdicts.hear_mail(&session.read_reply()?);
    if verdicts.mail_was_refused() {
        return Ok(None);
    }
    for (index, command) in &commands.rcpt {
        session.send(command)?;
        let reply = session.read_reply()?;
        verdicts.hear_rcpt(*index, &reply, command.len() > COMMAND_LIMIT);
    }
    if verdicts.accepted().is_empty() {
        return Ok(None);
    }
    session.ask("DATA").map(Some)
}

/// The content, and what the server says to it: once, or in LMTP once for each recipient that it accepted.
fn send_content(
    session: &mut Session,
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
) -> Result<(), Broken> {
    let accepted = verdicts.accepted();
    verdicts.content_sent = true;
    if accepted.is_empty() {
        // It wants a message for nobody: an empty one ends that.
        session.send(b".\r\n")?;
        if !session.is_lmtp {
            session.read_reply()?;
        }
        session.unfinished = false;
        return Ok(());
    }
    if let Some(reply) = session.send_content(transaction.message)? {
        verdicts.hear_content(&accepted, &reply);
        return Err(Broken::closing(&reply));
    }
    if session.is_lmtp {
        for index in accepted {
            let reply = session.read_reply()?;
            verdicts.hear_content(&[index], &reply);
        }
    } else {
        let reply = session.read_reply()?;
        verdicts.hear_content(&accepted, &reply);
    }
    session.unfinished = false;
    Ok(())
}
