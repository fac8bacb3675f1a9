//! SMTP and LMTP to the local MTA, as RFC 5321's and RFC 2033's client: pipelined where offered (RFC 2920), an outcome per
//! recipient.
//!
//! Hand-written because the known client crates take no bang paths, send bare line feeds, or tell one outcome for all.

mod broken;
mod command;
mod connection;
mod dialogue;
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

use self::broken::Broken;
use self::dialogue::run;
use self::session::Session;
use self::verdict::Verdicts;
use super::offer::{RecipientWishes, Wishes};
use super::{Flavour, Message, Outcome, Reply};
use crate::config::mail::ServerAddress;

pub(super) use self::dot::Stuffed;

/// Recipients in one transaction. Every server takes 100 (RFC 5321), the ones we know take 1,000.
pub(super) const MOST_RECIPIENTS: usize = 500;
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

/// What is done while the server works.
pub(super) trait Meanwhile {
    /// Called before content is sent, while the server looks at the envelope. An error is the end of the transaction.
    fn before_content(&mut self) -> Result<(), Reply>;

    /// Called where the server has all of the content and has not answered yet.
    fn after_content(&mut self) {}
}

/// There is nothing to do meanwhile.
pub(super) struct AtEase;

impl Meanwhile for AtEase {
    fn before_content(&mut self) -> Result<(), Reply> {
        Ok(())
    }
}

/// A session, or what has one: transactions go through it one after the other.
pub(super) trait Transact {
    /// Offers one message to at most [`MOST_RECIPIENTS`] recipients.
    fn transact(
        &mut self,
        transaction: &Transaction<'_>,
        meanwhile: &mut dyn Meanwhile,
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
        meanwhile: &mut dyn Meanwhile,
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
