//! `mail.toml`, beside Taylor's `config`: what Taylor's files have no words for. How mail is handed to the MTA, what a
//! neighbour may do, how senders queue, how uuxqt runs, which key a neighbour shows over TLS.
//!
//! Every section may stand by itself (for all) and again under `[neighbour.NAME.SECTION]` (for one); what a neighbour's
//! section does not say, the general one does. A missing file is an empty one. Unknown keys are refused: a policy with a
//! typing error must not be no policy.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::error::ConfigError;
use super::trust;
use crate::address::Address;
use crate::name::SystemName;

mod hooks;
mod sending;
#[cfg(test)]
mod tests;
mod tls;
mod value;

pub use hooks::Hooks;
use hooks::HooksSection;
use sending::SendingSection;
pub use sending::{BatchLimits, Carrier, FarEnd, Format, Sending};
use tls::TlsSection;
pub use tls::{Fingerprint, TlsRules};
use value::{ByteCount, Period};
pub use value::{HostPort, ServerAddress};

/// The file's name in the configuration's directory.
pub const FILE_NAME: &str = "mail.toml";

/// Why `mail.toml` cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MailConfigError {
    /// It is there but cannot be read.
    #[error("cannot read {}: {source}{}", .file.display(), crate::owner::unreadable(.source))]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says something that is not known or not possible.
    #[error("{}:{line}: {message}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// It cannot be opened, or others may write it.
    #[error(transparent)]
    Open(#[from] ConfigError),
}

/// Everything that `mail.toml` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MailConfig {
    #[serde(deserialize_with = "value::address")]
    postmaster: Option<Address>,
    domain: Option<String>,
    names: Vec<String>,
    state_directory: Option<PathBuf>,
    confine: Option<bool>,
    delivery: DeliverySection,
    policy: PolicySection,
    sending: SendingSection,
    execution: ExecutionSection,
    hooks: HooksSection,
    neighbour: BTreeMap<String, Neighbour>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Neighbour {
    delivery: DeliverySection,
    policy: PolicySection,
    sending: SendingSection,
    execution: ExecutionSection,
    tls: TlsSection,
    hooks: HooksSection,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct DeliverySection {
    method: Option<MethodName>,
    smtp: Option<ServerAddress>,
    lmtp: Option<ServerAddress>,
    sendmail: Option<PathBuf>,
    maildir: Option<PathBuf>,
    time_limit: Option<Period>,
    sessions: Option<NonZeroU32>,
    session_messages: Option<NonZeroU32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct PolicySection {
    sender_domains: Option<Vec<String>>,
    recipient_domains: Option<Vec<String>>,
    message_limit: Option<ByteCount>,
    reports_per_hour: Option<u32>,
    kept_limit: Option<ByteCount>,
    waiting_limit: Option<ByteCount>,
    spool_limit: Option<ByteCount>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ExecutionSection {
    jobs: Option<u32>,
    time_limit: Option<Period>,
    age_limit: Option<Period>,
    warn_after: Option<Period>,
}

/// The ways to hand mail over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// Whichever is found by looking at what is installed.
    Auto,
    /// SMTP to a host and port, or to a unix socket.
    Smtp,
    /// LMTP to a host and port, or to a unix socket.
    Lmtp,
    /// The `sendmail` command, once per message: `-i -f SENDER -- RECIPIENT...`.
    Sendmail,
    /// SMTP with `sendmail -bs`, on its standard input and output.
    SendmailBs,
    /// Batched SMTP into `sendmail -bS`.
    SendmailBatch,
    /// Into Maildir folders, without any MTA.
    Maildir,
}

/// How mail from one neighbour is handed over. What is `None` is to be found by looking at what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Which way.
    pub method: Option<MethodName>,
    /// Where the MTA listens.
    pub smtp: Option<ServerAddress>,
    /// Where an LMTP server listens.
    pub lmtp: Option<ServerAddress>,
    /// Path of the `sendmail` command.
    pub sendmail: Option<PathBuf>,
    /// Folder template: `%u` is the recipient's local part, `%d` the domain.
    pub maildir: Option<PathBuf>,
    /// How long one hand-over may take in all: 5 minutes, unless set. Postfix's own limit for us is longer, uuxqt has none.
    pub time_limit: Duration,
    /// How many sessions with the MTA go side by side where there are several messages: 4, unless set. Exim sleeps 5 ms a
    /// message in each, so one alone takes 200 messages a second; Postfix on two cores takes no more from eight than from four.
    pub sessions: NonZeroU32,
    /// How many messages go through one SMTP session before a new one is opened; `None`: as many as there are.
    pub session_messages: Option<NonZeroU32>,
}

impl DeliverySettings {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            method: None,
            smtp: None,
            lmtp: None,
            sendmail: None,
            maildir: None,
            time_limit: TIME_LIMIT,
            sessions: SESSIONS,
            session_messages: None,
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a hand-over may take.
const TIME_LIMIT: Duration = Duration::from_mins(5);
/// Sessions side by side.
const SESSIONS: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// What a neighbour may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Domains that its senders may have; `None`: any. `example.org`, `.example.org` (and below), `*` (any).
    pub sender_domains: Option<Vec<String>>,
    /// Domains that its recipients may have; `None`: any, as the MTA decides.
    pub recipient_domains: Option<Vec<String>>,
    /// Largest message taken, in bytes: 1 GiB, unless set.
    pub message_limit: u64,
    /// How many delivery reports are made for it in an hour: 100, unless set.
    pub reports_per_hour: u32,
    /// How many bytes of its mail are set aside for the postmaster at most: 64 MiB, unless set.
    pub kept_limit: u64,
    /// How many bytes of its mail wait here for the MTA at most: 1 GiB, unless set. Beyond, its batches wait whole.
    pub waiting_limit: u64,
    /// How many bytes of its files may lie in the spool: 4 GiB, unless set, which is four of the largest messages.
    pub spool_limit: u64,
}

/// How uuxqt runs a neighbour's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// How many commands at a time: 4, unless set. Only the general section counts.
    pub jobs: u32,
    /// How long one command may run: 1 hour, unless set.
    pub time_limit: Duration,
    /// How long a job is tried again after temporary failures: 5 days, unless set.
    pub age_limit: Duration,
    /// How long a message that the MTA refuses for now waits before its sender is told: 4 hours, unless set.
    pub warn_after: Duration,
}

