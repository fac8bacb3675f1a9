//! `mail.toml`: all that is wrong with it, sections of systems that nobody describes, programs and folders that are not there.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Faults;
use crate::config::command::closest;
use crate::config::mail::{Carrier, FILE_NAME, MailConfig, Places};
use crate::config::{Config, System};
use crate::name::SystemName;

impl Config {
    /// Reads `mail.toml` for what is wrong with it; `systems` are all that the sys files describe.
    pub fn check_mail(&self, systems: &[System], faults: &mut Faults) -> (MailConfig, Places) {
        let (mail, places, wrong) = MailConfig::load_checked(&self.directory);
        for error in wrong {
            faults.push(error.with_caret());
        }
        let mut checked = Checked {
            file: self.directory.join(FILE_NAME),
            mail: &mail,
            places: &places,
            faults,
        };
        if self.unknown.is_none() {
            checked.neighbours(systems, &self.nodename);
        }
        checked.programs(None);
        let neighbours = mail.neighbours().filter_map(|name| name.parse().ok());
        for name in neighbours.chain(systems.iter().map(|system| system.name.clone())) {
            checked.programs(Some(&name));
        }
        (mail, places)
    }
}

struct Checked<'a> {
    file: PathBuf,
    mail: &'a MailConfig,
    places: &'a Places,
    faults: &'a mut Faults,
}

impl Checked<'_> {
    /// Sections of systems that no sys file describes. Where callers need not be described, neither need these.
    fn neighbours(&mut self, systems: &[System], local: &SystemName) {
        for name in self.mail.neighbours() {
            let Ok(wanted) = name.parse::<SystemName>() else {
                continue;
            };
            if wanted == *local || systems.iter().any(|system| system.name == wanted) {
                continue;
            }
            let owner = systems
                .iter()
                .find(|system| system.aliases.contains(&wanted));
            let mut text = match owner {
                Some(system) => format!(
                    "'{name}' is an alias of {0}, and its section holds for nobody; write [neighbour.{0}...]",
                    system.name
                ),
                None => format!("no sys file describes '{name}'"),
            };
            let names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
            if let (None, Some(meant)) = (owner, closest(name, &names)) {
                let _ = write!(text, "; did you mean '{meant}'?");
            }
            self.tell(Some(&wanted), &[], &text);
        }
    }

    /// Programs and folders that are named and not there.
    fn programs(&mut self, neighbour: Option<&SystemName>) {
        let delivery = self.mail.delivery(neighbour);
        if let Some(sendmail) = &delivery.sendmail {
            self.program(neighbour, &["delivery", "sendmail"], sendmail);
        }
        let Some(system) = neighbour else {
            return;
        };
        let hooks = self.mail.hooks(system);
        for (key, words) in [
            ("connect", &hooks.connect),
            ("disconnect", &hooks.disconnect),
        ] {
            if let Some(program) = words.first() {
                self.program(neighbour, &["hooks", key], Path::new(program));
            }
        }
        let sending = self.mail.sending(system);
        if sending.carrier == Carrier::Nncp && sending.nncp_exec.is_absolute() {
            self.program(neighbour, &["sending", "nncp-exec"], &sending.nncp_exec);
        }
    }

    fn program(&mut self, neighbour: Option<&SystemName>, keys: &[&str], path: &Path) {
        let is_program =
            |found: std::fs::Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
        if !path.metadata().is_ok_and(is_program) {
            let text = format!("there is no program {}", path.display());
            self.tell(neighbour, keys, &text);
        }
    }

    fn tell(&mut self, neighbour: Option<&SystemName>, keys: &[&str], text: &str) {
        let line = self.places.line(neighbour.map(SystemName::as_str), keys);
        let key = keys
            .last()
            .map_or_else(String::new, |key| format!("{key}: "));
        self.faults
            .push(format!("{}:{line}: {key}{text}", self.file.display()));
    }
}
