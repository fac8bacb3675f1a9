//! `[delivery]`: how mail is handed to the MTA.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::pick;
use super::value::{Count, Period, ServerAddress, WholePath};

/// How long a hand-over may take.
const TIME_LIMIT: Duration = Duration::from_mins(5);
/// The most sessions side by side.
const MOST_SESSIONS: u32 = 64;
/// Sessions side by side, unless set.
const SESSIONS: NonZeroU32 = NonZeroU32::new(4).unwrap();

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct DeliverySection {
    method: Option<MethodName>,
    smtp: Option<ServerAddress>,
    lmtp: Option<ServerAddress>,
    sendmail: Option<WholePath>,
    maildir: Option<WholePath>,
    time_limit: Option<Period>,
    sessions: Option<Count<MOST_SESSIONS>>,
    session_messages: Option<NonZeroU32>,
}

impl DeliverySection {
    /// What says all that is set.
    pub(super) fn of(settings: &DeliverySettings) -> Self {
        Self {
            method: settings.method,
            smtp: settings.smtp.clone(),
            lmtp: settings.lmtp.clone(),
            sendmail: settings.sendmail.clone().map(WholePath),
            maildir: settings.maildir.clone().map(WholePath),
            time_limit: Some(Period(settings.time_limit)),
            sessions: Some(Count(settings.sessions)),
            session_messages: settings.session_messages,
        }
    }

    /// Whether it names an MTA.
    pub(super) fn names_an_mta(&self) -> bool {
        self.smtp.is_some()
            || self.lmtp.is_some()
            || self.sendmail.is_some()
            || !matches!(
                self.method,
                None | Some(MethodName::Auto | MethodName::Maildir)
            )
    }
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

    pub(super) fn resolve(own: Option<&DeliverySection>, all: &DeliverySection) -> Self {
        Self {
            method: pick(own, all, |s| s.method),
            smtp: pick(own, all, |s| s.smtp.clone()),
            lmtp: pick(own, all, |s| s.lmtp.clone()),
            sendmail: pick(own, all, |s| s.sendmail.clone()).map(|path| path.0),
            maildir: pick(own, all, |s| s.maildir.clone()).map(|path| path.0),
            time_limit: pick(own, all, |s| s.time_limit).map_or(TIME_LIMIT, |p| p.0),
            sessions: pick(own, all, |s| s.sessions).map_or(SESSIONS, |count| count.0),
            session_messages: pick(own, all, |s| s.session_messages),
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self::new()
    }
}
