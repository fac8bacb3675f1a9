//! One transaction: what is said, and in which order it is answered.

use super::broken::Broken;
use super::command::Commands;
use super::dot::Stuffed;
use super::reply::ServerReply;
use super::session::Session;
use super::verdict::Verdicts;
use super::{Meanwhile, Transaction};

/// Commands sent before the replies are read: their replies fit any socket's buffer, so neither side blocks the other.
const GROUP: usize = 100;
/// Longest command that every server takes, in bytes, its line end included (RFC 5321, 4.5.3.1.4).
const COMMAND_LIMIT: usize = 512;

/// The transaction from MAIL to the reply to the final dot.
pub(super) fn run(
    session: &mut Session,
    transaction: &Transaction<'_>,
    verdicts: &mut Verdicts,
    meanwhile: &mut dyn Meanwhile,
) -> Result<(), Broken> {
    let mut content = Stuffed::new(transaction.message);
    let mut before_content = || {
        let done = meanwhile.before_content();
        // Here it costs nothing: the server has something to do.
        content.prepare();
        done.map_err(|reply| Broken::ours(&reply))
    };
    let Some(commands) = Commands::new(session, transaction, verdicts) else {
        return before_content();
    };
    if session.unfinished {
        session.ask("RSET")?;
    }
    session.unfinished = true;
    session.begun = session.begun.saturating_add(1);
    let data = if session.extensions.pipelining {
        offer_pipelined(session, &commands, verdicts, &mut before_content)?
    } else {
        offer_in_lockstep(session, &commands, verdicts, &mut before_content)?
    };
    let Some(data) = data else { return Ok(()) };
    if data.code != 354 {
        verdicts.hear_data(&data);
        return Ok(());
    }
    if session.accepts_unasked() {
        // It would be read as the answer to the message. (A no may come early: the size is known.)
        return Err(Broken::new("the server answers before the message is sent"));
    }
    send_content(session, content, verdicts, meanwhile)
}

/// MAIL, RCPTs and DATA in groups; the reply to DATA.
fn offer_pipelined(
    session: &mut Session,
    commands: &Commands,
    verdicts: &mut Verdicts,
    before_content: &mut dyn FnMut() -> Result<(), Broken>,
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
            before_content()?;
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
    before_content: &mut dyn FnMut() -> Result<(), Broken>,
) -> Result<Option<ServerReply>, Broken> {
    session.send(&commands.mail)?;
    before_content()?;
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
    content: Stuffed<'_>,
    verdicts: &mut Verdicts,
    meanwhile: &mut dyn Meanwhile,
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
    if let Some(reply) = session.send_content(content)? {
        verdicts.hear_content(&accepted, &reply);
        return Err(Broken::closing(&reply));
    }
    meanwhile.after_content();
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
