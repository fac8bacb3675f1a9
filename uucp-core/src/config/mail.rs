//! `mail.toml`, beside Taylor's `config`: what Taylor's files have no words for. How mail is handed to the MTA, what a
//! neighbour may do, how senders queue, how uuxqt runs, which key a neighbour shows over TLS.
//!
//! Every section may stand by itself (for all) and again under `[neighbour.NAME.SECTION]` (for one); what a neighbour's
//! section does not say, the general one does. A missing file is an empty one. Unknown keys are refused: a policy with a
//! typing error must not be no policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::error::ConfigError;
use crate::address::Address;
use crate::name::SystemName;

mod delivery;
mod execution;
mod hooks;
mod policy;
mod reading;
mod sending;
#[cfg(test)]
mod tests;
mod tls;
mod value;
mod wording;

use delivery::DeliverySection;
pub use delivery::{DeliverySettings, MethodName};
pub use execution::Execution;
use execution::ExecutionSection;
pub use hooks::Hooks;
use hooks::HooksSection;
use policy::PolicySection;
pub use policy::{DomainPattern, Policy};
pub use reading::Places;
use sending::SendingSection;
pub use sending::{BatchLimits, Carrier, FarEnd, Format, Sending};
use tls::TlsSection;
pub use tls::{Fingerprint, TlsRules};
use value::WholePath;
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
        /// The line itself with a mark under what is wrong, on lines of their own; empty where it would not help.
        caret: String,
    },
    /// It cannot be opened, or others may write it.
    #[error(transparent)]
    Open(#[from] ConfigError),
}

impl MailConfigError {
    /// The message, and where one word is wrong the line with a mark under it.
    #[must_use]
    pub fn with_caret(&self) -> String {
        match self {
            Self::Content { caret, .. } => format!("{self}{caret}"),
            _ => self.to_string(),
        }
    }
}

/// Everything that `mail.toml` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MailConfig {
    #[serde(deserialize_with = "value::address")]
    postmaster: Option<Address>,
    domain: Option<String>,
    names: Vec<String>,
    state_directory: Option<WholePath>,
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

impl MailConfig {
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
        let named = self.state_directory.clone().map(|path| path.0);
        named.unwrap_or_else(|| spool.join(".Mail"))
    }

    /// Whether calls are confined to the spool and to what the configuration names: yes, unless set.
    #[must_use]
    pub fn confines(&self) -> bool {
        self.confine.unwrap_or(true)
    }

    /// How mail is handed over; `None` for mail that no neighbour sent.
    #[must_use]
    pub fn delivery(&self, neighbour: Option<&SystemName>) -> DeliverySettings {
        let own = self.own(neighbour).map(|n| &n.delivery);
        DeliverySettings::resolve(own, &self.delivery)
    }

    /// Whether it names an MTA for the mail of anybody.
    #[must_use]
    pub fn names_an_mta(&self) -> bool {
        self.delivery.names_an_mta() || self.neighbour.values().any(|n| n.delivery.names_an_mta())
    }

    /// Sets how all mail is handed over, for this run.
    pub fn set_delivery(&mut self, settings: &DeliverySettings) {
        self.delivery = DeliverySection::of(settings);
        for neighbour in self.neighbour.values_mut() {
            neighbour.delivery = DeliverySection::default();
        }
    }

    /// What a neighbour may do.
    #[must_use]
    pub fn policy(&self, neighbour: Option<&SystemName>) -> Policy {
        let own = self.own(neighbour).map(|n| &n.policy);
        Policy::new(own, &self.policy)
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
        let own = self.own(system).map(|n| &n.execution);
        Execution::new(own, &self.execution)
    }

    /// What is run before and after a call with a system.
    #[must_use]
    pub fn hooks(&self, system: &SystemName) -> Hooks {
        Hooks::new(self.own(Some(system)).map(|one| &one.hooks), &self.hooks)
    }

    /// The systems that have a section of their own.
    pub fn neighbours(&self) -> impl Iterator<Item = &str> {
        self.neighbour.keys().map(String::as_str)
    }

    fn own(&self, neighbour: Option<&SystemName>) -> Option<&Neighbour> {
        self.neighbour.get(neighbour?.as_str())
    }
}

/// The neighbour's own value, else the general one.
fn pick<S, T>(own: Option<&S>, all: &S, value: impl Fn(&S) -> Option<T>) -> Option<T> {
    own.and_then(&value).or_else(|| value(all))
}