const MIB: u64 = 1 << 20;

impl MailConfig {
    /// Reads `mail.toml` of a configuration directory; the defaults where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read, is not well-formed, or may be written by strangers.
    pub fn load(directory: &Path) -> Result<Self, MailConfigError> {
        let file = directory.join(FILE_NAME);
        let Some(mut open) = trust::open(&file)? else {
            return Ok(Self::default());
        };
        let mut text = String::new();
        if let Err(source) = open.read_to_string(&mut text) {
            return Err(MailConfigError::Read { file, source });
        }
        Self::parse(&text, &file)
    }

    /// Parses the text of a `mail.toml`; `file` is named in errors.
    ///
    /// # Errors
    /// When it is not well-formed.
    pub fn parse(text: &str, file: &Path) -> Result<Self, MailConfigError> {
        let content = |line, message: String| MailConfigError::Content {
            file: file.to_owned(),
            line,
            message,
        };
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            content(1 + before.matches('\n').count(), error.message().to_owned())
        })?;
        for name in config.neighbour.keys() {
            name.parse::<SystemName>()
                .map_err(|error| content(line_of_neighbour(text, name), error.to_string()))?;
        }
        if let Some((one, other)) = config.shared_key() {
            let message = format!("'{one}' and '{other}' have the same key; a key is one system's");
            return Err(content(line_of_neighbour(text, other), message));
        }
        Ok(config)
    }

    /// Who is told about what nobody else can be told, and who reports come from: `postmaster`, unless set.
    #[must_use]
    pub fn postmaster(&self) -> Option<&Address> {
        self.postmaster.as_ref()
    }

    /// The domain that completes addresses without one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Other names of this system, as they stand in paths and trace lines.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where delivery keeps what it must remember; `.Mail` in the spool, unless set.
    #[must_use]
    pub fn state_directory(&self, spool: &Path) -> PathBuf {
        self.state_directory
            .clone()
            .unwrap_or_else(|| spool.join(".Mail"))
    }

    /// Whether calls are confined to the spool and to what the configuration names: yes, unless set.
    #[must_use]
    pub fn confines(&self) -> bool {
        self.confine.unwrap_or(true)
    }

    /// How mail is handed over; `None` for mail that no neighbour sent.
    #[must_use]
    pub fn delivery(&self, neighbour: Option<&SystemName>) -> DeliverySettings {
        let (own, all) = (self.own(neighbour).map(|n| &n.delivery), &self.delivery);
        DeliverySettings {
            method: pick(own, all, |s| s.method),
            smtp: pick(own, all, |s| s.smtp.clone()),
            lmtp: pick(own, all, |s| s.lmtp.clone()),
            sendmail: pick(own, all, |s| s.sendmail.clone()),
            maildir: pick(own, all, |s| s.maildir.clone()),
            time_limit: pick(own, all, |s| s.time_limit).map_or(TIME_LIMIT, |p| p.0),
            sessions: pick(own, all, |s| s.sessions).unwrap_or(SESSIONS),
            session_messages: pick(own, all, |s| s.session_messages),
        }
    }

    /// Whether it names an MTA for the mail of anybody.
    #[must_use]
    pub fn names_an_mta(&self) -> bool {
        let names = |section: &DeliverySection| {
            section.smtp.is_some()
                || section.lmtp.is_some()
                || section.sendmail.is_some()
                || !matches!(
                    section.method,
                    None | Some(MethodName::Auto | MethodName::Maildir)
                )
        };
        names(&self.delivery) || self.neighbour.values().any(|n| names(&n.delivery))
    }

    /// Sets how all mail is handed over, for this run.
    pub fn set_delivery(&mut self, settings: &DeliverySettings) {
        self.delivery = DeliverySection {
            method: settings.method,
            smtp: settings.smtp.clone(),
            lmtp: settings.lmtp.clone(),
            sendmail: settings.sendmail.clone(),
            maildir: settings.maildir.clone(),
            time_limit: Some(Period(settings.time_limit)),
            sessions: Some(settings.sessions),
            session_messages: settings.session_messages,
        };
        for neighbour in self.neighbour.values_mut() {
            neighbour.delivery = DeliverySection::default();
        }
    }

    /// What a neighbour may do.
    #[must_use]
    pub fn policy(&self, neighbour: Option<&SystemName>) -> Policy {
        let (own, all) = (self.own(neighbour).map(|n| &n.policy), &self.policy);
        Policy {
            sender_domains: pick(own, all, |s| s.sender_domains.clone()),
            recipient_domains: pick(own, all, |s| s.recipient_domains.clone()),
            message_limit: pick(own, all, |s| s.message_limit).map_or(1 << 30, |b| b.0),
            reports_per_hour: pick(own, all, |s| s.reports_per_hour).unwrap_or(100),
            kept_limit: pick(own, all, |s| s.kept_limit).map_or(64 * MIB, |b| b.0),
            waiting_limit: pick(own, all, |s| s.waiting_limit).map_or(1 << 30, |b| b.0),
            spool_limit: pick(own, all, |s| s.spool_limit).map_or(4096 * MIB, |b| b.0),
        }
    }

    /// How mail to a system is queued.
    #[must_use]
    pub fn sending(&self, system: &SystemName) -> Sending {
        let own = self.own(Some(system)).map(|n| &n.sending);
        sending::resolve(own, &self.sending, system)
    }

    /// How uuxqt runs the jobs of a system.
    #[must_use]
    pub fn execution(&self, system: Option<&SystemName>) -> Execution {
        let (own, all) = (self.own(system).map(|n| &n.execution), &self.execution);
        Execution {
            jobs: self.execution.jobs.unwrap_or(4).max(1),
            time_limit: pick(own, all, |s| s.time_limit).map_or(Duration::from_hours(1), |p| p.0),
            age_limit: pick(own, all, |s| s.age_limit).map_or(Duration::from_hours(120), |p| p.0),
            warn_after: pick(own, all, |s| s.warn_after).map_or(Duration::from_hours(4), |p| p.0),
        }
    }

    /// What is run before and after a call with a system.
    #[must_use]
    pub fn hooks(&self, system: &SystemName) -> Hooks {
        Hooks::new(self.own(Some(system)).map(|one| &one.hooks), &self.hooks)
    }

    fn own(&self, neighbour: Option<&SystemName>) -> Option<&Neighbour> {
        self.neighbour.get(neighbour?.as_str())
    }
}

/// The neighbour's own value, else the general one.
fn pick<S, T>(own: Option<&S>, all: &S, value: impl Fn(&S) -> Option<T>) -> Option<T> {
    own.and_then(&value).or_else(|| value(all))
}

fn line_of_neighbour(text: &str, name: &str) -> usize {
    let mark = format!("neighbour.{name}");
    let quoted = format!("neighbour.\"{name}\"");
    text.lines()
        .position(|line| line.contains(&mark) || line.contains(&quoted))
        .map_or(1, |at| at + 1)
}
