//! What is settled before the message is read: the system, how mail is sent to it, the sender.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use jiff::Zoned;
use uucp_core::address::{FromLineStyle, ReversePath, from_line};
use uucp_core::config::mail::{MailConfig, Sending};
use uucp_core::config::{Config, System};
use uucp_core::name::SystemName;
use uucp_core::send::user_name;
use uucp_core::spool::{Spool, StageKind, Staged, SubmissionKey};
use uucp_core::sysexits::{Failure, Status};
use uucp_core::wire::command::{ExecuteRequest, Request, RequestOptions, SendRequest};

use crate::cli::{Arguments, FromLine};
use crate::content::Content;
use crate::recipients::CommandLine;

/// What is settled before the message is read.
pub(crate) struct Link<'a> {
    pub(crate) config: &'a Config,
    pub(crate) system: &'a SystemName,
    pub(crate) mail: MailConfig,
    pub(crate) sending: Sending,
    pub(crate) sender: ReversePath,
    pub(crate) command: Vec<u8>,
    pub(crate) from_line: Vec<u8>,
    pub(crate) user: Vec<u8>,
    pub(crate) date: Zoned,
}

impl<'a> Link<'a> {
    pub(crate) fn new(
        arguments: &Arguments,
        config: &'a Config,
        system: &'a System,
    ) -> Result<Self, Failure> {
        let mail = MailConfig::load(&config.directory)
            .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
        let mut sending = mail.sending(&system.name);
        if let Some(grade) = arguments.grade {
            sending.grade = grade;
            sending.grade_by_size.clear();
        }
        if !arguments.grade_by_size.is_empty() {
            sending.grade_by_size.clone_from(&arguments.grade_by_size);
            sending
                .grade_by_size
                .sort_unstable_by_key(|(above, _)| *above);
        }
        if let Some(limit) = arguments.size_limit {
            sending.size_limit = (limit > 0).then_some(limit);
        }
        let sender = ReversePath::parse(arguments.from.as_bytes())
            .map_err(|e| Failure::new(Status::DataError, format!("the sender: {e}")))?;
        let date = uucp_core::clock::now();
        let style = match arguments.from_line {
            None => Some(sending.from_line),
            Some(FromLine::Plain) => Some(FromLineStyle::Plain),
            Some(FromLine::RemoteFrom) => Some(FromLineStyle::RemoteFrom),
            Some(FromLine::None) => None,
        };
        let command = arguments.command.as_deref().unwrap_or(&sending.command);
        Ok(Self {
            from_line: style
                .map(|style| from_line(&sender, &date, style, &config.nodename))
                .unwrap_or_default(),
            command: command_words(command)?,
            user: user_name(),
            system: &system.name,
            config,
            mail,
            sending,
            sender,
            date,
        })
    }

    /// A data file that begins with the `From ` line.
    pub(crate) fn stage(&self, spool: &Spool) -> Result<Staged, Failure> {
        let mut staged = spool
            .stage(self.system, StageKind::Data)
            .map_err(Failure::temporary)?;
        staged
            .write_all(&self.from_line)
            .map_err(|e| Failure::temporary(format!("cannot spool the message: {e}")))?;
        Ok(staged)
    }

    /// What makes two deliveries the same message: Postfix's id, the sender, the content.
    ///
    /// Without an id nothing tells a repetition from a second message of the same text, so every call counts.
    pub(crate) fn key(&self, arguments: &Arguments, content: &Content) -> SubmissionKey {
        let mut message_id = arguments.queue_id.as_bytes().to_vec();
        if message_id.is_empty() {
            let unique = format!("{}.{}", std::process::id(), self.date.timestamp());
            message_id.extend_from_slice(unique.as_bytes());
        }
        message_id.push(0);
        message_id.extend_from_slice(self.sender.as_bytes());
        SubmissionKey {
            message_id,
            content_hash: content.hash,
            system: self.system.clone(),
        }
    }

    /// The request for one command line. `from` is the data file here, `to` its name there.
    pub(crate) fn request(&self, from: &str, to: &str, line: &CommandLine<'_, '_>) -> Request {
        let notify = self.sender.as_bytes();
        // A requestor's address in need of quoting would make the job fail at peers that know no quoting.
        let plain = notify
            .iter()
            .all(|b| *b > b' ' && *b != 0x7f && *b != b'\\');
        let (options, notify): (&[u8], &[u8]) = match notify {
            // Nobody is told about the failure of a report.
            [] => (b"CN", b""),
            address if plain => (b"CZR", address),
            _ => (b"CZ", b""),
        };
        Request::Execute(ExecuteRequest {
            file: SendRequest {
                from: from.into(),
                to: to.into(),
                user: self.user.clone(),
                options: RequestOptions::new(options),
                temp: from.into(),
                mode: 0o666,
                notify: notify.to_vec(),
                size: None,
            },
            command: line.text.clone(),
        })
    }
}

/// The words of the command, each checked as a recipient is.
fn command_words(command: &str) -> Result<Vec<u8>, Failure> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    for word in &words {
        uucp_core::address::word::check_request_word(word.as_bytes()).map_err(|e| {
            Failure::new(Status::Configuration, format!("the command {command}: {e}"))
        })?;
    }
    if words.is_empty() {
        return Err(Failure::new(Status::Configuration, "the command is empty"));
    }
    Ok(words.join(" ").into_bytes())
}
