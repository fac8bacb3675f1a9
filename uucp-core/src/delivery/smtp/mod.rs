//! SMTP to the local MTA, as RFC 5321's client: pipelined where offered (RFC 2920), an outcome per recipient.
//!
//! Hand-written because the known client crates take no bang paths, send bare line feeds, or tell one outcome for all.

mod dot;
mod reply;
mod session;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::reply::ServerReply;
use self::session::{Broken, Session};
use super::{Message, Outcome, Reply};
use crate::config::mail::HostPort;

/// Recipients in one transaction. Every server takes 100 (RFC 5321), the ones we know take 1,000.
pub(super) const MOST_RECIPIENTS: usize = 500;
/// Commands sent before the replies are read: their replies fit any socket's buffer, so neither side blocks the other.
const GROUP: usize = 100;
/// Below this size a message is sent without saying how large it is; nobody refuses it for that.
const SIZE_WORTH_SAYING: u64 = 64 * 1024;

/// A server, and the session with it while there is one.
#[derive(Debug)]
pub(super) struct Smtp {
    target: HostPort,
    hello: String,
    limit: Duration,
    session: Option<Session>,
}

/// One transaction: bytes that stand between angle brackets, and the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction<'a> {
    pub(super) sender: &'a [u8],
    pub(super) recipients: &'a [Vec<u8>],
    pub(super) message: &'a Message,
}

impl Smtp {
    /// A client of `target` that names itself `hello` and gives every message `limit`.
    pub(super) fn new(target: HostPort, hello: &str, limit: Duration) -> Self {
        let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let hello = if hello.is_empty() || !hello.chars().all(clean) {
            "localhost"
        } else {
            hello
        };
        Self {
            target,
            hello: hello.to_owned(),
            limit,
            session: None,
        }
    }

    /// Opens a session if there is none; whether there is one now.
    pub(super) fn connect(&mut self) -> bool {
        let deadline = Instant::now() + self.limit;
        if self.session.is_none() {
            self.session = Session::open(&self.target, &self.hello, deadline).ok();
        }
        self.session.is_some()
    }

    /// Offers one message to at most [`MOST_RECIPIENTS`] recipients. Outcomes are in their order; recipients that were too
    /// many for the server while others got the message are `None`, to be offered again.
    pub(super) fn transact(&mut self, transaction: &Transaction<'_>) -> Vec<Option<Outcome>> {
        let deadline = Instant::now() + self.limit;
        let mut verdicts = Verdicts::new(transaction.recipients.len(), self.target.to_string());
        if let Some(mut session) = self.session.take() {
            session.set_deadline(deadline);
            let ended = run(&mut session, transaction, &mut verdicts);
            // A server may close an idle session; until DATA was answered a new one loses nothing.
            if ended.is_ok() || verdicts.content_sent {
                return self.finish(session, ended, verdicts);
            }
            verdicts = Verdicts::new(transaction.recipients.len(), self.target.to_string());
        }
        match Session::open(&self.target, &self.hello, deadline) {
            Ok(mut session) => {
                let ended = run(&mut session, transaction, &mut verdicts);
                self.finish(session, ended, verdicts)
            }
            Err(broken) => verdicts.broken(&broken, "4.4.1"),
        }
    }

    fn finish(
        &mut self,
        session: Session,
        ended: Result<(), Broken>,
        verdicts: Verdicts,
    ) -> Vec<Option<Outcome>> {
        match ended {
            Ok(()) => {
                self.session = Some(session);
                verdicts.outcomes()
            }
            Err(broken) => verdicts.broken(&broken, "4.4.2"),
        }
    }
}

/// The transaction from MAIL to the reply to the final dot.
fn run(
    session: &mut Session,
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
) -> Result<(), Broken> {
    if session.unfinished {
        session.converse(b"RSET\r\n", 1)?;
    }
    session.unfinished = true;
    let data = if session.extensions.pipelining {
        offer_pipelined(session, transaction, verdicts)?
    } else {
        offer_in_lockstep(session, transaction, verdicts)?
    };
    let Some(data) = data else { return Ok(()) };
    if data.code != 354 {
        verdicts.settle_accepted(&data);
        return Ok(());
    }
    verdicts.content_sent = true;
    let verdict = if verdicts.any_accepted() {
        session.send_content(transaction.message)?
    } else {
        // It wants a message for nobody: an empty one ends that.
        session.converse(b".\r\n", 1)?;
        session.unfinished = false;
        return Ok(());
    };
    session.unfinished = false;
    verdicts.settle_accepted(&verdict);
    Ok(())
}

