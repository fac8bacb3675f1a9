//! This system, as configured, for the mail of one neighbour.

use std::path::{Path, PathBuf};

use super::{DeliveryOptions, Origin};
use crate::config::Config;
use crate::config::mail::MailConfig;
use crate::delivery::Surroundings;
use crate::owner::become_owner;
use crate::spool::{ObservedTime, Spool, make_shared_directory, observed, open_to_group};
use crate::sysexits::{Failure, Status};

/// Names the configuration where the command line is the peer's.
const CONFIG_VARIABLE: &str = "BANGPATH_CONFIG";

/// What a receiver must know of this system.
#[derive(Debug)]
pub struct Site {
    /// Taylor's files.
    pub config: Config,
    /// `mail.toml`.
    pub mail: MailConfig,
    /// The spool. Without one there is no queue for reports: then a report that cannot be handed over now is 75.
    pub spool: Option<Spool>,
    /// Where things are, and what this system is called.
    pub around: Surroundings,
}

impl Site {
    /// Reads the configuration: `file`, else the one that `BANGPATH_CONFIG` names, else the usual one. Root becomes the owner
    /// of the spool.
    ///
    /// # Errors
    /// When it cannot be read or is wrong, or root cannot become the owner.
    pub fn load(
        file: Option<&Path>,
        delivery: &DeliveryOptions,
        origin: &Origin,
    ) -> Result<Self, Failure> {
        let wrong = |e: &dyn std::fmt::Display| Failure::new(Status::Configuration, e.to_string());
        let named = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from);
        let file = file.map(Path::to_owned).or(named);
        let mut config = Config::load(file.as_deref()).map_err(|e| wrong(&e))?;
        let spool = Spool::open(&config).ok();
        if become_owner(&config.spool)? {
            // What only root may read is not to count.
            config = Config::load(file.as_deref()).map_err(|e| wrong(&e))?;
        }
        let mut mail = MailConfig::load(&config.directory).map_err(|e| wrong(&e))?;
        if let Some(method) = delivery.method() {
            let mut settings = mail.delivery(origin.neighbour.as_ref());
            settings.method = Some(method);
            settings.smtp = delivery.smtp.clone().or(settings.smtp);
            settings.lmtp = delivery.lmtp.clone().or(settings.lmtp);
            settings.sendmail = delivery.sendmail.clone().or(settings.sendmail);
            settings.maildir = delivery.maildir.clone().or(settings.maildir);
            mail.set_delivery(&settings);
        }
        Ok(Self::new(config, mail, spool))
    }

    /// This system, from its configuration.
    #[must_use]
    pub fn new(config: Config, mail: MailConfig, spool: Option<Spool>) -> Self {
        let around = Surroundings::new(&mail, &config.nodename, &config.spool);
        // The usual state directory is the spool's. An earlier program may have made it for one user alone.
        if around.state.parent() == Some(&config.spool) {
            open_to_group(&around.state, &config.spool);
        }
        Self {
            config,
            mail,
            spool,
            around,
        }
    }

    /// Makes the directory where delivery keeps what it must remember, where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_state(&self) -> std::io::Result<()> {
        make_shared_directory(&self.around.state)
    }

    /// The observed time, as the spool counts it; where there is none, the state directory.
    ///
    /// # Errors
    /// When it is not known. By any other time all that waits would be too old, and all that is remembered forgotten.
    pub fn observed_now(&self) -> Result<ObservedTime, Failure> {
        observed(self.spool.as_ref(), &self.around.state).map_err(Failure::temporary)
    }

    /// What this system is called in paths and trace lines.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.mail.names().to_vec();
        names.push(self.config.nodename.to_string());
        names
    }
}
