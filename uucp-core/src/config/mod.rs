//! Taylor's configuration files, read as they are: config, sys, port, dial, dialcode, call, passwd.
//!
//! Taylor UUCP manual, *Configuration Files*. Old-style files (`Systems`, `L.sys`, ...) are never read.

mod apply;
pub mod chat;
mod check;
mod command;
pub mod debug;
pub mod dial;
mod error;
pub mod hdb;
mod layer;
mod lines;
mod login;
pub mod mail;
mod main_file;
mod passwd;
pub mod permission;
pub mod port;
mod secret;
mod settings;
mod sys;
pub mod time;
pub mod trust;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use chat::Chat;
pub use check::{Faults, Known};
pub use debug::{DebugKind, DebugSet};
pub use dial::DialerConfig;
pub use error::{ConfigError, Fault};
pub use passwd::LoginCheck;
pub use permission::{CommandRules, ForwardRules, PathRules, PermittedCommand};
pub use port::{
    DialerChoice, DialerStep, DirectPort, ModemPort, PortConfig, PortKind, ProtocolParameter,
    TlsPort,
};
pub use secret::Secret;
pub use settings::{CallWord, PortChoice, Settings, System};
pub use time::{CallWindow, LocalTime};

use self::command::Command;
use self::sys::{Entry, Sections, SysFile};
use self::time::Timetables;
use crate::name::SystemName;

/// The commands that each kind of file knows, with the file's usual name.
#[must_use]
pub fn commands() -> [(&'static str, &'static [&'static str]); 4] {
    [
        ("config", &main_file::KEYWORDS),
        ("sys", &apply::KEYWORDS),
        ("port", &port::KEYWORDS),
        ("dial", &dial::KEYWORDS),
    ]
}

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
    /// Whether HDB files were asked for; they are never read.
    pub hdb_files: bool,
    /// Whether V2 files were asked for; they are never read.
    pub v2_files: bool,
    /// Where files without a leading slash are: the directory of the config file.
    pub directory: PathBuf,
    /// The config file named with `-I`, to be handed on to programs that are started.
    pub source: Option<PathBuf>,
    /// Where the other configuration files are.
    pub files: ConfigFiles,
    /// The time strings that have names.
    pub timetables: Timetables,
    /// The `unknown` commands, if there are any.
    unknown: Option<Sections>,
}

/// What to log in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The login name.
    pub login: Vec<u8>,
    /// The password.
    pub password: Secret,
}

/// Where the other configuration files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFiles {
    /// Descriptions of systems.
    pub sys: Vec<PathBuf>,
    /// Descriptions of ports.
    pub port: Vec<PathBuf>,
    /// Descriptions of dialers.
    pub dial: Vec<PathBuf>,
    /// Dialcodes.
    pub dialcode: Vec<PathBuf>,
    /// Login names and passwords for calling.
    pub call: Vec<PathBuf>,
    /// Login names and passwords of callers.
    pub passwd: Vec<PathBuf>,
}

