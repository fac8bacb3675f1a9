//! Everything that is wrong with the configuration, not only what comes first.

mod files;
mod mail;
mod systems;
mod words;

use std::path::Path;

use super::{Config, ConfigError, dial, login, main_file, passwd, port};
use crate::name::SystemName;
use words::{Kind, Words};

/// What the words of a configuration can name that others know.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Whether a letter is that of a link protocol.
    pub protocol: fn(u8) -> bool,
    /// Whether there is a TCP service of this name or number.
    pub service: fn(&str) -> bool,
}

/// What is wrong, each thing once.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<String>,
    notes: Vec<String>,
}

impl Faults {
    /// The messages, in the order in which they were found: file, line, column, the line with a caret, and a mend.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.list
    }

    /// What is worth knowing, and not wrong.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds one. The commands of defaults hold for every system; they are told once.
    pub fn push(&mut self, message: String) {
        if !self.list.contains(&message) {
            self.list.push(message);
        }
    }

    /// Adds something that is not wrong.
    pub fn note(&mut self, message: String) {
        self.notes.push(message);
    }

    fn take(&mut self, error: &ConfigError) {
        self.push(error.to_string());
    }

    fn of(&mut self, result: Result<(), ConfigError>) {
        if let Err(error) = result {
            self.take(&error);
        }
    }
}

impl Config {
    /// As [`Config::load`], but what is wrong in the file goes to `faults`, and the rest of it holds.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn load_checked(explicit: Option<&Path>, faults: &mut Faults) -> Result<Self, ConfigError> {
        let config = main_file::load_with(explicit, &mut |error| {
            faults.take(&error);
            Ok(())
        })?;
        files::look_at_config(&config, faults)?;
        Ok(config)
    }

    /// The login names of all passwd files; `None` where there is no such file.
    #[must_use]
    pub fn passwd_logins(&self) -> Option<Vec<Vec<u8>>> {
        let lists: Vec<_> = self
            .files
            .passwd
            .iter()
            .filter_map(|file| passwd::names(file))
            .collect();
        (!lists.is_empty()).then(|| lists.concat())
    }

    /// Reads all other files of Taylor's, and the `unknown` commands, for what is wrong with them.
    pub fn check_other_files(&self, known: Known, faults: &mut Faults) {
        if let Ok(name) = SystemName::parse(b"unknown") {
            faults.of(self.unknown_system(&name).map(drop));
        }
        let mut list: Vec<ConfigError> = Vec::new();
        let mut note = |error| {
            list.push(error);
            Ok(())
        };
        let files = &self.files;
        let mut results = Vec::new();
        for path in &files.port {
            let read = port::find_port_with(path, |_| true, |_| None::<()>, &mut note);
            results.push(read.map(drop));
        }
        for path in &files.dial {
            results.push(dial::check_dialers(path, &mut note));
        }
        for path in &files.dialcode {
            results.push(dial::check_dialcodes(path, &mut note));
        }
        for path in &files.call {
            results.push(login::check(path, &mut note));
        }
        for path in &files.passwd {
            results.push(passwd::check(path, &mut note));
        }
        let words = Words::new(self, known);
        for (kind, paths) in [(Kind::Port, &files.port), (Kind::Dial, &files.dial)] {
            for path in paths {
                // What ends the reading of a file has been told above.
                let _ = words.look_at_file(path, kind, &mut |error| list.push(error));
            }
        }
        for command in self.unknown.iter().flat_map(super::Sections::commands) {
            words.look(command, Kind::Sys, &mut |error| list.push(error));
        }
        for error in list
            .iter()
            .chain(results.iter().filter_map(|r| r.as_ref().err()))
        {
            faults.take(error);
        }
        files::look_at_secrets(self, faults);
    }
}
