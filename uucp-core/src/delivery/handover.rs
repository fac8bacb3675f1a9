//! Which way mail goes from here, and the loop over the parts of a message.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::maildir::Maildir;
use super::sendmail::{Flavour, Sendmail};
use super::smtp::{self, Smtp, Transaction};
use super::{Message, Outcome, Record, Reply};
use crate::address::{Address, BangPath, Envelope};
use crate::config::mail::{DeliverySettings, HostPort, MailConfig, MethodName};
use crate::name::SystemName;

/// Where `sendmail` is looked for, in this order.
const SENDMAIL_PLACES: [&str; 4] = [
    "/usr/sbin/sendmail",
    "/usr/lib/sendmail",
    "/usr/local/sbin/sendmail",
    "/usr/local/bin/sendmail",
];

/// What an MTA leaves on the disk while its programs are being exchanged, or after it was removed for another.
const TRACES: [&str; 9] = [
    "/etc/postfix",
    "/etc/exim4",
    "/etc/exim",
    "/etc/mail/sendmail.cf",
    "/etc/smtpd.conf",
    "/etc/mail/smtpd.conf",
    "/etc/nullmailer",
    "/etc/dma",
    "/etc/msmtprc",
];

/// Nobody said how mail is to be handed over, and it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}; set method = \"smtp\", \"sendmail\" or \"maildir\" under [delivery] in mail.toml")]
pub struct NoWay(String);

/// What the hand-over must know of this system.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where delivery keeps its own files.
    pub state: PathBuf,
    /// This system's name, as it says hello and names files.
    pub name: String,
    /// The domain that completes addresses without one.
    pub domain: Option<String>,
    /// The domains whose users are here, where that was said; a Maildir takes no mail for others then.
    pub own_domains: Option<Vec<String>>,
    /// Whether the configuration names an MTA for the mail of some neighbour.
    pub names_an_mta: bool,
}

impl Surroundings {
    /// What the configuration says, and where it says no domain, what the host knows: `/etc/mailname`, else a host name
    /// with a dot.
    #[must_use]
    pub fn new(config: &MailConfig, nodename: &SystemName, spool: &Path) -> Self {
        let domain = config.domain().map(str::to_owned);
        let own_domains = domain.clone().map(|domain| {
            let names = config.names().iter().cloned();
            names.chain([domain, nodename.to_string()]).collect()
        });
        Self {
            own_domains,
            names_an_mta: config.names_an_mta(),
            state: config.state_directory(spool),
            name: nodename.to_string(),
            domain: domain.or_else(mail_name).or_else(host_name),
        }
    }
}

fn mail_name() -> Option<String> {
    let text = std::fs::read_to_string("/etc/mailname").ok()?;
    domain_name(text.lines().next()?)
}

fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?;
    domain_name(name.to_str()?).filter(|name| name.contains('.'))
}

fn domain_name(text: &str) -> Option<String> {
    let name = text.trim();
    let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    (!name.is_empty() && name.chars().all(clean)).then(|| name.to_owned())
}

/// A way to hand mail over, chosen and ready; an SMTP session stays open from one message to the next.
#[derive(Debug)]
pub struct Handover {
    way: Way,
    domain: Option<String>,
    scratch: PathBuf,
}

#[derive(Debug)]
enum Way {
    Smtp(Box<Smtp>),
    Sendmail(Sendmail),
    Maildir(Maildir),
}

impl Handover {
    /// Chooses the way: the method that is set, else the one whose setting stands alone, else what is found. Then, in this
    /// order: with the `sendmail` of Postfix, Exim, Sendmail or OpenSMTPD, their port 25 on 127.0.0.1 if it answers and the command if not;
    /// with msmtp's, dma's or nullmailer's, the command; without any `sendmail`, port 25 if it answers, else the Maildir, unless
    /// there are traces of an MTA: one that is just being upgraded must not find its mail where nobody looks.
    ///
    /// # Errors
    /// When it is in doubt, says what to set.
    pub fn choose(settings: &DeliverySettings, around: &Surroundings) -> Result<Self, NoWay> {
        Self::by(&Choice {
            settings,
            around,
            places: &SENDMAIL_PLACES.map(Path::new),
            traces: &TRACES.map(Path::new),
            port: &local_port(),
        })
    }

    fn by(choice: &Choice<'_>) -> Result<Self, NoWay> {
        Ok(Self {
            way: choice.way()?,
            domain: choice.around.domain.clone(),
            scratch: choice.around.state.clone(),
        })
    }

