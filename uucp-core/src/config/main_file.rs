//! The config file itself: names, places and switches of this system.
//!
//! Taylor UUCP manual, *The Main Configuration File*.

use std::path::{Path, PathBuf};

use super::apply::{debug, times};
use super::command::{Command, closest, path};
use super::debug::DebugSet;
use super::error::ConfigError;
use super::lines::{Line, Lines, Style};
use super::sys::{OnFault, Sections};
use super::time::Timetables;
use super::{Config, ConfigFiles, RunUuxqt};
use crate::name::SystemName;

/// Where the configuration is unless `-I` says otherwise.
const DIRECTORY: &str = "/etc/uucp";

/// The commands of a config file, for suggestions.
pub(super) const KEYWORDS: [&str; 26] = [
    "nodename",
    "hostname",
    "uuname",
    "spool",
    "pubdir",
    "lockdir",
    "logfile",
    "statfile",
    "debugfile",
    "debug",
    "strip-login",
    "strip-proto",
    "max-uuxqts",
    "run-uuxqt",
    "sysfile",
    "portfile",
    "dialfile",
    "dialcodefile",
    "callfile",
    "passwdfile",
    "unknown",
    "timetable",
    "hdb-files",
    "bnu-files",
    "v2-files",
    "uucp",
];

/// Reads the config file.
pub(super) fn load(explicit: Option<&Path>) -> Result<Config, ConfigError> {
    load_with(explicit, &mut Err)
}