impl Config {
    /// Reads the config file: the one given, or `/etc/uucp/config` if it is there; the defaults otherwise.
    ///
    /// # Errors
    /// When the file cannot be read, can be written by strangers, or says what cannot be understood.
    pub fn load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        main_file::load(explicit)
    }

    /// The description of a system, by its name or an alias: the first one in the sys files. The others are passed over.
    ///
    /// # Errors
    /// When a sys file cannot be read, or what it says of this system cannot be understood.
    pub fn system(&self, name: &SystemName) -> Result<Option<System>, ConfigError> {
        self.search(|file, entry| {
            if entry.describes(name) {
                file.resolve(entry, &self.timetables).map(Some)
            } else {
                Ok(None)
            }
        })
    }

    /// Hands every system of the sys files to `visit`, one at a time, until it breaks off.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn for_each_system(
        &self,
        mut visit: impl FnMut(System) -> ControlFlow<()>,
    ) -> Result<(), ConfigError> {
        self.search(|file, entry| {
            let system = file.resolve(entry, &self.timetables)?;
            Ok(visit(system).is_break().then_some(()))
        })
        .map(drop)
    }

    /// The description that the `unknown` commands give to a system that no sys file knows; `None` without any: such a system
    /// may not call.
    ///
    /// # Errors
    /// When an `unknown` command cannot be understood.
    pub fn unknown_system(&self, name: &SystemName) -> Result<Option<System>, ConfigError> {
        let resolve = |own| {
            let base = Settings::defaults();
            sys::resolve(name, &base, &Sections::default(), own, &self.timetables)
        };
        self.unknown.as_ref().map(resolve).transpose()
    }

    /// The description of this system itself, for executions and requests that stay here: what a sys file says of it, or
    /// what holds for any.
    ///
    /// # Errors
    /// When a sys file cannot be read, or what it says of this system cannot be understood.
    pub fn local_system(&self) -> Result<System, ConfigError> {
        Ok(self.system(&self.nodename)?.unwrap_or_else(|| System {
            name: self.nodename.clone(),
            aliases: Vec::new(),
            alternates: vec![Settings::of_this_system()],
        }))
    }

    /// The names of all systems, in the order of the sys files.
    ///
    /// # Errors
    /// When a sys file cannot be read, or names a system by what cannot be a name.
    pub fn system_names(&self) -> Result<Vec<SystemName>, ConfigError> {
        let mut names = Vec::new();
        self.search(|_, entry| {
            names.push(entry.name()?);
            Ok(None::<()>)
        })?;
        Ok(names)
    }

    /// Whether any sys file was there to be read: only then is a system that is not in it unknown for good.
    ///
    /// # Errors
    /// When a sys file is there but cannot be read.
    pub fn knows_any_sys_file(&self) -> Result<bool, ConfigError> {
        first(&self.files.sys, |file| {
            Ok(trust::open(file)?.is_some().then_some(()))
        })
        .map(|found| found.is_some())
    }

    /// The first port of this name in the port files.
    ///
    /// # Errors
    /// When a port file cannot be read, or what it says of this port cannot be understood.
    pub fn port(&self, name: &str) -> Result<Option<PortConfig>, ConfigError> {
        first(&self.files.port, |file| {
            port::find_port(file, |other| other == name, Some)
        })
    }

    /// All ports of the port files, in order. Several may share one name.
    ///
    /// # Errors
    /// When a port file cannot be read or understood.
    pub fn ports(&self) -> Result<Vec<PortConfig>, ConfigError> {
        let mut ports = Vec::new();
        let keep = |port| {
            ports.push(port);
            None::<()>
        };
        let mut keep = keep;
        first(&self.files.port, |file| {
            port::find_port(file, |_| true, &mut keep)
        })?;
        Ok(ports)
    }

    /// The first dialer of this name in the dial files.
    ///
    /// # Errors
    /// When a dial file cannot be read, or what it says of this dialer cannot be understood.
    pub fn dialer(&self, name: &str) -> Result<Option<DialerConfig>, ConfigError> {
        first(&self.files.dial, |file| dial::find_dialer(file, name))
    }

    /// What a dialcode stands for; `None` if it is not in the dialcode files.
    ///
    /// # Errors
    /// When a dialcode file cannot be read or understood.
    pub fn dialcode(&self, prefix: &str) -> Result<Option<String>, ConfigError> {
        first(&self.files.dialcode, |file| {
            dial::find_dialcode(file, prefix)
        })
    }

    /// The login name and password of the call files for a system.
    ///
    /// # Errors
    /// When a call file cannot be read or understood.
    pub fn call_credentials(
        &self,
        system: &SystemName,
    ) -> Result<Option<Credentials>, ConfigError> {
        first(&self.files.call, |file| {
            login::find_credentials(file, system)
        })
    }

    /// Whether a login name and a password fit together. Takes as long for an unknown name as for a wrong password.
    ///
    /// # Errors
    /// When a passwd file cannot be read or understood.
    pub fn check_login(&self, login: &[u8], password: &[u8]) -> Result<bool, ConfigError> {
        Ok(self.look_up_login(login, password)?.fits())
    }

    /// The first part of [`Config::check_login`]: all but the hash.
    ///
    /// # Errors
    /// When a passwd file cannot be read or understood.
    pub fn look_up_login(&self, login: &[u8], password: &[u8]) -> Result<LoginCheck, ConfigError> {
        let mut check = LoginCheck::new(login, password);
        for file in &self.files.passwd {
            check.read(file)?;
        }
        Ok(check)
    }

    /// The systems to which a login name is restricted by the further words of `called-login`, wherever they stand; `None`: to
    /// none. A system whose own `called-login` names the login may use it as well.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn systems_of_login(&self, login: &[u8]) -> Result<Option<Vec<SystemName>>, ConfigError> {
        let mut systems: Option<Vec<SystemName>> = None;
        let mut collect = |command: Command<'_>| {
            if command.key() == "called-login" && command.bytes(1) == login {
                for index in 2..=command.arguments().len() {
                    systems.get_or_insert_default().push(command.system(index)?);
                }
            }
            Ok::<_, ConfigError>(())
        };
        for path in &self.files.sys {
            let Some(mut file) = SysFile::open(path)? else {
                continue;
            };
            file.defaults().try_for_each(&mut collect)?;
            while let Some(entry) = file.next_entry()? {
                entry.commands().try_for_each(&mut collect)?;
            }
        }
        Ok(systems)
    }

    /// This system's name towards whoever has logged in by this name: the `myname` of the system that must use it, or the usual
    /// name.
    ///
    /// # Errors
    /// When a sys file cannot be read or understood.
    pub fn name_for_login(&self, login: &[u8]) -> Result<SystemName, ConfigError> {
        let found = self.search(|file, entry| {
            // Most entries have neither command: only those that do are worth resolving.
            let mut commands = entry.commands().chain(file.defaults());
            if !commands.any(|command| command.key() == "myname") {
                return Ok(None);
            }
            let system = file.resolve(entry, &self.timetables)?;
            let wanted = |settings: &&Settings| {
                let name = settings.called_login.as_deref();
                name.is_some_and(|name| name.as_bytes() == login)
            };
            let settings = system.alternates.iter().find(wanted);
            Ok(settings.and_then(|settings| settings.myname.clone()))
        })?;
        Ok(found.unwrap_or_else(|| self.nodename.clone()))
    }

    /// The public directory of a system: its own or everyone's.
    #[must_use]
    pub fn pubdir_of<'a>(&'a self, settings: &'a Settings) -> &'a Path {
        settings.pubdir.as_deref().unwrap_or(&self.pubdir)
    }

    /// Goes through the entries of all sys files until `visit` gives something back.
    fn search<T>(
        &self,
        mut visit: impl FnMut(&SysFile, &Entry) -> Result<Option<T>, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        first(&self.files.sys, |path| {
            let Some(mut file) = SysFile::open(path)? else {
                return Ok(None);
            };
            while let Some(entry) = file.next_entry()? {
                if let Some(found) = visit(&file, &entry)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }
}

/// The first thing found in the files, in order.
fn first<T>(
    files: &[PathBuf],
    mut find: impl FnMut(&Path) -> Result<Option<T>, ConfigError>,
) -> Result<Option<T>, ConfigError> {
    for file in files {
        if let Some(found) = find(file)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