    /// Offers a message to every recipient of its envelope; the outcomes are in their order.
    pub fn deliver(
        &mut self,
        envelope: &Envelope,
        message: &Message,
        record: &mut Record<'_>,
    ) -> Vec<Outcome> {
        let mut parts = Parts::new(&envelope.recipients);
        match &mut self.way {
            Way::Smtp(smtp) => by_smtp(
                smtp,
                self.domain.as_deref(),
                envelope,
                message,
                &mut parts,
                record,
            ),
            Way::Sendmail(sendmail) => {
                by_sendmail(
                    sendmail,
                    &self.scratch,
                    envelope,
                    message,
                    &mut parts,
                    record,
                );
            }
            Way::Maildir(maildir) => {
                by_maildir(
                    maildir,
                    self.domain.as_deref(),
                    envelope,
                    message,
                    &mut parts,
                    record,
                );
            }
        }
        parts.outcomes
    }
}

/// What a choice depends on.
struct Choice<'a> {
    settings: &'a DeliverySettings,
    around: &'a Surroundings,
    places: &'a [&'a Path],
    traces: &'a [&'a Path],
    port: &'a HostPort,
}

impl Choice<'_> {
    fn way(&self) -> Result<Way, NoWay> {
        let set = [
            self.settings.smtp.is_some().then_some(MethodName::Smtp),
            self.settings
                .sendmail
                .is_some()
                .then_some(MethodName::Sendmail),
            self.settings
                .maildir
                .is_some()
                .then_some(MethodName::Maildir),
        ];
        let mut set = set.into_iter().flatten();
        match (self.settings.method, set.next(), set.next()) {
            (Some(method), _, _) | (None, Some(method), None) => self.by_method(method),
            (None, None, _) => self.found(),
            (None, Some(_), Some(_)) => {
                Err(NoWay("more than one way to deliver is set".to_owned()))
            }
        }
    }

    fn by_method(&self, method: MethodName) -> Result<Way, NoWay> {
        match method {
            MethodName::Smtp => Ok(Way::Smtp(Box::new(self.smtp()))),
            MethodName::Maildir => Ok(self.maildir()),
            MethodName::Sendmail => {
                let named = self.settings.sendmail.as_deref();
                named
                    .or_else(|| self.installed())
                    .map(|command| self.sendmail(command))
                    .ok_or_else(|| NoWay("there is no sendmail command".to_owned()))
            }
        }
    }

    fn found(&self) -> Result<Way, NoWay> {
        let command = self.installed();
        let flavour = command.map(Flavour::of);
        if flavour == Some(Flavour::Unknown) {
            let command = command.unwrap_or_else(|| Path::new("sendmail"));
            return Err(NoWay(format!(
                "cannot tell which MTA's {} is",
                command.display()
            )));
        }
        if flavour.is_none_or(Flavour::listens) {
            let mut smtp = self.smtp();
            if smtp.connect() {
                return Ok(Way::Smtp(Box::new(smtp)));
            }
        }
        match command {
            Some(command) => Ok(self.sendmail(command)),
            None => self.no_trace().map(|()| self.maildir()),
        }
    }

    /// An error where something says that there is, or was, or is about to be an MTA.
    fn no_trace(&self) -> Result<(), NoWay> {
        if self.around.names_an_mta {
            let text = "mail.toml names an MTA for other neighbours, but none for this mail";
            return Err(NoWay(text.to_owned()));
        }
        match self.traces.iter().find(|trace| trace.exists()) {
            None => Ok(()),
            Some(trace) => Err(NoWay(format!(
                "no MTA is found, but {} says that there is one",
                trace.display()
            ))),
        }
    }

    fn installed(&self) -> Option<&Path> {
        self.places.iter().copied().find(|place| place.exists())
    }

    fn smtp(&self) -> Smtp {
        let target = self.settings.smtp.as_ref().unwrap_or(self.port);
        Smtp::new(target.clone(), &self.around.name, self.settings.time_limit)
    }

    fn sendmail(&self, command: &Path) -> Way {
        Way::Sendmail(Sendmail {
            command: command.to_owned(),
            flavour: Flavour::of(command),
            limit: self.settings.time_limit,
        })
    }

    fn maildir(&self) -> Way {
        let named = self.settings.maildir.clone();
        Way::Maildir(Maildir {
            template: named.unwrap_or_else(|| self.around.state.join("maildir/%u")),
            host: self.around.name.clone(),
            own_domains: self.around.own_domains.clone(),
        })
    }
}

fn local_port() -> HostPort {
    HostPort {
        host: "127.0.0.1".to_owned(),
        port: 25,
    }
}

/// The recipients of a message, and what is known of each.
struct Parts<'a> {
    recipients: &'a [Address],
    outcomes: Vec<Outcome>,
    /// Indices of those that were not offered yet, in order.
    open: Vec<usize>,
}