/// As [`load`]; what is wrong with a command goes to `fault`, which says whether to go on without it.
pub(super) fn load_with(
    explicit: Option<&Path>,
    fault: OnFault<'_>,
) -> Result<Config, ConfigError> {
    let path = match explicit {
        Some(path) => std::path::absolute(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?,
        None => Path::new(DIRECTORY).join("config"),
    };
    let directory = path.parent().map_or_else(|| "/".into(), Path::to_owned);
    let mut reading = Reading::new(directory)?;
    match Lines::open(&path, Style::Joined)? {
        Some(mut lines) => {
            while let Some(line) = lines.next_line()? {
                reading.apply_line(line).or_else(&mut *fault)?;
            }
        }
        None if explicit.is_some() => {
            return Err(ConfigError::Read {
                path,
                source: nix::errno::Errno::ENOENT.into(),
            });
        }
        None => {}
    }
    let mut config = reading.finish()?;
    config.source = explicit.map(|_| path);
    Ok(config)
}

/// A config file being read.
struct Reading {
    /// Its `nodename` is set once the file has been read.
    config: Config,
    /// The name that the file gives to this system.
    nodename: Option<SystemName>,
    /// Which of the file lists the file has begun to name.
    named: Named,
}

#[derive(Default)]
struct Named {
    sys: bool,
    port: bool,
    dial: bool,
    dialcode: bool,
    call: bool,
    passwd: bool,
}

impl Reading {
    fn new(directory: PathBuf) -> Result<Self, ConfigError> {
        // Stands until the name is known; the parse cannot fail.
        let nodename = SystemName::parse(b"unnamed").map_err(|error| ConfigError::NodeName {
            name: error.to_string(),
        })?;
        let beside = |name: &str| vec![directory.join(name)];
        let files = ConfigFiles {
            sys: beside("sys"),
            port: beside("port"),
            dial: beside("dial"),
            dialcode: beside("dialcode"),
            call: beside("call"),
            passwd: beside("passwd"),
        };
        Ok(Self {
            nodename: None,
            config: Config {
                nodename,
                spool: "/var/spool/uucp".into(),
                pubdir: "/var/spool/uucppublic".into(),
                lockdir: "/var/lock".into(),
                logfile: "/var/log/uucp/Log".into(),
                statfile: "/var/log/uucp/Stats".into(),
                debugfile: "/var/log/uucp/Debug".into(),
                debug: DebugSet::NONE,
                strip_login: true,
                strip_proto: true,
                max_uuxqts: 0,
                run_uuxqt: RunUuxqt::Once,
                hdb_files: true,
                v2_files: true,
                directory,
                source: None,
                files,
                timetables: Timetables::default(),
                unknown: None,
            },
            named: Named::default(),
        })
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        self.config.nodename = match self.nodename {
            Some(name) => name,
            None => host_name()?,
        };
        Ok(self.config)
    }

    fn apply_line(&mut self, line: Line) -> Result<(), ConfigError> {
        let command = line.command();
        match command.key().as_str() {
            // `uucp COMMAND` is for every program but cu; `cu COMMAND` for none of ours.
            "uucp" if !command.arguments().is_empty() => self.apply(command.inner()?),
            "unknown" => self.apply_unknown(line),
            _ => self.apply(command),
        }
    }

    fn apply_unknown(&mut self, line: Line) -> Result<(), ConfigError> {
        let inner = line.command().inner()?;
        if inner.key() == "system" {
            let message = "'unknown' describes systems that have no name here";
            return Err(inner.wrong(0, message, Some("describe a system in the sys file".into())));
        }
        self.config
            .unknown
            .get_or_insert_with(Sections::of_unknown)
            .push(line)
    }

    fn apply(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        let key = command.key();
        if self.apply_file_list(&key, command) || self.apply_place(&key, command)? {
            return Ok(());
        }
        let config = &mut self.config;
        match key.as_str() {
            "nodename" | "hostname" | "uuname" => self.nodename = Some(command.one_system()?),
            "debug" => config.debug = config.debug | debug(command)?,
            "strip-login" => config.strip_login = command.one_boolean()?,
            "strip-proto" => config.strip_proto = command.one_boolean()?,
            "max-uuxqts" => config.max_uuxqts = command.one_number()?,
            "run-uuxqt" => config.run_uuxqt = run_uuxqt(command)?,
            "v2-files" => config.v2_files = command.one_boolean()?,
            "hdb-files" | "bnu-files" => config.hdb_files = command.one_boolean()?,
            "timetable" => {
                command.expect_arguments(2, 2)?;
                let set = times(&config.timetables, command, 2)?;
                config.timetables.define(&command.text(1)?, set);
            }
            other => ignore(other),
        }
        Ok(())
    }

    fn apply_place(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let config = &mut self.config;
        let place = match key {
            "spool" => &mut config.spool,
            "pubdir" => &mut config.pubdir,
            "lockdir" => &mut config.lockdir,
            "logfile" => &mut config.logfile,
            "statfile" => &mut config.statfile,
            "debugfile" => &mut config.debugfile,
            _ => return Ok(false),
        };
        *place = command.one_path()?;
        Ok(true)
    }

    fn apply_file_list(&mut self, key: &str, command: Command<'_>) -> bool {
        let (files, named) = (&mut self.config.files, &mut self.named);
        let (list, named) = match key {
            "sysfile" => (&mut files.sys, &mut named.sys),
            "portfile" => (&mut files.port, &mut named.port),
            "dialfile" => (&mut files.dial, &mut named.dial),
            "dialcodefile" => (&mut files.dialcode, &mut named.dialcode),
            "callfile" => (&mut files.call, &mut named.call),
            "passwdfile" => (&mut files.passwd, &mut named.passwd),
            _ => return false,
        };
        // The first command replaces the default, the next ones add.
        if !std::mem::replace(named, true) {
            list.clear();
        }
        let words = command.arguments().iter();
        list.extend(words.map(|word| self.config.directory.join(path(&word.bytes))));
        true
    }
}

/// An unknown command may be meant for another program: Taylor ignores it as well.
fn ignore(key: &str) {
    if let Some(known) = closest(key, &KEYWORDS) {
        tracing::warn!(target: "uucp::config", "config command '{key}' ignored; did you mean '{known}'?");
    } else {
        tracing::debug!(target: "uucp::config", "config command '{key}' ignored");
    }
}

fn run_uuxqt(command: Command<'_>) -> Result<RunUuxqt, ConfigError> {
    match command.one_text()?.to_ascii_lowercase().as_str() {
        "once" => Ok(RunUuxqt::Once),
        "percall" => Ok(RunUuxqt::PerCall),
        "never" => Ok(RunUuxqt::Never),
        number => number
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .map(RunUuxqt::Every)
            .ok_or_else(|| {
                let message = format!("'{}' does not say when to run uuxqt", command.shown(1));
                let mend = "write once, percall, never, or a number of execute files";
                command.wrong(1, message, Some(mend.to_owned()))
            }),
    }
}

/// The name of this machine up to the first dot.
fn host_name() -> Result<SystemName, ConfigError> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let bytes = host.as_encoded_bytes();
    let name = bytes.split(|byte| *byte == b'.').next().unwrap_or(bytes);
    SystemName::parse(name).map_err(|_| ConfigError::NodeName {
        name: bytes.escape_ascii().to_string(),
    })
}
