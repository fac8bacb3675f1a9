//! HDB (BNU) files, `Systems` and its kin, turned into Taylor's. Read only when somebody asks for it, never by the engine.
//!
//! What the fields mean is what Taylor's programs make of them when they read HDB files, but for what those overlook: the
//! second field of `Dialers`, the service of a TCP device. Of version 2 files, `L.sys` and its kin, only the names are known.

mod devices;
mod lines;
mod permissions;
mod protocols;
mod systems;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use crate::name::SystemName;
use lines::Line;
use permissions::Permissions;

/// Files of version 2, which nobody has made for thirty years.
const VERSION_2: [&str; 5] = ["L.sys", "L-devices", "L-dialcodes", "USERFILE", "L.cmds"];

/// What came of a directory of HDB files.
#[derive(Debug, Default)]
pub struct Converted {
    /// Taylor's files.
    pub files: Vec<ConvertedFile>,
    /// What could not be carried over, or should be looked at, a line each.
    pub notes: Vec<String>,
}

/// One of Taylor's files.
#[derive(Debug)]
pub struct ConvertedFile {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub text: String,
    /// Whether it may hold passwords: only the owner and the group that may queue are to read it.
    pub is_secret: bool,
}

/// Why a directory cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HdbError {
    /// A file cannot be read or understood.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is nothing to convert.
    #[error("{}: there is no Systems file, so these are no HDB files", .0.display())]
    NoSystems(PathBuf),
    /// The files are older still.
    #[error(
        "{}: a file of UUCP version 2; such files are not converted, describe their systems in a sys file by hand", .0.display()
    )]
    Version2(PathBuf),
}

/// Reads the HDB files of a directory. `uucico` is the program that a crontab has to call.
///
/// # Errors
/// When there are none, or one cannot be read or understood.
pub fn convert(directory: &Path, uucico: &Path) -> Result<Converted, HdbError> {
    let old = VERSION_2.iter().map(|name| directory.join(name));
    let old: Vec<PathBuf> = old.filter(|path| path.exists()).collect();
    let names = FileNames::read(directory)?;
    if !names.systems.iter().any(|path| path.exists()) {
        return Err(match old.into_iter().next() {
            Some(path) => HdbError::Version2(path),
            None => HdbError::NoSystems(directory.to_owned()),
        });
    }
    let mut converted = Converted::default();
    for path in old {
        let error = HdbError::Version2(path);
        converted.notes.push(format!("{error}; left alone"));
    }
    let permissions = Permissions::read(&directory.join("Permissions"))?;
    let sys = systems::convert(&names.systems, &permissions, &mut converted.notes)?;
    let port = devices::ports(&names.devices)?;
    let dial = devices::dialers(&names.dialers)?;
    let dialcode = dialcodes(&directory.join("Dialcodes"))?;
    let mut main = config(directory, &mut converted.notes)?;
    main.push_str(&unknown_callers(
        directory,
        &permissions,
        &mut converted.notes,
    ));
    let mut files = vec![
        ("config", main),
        ("sys", sys),
        ("port", port),
        ("dial", dial),
        ("dialcode", dialcode),
    ];
    files.extend(poll(&directory.join("Poll"), uucico)?.map(|text| ("crontab", text)));
    let files = files.into_iter().map(|(name, text)| ConvertedFile {
        name,
        text,
        is_secret: name == "sys",
    });
    converted.files = files.collect();
    converted.notes.push(
        "sys holds the passwords of chat scripts: 'chgrp uucp sys', so that whoever queues can read it, and nobody else"
            .to_owned(),
    );
    Ok(converted)
}

/// The files that `Sysfiles` names for uucico, or the usual ones.
struct FileNames {
    systems: Vec<PathBuf>,
    devices: Vec<PathBuf>,
    dialers: Vec<PathBuf>,
}

impl FileNames {
    fn read(directory: &Path) -> Result<Self, ConfigError> {
        let mut names = Self {
            systems: Vec::new(),
            devices: Vec::new(),
            dialers: Vec::new(),
        };
        for line in lines::read(&directory.join("Sysfiles"), false)? {
            let service = line.words().find_map(|word| word.strip_prefix("service="));
            if !service.is_none_or(|list| list.split(':').any(|one| one == "uucico")) {
                continue;
            }
            for word in line.words() {
                let Some((key, list)) = word.split_once('=') else {
                    return Err(line.wrong(word, "this is no NAME=VALUE"));
                };
                let into = match key {
                    "systems" => &mut names.systems,
                    "devices" => &mut names.devices,
                    "dialers" => &mut names.dialers,
                    _ => continue,
                };
                into.extend(list.split(':').map(|name| directory.join(name)));
            }
        }
        for (list, usual) in [
            (&mut names.systems, "Systems"),
            (&mut names.devices, "Devices"),
            (&mut names.dialers, "Dialers"),
        ] {
            if list.is_empty() {
                list.push(directory.join(usual));
            }
        }
        Ok(names)
    }
}