/// MAIL, RCPTs and DATA in groups; the reply to DATA.
fn offer_pipelined(
    session: &mut Session,
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
) -> Result<Option<ServerReply>, Broken> {
    let groups = transaction.recipients.len().div_ceil(GROUP);
    for (number, group) in transaction.recipients.chunks(GROUP).enumerate() {
        let (is_first, is_last) = (number == 0, number + 1 == groups);
        let mut commands = Vec::new();
        if is_first {
            commands.extend(mail_command(session, transaction));
        }
        for recipient in group {
            commands.extend(rcpt_command(recipient));
        }
        if is_last {
            commands.extend_from_slice(b"DATA\r\n");
        }
        let count = group.len() + usize::from(is_first) + usize::from(is_last);
        let mut replies = session.converse(&commands, count)?.into_iter();
        if is_first && let Some(reply) = replies.next() {
            verdicts.hear_mail(&reply);
        }
        for (index, reply) in replies.by_ref().take(group.len()).enumerate() {
            verdicts.hear_rcpt(number * GROUP + index, &reply);
        }
        if is_last {
            return Ok(replies.next());
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
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
) -> Result<Option<ServerReply>, Broken> {
    let mail = mail_command(session, transaction);
    for reply in session.converse(&mail, 1)? {
        verdicts.hear_mail(&reply);
    }
    if verdicts.mail_was_refused() {
        return Ok(None);
    }
    for (index, recipient) in transaction.recipients.iter().enumerate() {
        for reply in session.converse(&rcpt_command(recipient), 1)? {
            verdicts.hear_rcpt(index, &reply);
        }
    }
    if !verdicts.any_accepted() {
        return Ok(None);
    }
    Ok(session.converse(b"DATA\r\n", 1)?.into_iter().next())
}

fn mail_command(session: &Session, transaction: &Transaction<'_>) -> Vec<u8> {
    let offered = session.extensions;
    let mut command = [b"MAIL FROM:<", transaction.sender, b">"].concat();
    let size = transaction.message.smtp_size();
    if offered.size && size > SIZE_WORTH_SAYING {
        command.extend_from_slice(format!(" SIZE={size}").as_bytes());
    }
    let wants_utf8 =
        !transaction.sender.is_ascii() || transaction.recipients.iter().any(|r| !r.is_ascii());
    if offered.eight_bit_mime && (wants_utf8 || !transaction.message.is_ascii()) {
        command.extend_from_slice(b" BODY=8BITMIME");
    }
    // Not offered: sent all the same; several MTAs take such addresses, and one that does not says so.
    if offered.smtputf8 && wants_utf8 {
        command.extend_from_slice(b" SMTPUTF8");
    }
    command.extend_from_slice(b"\r\n");
    command
}

fn rcpt_command(recipient: &[u8]) -> Vec<u8> {
    [b"RCPT TO:<", recipient, b">\r\n"].concat()
}

/// What is known of every recipient so far.
#[derive(Debug)]
struct Verdicts {
    remote: String,
    mail: Option<Outcome>,
    recipients: Vec<Verdict>,
    content_sent: bool,
}

#[derive(Debug, Clone)]
enum Verdict {
    Open,
    Accepted,
    TooMany(Outcome),
    Final(Outcome),
}

impl Verdicts {
    fn new(count: usize, remote: String) -> Self {
        Self {
            remote,
            mail: None,
            recipients: vec![Verdict::Open; count],
            content_sent: false,
        }
    }

    fn hear_mail(&mut self, reply: &ServerReply) {
        if reply.class() != 2 {
            self.mail = Some(outcome_of(reply, &self.remote));
        }
    }

    fn mail_was_refused(&self) -> bool {
        self.mail.is_some()
    }

    fn hear_rcpt(&mut self, index: usize, reply: &ServerReply) {
        let verdict = match reply.code {
            _ if reply.class() == 2 && self.mail.is_none() => Verdict::Accepted,
            452 => Verdict::TooMany(outcome_of(reply, &self.remote)),
            _ => Verdict::Final(outcome_of(reply, &self.remote)),
        };
        if let Some(slot) = self.recipients.get_mut(index) {
            *slot = verdict;
        }
    }

    fn any_accepted(&self) -> bool {
        self.recipients
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Accepted))
    }

    /// The reply to DATA or to the final dot counts for all whose RCPT was accepted.
    fn settle_accepted(&mut self, reply: &ServerReply) {
        let outcome = match reply.class() {
            2 if self.content_sent => Outcome::Delivered,
            _ => outcome_of(reply, &self.remote),
        };
        for verdict in &mut self.recipients {
            if matches!(verdict, Verdict::Accepted) {
                *verdict = Verdict::Final(outcome.clone());
            }
        }
    }

    fn outcomes(self) -> Vec<Option<Outcome>> {
        if let Some(mail) = self.mail {
            return vec![Some(mail); self.recipients.len()];
        }
        let progress = self
            .recipients
            .iter()
            .any(|v| matches!(v, Verdict::Final(Outcome::Delivered)));
        self.recipients
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::TooMany(_) if progress => None,
                Verdict::TooMany(outcome) | Verdict::Final(outcome) => Some(outcome),
                Verdict::Open | Verdict::Accepted => Some(unknown(&self.remote)),
            })
            .collect()
    }

    /// The session broke: what was not settled is in doubt, and in doubt is "for now".
    fn broken(self, broken: &Broken, status: &str) -> Vec<Option<Outcome>> {
        let doubt = if self.content_sent {
            "after the message was sent, so nobody knows whether it was taken: "
        } else {
            ""
        };
        let reply = Reply {
            status: status.to_owned(),
            text: format!("{doubt}{}", broken.text),
            remote: Some(self.remote),
        };
        let deferred = Outcome::Deferred(reply);
        self.recipients
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Final(outcome) if self.mail.is_none() => Some(outcome),
                _ => Some(deferred.clone()),
            })
            .collect()
    }
}

fn unknown(remote: &str) -> Outcome {
    Outcome::Deferred(Reply {
        status: "4.5.0".to_owned(),
        text: "the server did not say what became of this recipient".to_owned(),
        remote: Some(remote.to_owned()),
    })
}

/// 4xx is for now, 5xx for good; except where it says that we and the server do not fit together, which is for the
/// postmaster to mend and not the message's fault.
fn outcome_of(reply: &ServerReply, remote: &str) -> Outcome {
    let misfit = matches!(reply.code, 500 | 502 | 503 | 530 | 534 | 535 | 538);
    let said = |status: String| Reply {
        status,
        text: reply.to_string(),
        remote: Some(remote.to_owned()),
    };
    match reply.class() {
        5 if !misfit => Outcome::Refused(said(reply.enhanced())),
        4 => Outcome::Deferred(said(reply.enhanced())),
        _ => Outcome::Deferred(said("4.5.0".to_owned())),
    }
}
