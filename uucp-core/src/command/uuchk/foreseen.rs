//! What is in order as it stands, and fails when somebody tries it: told as notes, since it may be meant.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use crate::config::mail::MailConfig;
use crate::config::{CommandRules, Config, Faults, PortChoice, Settings, System};

/// Names of commands that bring mail: rmail, rsmtp and its links.
const MAIL: [&str; 17] = [
    "rmail", "crmail", "rsmtp", "bsmtp", "rcsmtp", "crsmtp", "cbsmtp", "csmtp", "rgsmtp", "grsmtp",
    "gbsmtp", "gsmtp", "rbsmtp", "bbsmtp", "rfsmtp", "frsmtp", "fbsmtp",
];

/// Looks at everything; each thing is told once.
pub(super) fn look(config: &Config, systems: &[System], mail: &MailConfig, faults: &mut Faults) {
    let mut notes = BTreeSet::new();
    let logins = config.passwd_logins();
    for system in systems {
        notes.extend(never_called(system));
        for settings in &system.alternates {
            notes.extend(public_directory(config, settings));
            notes.extend(missing_commands(settings));
        }
        let rules = mail.tls(&system.name);
        if rules.login || rules.pins.is_empty() {
            notes.extend(logins.iter().flat_map(|known| nobodys_login(system, known)));
        }
    }
    for note in notes {
        faults.note(note);
    }
}

/// It has all that a call needs but a time.
fn never_called(system: &System) -> Option<String> {
    let is_timeless = system.for_calling().all(|one| one.time.is_empty());
    let has_a_way = |one: &Settings| one.port != PortChoice::None || one.phone.is_some();
    (is_timeless && system.for_calling().any(has_a_way)).then(|| {
        format!(
            "system '{}' has a port or an address and no time, and is never called; 'time any' lets it be called, 'time never' says that it is meant",
            system.name
        )
    })
}

/// Logins that `passwd` does not know, where there is one, nor the machine.
fn nobodys_login(system: &System, known: &[Vec<u8>]) -> Vec<String> {
    let wanted = system
        .alternates
        .iter()
        .filter_map(|one| one.called_login.as_deref());
    let is_nobodys = |login: &&str| {
        !known.iter().any(|name| name == login.as_bytes())
            && !matches!(User::from_name(login), Ok(Some(_)))
    };
    let text = |login| {
        format!(
            "system '{}': nobody can log in as '{login}': no passwd file has it, and this machine no such user; 'called-login' names it",
            system.name
        )
    };
    wanted.filter(is_nobodys).map(text).collect()
}

/// The directory where others may put files, where they cannot.
fn public_directory(config: &Config, settings: &Settings) -> Option<String> {
    let path = settings.pubdir.as_ref().unwrap_or(&config.pubdir);
    if !settings.remote_receive.permits(path, path) {
        return None;
    }
    let shown = path.display();
    match path.metadata() {
        Err(_) => Some(format!(
            "{shown}: the public directory is not there, and no file can be sent to it; 'install -d -m 1777 {shown}'"
        )),
        Ok(found) if found.permissions().mode() & 0o002 == 0 => Some(format!(
            "{shown}: not everybody can write in the public directory, and no file from elsewhere is put there; 'chmod 1777 {shown}'"
        )),
        Ok(_) => None,
    }
}

/// Commands that `commands` permits and `command-path` does not have.
fn missing_commands(settings: &Settings) -> Vec<String> {
    let CommandRules::Listed(listed) = &settings.commands else {
        return Vec::new();
    };
    // What holds where nobody has said anything need not be meant.
    if settings.commands == Settings::usual_commands() {
        return Vec::new();
    }
    let names = listed.iter().filter(|name| MAIL.contains(&name.as_str()));
    names
        .filter(|name| find(&settings.command_path, name).is_none())
        .map(|name| missing(&settings.command_path, name))
        .collect()
}

fn missing(path: &[PathBuf], name: &str) -> String {
    let shown: Vec<String> = path.iter().map(|one| one.display().to_string()).collect();
    let mend = match find(path, "rsmtp").filter(|_| name != "rmail") {
        Some(rsmtp) => format!(
            "'ln -s rsmtp {}' makes it",
            rsmtp.with_file_name(name).display()
        ),
        None => "name the folder where it is with 'command-path' in sys".to_owned(),
    };
    format!(
        "'commands' permits {name}, and there is none in {}; {mend}",
        shown.join(" ")
    )
}

fn find(path: &[PathBuf], name: &str) -> Option<PathBuf> {
    let is_program = |file: &Path| {
        let found = file.metadata();
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    path.iter()
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}
