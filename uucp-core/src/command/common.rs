//! What all programs of the engine are told in the same way: `-I`, `-x`, `-v`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::debug;
use super::queueing::{of_config, warn};
use crate::config::{Config, DebugSet};
use crate::owner::{become_owner, give_back};
use crate::program::VersionOption;
use crate::spool::Spool;
use crate::sysexits::{Failure, Status};

/// The options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(super) struct Common {
    /// Write debugging messages of these kinds, such as chat or execute or a number up to 11, to the Debug file
    #[arg(short = 'x', visible_short_alias = 'X', long, value_name = "KINDS", action = ArgAction::Append)]
    debug: Vec<String>,
    /// Read this configuration file
    #[arg(short = 'I', long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    version: VersionOption,
}

impl Common {
    /// Reads the configuration and starts the Debug file; `-x` adds kinds of messages.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let mut config = self.read()?;
        for word in &self.debug {
            let kinds = DebugSet::parse(word)
                .map_err(|word| Failure::new(Status::Usage, format!("-x: no such kind: {word}")))?;
            config.debug = config.debug | kinds;
        }
        debug::start(&config);
        Ok(config)
    }

    /// The same, and opens the spool; root becomes its owner.
    pub(super) fn load_as_owner(&self) -> Result<(Config, Spool), Failure> {
        let config = self.load()?;
        let spool = Spool::open(&config).map_err(Failure::temporary)?;
        self.become_owner(&spool)?;
        Ok((config, spool))
    }

    /// Becomes the owner of the spool, if root runs this.
    pub(super) fn become_owner(&self, spool: &Spool) -> Result<(), Failure> {
        if become_owner(spool.root())? {
            // What only root may read is not to count.
            self.read()?;
        }
        Ok(())
    }

    /// [`Common::load`] for programs that take mail, which must not bounce for a typing error in `-x`, and which have nothing to
    /// tell unless asked. Who names a configuration does what it says with his own rights.
    pub(super) fn load_for_queueing(&self, program: &str) -> Result<Config, Failure> {
        let mut config = self.read()?;
        for word in &self.debug {
            match DebugSet::parse(word) {
                Ok(kinds) => config.debug = config.debug | kinds,
                Err(word) => warn(program, &format!("-x: no such kind of message: {word}")),
            }
        }
        if !self.debug.is_empty() {
            debug::start(&config);
        }
        Ok(config)
    }

    fn read(&self) -> Result<Config, Failure> {
        if self.config.is_some() {
            give_back()?;
        }
        Config::load(self.config.as_deref()).map_err(of_config)
    }

    /// `-x` for a program that this one starts.
    pub(super) fn debug_words(&self) -> Vec<OsString> {
        let pairs = self.debug.iter();
        pairs
            .flat_map(|kinds| ["--debug".into(), kinds.into()])
            .collect()
    }

    /// The same with `-I`.
    pub(super) fn words(&self) -> Vec<OsString> {
        let file = self.config.iter();
        file.flat_map(|file| ["--config".into(), file.into()])
            .chain(self.debug_words())
            .collect()
    }
}
