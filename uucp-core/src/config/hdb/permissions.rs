//! `Permissions`: who may do what, by the name of the machine when it is called, by login name when it calls.

use std::path::Path;

use super::lines::{self, Line};
use crate::config::error::ConfigError;

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<Entry>);

/// One entry: a line with its continuations.
#[derive(Debug, Default)]
pub(super) struct Entry {
    machines: Vec<String>,
    pub(super) logins: Vec<String>,
    validate: Vec<String>,
    request: bool,
    callback: bool,
    /// `SENDFILES`: whether files go also when the other side calls.
    send_files: Option<bool>,
    read: Vec<String>,
    no_read: Vec<String>,
    write: Vec<String>,
    no_write: Vec<String>,
    pub(super) commands: Vec<String>,
    my_name: Option<String>,
    pubdir: Option<String>,
    pub(super) aliases: Vec<String>,
}

impl Permissions {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let lines = lines::read(path, false)?;
        lines
            .iter()
            .map(Entry::read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What holds when a system is called: its entry, or that of all others.
    pub(super) fn of_machine(&self, system: &str) -> Option<&Entry> {
        let named = |name: &str| {
            let has = |entry: &&Entry| entry.machines.iter().any(|one| one == name);
            self.0.iter().find(has)
        };
        named(system).or_else(|| named("OTHER"))
    }

    /// What holds for a system that no entry names.
    pub(super) fn of_others(&self) -> Option<&Entry> {
        self.of_machine("OTHER")
    }

    /// The entries of logins that are not kept to certain systems.
    pub(super) fn of_any_login(&self) -> Vec<&Entry> {
        let open = |entry: &&Entry| !entry.logins.is_empty() && entry.validate.is_empty();
        self.0.iter().filter(open).collect()
    }

    /// What holds when a system calls, by login: the entries that validate it, or all.
    pub(super) fn of_logins(&self, system: &str) -> Vec<&Entry> {
        let validates = |entry: &&Entry| entry.validate.iter().any(|one| one == system);
        let own: Vec<&Entry> = self.0.iter().filter(validates).collect();
        if own.is_empty() {
            let with_login = self.0.iter().filter(|entry| !entry.logins.is_empty());
            with_login.collect()
        } else {
            own
        }
    }
}

impl Entry {
    fn read(line: &Line) -> Result<Self, ConfigError> {
        let mut entry = Self::default();
        for word in line.words() {
            let Some((key, value)) = word.split_once('=') else {
                return Err(line.wrong(word, "this is no NAME=VALUE; there is no blank around '='"));
            };
            let list = || value.split(':').map(str::to_owned).collect::<Vec<_>>();
            let truth = || match value.to_ascii_lowercase().as_str() {
                "yes" => Ok(true),
                "no" => Ok(false),
                _ => Err(line.wrong(value, "this is neither yes nor no")),
            };
            match key {
                "MACHINE" => entry.machines = list(),
                "LOGNAME" => entry.logins = list(),
                "VALIDATE" => entry.validate = list(),
                "REQUEST" => entry.request = truth()?,
                "CALLBACK" => entry.callback = truth()?,
                "SENDFILES" if value.eq_ignore_ascii_case("call") => entry.send_files = Some(false),
                "SENDFILES" => entry.send_files = Some(truth()?),
                "READ" => entry.read = list(),
                "NOREAD" => entry.no_read = list(),
                "WRITE" => entry.write = list(),
                "NOWRITE" => entry.no_write = list(),
                "COMMANDS" => entry.commands = list(),
                "MYNAME" => entry.my_name = Some(value.to_owned()),
                "PUBDIR" => entry.pubdir = Some(value.to_owned()),
                "ALIAS" => entry.aliases = list(),
                _ => return Err(line.wrong(key, "this is no option of a Permissions file")),
            }
        }
        if entry.machines.is_empty() && entry.logins.is_empty() {
            let first = line.word(0);
            return Err(line.wrong(first, "this entry has neither MACHINE nor LOGNAME"));
        }
        Ok(entry)
    }

    /// The commands of a sys file that say the same, but for logins, aliases and commands to be executed.
    pub(super) fn commands_of_both(&self) -> Vec<String> {
        let truth = |yes: bool| if yes { "true" } else { "false" };
        let mut lines = vec![
            format!("send-request {}", truth(self.request)),
            format!("remote-send {}", directories(&self.read, &self.no_read)),
            format!(
                "remote-receive {}",
                directories(&self.write, &self.no_write)
            ),
        ];
        lines.extend(self.my_name.as_ref().map(|name| format!("myname {name}")));
        lines.extend(self.pubdir.as_ref().map(|path| format!("pubdir {path}")));
        lines
    }

    /// The commands of a sys file for its logins alone.
    pub(super) fn commands_of_login(&self) -> Vec<String> {
        let truth = |yes: bool| if yes { "true" } else { "false" };
        // Without SENDFILES Taylor sends, and HDB does not; a queue that never empties would be the worse surprise.
        let mut lines = vec![format!(
            "called-transfer {}",
            truth(self.send_files.unwrap_or(true))
        )];
        lines.extend(self.callback.then(|| "callback true".to_owned()));
        lines.extend(self.commands_of_both());
        lines
    }
}

fn directories(with: &[String], without: &[String]) -> String {
    let mut words: Vec<String> = with.to_vec();
    if words.is_empty() {
        words.push("~".to_owned());
    }
    words.extend(without.iter().map(|directory| format!("!{directory}")));
    words
        .iter()
        .map(|word| super::escaped(word))
        .collect::<Vec<_>>()
        .join(" ")
}
