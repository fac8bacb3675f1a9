//! MAIL and RCPT with their parameters: what the server offers, where the message needs it or its sender asked for it.

use super::session::{Extensions, Session};
use super::verdict::Verdicts;
use super::{Recipient, Transaction};
use crate::delivery::{Message, Reply};

/// Below this size a message is sent without saying how large it is; nobody refuses it for that.
const SIZE_WORTH_SAYING: u64 = 64 * 1024;
/// How much of a message is looked through for its header, in bytes.
const HEADER_LIMIT: usize = 1024 * 1024;
/// Longest parameter value passed on, in bytes: ORCPT may have 500 (RFC 3461, 4.2).
const VALUE_LIMIT: usize = 500;

/// The commands of one transaction, in one session.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) mail: Vec<u8>,
    /// Index of the recipient, and its command; without those that the server cannot take.
    pub(super) rcpt: Vec<(usize, Vec<u8>)>,
}

impl Commands {
    /// Writes the commands. What cannot be said to this server is refused in `verdicts`; `None` where that is all.
    pub(super) fn new(
        session: &Session,
        transaction: &Transaction<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<Self> {
        let offered = session.extensions;
        if let Some(reply) = misfit(offered, transaction) {
            verdicts.refuse_all(reply);
            return None;
        }
        let mut rcpt = Vec::with_capacity(transaction.recipients.len());
        for (index, recipient) in transaction.recipients.iter().enumerate() {
            if needs_utf8(&recipient.address) && !offered.smtputf8 {
                verdicts.refuse(index, no_utf8("5.6.7", "the recipient's address"));
            } else {
                rcpt.push((index, rcpt_command(offered, recipient)));
            }
        }
        let mail = mail_command(session, transaction);
        (!rcpt.is_empty()).then_some(Self { mail, rcpt })
    }
}

/// Why the server can take the message for nobody.
fn misfit(offered: Extensions, transaction: &Transaction<'_>) -> Option<Reply> {
    let size = transaction.message.len();
    if let Some(limit) = offered.size.filter(|limit| (1..size).contains(limit)) {
        let text = format!("the message has {size} bytes, and the server takes {limit}");
        return Some(Reply::new("5.3.4", text));
    }
    if offered.smtputf8 {
        return None;
    }
    if needs_utf8(transaction.sender) {
        return Some(no_utf8("5.6.7", "the sender's address"));
    }
    let header_needs_it = transaction.wishes.smtputf8 && has_utf8_header(transaction.message);
    header_needs_it.then(|| no_utf8("5.6.9", "the message's header"))
}

fn no_utf8(status: &str, what: &str) -> Reply {
    Reply::new(
        status,
        format!("{what} needs SMTPUTF8, and the server does not offer it"),
    )
}

/// UTF-8 needs the extension (RFC 6531). What is neither ASCII nor UTF-8 is beyond it: the server says what it thinks of it.
fn needs_utf8(address: &[u8]) -> bool {
    !address.is_ascii() && std::str::from_utf8(address).is_ok()
}

fn has_utf8_header(message: &Message) -> bool {
    if message.is_ascii() {
        return false;
    }
    let head = message.head(HEADER_LIMIT).unwrap_or_default();
    head.split(|b| *b == b'\n')
        .take_while(|line| !line.trim_ascii_end().is_empty())
        .any(|line| !line.is_ascii())
}

fn mail_command(session: &Session, transaction: &Transaction<'_>) -> Vec<u8> {
    let offered = session.extensions;
    let wishes = transaction.wishes;
    let mut command = [b"MAIL FROM:<", transaction.sender, b">"].concat();
    let size = transaction.message.smtp_size();
    if offered.size.is_some() && session.may_say_size && size > SIZE_WORTH_SAYING {
        command.extend_from_slice(format!(" SIZE={size}").as_bytes());
    }
    let has_utf8 = needs_utf8(transaction.sender)
        || transaction
            .recipients
            .iter()
            .any(|r| needs_utf8(&r.address));
    if offered.eight_bit_mime && (has_utf8 || !transaction.message.is_ascii()) {
        command.extend_from_slice(b" BODY=8BITMIME");
    }
    if offered.smtputf8 && (has_utf8 || wishes.smtputf8) {
        command.extend_from_slice(b" SMTPUTF8");
    }
    if offered.dsn {
        append(&mut command, b"RET", wishes.ret.as_deref());
        append(&mut command, b"ENVID", wishes.envid.as_deref());
    }
    if offered.deliver_by {
        append(
            &mut command,
            b"BY",
            wishes.by.map(|by| by.value().into_bytes()).as_deref(),
        );
    }
    if offered.mt_priority {
        let priority = wishes.mt_priority.map(|p| p.to_string().into_bytes());
        append(&mut command, b"MT-PRIORITY", priority.as_deref());
    }
    command.extend_from_slice(b"\r\n");
    command
}

fn rcpt_command(offered: Extensions, recipient: &Recipient<'_>) -> Vec<u8> {
    let mut command = [b"RCPT TO:<", recipient.address.as_slice(), b">"].concat();
    if offered.dsn {
        append(&mut command, b"NOTIFY", recipient.wishes.notify.as_deref());
        let original = recipient.wishes.orcpt.as_deref();
        append(
            &mut command,
            b"ORCPT",
            original.filter(|o| offered.smtputf8 || o.is_ascii()),
        );
    }
    command.extend_from_slice(b"\r\n");
    command
}

/// A value is one word; what is not was not written by an SMTP client and is left out.
fn append(command: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    let Some(value) = value.filter(|value| is_word(value)) else {
        return;
    };
    command.push(b' ');
    command.extend_from_slice(name);
    command.push(b'=');
    command.extend_from_slice(value);
}

fn is_word(value: &[u8]) -> bool {
    let is_fit = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    !value.is_empty() && value.len() <= VALUE_LIMIT && value.iter().all(is_fit)
}