impl<'a> Parts<'a> {
    fn new(recipients: &'a [Address]) -> Self {
        let not_offered = Outcome::Deferred(Reply::new("4.4.0", "not offered yet"));
        Self {
            recipients,
            outcomes: vec![not_offered; recipients.len()],
            open: (0..recipients.len()).collect(),
        }
    }

    /// The next recipients to offer, in the form that `form` gives them, at most `most`.
    fn next(&self, most: usize, form: impl Fn(&Address) -> Vec<u8>) -> Vec<Vec<u8>> {
        self.open
            .iter()
            .take(most)
            .filter_map(|index| self.recipients.get(*index))
            .map(form)
            .collect()
    }

    /// Notes the outcomes of the first open recipients (`None`: to be offered again) and records who has the message now.
    /// Whether to go on.
    fn settle(&mut self, outcomes: Vec<Option<Outcome>>, record: &mut Record<'_>) -> bool {
        let offered: Vec<usize> = self
            .open
            .drain(..outcomes.len().min(self.open.len()))
            .collect();
        let mut again = Vec::new();
        let mut have_it = Vec::new();
        for (index, outcome) in offered.into_iter().zip(outcomes) {
            let Some(outcome) = outcome else {
                again.push(index);
                continue;
            };
            if outcome == Outcome::Delivered {
                have_it.extend(self.recipients.get(index));
            }
            if let Some(slot) = self.outcomes.get_mut(index) {
                *slot = outcome;
            }
        }
        self.open.splice(0..0, again);
        if !have_it.is_empty()
            && let Err(error) = record(&have_it)
        {
            let text = format!("cannot record who has the message: {error}");
            self.give_up(&Outcome::Deferred(Reply::new("4.3.0", text)));
        }
        !self.open.is_empty()
    }

    /// What was not offered will not be.
    fn give_up(&mut self, outcome: &Outcome) {
        for index in self.open.drain(..) {
            if let Some(slot) = self.outcomes.get_mut(index) {
                *slot = outcome.clone();
            }
        }
    }
}

fn by_smtp(
    smtp: &mut Smtp,
    domain: Option<&str>,
    envelope: &Envelope,
    message: &Message,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
) {
    let sender = envelope
        .sender
        .address()
        .map(|address| address.to_mailbox(domain).as_bytes().to_vec())
        .unwrap_or_default();
    loop {
        let recipients = parts.next(smtp::MOST_RECIPIENTS, |r| {
            r.to_mailbox(domain).as_bytes().to_vec()
        });
        if recipients.is_empty() {
            return;
        }
        let outcomes = smtp.transact(&Transaction {
            sender: &sender,
            recipients: &recipients,
            message,
        });
        // A server that takes nothing now will not take the next part either.
        let hopeless = outcomes
            .iter()
            .all(|o| matches!(o, Some(Outcome::Deferred(_))));
        let last = outcomes.last().cloned().flatten();
        parts.settle(outcomes, record);
        if hopeless && let Some(outcome) = last {
            return parts.give_up(&outcome);
        }
    }
}

fn by_sendmail(
    sendmail: &Sendmail,
    scratch: &Path,
    envelope: &Envelope,
    message: &Message,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
) {
    let file = match message.to_file(scratch) {
        Ok(file) => file,
        Err(error) => {
            let text = format!("cannot write a temporary file: {error}");
            return parts.give_up(&Outcome::Deferred(Reply::new("4.3.0", text)));
        }
    };
    let sender = envelope
        .sender
        .address()
        .map(|address| address.to_mailbox(None).as_bytes().to_vec())
        .unwrap_or_default();
    loop {
        let mut recipients = parts.next(usize::MAX, |r| r.to_mailbox(None).as_bytes().to_vec());
        recipients.truncate(sendmail.part(&recipients));
        if recipients.is_empty() {
            return;
        }
        let outcome = sendmail.call(&sender, &recipients, &file, scratch);
        parts.settle(vec![Some(outcome); recipients.len()], record);
    }
}

fn by_maildir(
    maildir: &Maildir,
    domain: Option<&str>,
    envelope: &Envelope,
    message: &Message,
    parts: &mut Parts<'_>,
    record: &mut Record<'_>,
) {
    for recipient in parts.recipients {
        let mailbox = recipient.to_mailbox(domain);
        // A path leads to another system even where that one has the name of a domain.
        let is_path =
            recipient.domain().is_none() && !BangPath::parse(recipient.as_bytes()).hosts.is_empty();
        let outcome = if is_path || !maildir.serves(&mailbox) {
            let text = "this system has no MTA that could send on to another";
            Outcome::Refused(Reply::new("5.1.2", text))
        } else {
            maildir.deliver(&envelope.sender, &mailbox, message)
        };
        if !parts.settle(vec![Some(outcome)], record) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
