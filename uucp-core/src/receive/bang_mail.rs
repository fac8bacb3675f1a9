//! One message of RFC 976: `From ` lines, header, body; its recipients are words of a command line.

use std::ffi::OsString;
use std::io::{Read, Write};

use super::words::unquoted;
use super::{Origin, Site, Stamp, Trace, received_line};
use crate::address::{Address, BangPath, Envelope, FromLines, ReversePath};
use crate::clock;
use crate::delivery::{Consignment, Message, Oversize, Receiver, Reply, Settled};
use crate::stop;
use crate::sysexits::{Failure, Status};

/// How much of a message is looked through for its header, in bytes.
pub const HEADER_LIMIT: usize = 1024 * 1024;
/// NNCP authenticates 128 KiB at a time and hands each block on before it has seen the next, so a packet that was cut looks
/// like a whole message. What fits into one block, its frame taken off, cannot be cut.
const NNCP_LIMIT: u64 = 127 * 1024;

/// What the caller says about a message.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The program's name, for the trace line.
    pub program: &'a str,
    /// Who runs it.
    pub origin: &'a Origin,
    /// Completes the neighbour's name in the trace line.
    pub domain: Option<&'a str>,
    /// The recipients, as they stand on the command line.
    pub recipients: &'a [OsString],
    /// Whether a message that was cut is told from a whole one before it gets here.
    pub is_surely_whole: bool,
}

/// A message that was read to its end, with our trace line.
#[derive(Debug)]
pub struct BangMail {
    /// Who sent it.
    pub sender: ReversePath,
    /// Its recipients.
    pub recipients: Vec<Address>,
    /// Words that stood among the recipients and are no addresses, in a form that a report can show.
    pub unfit: Vec<Address>,
    /// The message.
    pub message: Message,
    /// Why nobody may get it.
    pub verdict: Option<Reply>,
    /// What its header says of its way.
    pub trace: Trace,
}

/// Reads one message to its end.
///
/// # Errors
/// When it cannot be read.
pub fn read(site: &Site, call: &Call<'_>, input: &mut dyn Read) -> Result<BangMail, Failure> {
    let origin = call.origin;
    let neighbour = origin.neighbour.as_ref();
    let limits_nncp = origin.by_nncp && !call.is_surely_whole;
    let policy = site.mail.policy(neighbour);
    let limit = if limits_nncp {
        policy.message_limit.min(NNCP_LIMIT)
    } else {
        policy.message_limit
    };
    let (mut message, fits) = Message::read_from(input, limit, &site.around.state)
        .map_err(|e| Failure::temporary(format!("cannot read the message: {e}")))?;
    let unreadable = |e| Failure::temporary(format!("cannot read the message again: {e}"));
    let lines = FromLines::parse(&message.head(HEADER_LIMIT).map_err(unreadable)?);
    message.skip(lines.length());
    let names = site.names();
    let trace = Trace::read(&message.head(HEADER_LIMIT).map_err(unreadable)?, &names);
    let sender = lines.sender(neighbour);
    let (recipients, unfit) = recipients_of(call.recipients, &names);
    let verdict = verdict(&message, fits, limits_nncp, trace);
    let has_sender = !lines.is_empty() && sender.is_ok();
    let stamp = Stamp {
        program: call.program,
        domain: call.domain,
        by: &site.config.nodename,
        note: (!has_sender).then_some("no sender named"),
    };
    message.prepend(received_line(origin, &stamp, &clock::now()).as_bytes());
    Ok(BangMail {
        sender: sender.unwrap_or(ReversePath::Null),
        recipients,
        unfit,
        message,
        verdict,
        trace,
    })
}

/// Who settles the messages of one neighbour, one after the other in one session with the MTA.
///
/// # Errors
/// When nobody knows how mail is handed over.
pub fn receiver<'a>(site: &'a Site, origin: &'a Origin) -> Result<Receiver<'a>, Failure> {
    let (spool, around) = (site.spool.as_ref(), site.around.clone());
    Receiver::new(
        &site.mail,
        spool,
        around,
        origin.neighbour.as_ref(),
        clock::now(),
    )
    .map_err(|e| Failure::new(Status::Configuration, e.to_string()))
}

