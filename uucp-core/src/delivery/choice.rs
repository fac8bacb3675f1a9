//! Which way mail goes from here: what is set, else what is found by looking at what is installed.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::batch::Batch;
use super::handover::{Handover, Way};
use super::maildir::Maildir;
use super::sendmail::{Flavour, Sendmail};
use super::smtp::{Client, Peer, Smtp};
use crate::config::mail::{DeliverySettings, HostPort, MailConfig, MethodName, ServerAddress};
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
#[error(
    "{0}; set method = \"smtp\", \"lmtp\", \"sendmail\" or \"maildir\" under [delivery] in mail.toml"
)]
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

/// What a choice depends on.
pub(super) struct Choice<'a> {
    pub(super) settings: &'a DeliverySettings,
    pub(super) around: &'a Surroundings,
    pub(super) places: Vec<&'a Path>,
    pub(super) traces: Vec<&'a Path>,
    pub(super) port: ServerAddress,
}

impl<'a> Choice<'a> {
    /// What this system has.
    pub(super) fn here(settings: &'a DeliverySettings, around: &'a Surroundings) -> Self {
        Self {
            settings,
            around,
            places: SENDMAIL_PLACES.map(Path::new).to_vec(),
            traces: TRACES.map(Path::new).to_vec(),
            port: ServerAddress::Tcp(HostPort {
                host: "127.0.0.1".to_owned(),
                port: 25,
            }),
        }
    }

    /// Makes it.
    pub(super) fn make(&self) -> Result<Handover, NoWay> {
        Ok(Handover {
            way: self.way()?,
            domain: self.around.domain.clone(),
            scratch: self.around.state.clone(),
        })
    }

    fn way(&self) -> Result<Way, NoWay> {
        let set = [
            self.settings.smtp.is_some().then_some(MethodName::Smtp),
            self.settings.lmtp.is_some().then_some(MethodName::Lmtp),
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
            MethodName::Auto => self.found(),
            MethodName::Smtp => Ok(Way::Smtp(Box::new(self.smtp()))),
            MethodName::Lmtp => self.lmtp(),
            MethodName::Maildir => Ok(self.maildir()),
            MethodName::Sendmail => self
                .command()
                .map(|command| self.by_command(command, Flavour::of(command))),
            MethodName::SendmailBs => self
                .command()
                .map(|command| self.dialogue(command, Flavour::of(command))),
            MethodName::SendmailBatch => self.command().map(|command| self.batch(command)),
        }
    }

    fn found(&self) -> Result<Way, NoWay> {
        let command = self.installed();
        let flavour = command.map(|command| Flavour::asked(command, &self.around.state));
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
        match (command, flavour) {
            (Some(command), Some(flavour)) => Ok(self.by_command(command, flavour)),
            _ => self.no_trace().map(|()| self.maildir()),
        }
    }

    /// Without SMTP, Exim gives the message to nobody for one recipient that it cannot read, and mails its sender about it each
    /// time; Sendmail gives it to the others, and says with the same status that it has failed.
    fn by_command(&self, command: &Path, flavour: Flavour) -> Way {
        match flavour {
            Flavour::Exim | Flavour::Sendmail => self.dialogue(command, flavour),
            _ => self.sendmail(command, flavour),
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

    fn command(&self) -> Result<&Path, NoWay> {
        let named = self.settings.sendmail.as_deref();
        named
            .or_else(|| self.installed())
            .ok_or_else(|| NoWay("there is no sendmail command".to_owned()))
    }

    fn smtp(&self) -> Smtp {
        let address = self.settings.smtp.as_ref().unwrap_or(&self.port);
        self.client(Peer::Server(address.clone()), false)
    }

    fn lmtp(&self) -> Result<Way, NoWay> {
        let Some(address) = &self.settings.lmtp else {
            let text = "method is \"lmtp\", but lmtp = \"/PATH\" or \"HOST:PORT\" is not set";
            return Err(NoWay(text.to_owned()));
        };
        let smtp = self.client(Peer::Server(address.clone()), true);
        Ok(Way::Smtp(Box::new(smtp)))
    }

    fn dialogue(&self, command: &Path, flavour: Flavour) -> Way {
        let peer = Peer::Program {
            command: command.to_owned(),
            flavour,
        };
        Way::Smtp(Box::new(self.client(peer, false)))
    }

    fn batch(&self, command: &Path) -> Way {
        let limit = self.settings.time_limit;
        Way::Batch(Batch::new(
            command.to_owned(),
            limit,
            self.around.state.clone(),
        ))
    }

    fn client(&self, peer: Peer, is_lmtp: bool) -> Smtp {
        Smtp::new(Client {
            peer,
            is_lmtp,
            hello: self.around.name.clone(),
            limit: self.settings.time_limit,
            session_messages: self.settings.session_messages,
            scratch: self.around.state.clone(),
        })
    }

    fn sendmail(&self, command: &Path, flavour: Flavour) -> Way {
        Way::Sendmail(Sendmail {
            command: command.to_owned(),
            flavour,
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

#[cfg(test)]
mod tests;
