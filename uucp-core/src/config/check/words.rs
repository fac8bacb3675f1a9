//! Words that every program takes and that can hardly be meant: names of nothing, escapes that are none.

use std::collections::HashSet;
use std::path::Path;

use super::Known;
use crate::config::chat::unknown_escapes;
use crate::config::command::{Command, closest};
use crate::config::lines::{Lines, Style};
use crate::config::{Config, ConfigError, port};

/// The file whose commands these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sys,
    Port,
    Dial,
}

/// Steps of a dialer sequence that dial nothing.
const CONNECTING: [&str; 4] = ["TCP", "TLI", "TLIS", "direct"];

/// What words can name.
#[derive(Debug)]
pub(super) struct Words {
    known: Known,
    ports: HashSet<String>,
    dialers: HashSet<String>,
}

impl Words {
    /// What there is to name. What is wrong with the files is told by whoever reads all of them.
    pub(super) fn new(config: &Config, known: Known) -> Self {
        let mut words = Self {
            known,
            ports: HashSet::new(),
            dialers: HashSet::new(),
        };
        for path in &config.files.port {
            let visit = |name: &str| {
                words.ports.insert(name.to_owned());
                false
            };
            let _ = port::find_port_with(path, visit, |_| None::<()>, &mut |_| Ok(()));
        }
        for path in &config.files.dial {
            let _ = each_command(path, &mut |command| {
                if command.key() == "dialer" {
                    words.dialers.insert(command.shown(1));
                }
            });
        }
        words
    }

    /// Looks at all commands of a file.
    pub(super) fn look_at_file(
        &self,
        path: &Path,
        kind: Kind,
        fault: &mut dyn FnMut(ConfigError),
    ) -> Result<(), ConfigError> {
        each_command(path, &mut |command| {
            let begins = match kind {
                Kind::Sys => "system",
                Kind::Port => "port",
                Kind::Dial => "dialer",
            };
            if command.key() != begins {
                self.look(command, kind, fault);
            }
        })
    }

    /// Looks at one command.
    pub(super) fn look(
        &self,
        command: Command<'_>,
        kind: Kind,
        fault: &mut dyn FnMut(ConfigError),
    ) {
        let key = command.key();
        let inner = match (kind, key.as_str()) {
            (Kind::Sys, "port") => Some(Kind::Port),
            (Kind::Port, "dialer") => Some(Kind::Dial),
            _ => None,
        };
        if let (Some(kind), true) = (inner, command.arguments().len() > 1) {
            if let Ok(command) = command.inner() {
                self.look(command, kind, fault);
            }
            return;
        }
        match (kind, key.as_str()) {
            (Kind::Sys, "port") => {
                named(
                    command,
                    1,
                    &self.ports,
                    "no port file describes port",
                    fault,
                );
            }
            (Kind::Port, "dialer") => self.dialer(command, 1, fault),
            (Kind::Port, "dialer-sequence") => {
                let count = command.arguments().len();
                (1..=count)
                    .step_by(2)
                    .for_each(|index| self.dialer(command, index, fault));
            }
            (Kind::Port, "service") => self.service(command, fault),
            (Kind::Sys | Kind::Port, "protocol") => self.protocols(command, fault),
            (_, "protocol-parameter") => self.letter(command, fault),
            _ => escapes(command, &key, fault),
        }
    }

    fn dialer(&self, command: Command<'_>, index: usize, fault: &mut dyn FnMut(ConfigError)) {
        let word = command.shown(index);
        if !CONNECTING.contains(&word.as_str()) {
            let what = "no dial file describes dialer";
            named(command, index, &self.dialers, what, fault);
        }
    }

    fn service(&self, command: Command<'_>, fault: &mut dyn FnMut(ConfigError)) {
        let word = command.shown(1);
        if !word.is_empty() && !(self.known.service)(&word) {
            let message = format!("the TCP service '{word}' is unknown");
            let mend = "write its number, or put it into /etc/services";
            fault(command.wrong(1, message, Some(mend.to_owned())));
        }
    }

    fn protocols(&self, command: Command<'_>, fault: &mut dyn FnMut(ConfigError)) {
        let letters = command.bytes(1);
        // What no letter can be is an error of every program.
        if !letters.iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        let unknown = letters.iter().filter(|one| !(self.known.protocol)(**one));
        let unknown: Vec<String> = unknown
            .map(|one| format!("'{}'", char::from(*one)))
            .collect();
        if !unknown.is_empty() {
            fault(self.no_protocol(command, &unknown.join(", ")));
        }
    }

    fn letter(&self, command: Command<'_>, fault: &mut dyn FnMut(ConfigError)) {
        if let [letter] = command.bytes(1)
            && !(self.known.protocol)(*letter)
        {
            let shown = format!("'{}'", command.shown(1));
            fault(self.no_protocol(command, &shown));
        }
    }

    fn no_protocol(&self, command: Command<'_>, letters: &str) -> ConfigError {
        let known: String = (b'A'..=b'z')
            .filter(|letter| (self.known.protocol)(*letter))
            .map(char::from)
            .collect();
        let message = format!("uucico speaks no link protocol {letters}, and passes over it");
        command.wrong(1, message, Some(format!("the letters are {known}")))
    }
}

fn named(
    command: Command<'_>,
    index: usize,
    names: &HashSet<String>,
    what: &str,
    fault: &mut dyn FnMut(ConfigError),
) {
    let word = command.shown(index);
    if word.is_empty() || names.contains(&word) {
        return;
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mend = closest(&word, &all).map_or_else(
        || "describe it, or name another".to_owned(),
        |name| format!("did you mean '{name}'?"),
    );
    fault(command.wrong(index, format!("{what} '{word}'"), Some(mend)));
}

/// Escapes of chat scripts, logins and passwords that are none.
fn escapes(command: Command<'_>, key: &str, fault: &mut dyn FnMut(ConfigError)) {
    let prefixes = ["called-", "complete-", "abort-"];
    let bare = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix));
    let words: Vec<&[u8]> = command
        .arguments()
        .iter()
        .map(|word| &*word.bytes)
        .collect();
    for (index, letter) in unknown_escapes(bare.unwrap_or(key), &words) {
        let letter = letter.escape_ascii();
        // No message shows a part of a password.
        let message = if key == "call-password" {
            "an escape here is unknown, and stands for its letter".to_owned()
        } else {
            format!("'\\{letter}' is no escape here, and stands for '{letter}'")
        };
        let mend = "write '\\\\' for a backslash; see 'Chat scripts' in bangpath-config(5)";
        fault(command.wrong(index + 1, message, Some(mend.to_owned())));
    }
}

fn each_command(path: &Path, visit: &mut dyn FnMut(Command<'_>)) -> Result<(), ConfigError> {
    if let Some(mut lines) = Lines::open(path, Style::Joined)? {
        while let Some(line) = lines.next_line()? {
            visit(line.command());
        }
    }
    Ok(())
}
