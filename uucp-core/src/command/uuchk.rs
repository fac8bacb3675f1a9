//! `uuchk`: shows what the configuration means, and everything that is wrong with it. A drop-in for the peer's.
//!
//! Taylor UUCP manual, *Invoking uuchk*. Nothing is called, queued or changed.

mod calling;
mod convert;
mod foreseen;
mod json;
mod options;
mod ports;
mod surroundings;
mod system;
mod times;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use options::Arguments;

use crate::config::{Config, ConfigError, Faults, Known, RunUuxqt, System};
use crate::link;
use crate::name::SystemName;
use crate::port::service_number;
use crate::program;
use crate::sysexits::{Audience, Failure, Status};

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    program::main("uuchk", Audience::Plain, run)
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(from) = &arguments.convert {
        return convert::run(from, arguments.to.as_deref());
    }
    let mut faults = Faults::default();
    let config = Config::load_checked(arguments.config.as_deref(), &mut faults)
        .map_err(|error| configuration(&error))?;
    let systems = systems(&config, arguments, &mut faults)?;
    if arguments.system.is_none() {
        config.check_other_files(KNOWN, &mut faults);
        surroundings::look(&config, &systems, &mut faults);
    }
    let text = if arguments.json {
        json::report(&config, &systems, &faults, arguments.system.is_some())
    } else {
        plain(&config, &systems, arguments.system.is_some())
    };
    // Who stops reading has seen enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let mut stderr = std::io::stderr().lock();
    for message in faults.messages() {
        let _ = writeln!(stderr, "uuchk: {message}");
    }
    for note in faults.notes() {
        let _ = writeln!(stderr, "uuchk: note: {note}");
    }
    Ok(if faults.messages().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn configuration(error: &ConfigError) -> Failure {
    Failure::new(Status::Configuration, error.to_string())
}

/// What the words of the files can name.
const KNOWN: Known = Known {
    protocol: |letter| link::KNOWN.iter().any(|known| known.letter == letter),
    service: |name| service_number(name).is_ok(),
};

/// The systems that were asked for.
fn systems(
    config: &Config,
    arguments: &Arguments,
    faults: &mut Faults,
) -> Result<Vec<System>, Failure> {
    let mut found = Vec::new();
    let wanted = arguments.system.as_ref();
    config.check_systems(KNOWN, faults, |system, _| {
        let fits = |name: &SystemName| system.name == *name || system.aliases.contains(name);
        if wanted.is_none_or(fits) {
            found.push(system.clone());
        }
    });
    match wanted {
        Some(name) if found.is_empty() => Err(Failure::new(
            Status::UnknownSystem,
            format!("{name}: system not found"),
        )),
        Some(_) => {
            // The first one is the one that is used.
            found.truncate(1);
            Ok(found)
        }
        None => Ok(found),
    }
}

/// Lines of text, each with its depth.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    /// Adds a line.
    fn line(&mut self, depth: usize, text: impl AsRef<str>) {
        let _ = writeln!(self.0, "{:depth$}{}", "", text.as_ref());
    }
}

fn plain(config: &Config, systems: &[System], alone: bool) -> String {
    let mut page = Page::default();
    if !alone {
        head(config, &mut page);
    }
    for system in systems {
        if !alone {
            page.line(0, "");
        }
        system::show(config, system, &mut page);
    }
    page.0
}

/// The file that was read, or would have been.
fn config_file(config: &Config) -> PathBuf {
    let usual = || config.directory.join("config");
    config.source.clone().unwrap_or_else(usual)
}

/// The lists of files with the names that the output gives them.
fn file_lists(config: &Config) -> [(&'static str, &[PathBuf]); 6] {
    let files = &config.files;
    [
        ("sys", &files.sys),
        ("port", &files.port),
        ("dial", &files.dial),
        ("dialcode", &files.dialcode),
        ("passwd", &files.passwd),
        ("call", &files.call),
    ]
}

fn head(config: &Config, page: &mut Page) {
    let path = |path: &Path| path.display().to_string();
    page.line(0, format!("config file: {}", path(&config_file(config))));
    for (name, list) in file_lists(config) {
        if let [one] = list {
            page.line(0, format!("{name} file: {}", path(one)));
        } else {
            page.line(0, format!("{name} file:"));
            for one in list {
                page.line(2, path(one));
            }
        }
    }
    page.line(0, format!("Local node name {}", config.nodename));
    for (name, place) in [
        ("Spool directory", &config.spool),
        ("Public directory", &config.pubdir),
        ("Lock directory", &config.lockdir),
        ("Log file", &config.logfile),
        ("Statistics file", &config.statfile),
        ("Debug file", &config.debugfile),
    ] {
        page.line(0, format!("{name} {}", path(place)));
    }
    let level = if config.debug.is_empty() {
        String::new()
    } else {
        config.debug.to_string()
    };
    page.line(0, format!("Global debugging level {level}"));
    let will = |yes: bool| if yes { "will" } else { "will not" };
    page.line(
        0,
        format!(
            "uucico -l {} strip login names and passwords",
            will(config.strip_login)
        ),
    );
    page.line(
        0,
        format!(
            "uucico {} strip UUCP protocol commands",
            will(config.strip_proto)
        ),
    );
    if config.max_uuxqts > 0 {
        page.line(
            0,
            format!(
                "Maximum number of uuxqt processes permitted {}",
                config.max_uuxqts
            ),
        );
    }
    page.line(0, run_uuxqt(config.run_uuxqt));
}

fn run_uuxqt(when: RunUuxqt) -> String {
    match when {
        RunUuxqt::Once => "Start uuxqt once per uucico invocation".into(),
        RunUuxqt::PerCall => "Start uuxqt once per call".into(),
        RunUuxqt::Never => "Never start uuxqt".into(),
        RunUuxqt::Every(count) => format!("Start uuxqt every {count} jobs"),
    }
}