fn config(directory: &Path, notes: &mut Vec<String>) -> Result<String, ConfigError> {
    // HDB starts uuxqt after every call.
    let mut text =
        "# made from HDB files\nhdb-files false\nv2-files false\nrun-uuxqt percall\n".to_owned();
    for line in lines::read(&directory.join("Maxuuxqts"), false)?
        .iter()
        .take(1)
    {
        let word = line.word(0);
        let number: u32 = word
            .parse()
            .map_err(|_| line.wrong(word, "this is no number"))?;
        let _ = writeln!(text, "max-uuxqts {number}");
    }
    for line in lines::read(&directory.join("Maxuuscheds"), false)?
        .iter()
        .take(1)
    {
        notes.push(format!(
            "Maxuuscheds: give 'uucico --daemon' the option --max-calls {}",
            line.word(0)
        ));
    }
    Ok(text)
}

/// What `remote.unknown` comes to. HDB runs it for a caller that is not described, and refuses; where it cannot be run, anybody
/// may call. Taylor's programs refuse in any case, so what would let them in is written as a comment.
fn unknown_callers(directory: &Path, permissions: &Permissions, notes: &mut Vec<String>) -> String {
    let Ok(found) = directory.join("remote.unknown").metadata() else {
        return String::new();
    };
    if found.permissions().mode() & 0o111 != 0 {
        notes.push(
            "remote.unknown: callers that are not described are refused, as before, and named in the Log; nothing is run for them"
                .to_owned(),
        );
        return String::new();
    }
    notes.push(
        "remote.unknown cannot be executed, so that to HDB itself systems that are not described are welcome; Taylor's programs \
         refuse them all the same. 'unknown' in config, written as a comment, would let them call"
            .to_owned(),
    );
    let lines = systems::unknown(permissions).into_iter();
    let lines = lines.map(|line| format!("#{line}\n"));
    let head = "# systems that are not described; without the '#' of these lines they may call:\n";
    std::iter::once(head.to_owned()).chain(lines).collect()
}

fn dialcodes(path: &Path) -> Result<String, ConfigError> {
    let lines = lines::read(path, false)?;
    let lines = lines.iter().map(|line| {
        let words: Vec<String> = line.words().map(escaped).collect();
        format!("{}\n", words.join(" "))
    });
    Ok(lines.collect())
}

/// `hub 0 4 8` as lines of a crontab, which knows no PATH to our programs.
fn poll(path: &Path, uucico: &Path) -> Result<Option<String>, ConfigError> {
    let uucico = uucico.display().to_string().replace('%', "\\%");
    let mut text = String::new();
    for line in lines::read(path, false)? {
        let name = line.word(0);
        SystemName::parse(name.as_bytes()).map_err(|error| line.wrong(name, &error.to_string()))?;
        let hours: Vec<&str> = line.words().skip(1).collect();
        let is_hour = |word: &&str| word.parse::<u8>().is_ok_and(|hour| hour < 24);
        if let Some(wrong) = hours.iter().find(|word| !is_hour(word)) {
            return Err(line.wrong(wrong, "this is no hour, which is 0 to 23"));
        }
        let hours = if hours.is_empty() {
            "*".to_owned()
        } else {
            hours.join(",")
        };
        let _ = writeln!(text, "0 {hours} * * * {uucico} -r1 -s {name}");
    }
    Ok((!text.is_empty()).then(|| format!("# for the crontab of user uucp\n{text}")))
}

/// A word as Taylor's files have it: there `#` begins a comment.
fn escaped(word: &str) -> String {
    word.replace('#', "\\#")
}

/// A speed, a range of speeds or none, and the letters before it that belong to the name of the port.
struct Class {
    prefix: String,
    command: Option<String>,
}

impl Class {
    fn read(line: &Line, word: &str) -> Result<Self, ConfigError> {
        let digits = word.find(|c: char| c.is_ascii_digit());
        let none = |prefix: &str| Self {
            prefix: prefix.to_owned(),
            command: None,
        };
        if matches!(word, "Any" | "ANY" | "any" | "-" | "") {
            return Ok(none(""));
        }
        let Some((prefix, speeds)) = digits.and_then(|at| word.split_at_checked(at)) else {
            return Ok(none(word));
        };
        let wrong = || {
            line.wrong(
                word,
                "this is neither a speed, nor two with a hyphen, nor Any",
            )
        };
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let command = match speeds.split_once('-') {
            Some((low, high)) => format!("speed-range {} {}", number(low)?, number(high)?),
            None => format!("speed {}", number(speeds)?),
        };
        Ok(Self {
            prefix: prefix.to_owned(),
            command: Some(command),
        })
    }
}

/// `ACU,g`: a name and what is behind the comma.
fn typed(word: &str) -> (&str, Option<&str>) {
    match word.split_once(',') {
        Some((name, rest)) if !rest.is_empty() => (name, Some(rest)),
        Some((name, _)) => (name, None),
        None => (word, None),
    }
}

#[cfg(test)]
mod tests;
