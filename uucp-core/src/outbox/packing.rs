//! How an outbox is packed: what `mail.toml` says, made ready.

use std::path::Path;

use thiserror::Error;

use crate::address::Address;
use crate::address::word::check_request_word;
use crate::bsmtp::{LineEnd, Style};
use crate::codec::{self, Compression, Dictionaries, Dictionary};
use crate::config::Config;
use crate::config::mail::{BatchLimits, FILE_NAME, FarEnd, MailConfig, Sending};
use crate::name::{Grade, SpoolKind, SystemName};
use crate::send::user_name;
use crate::spool::{Spool, Staged};
use crate::wire::command::{ExecuteRequest, Request, RequestOptions, SendRequest};

/// How an outbox is packed.
#[derive(Debug, Clone)]
pub struct Packing {
    /// How large a batch may become.
    pub limits: BatchLimits,
    /// How it is compressed.
    pub compression: Option<Compression>,
    /// How hard; `None`: as the codec thinks best.
    pub level: Option<i32>,
    /// What both ends know, for zstd.
    pub dictionary: Option<Dictionary>,
    /// How it is written.
    pub style: Style,
    /// The command asked for at the far side.
    pub command: Vec<u8>,
    /// The user in whose name jobs are queued.
    pub user: Vec<u8>,
    /// Who is told when the far side cannot run the command; `None`: the user there.
    pub notify: Option<Address>,
}

/// What the configuration asks for and cannot be done.
#[derive(Debug, Error)]
#[error("{file}: [sending] of {system}: {reason}")]
pub struct PackingError {
    file: String,
    system: SystemName,
    reason: String,
}

impl Packing {
    /// What `mail.toml` says of mail to a system.
    ///
    /// # Errors
    /// When a dictionary cannot be read, a level does not exist, or a command cannot be asked for.
    pub fn new(
        config: &Config,
        mail: &MailConfig,
        system: &SystemName,
    ) -> Result<Self, PackingError> {
        let sending = mail.sending(system);
        let state = mail.state_directory(&config.spool);
        Self::of(&sending, &state)
            .map(|packing| Self {
                style: Style {
                    line_end: LineEnd::Lf,
                    parameters: sending.far_end == FarEnd::Bangpath,
                    hello: mail.domain().unwrap_or(config.nodename.as_str()).to_owned(),
                },
                notify: mail.postmaster().cloned(),
                ..packing
            })
            .map_err(|reason| PackingError {
                file: config.directory.join(FILE_NAME).display().to_string(),
                system: system.clone(),
                reason,
            })
    }

    /// Everything that stands in the way: the key of `[sending]` that it is about, and what is wrong.
    #[must_use]
    pub fn faults(
        config: &Config,
        mail: &MailConfig,
        system: &SystemName,
    ) -> Vec<(&'static str, String)> {
        let sending = mail.sending(system);
        let state = mail.state_directory(&config.spool);
        let checked = [
            ("compression-level", check_level(&sending)),
            ("dictionary", dictionary(&sending, &state).map(drop)),
            ("command", command_words(&sending).map(drop)),
        ];
        let wrong = checked.into_iter();
        wrong
            .filter_map(|(key, result)| Some((key, result.err()?)))
            .collect()
    }

    fn of(sending: &Sending, state: &Path) -> Result<Self, String> {
        check_level(sending)?;
        Ok(Self {
            limits: sending.batch,
            compression: sending.compression,
            level: sending.compression_level,
            dictionary: dictionary(sending, state)?,
            style: Style::plain("localhost"),
            command: command_words(sending)?,
            user: user_name(),
            notify: None,
        })
    }

    /// The request that sends a batch to the command.
    pub(super) fn request(&self, spool: &Spool, staged: &Staged, grade: Grade) -> Request {
        let name = staged.name().as_bytes().to_vec();
        let notify = self.notify.as_ref().map_or(&[][..], Address::as_bytes);
        // A requestor's address in need of quoting would make the job fail at peers that know no quoting.
        let plain = notify
            .iter()
            .all(|b| *b > b' ' && *b != 0x7f && *b != b'\\');
        let (options, notify): (&[u8], &[u8]) = if notify.is_empty() || !plain {
            (b"CZ", b"")
        } else {
            (b"CZR", notify)
        };
        Request::Execute(ExecuteRequest {
            file: SendRequest {
                from: name.clone(),
                to: spool.peer_name(SpoolKind::Data, grade).as_bytes().to_vec(),
                user: self.user.clone(),
                options: RequestOptions::new(options),
                temp: name,
                mode: 0o666,
                notify: notify.to_vec(),
                size: None,
            },
            command: self.command.clone(),
        })
    }
}

