//! `Systems`: how and when to call, a line for each way. Together with `Permissions` a sys file.

use std::path::PathBuf;

use super::lines::{self, Line};
use super::permissions::{Entry, Permissions};
use super::{Class, escaped, protocols, typed};
use crate::config::error::ConfigError;
use crate::name::SystemName;

/// A login name that nobody can have: the section before the first `alternate` is for no caller.
const NOBODY: &str = ":nobody:";

/// One way to call a system.
struct Way {
    /// Those about link protocols.
    protocols: Vec<String>,
    /// The other commands.
    commands: Vec<String>,
}

/// A sys file for these files.
pub(super) fn convert(
    files: &[PathBuf],
    permissions: &Permissions,
    notes: &mut Vec<String>,
) -> Result<String, ConfigError> {
    let mut systems: Vec<(String, Vec<Way>)> = Vec::new();
    for file in files {
        for line in lines::read(file, true)? {
            let name = line.word(0);
            SystemName::parse(name.as_bytes())
                .map_err(|error| line.wrong(name, &error.to_string()))?;
            let way = way(&line)?;
            match systems.iter_mut().find(|(known, _)| known == name) {
                Some((_, ways)) => ways.push(way),
                None => systems.push((name.to_owned(), vec![way])),
            }
        }
    }
    let mut text =
        "# made from HDB files; the chat scripts may hold passwords: mode 0640, of group uucp\n"
            .to_owned();
    for (name, ways) in &systems {
        for line in system(name, ways, permissions) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if systems.is_empty() {
        notes.push("Systems: no system is described".to_owned());
    }
    Ok(text)
}

/// The lines for one system.
fn system(name: &str, ways: &[Way], permissions: &Permissions) -> Vec<String> {
    let mut lines = vec![String::new(), format!("system {name}")];
    let logins = permissions.of_logins(name);
    lines.extend(description(ways, permissions.of_machine(name), logins));
    lines
}

/// What a system may do that no file describes, as `unknown` lines of config.
pub(super) fn unknown(permissions: &Permissions) -> Vec<String> {
    let machine = permissions.of_others();
    let lines = description(&[], machine, permissions.of_any_login());
    let lines = lines.into_iter().map(|line| format!("unknown {line}"));
    lines.collect()
}

/// The lines that follow `system`.
fn description(ways: &[Way], machine: Option<&Entry>, logins: Vec<&Entry>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(machine) = machine {
        lines.extend(machine.aliases.iter().map(|alias| format!("alias {alias}")));
        // What an execution may do does not depend on who called.
        let commands: Vec<String> = machine.commands.iter().map(|word| escaped(word)).collect();
        lines.push(if commands.is_empty() {
            "commands rnews rmail".to_owned()
        } else {
            format!("commands {}", commands.join(" "))
        });
    }
    lines.push("local-receive /".to_owned());
    // What is before the first `alternate` holds behind it, too: where there are several sections, only what they share.
    let sections = ways.len() > 1 || !logins.is_empty();
    if let [only] = ways {
        lines.extend(only.protocols.iter().cloned());
    }
    match machine {
        _ if !logins.is_empty() => lines.push(format!("called-login {NOBODY}")),
        Some(machine) if sections => lines.extend(machine.commands_of_both()),
        _ => {}
    }
    for way in ways {
        if sections {
            lines.push("alternate".to_owned());
        }
        if ways.len() > 1 {
            lines.extend(way.protocols.iter().cloned());
        }
        lines.extend(way.commands.iter().cloned());
        if let Some(machine) = machine {
            lines.extend(machine.commands_of_both());
        }
    }
    for entry in logins {
        for login in &entry.logins {
            lines.push("alternate".to_owned());
            lines.push(format!("called-login {}", escaped(login)));
            lines.extend(entry.commands_of_login());
        }
    }
    lines
}

/// The commands for one line.
fn way(line: &Line) -> Result<Way, ConfigError> {
    let mut commands = times(line)?;
    let (kind, letters) = typed(line.word(2));
    let class = Class::read(line, line.word(3))?;
    commands.extend(class.command);
    if !matches!(kind, "" | "-") {
        commands.push(format!("port {}{}", escaped(kind), class.prefix));
    }
    let phone = line.word(4);
    if !matches!(phone, "" | "-") {
        commands.push(format!("phone {}", escaped(phone)));
    }
    let chat: Vec<String> = line.words().skip(5).map(escaped).collect();
    if !chat.is_empty() {
        commands.push(format!("chat {}", chat.join(" ")));
    }
    Ok(Way {
        protocols: protocols::commands(line, letters)?,
        commands,
    })
}

/// `Wk0800-1700/C,Sa;9`: times, each perhaps for a grade, and the minutes before the next try.
fn times(line: &Line) -> Result<Vec<String>, ConfigError> {
    let field = line.word(1);
    let (list, retry) = match field.split_once(';') {
        Some((list, minutes)) => {
            let wrong = |_| line.wrong(field, "the minutes behind ';' are no number");
            (list, format!(" {}", minutes.parse::<u32>().map_err(wrong)?))
        }
        None => (field, String::new()),
    };
    let mut commands = Vec::new();
    for part in list.split([',', '|']).filter(|part| !part.is_empty()) {
        match part.split_once('/') {
            Some((time, grade)) if grade.len() == 1 => {
                commands.push(format!("timegrade {grade} {time}{retry}"));
                // The other side is asked to keep to it, too.
                commands.push(format!("call-timegrade {grade} {time}"));
            }
            Some(_) => return Err(line.wrong(field, "the grade behind '/' is not one character")),
            None => commands.push(format!("time {part}{retry}")),
        }
    }
    Ok(commands)
}
