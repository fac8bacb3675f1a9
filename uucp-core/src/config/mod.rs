//! Taylor's configuration files, read as they are: config, sys, port, dial, dialcode, call, passwd.
//!
//! Taylor UUCP manual, *Configuration Files*. Old-style files (`Systems`, `L.sys`, ...) are never read.

pub mod chat;
pub mod debug;
pub mod dial;
mod error;
pub mod mail;
pub mod permission;
pub mod port;
mod secret;
mod settings;
pub mod time;

use std::path::{Path, PathBuf};

pub use chat::Chat;
pub use debug::{DebugKind, DebugSet};
pub use dial::DialerConfig;
pub use error::{ConfigError, Fault};
pub use permission::{CommandRules, ForwardRules, PathRules};
pub use port::{PortConfig, PortKind, ProtocolParameter};
pub use secret::Secret;
pub use settings::{CallWord, PortChoice, Settings, System};
pub use time::LocalTime;

use crate::name::SystemName;

/// When uucico starts uuxqt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunUuxqt {
    /// Once, when uucico ends.
    Once,
    /// After every call.
    PerCall,
    /// Never.
    Never,
    /// After this many execute files, and at the end of a call.
    Every(u32),
}

/// The configuration of this system.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this system.
    pub nodename: SystemName,
    /// The spool directory.
    pub spool: PathBuf,
    /// The public directory.
    pub pubdir: PathBuf,
    /// Where locks of systems and devices are.
    pub lockdir: PathBuf,
    /// The Log file.
    pub logfile: PathBuf,
    /// The Stats file.
    pub statfile: PathBuf,
    /// The Debug file.
    pub debugfile: PathBuf,
    /// What is written to it.
    pub debug: DebugSet,
    /// Whether the parity bit is stripped while logging in.
    pub strip_login: bool,
    /// Whether the parity bit is stripped in the handshake.
    pub strip_proto: bool,
    /// How many uuxqt may run at once; 0 is no limit.
    pub max_uuxqts: u32,
    /// When uucico starts uuxqt.
    pub run_uuxqt: RunUuxqt,
    /// Where files without a leading slash are: the directory of the config file.
    pub directory: PathBuf,
    /// The config file named with `-I`, to be handed on to programs that are started.
    pub source: Option<PathBuf>,
}

/// What to log in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The login name.
    pub login: Vec<u8>,
    /// The password.
    pub password: Secret,
}

impl Config {
    /// Reads the config file: the one given, or `/etc/uucp/config` if it is there; the defaults otherwise.
    ///
    /// # Errors
    /// When the file cannot be read, can be written by strangers, or says what cannot be understood.
    pub fn load(_explicit: Option<&Path>) -> Result<Self, ConfigError> {
        todo!()
    }

    /// The description of a system, by its name or an alias.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn system(&self, _name: &SystemName) -> Result<Option<System>, ConfigError> {
        todo!()
    }

    /// The description that the `unknown` commands give to a system that no sys file knows; `None` without any.
    ///
    /// # Errors
    /// When an `unknown` command cannot be understood.
    pub fn unknown_system(&self, _name: &SystemName) -> Result<Option<System>, ConfigError> {
        todo!()
    }

    /// The description of this system itself, for executions and requests that stay here: everything at its default, and
    /// everything permitted.
    ///
    /// # Errors
    /// When a sys file that describes this system cannot be read or understood.
    pub fn local_system(&self) -> Result<System, ConfigError> {
        todo!()
    }

    /// The names of all systems, in the order of the sys files.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn system_names(&self) -> Result<Vec<SystemName>, ConfigError> {
        todo!()
    }

    /// Whether any sys file was there to be read.
    ///
    /// # Errors
    /// When a sys file cannot be read.
    pub fn knows_any_sys_file(&self) -> Result<bool, ConfigError> {
        todo!()
    }

    /// A port of the port files, by name.
    ///
    /// # Errors
    /// When a port file cannot be read or understood.
    pub fn port(&self, _name: &str) -> Result<Option<PortConfig>, ConfigError> {
        todo!()
    }

    /// All ports of the port files, in order. Several may share one name.
    ///
    /// # Errors
    /// When a port file cannot be read or understood.
    pub fn ports(&self) -> Result<Vec<PortConfig>, ConfigError> {
        todo!()
    }

    /// A dialer of the dial files, by name.
    ///
    /// # Errors
    /// When a dial file cannot be read or understood.
    pub fn dialer(&self, _name: &str) -> Result<Option<DialerConfig>, ConfigError> {
        todo!()
    }

    /// What a dialcode stands for; `None` if it is not in the dialcode files.
    ///
    /// # Errors
    /// When a dialcode file cannot be read or understood.
    pub fn dialcode(&self, _prefix: &str) -> Result<Option<String>, ConfigError> {
        todo!()
    }

    /// The login name and password of the call files for a system.
    ///
    /// # Errors
    /// When a call file cannot be read or understood.
    pub fn call_credentials(
        &self,
        _system: &SystemName,
    ) -> Result<Option<Credentials>, ConfigError> {
        todo!()
    }

    /// Whether a login name and a password fit together. Takes as long for an unknown name as for a wrong password.
    ///
    /// # Errors
    /// When a passwd file cannot be read or understood.
    pub fn check_login(&self, _login: &[u8], _password: &[u8]) -> Result<bool, ConfigError> {
        todo!()
    }

    /// The systems to which a login name is restricted by the further words of `called-login`; `None`: to none.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn systems_of_login(&self, _login: &[u8]) -> Result<Option<Vec<SystemName>>, ConfigError> {
        todo!()
    }
}
