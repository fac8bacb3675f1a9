//! The sys files: each system as far as it can be understood, what is odd about its words, and which are described twice.

use std::collections::HashMap;
use std::path::Path;

use super::words::{Kind, Words};
use super::{Faults, Known};
use crate::config::command::Command;
use crate::config::sys::{Entry, SysFile};
use crate::config::{CallWord, Config, ConfigError, System};

/// The names that systems have, each with the number of the entry and the place where it stands.
type Names = HashMap<Vec<u8>, (usize, String)>;

impl Config {
    /// Hands every system of the sys files to `visit`, each as far as it can be understood.
    pub fn check_systems(
        &self,
        known: Known,
        faults: &mut Faults,
        mut visit: impl FnMut(&System, &mut Faults),
    ) {
        let words = Words::new(self, known);
        let mut names = Names::new();
        let mut count = 0;
        for path in &self.files.sys {
            let mut seen = |file: &SysFile, entry: &Entry, faults: &mut Faults| {
                count += 1;
                twice(entry, count, &mut names, faults);
                let mut note = |error: ConfigError| {
                    faults.take(&error);
                    Ok(())
                };
                let resolved = file.resolve_with(entry, &self.timetables, &mut note);
                for command in file.defaults().chain(entry.commands()) {
                    words.look(command, Kind::Sys, &mut |error| faults.take(&error));
                }
                match resolved {
                    Ok(system) => {
                        self.look_for_login(&system, file, entry, faults);
                        visit(&system, faults);
                    }
                    Err(error) => faults.take(&error),
                }
            };
            let result = each_entry(path, faults, &mut seen);
            faults.of(result);
        }
    }

    /// `call-login *` without a line in the call files.
    fn look_for_login(&self, system: &System, file: &SysFile, entry: &Entry, faults: &mut Faults) {
        let looked_up = |word: &Option<CallWord>| matches!(word, Some(CallWord::LookUp));
        let needs = system.for_calling().any(|one| {
            one.can_be_called() && (looked_up(&one.call_login) || looked_up(&one.call_password))
        });
        // What is wrong with a call file is told where all of it is read.
        if !needs || !matches!(self.call_credentials(&system.name), Ok(None)) {
            return;
        }
        let commands = file.defaults().chain(entry.commands());
        let mut asking = commands.filter(|command| {
            matches!(command.key().as_str(), "call-login" | "call-password")
                && command.bytes(1) == b"*"
        });
        let Some(command) = asking.next() else {
            return;
        };
        let name = &system.name;
        let message = format!("no call file has a line for system '{name}'");
        let call = self.files.call.first();
        let call = call.map_or_else(
            || "a call file".to_owned(),
            |path| path.display().to_string(),
        );
        let mend = format!("write '{name} LOGIN PASSWORD' into {call}");
        faults.take(&command.wrong(1, message, Some(mend)));
    }
}

fn each_entry(
    path: &Path,
    faults: &mut Faults,
    visit: &mut impl FnMut(&SysFile, &Entry, &mut Faults),
) -> Result<(), ConfigError> {
    let Some(mut file) = SysFile::open(path)? else {
        return Ok(());
    };
    while let Some(entry) = file.next_entry()? {
        visit(&file, &entry, faults);
    }
    Ok(())
}

/// Names of an entry that another has already.
fn twice(entry: &Entry, number: usize, names: &mut Names, faults: &mut Faults) {
    let aliases = entry.commands().filter(|command| command.key() == "alias");
    for command in std::iter::once(entry.head()).chain(aliases) {
        let name = command.bytes(1).to_vec();
        let (first, place) = names
            .entry(name)
            .or_insert_with(|| (number, command.place()));
        if *first != number {
            faults.take(&described_again(command, place));
        }
    }
}

fn described_again(command: Command<'_>, place: &str) -> ConfigError {
    let message = format!(
        "'{}' is described a second time; what {place} says is used, and this is not",
        command.shown(1)
    );
    let mend = "take one of them out, or make this one an 'alternate' of the first";
    command.wrong(1, message, Some(mend.to_owned()))
}
