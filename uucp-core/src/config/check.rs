//! Everything that is wrong with the configuration, not only what comes first.

use std::path::Path;

use super::mail::MailConfig;
use super::sys::SysFile;
use super::{Config, ConfigError, System, dial, login, main_file, passwd, port};
use crate::name::SystemName;

/// What is wrong, each thing once.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<String>,
}

impl Faults {
    /// The messages, in the order in which they were found: file, line, column, the line with a caret, and a mend.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.list
    }

    /// Adds one. The commands of defaults hold for every system; they are told once.
    pub fn push(&mut self, message: String) {
        if !self.list.contains(&message) {
            self.list.push(message);
        }
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
        main_file::load_with(explicit, &mut |error| {
            faults.take(&error);
            Ok(())
        })
    }

    /// Hands every system of the sys files to `visit`, each as far as it can be understood.
    pub fn check_systems(&self, faults: &mut Faults, mut visit: impl FnMut(&System, &mut Faults)) {
        for path in &self.files.sys {
            let result = self.check_sys_file(path, faults, &mut visit);
            faults.of(result);
        }
    }

    fn check_sys_file(
        &self,
        path: &Path,
        faults: &mut Faults,
        visit: &mut impl FnMut(&System, &mut Faults),
    ) -> Result<(), ConfigError> {
        let Some(mut file) = SysFile::open(path)? else {
            return Ok(());
        };
        while let Some(entry) = file.next_entry()? {
            let mut note = |error: ConfigError| {
                faults.take(&error);
                Ok(())
            };
            match file.resolve_with(&entry, &self.timetables, &mut note) {
                Ok(system) => visit(&system, faults),
                Err(error) => faults.take(&error),
            }
        }
        Ok(())
    }

    /// Reads all other files, and the `unknown` commands, for what is wrong with them.
    pub fn check_other_files(&self, faults: &mut Faults) {
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
        for error in list
            .iter()
            .chain(results.iter().filter_map(|r| r.as_ref().err()))
        {
            faults.take(error);
        }
        if let Err(error) = MailConfig::load(&self.directory) {
            faults.push(error.to_string());
        }
    }
}