/// Takes one message, as far as it goes now.
///
/// # Errors
/// When it cannot be read.
pub fn receive(
    site: &Site,
    receiver: &mut Receiver<'_>,
    call: &Call<'_>,
    input: &mut dyn Read,
) -> Result<Settled, Failure> {
    let mail = read(site, call, input)?;
    stop::hold().map_err(Failure::temporary)?;
    let (job, is_recognisable) = call.origin.known_by(mail.trace.is_recognisable());
    Ok(receiver.settle(&Consignment {
        envelope: &Envelope {
            sender: mail.sender,
            recipients: mail.recipients,
        },
        message: &mail.message,
        job,
        is_recognisable,
        is_last_try: call.origin.is_last_try,
        unfit: &mail.unfit,
        verdict: mail.verdict,
        asked: None,
    }))
}

/// Why nobody gets this message, whoever they are.
fn verdict(
    message: &Message,
    fits: Result<(), Oversize>,
    limits_nncp: bool,
    trace: Trace,
) -> Option<Reply> {
    if fits.is_err() && limits_nncp {
        let text = "rmail over NNCP takes at most 127 KiB, since of a larger message it cannot tell whether it was cut; \
                    send it through rsmtp";
        return Some(Reply::new("5.3.4", text));
    }
    if fits.is_err() {
        return Some(Reply::new(
            "5.3.4",
            "the message is larger than this system takes",
        ));
    }
    if message.is_empty() {
        return Some(Reply::new("5.6.0", "the message is empty"));
    }
    trace.loop_found().map(|text| Reply::new("5.4.6", text))
}

/// The recipients, our own name taken off the front of paths; and the words that are no addresses, in a form that can
/// stand in a report. Nobody else is refused for them.
fn recipients_of(words: &[OsString], names: &[String]) -> (Vec<Address>, Vec<Address>) {
    let (mut recipients, mut unfit) = (Vec::new(), Vec::new());
    for word in words {
        let word = strip_own_hosts(&unquoted(word), names);
        match Address::parse(&word) {
            Ok(recipient) => recipients.push(recipient),
            Err(_) => unfit.extend(Address::parse(&stand_in(&word))),
        }
    }
    if words.is_empty() {
        unfit.extend(Address::parse(b"\"no recipient\""));
    }
    (recipients, unfit)
}

/// A path without our own names at its front.
#[must_use]
pub fn strip_own_hosts(word: &[u8], names: &[String]) -> Vec<u8> {
    let mut path = BangPath::parse(word);
    let is_own = |host: &Vec<u8>| {
        names
            .iter()
            .any(|name| host.eq_ignore_ascii_case(name.as_bytes()))
    };
    let own = path.hosts.iter().take_while(|host| is_own(host)).count();
    if own == 0 {
        return word.to_vec();
    }
    path.hosts.drain(..own);
    path.to_bytes()
}

/// A quoted local part that shows what stood there.
#[must_use]
pub fn stand_in(word: &[u8]) -> Vec<u8> {
    let shown = word.get(..200).unwrap_or(word).escape_ascii().to_string();
    format!("\"{}\"", shown.replace('\\', "/").replace('"', "'")).into_bytes()
}

/// Says what is worth a line of `program`.
///
/// # Errors
/// When somebody is to be tried again.
pub fn tell(program: &str, settled: &Settled) -> Result<(), Failure> {
    if let Some(reply) = &settled.deferred {
        return Err(Failure::temporary(reply));
    }
    if let Some((recipient, reply)) = settled.refused.first() {
        let others = match settled.refused.len() - 1 {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let notes = if settled.notes.is_empty() {
            "the sender is told".to_owned()
        } else {
            settled.notes.join("; ")
        };
        let text = format!(
            "{} {program}: {recipient}{others}: {reply}; {notes}",
            reply.status
        );
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
    Ok(())
}