fn check_level(sending: &Sending) -> Result<(), String> {
    let Some((compression, level)) = sending.compression.zip(sending.compression_level) else {
        return Ok(());
    };
    if compression.levels().contains(&level) {
        return Ok(());
    }
    let (first, last) = compression.levels().into_inner();
    Err(format!(
        "compression-level = {level}: {compression} has {first} to {last}"
    ))
}

fn dictionary(sending: &Sending, state: &Path) -> Result<Option<Dictionary>, String> {
    match &sending.dictionary {
        None => Ok(None),
        Some(_) if sending.compression != Some(Compression::Zstd) => {
            Err("a dictionary needs compression = \"zstd\"".to_owned())
        }
        Some(name) => load(name, state).map(Some),
    }
}

/// A dictionary by its id, or by the path of its file.
fn load(name: &str, state: &Path) -> Result<Dictionary, String> {
    if name.contains('/') {
        return codec::dictionary::read(Path::new(name)).map_err(|error| error.to_string());
    }
    let id = u32::from_str_radix(name, 16).map_err(|_| {
        format!("dictionary = \"{name}\" is neither an id of eight hexadecimal digits nor a path")
    })?;
    let folder = state.join(Dictionaries::FOLDER);
    Dictionaries::in_directory(&folder)
        .load(id)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("there is no dictionary {name} in {}", folder.display()))
}

/// Each word is checked as a recipient is.
fn command_words(sending: &Sending) -> Result<Vec<u8>, String> {
    let command = sending.batch_command();
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    if words.is_empty() {
        return Err("the command is empty".to_owned());
    }
    for word in &words {
        check_request_word(word.as_bytes()).map_err(|e| format!("command = \"{command}\": {e}"))?;
    }
    Ok(words.join(" ").into_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::codec::dictionary::Training;

    fn of(text: &str, state: &Path) -> Result<Packing, String> {
        let config = MailConfig::parse(text, Path::new("mail.toml")).unwrap();
        Packing::of(&config.sending(&"hub".parse().unwrap()), state)
    }

    #[test]
    fn batches_are_never_asked_of_rmail() {
        let state = PathBuf::new();
        for (text, command) in [
            ("", "rsmtp"),
            ("[sending]\ncompression = \"gzip\"", "rgsmtp"),
            ("[sending]\ncommand = \"/usr/bin/rmail\"", "rsmtp"),
            ("[sending]\ncommand = \"rcsmtp\"", "rcsmtp"),
            (
                "[sending]\nformat = \"bsmtp\"\ncommand = \"in  -x\"",
                "in -x",
            ),
        ] {
            assert_eq!(of(text, &state).unwrap().command, command.as_bytes());
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_before_anything_is_packed() {
        let state = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("command = \" \"", "the command is empty"),
            ("command = \"a\\tb c\\u0001\"", "command = "),
            (
                "compression = \"gzip\"\ncompression-level = 12",
                "compression-level = 12: gzip has 1 to 9",
            ),
            ("dictionary = \"00ab\"", "a dictionary needs"),
            (
                "compression = \"zstd\"\ndictionary = \"what\"",
                "dictionary = \"what\" is neither",
            ),
            (
                "compression = \"zstd\"\ndictionary = \"0000abcd\"",
                "there is no dictionary 0000abcd in ",
            ),
            (
                "compression = \"zstd\"\ndictionary = \"/no/such\"",
                "cannot open /no/such",
            ),
        ] {
            let error = of(&format!("[sending]\n{text}\n"), state.path()).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_dictionary_is_found_by_its_id() {
        let state = tempfile::tempdir().unwrap();
        let mut training = Training::default();
        for number in 0..2000_u32 {
            let text = format!("From: ann{number}@leaf.example\nSubject: report {number}\n\nok\n");
            training.add(text.as_bytes());
        }
        let trained = training.finish(None).unwrap();
        let folder = state.path().join(Dictionaries::FOLDER);
        Dictionaries::in_directory(&folder)
            .store(&"hub".parse().unwrap(), &trained)
            .unwrap();
        let text = format!(
            "[sending]\ncompression = \"zstd\"\ndictionary = \"{:08x}\"\n",
            trained.id()
        );
        assert_eq!(of(&text, state.path()).unwrap().dictionary, Some(trained));
    }
}
