//! One message, from standard input to the MTA.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Zoned;
use uucp_core::address::{Address, BangPath, Envelope, FromLines, ReversePath};
use uucp_core::config::Config;
use uucp_core::config::mail::{MailConfig, MethodName};
use uucp_core::delivery::{Consignment, Message, Oversize, Receiver, Reply, Settled, Surroundings};
use uucp_core::spool::Spool;
use uucp_core::sysexits::{Failure, Status};

use crate::cli::{Arguments, unquoted};
use crate::header::{Trace, received_line};
use crate::surroundings::Origin;

/// How much of a message is looked through for its header, in bytes.
const HEADER_LIMIT: usize = 1024 * 1024;
/// NNCP authenticates 128 KiB at a time and hands each block on before it has seen the next, so a packet that was cut looks
/// like a whole message. What fits into one block, its frame taken off, cannot be cut.
const NNCP_LIMIT: u64 = 127 * 1024;
/// Names the configuration where the command line is the peer's.
const CONFIG_VARIABLE: &str = "BANGPATH_CONFIG";

/// Receives one message.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let origin = Origin::from_environment(|name| std::env::var_os(name))?;
    let site = Site::load(arguments, &origin)?;
    let (message, fits) = site.read_message(&origin)?;
    let settled = site.receive(arguments, &origin, message, fits)?;
    tell(&settled)
}

/// This system, as configured.
struct Site {
    config: Config,
    mail: MailConfig,
    spool: Option<Spool>,
    around: Surroundings,
}

impl Site {
    fn load(arguments: &Arguments, origin: &Origin) -> Result<Self, Failure> {
        let wrong = |e: &dyn std::fmt::Display| Failure::new(Status::Configuration, e.to_string());
        let named = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from);
        let file = arguments.config.clone().or(named);
        let config = Config::load(file.as_deref()).map_err(|e| wrong(&e))?;
        let mut mail = MailConfig::load(&config.directory).map_err(|e| wrong(&e))?;
        if let Some(method) = method_of(arguments) {
            let neighbour = origin.neighbour.as_ref();
            let mut delivery = mail.delivery(neighbour);
            delivery.method = Some(method);
            delivery.smtp = arguments.smtp.clone().or(delivery.smtp);
            delivery.sendmail = arguments.sendmail.clone().or(delivery.sendmail);
            delivery.maildir = arguments.maildir.clone().or(delivery.maildir);
            mail.set_delivery(&delivery);
        }
        // Without a spool there is no queue for reports: then a report that cannot be handed over now is 75.
        let spool = Spool::open(&config).ok();
        let around = Surroundings::new(&mail, &config.nodename, &config.spool);
        Ok(Self {
            config,
            mail,
            spool,
            around,
        })
    }

    fn read_message(&self, origin: &Origin) -> Result<(Message, Result<(), Oversize>), Failure> {
        let policy = self.mail.policy(origin.neighbour.as_ref());
        let limit = if origin.by_nncp {
            policy.message_limit.min(NNCP_LIMIT)
        } else {
            policy.message_limit
        };
        Message::read_from(&mut std::io::stdin().lock(), limit, &self.around.state)
            .map_err(|e| Failure::temporary(format!("cannot read the message: {e}")))
    }

    fn receive(
        &self,
        arguments: &Arguments,
        origin: &Origin,
        mut message: Message,
        fits: Result<(), Oversize>,
    ) -> Result<Settled, Failure> {
        let unreadable = |e| Failure::temporary(format!("cannot read the message again: {e}"));
        let lines = FromLines::parse(&message.head(HEADER_LIMIT).map_err(unreadable)?);
        message.skip(lines.length());
        let names = self.names();
        let trace = Trace::read(&message.head(HEADER_LIMIT).map_err(unreadable)?, &names);
        let sender = lines.sender(origin.neighbour.as_ref());
        let (recipients, unfit) = recipients_of(&arguments.recipients, &names);
        let verdict = verdict(&message, fits, origin, trace);
        let now = Zoned::now();
        let has_sender = !lines.is_empty() && sender.is_ok();
        let domain = arguments.domain.as_deref();
        let line = received_line(origin, domain, &self.config.nodename, has_sender, &now);
        message.prepend(line.as_bytes());
        let neighbour = origin.neighbour.as_ref();
        let mut receiver = Receiver::new(
            &self.mail,
            self.spool.as_ref(),
            self.around.clone(),
            neighbour,
            now,
        )
        .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
        Ok(receiver.settle(&Consignment {
            envelope: &Envelope {
                sender: sender.unwrap_or(ReversePath::Null),
                recipients,
            },
            message: &message,
            job: &origin.job,
            is_recognisable: trace.is_recognisable(),
            unfit: &unfit,
            verdict,
        }))
    }

    /// What this system is called in paths and trace lines.
    fn names(&self) -> Vec<String> {
        let mut names = self.mail.names().to_vec();
        names.push(self.config.nodename.to_string());
        names
    }
}

fn method_of(arguments: &Arguments) -> Option<MethodName> {
    if arguments.smtp.is_some() {
        Some(MethodName::Smtp)
    } else if arguments.sendmail.is_some() {
        Some(MethodName::Sendmail)
    } else {
        arguments.maildir.as_ref().map(|_| MethodName::Maildir)
    }
}

/// Why nobody gets this message, whoever they are.
fn verdict(
    message: &Message,
    fits: Result<(), Oversize>,
    origin: &Origin,
    trace: Trace,
) -> Option<Reply> {
    if fits.is_err() && origin.by_nncp {
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

fn strip_own_hosts(word: &[u8], names: &[String]) -> Vec<u8> {
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
fn stand_in(word: &[u8]) -> Vec<u8> {
    let shown = word.get(..200).unwrap_or(word).escape_ascii().to_string();
    format!("\"{}\"", shown.replace('\\', "/").replace('"', "'")).into_bytes()
}

/// The exit status, and what is worth a line.
fn tell(settled: &Settled) -> Result<ExitCode, Failure> {
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
            "{} rmail: {recipient}{others}: {reply}; {notes}",
            reply.status
        );
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
    Ok(ExitCode::SUCCESS)
}
