//! The config file's own words, the files that it names, and who can read passwords.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::Faults;
use crate::config::command::{Command, closest, path};
use crate::config::lines::{Lines, Style};
use crate::config::main_file::KEYWORDS;
use crate::config::{Config, ConfigError};

/// Words of the config file that no program knows, and files that it names and that are not there.
pub(super) fn look_at_config(config: &Config, faults: &mut Faults) -> Result<(), ConfigError> {
    let usual = || config.directory.join("config");
    let file = config.source.clone().unwrap_or_else(usual);
    let Some(mut lines) = Lines::open(&file, Style::Joined)? else {
        return Ok(());
    };
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        let command = match command.key().as_str() {
            // Another program's.
            "cu" => continue,
            "uucp" => command.inner().unwrap_or(command),
            _ => command,
        };
        look(config, command, faults);
    }
    Ok(())
}

fn look(config: &Config, command: Command<'_>, faults: &mut Faults) {
    let key = command.key();
    match key.as_str() {
        "sysfile" | "portfile" | "dialfile" | "dialcodefile" | "callfile" | "passwdfile" => {
            for (index, word) in (1..).zip(command.arguments()) {
                let named = config.directory.join(path(&word.bytes));
                // What is there and cannot be read is told by whoever reads it.
                let missing =
                    named.symlink_metadata().is_err() || named.try_exists().is_ok_and(|is| !is);
                if missing {
                    let message = format!("{} is not there, and counts as empty", named.display());
                    let mend = "make the file, or take the word out".to_owned();
                    faults.take(&command.wrong(index, message, Some(mend)));
                }
            }
        }
        known if KEYWORDS.contains(&known) => {}
        _ => {
            let message = format!(
                "'{}' is not a command of a config file, and every program ignores it",
                command.shown(0)
            );
            let mend = closest(&key, &KEYWORDS).map(|word| format!("did you mean '{word}'?"));
            let mend = mend.unwrap_or_else(|| {
                "see bangpath-config(5) for the commands of a config file".to_owned()
            });
            faults.take(&command.wrong(0, message, Some(mend)));
        }
    }
}

/// Files with passwords that everybody can read.
pub(super) fn look_at_secrets(config: &Config, faults: &mut Faults) {
    for path in config.files.call.iter().chain(&config.files.passwd) {
        let Ok(metadata) = path.metadata() else {
            continue;
        };
        if metadata.mode() & 0o004 != 0 && !metadata.file_type().is_char_device() {
            let reason = "everybody can read the passwords in it; chmod o-r";
            faults.take(&ConfigError::Untrusted {
                path: path.clone(),
                reason: reason.to_owned(),
            });
        }
    }
}
