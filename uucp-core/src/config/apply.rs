//! The commands of a sys file, each applied to the settings it changes.
//!
//! Taylor UUCP manual, *The System Configuration File*.

mod keywords;

use std::time::Duration;

pub(super) use self::keywords::KEYWORDS;
use super::chat::{Chat, unescape};
use super::command::{Command, path};
use super::debug::DebugSet;
use super::error::ConfigError;
use super::layer::Fresh;
use super::permission::{CommandRules, ForwardRules, PathRules};
use super::port::{PortBuilder, ProtocolParameter, protocols, speed, speed_range};
use super::secret::Secret;
use super::settings::{CallWord, PortChoice, Settings};
use super::time::{GradeRule, SizeRule, TimeRule, TimeSet, Timetables};
use crate::name::Grade;

/// Settings to which the commands of one section are being applied.
pub(super) struct Layer<'a> {
    settings: &'a mut Settings,
    timetables: &'a mut Timetables,
    fresh: Fresh,
    system: &'a str,
    inline_port: Option<PortBuilder>,
    named_port: Option<PortChoice>,
}

impl<'a> Layer<'a> {
    /// A new section of the description of `system`.
    pub(super) fn new(
        settings: &'a mut Settings,
        timetables: &'a mut Timetables,
        system: &'a str,
    ) -> Self {
        Self {
            settings,
            timetables,
            fresh: Fresh::default(),
            system,
            inline_port: None,
            named_port: None,
        }
    }

    /// Ends the section. A port named in it wins over one described in it; either replaces an earlier section's.
    pub(super) fn finish(self) {
        let inline = self
            .inline_port
            .map(|port| PortChoice::Inline(Box::new(port.finish())));
        if let Some(port) = self.named_port.or(inline) {
            self.settings.port = port;
        }
    }

    /// Applies one command that does not begin a section.
    pub(super) fn apply(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        let key = command.key();
        if self.apply_times(&key, command)?
            || self.apply_calling(&key, command)?
            || self.apply_called(&key, command)?
            || self.apply_permissions(&key, command)?
            || self.apply_forwarding(&key, command)?
        {
            Ok(())
        } else {
            Err(command.unknown("sys", &KEYWORDS))
        }
    }

    fn apply_times(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        match key {
            "time" => {
                command.expect_arguments(1, 2)?;
                self.push_time(Grade::LAST, command, 1)?;
            }
            "timegrade" => {
                command.expect_arguments(2, 3)?;
                self.push_time(command.grade(1)?, command, 2)?;
            }
            "timetable" => {
                command.expect_arguments(2, 2)?;
                let times = self.times(command, 2)?;
                self.timetables.define(&command.text(1)?, times);
            }
            "call-timegrade" | "called-timegrade" => {
                command.expect_arguments(2, 2)?;
                let rule = GradeRule {
                    grade: command.grade(1)?,
                    times: self.times(command, 2)?,
                };
                let list = match key {
                    "call-timegrade" => &mut self.settings.call_timegrade,
                    _ => &mut self.settings.called_timegrade,
                };
                push(list, rule, self.fresh.first(key));
            }
            "call-local-size" | "call-remote-size" | "called-local-size" | "called-remote-size" => {
                command.expect_arguments(2, 2)?;
                let rule = SizeRule {
                    bytes: command.number(1)?,
                    times: self.times(command, 2)?,
                };
                let list = match key {
                    "call-local-size" => &mut self.settings.call_local_size,
                    "call-remote-size" => &mut self.settings.call_remote_size,
                    "called-local-size" => &mut self.settings.called_local_size,
                    _ => &mut self.settings.called_remote_size,
                };
                push(list, rule, self.fresh.first(key));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push_time(
        &mut self,
        grade: Grade,
        command: Command<'_>,
        index: usize,
    ) -> Result<(), ConfigError> {
        let minutes: u32 = if command.arguments().len() > index {
            command.number(index + 1)?
        } else {
            0
        };
        let rule = TimeRule {
            grade,
            times: self.times(command, index)?,
            retry: (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60)),
        };
        // `time` and `timegrade` are one list.
        push(&mut self.settings.time, rule, self.fresh.first("time"));
        Ok(())
    }

    fn times(&self, command: Command<'_>, index: usize) -> Result<TimeSet, ConfigError> {
        times(self.timetables, command, index)
    }

    fn apply_calling(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let settings = &mut *self.settings;
        match key {
            "max-retries" => settings.max_retries = command.one_number()?,
            "success-wait" => settings.success_wait = seconds(command)?,
            "speed" | "baud" => settings.speed = speed(command)?,
            "speed-range" | "baud-range" => settings.speed_range = speed_range(command)?,
            "port" => self.apply_port(command)?,
            "phone" | "address" => {
                command.expect_arguments(0, 1)?;
                settings.phone = Some(command.bytes(1).to_vec()).filter(|phone| !phone.is_empty());
            }
            "call-login" => settings.call_login = call_word(command)?,
            "call-password" => settings.call_password = call_word(command)?,
            "max-file-time" => settings.max_file_time = seconds(command)?,
            "protocol" => settings.protocols = protocols(command)?,
            "protocol-parameter" => {
                let all = &mut settings.protocol_parameters;
                ProtocolParameter::apply(all, command, &mut self.fresh)?;
            }
            key => return settings.chat.apply(key, command, &mut self.fresh),
        }
        Ok(true)
    }

    fn apply_port(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        if command.arguments().len() == 1 {
            self.named_port = Some(PortChoice::Named(command.text(1)?));
            return Ok(());
        }
        let name = format!("system {} port", self.system);
        self.inline_port
            .get_or_insert_with(|| PortBuilder::new(&name))
            .apply(command.inner()?)
    }

    fn apply_called(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let settings = &mut *self.settings;
        match key {
            "called-login" => {
                command.expect_arguments(1, usize::MAX)?;
                settings.called_login = Some(command.text(1)?).filter(|login| login != "ANY");
            }
            "callback" => settings.callback = command.one_boolean()?,
            "sequence" => settings.sequence = command.one_boolean()?,
            "myname" => settings.myname = Some(command.one_system()?),
            "max-remote-debug" => settings.max_remote_debug = debug(command)?,
            "debug" => settings.debug = debug(command)?,
            key => {
                let Some(key) = key
                    .strip_prefix("called-")
                    .filter(|key| key.starts_with("chat"))
                else {
                    return Ok(false);
                };
                return settings.called_chat.apply(key, command, &mut self.fresh);
            }
        }
        Ok(true)
    }

    fn apply_permissions(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let settings = &mut *self.settings;
        match key {
            "send-request" => settings.send_request = command.one_boolean()?,
            "receive-request" => settings.receive_request = command.one_boolean()?,
            "request" => {
                settings.send_request = command.one_boolean()?;
                settings.receive_request = settings.send_request;
            }
            "call-transfer" => settings.call_transfer = command.one_boolean()?,
            "called-transfer" => settings.called_transfer = command.one_boolean()?,
            "transfer" => {
                settings.call_transfer = command.one_boolean()?;
                settings.called_transfer = settings.call_transfer;
            }
            "local-send" => settings.local_send = directories(command)?,
            "remote-send" => settings.remote_send = directories(command)?,
            "local-receive" => settings.local_receive = directories(command)?,
            "remote-receive" => settings.remote_receive = directories(command)?,
            "free-space" => settings.free_space = command.one_number()?,
            "pubdir" => settings.pubdir = command.optional_path()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_forwarding(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let settings = &mut *self.settings;
        match key {
            "command-path" => {
                let words = command.arguments().iter();
                settings.command_path = words.map(|word| path(&word.bytes)).collect();
            }
            "commands" => {
                let list = command.texts()?;
                settings.commands = if list.iter().any(|word| word == "ALL") {
                    CommandRules::All
                } else {
                    CommandRules::Listed(list)
                };
            }
            "forward-from" => settings.forward_from = ForwardRules::new(command.texts()?),
            "forward-to" => settings.forward_to = ForwardRules::new(command.texts()?),
            "forward" => {
                settings.forward_from = ForwardRules::new(command.texts()?);
                settings.forward_to = settings.forward_from.clone();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whether a command says how to call: an alternate without any is not tried.
pub(super) fn is_about_calling(command: Command<'_>) -> bool {
    let key = command.key();
    says_where_to_call(command)
        || Chat::COMMANDS.contains(&key.as_str())
        || matches!(
            key.as_str(),
            "time" | "timegrade" | "call-login" | "call-password"
        )
}

/// Whether a command says where, or over what.
pub(super) fn says_where_to_call(command: Command<'_>) -> bool {
    matches!(
        command.key().as_str(),
        "speed" | "baud" | "speed-range" | "baud-range" | "port" | "phone" | "address"
    )
}

/// Adds to a list, or begins it anew.
fn push<T>(list: &mut Vec<T>, item: T, anew: bool) {
    if anew {
        list.clear();
    }
    list.push(item);
}

/// An argument as a time string.
pub(super) fn times(
    tables: &Timetables,
    command: Command<'_>,
    index: usize,
) -> Result<TimeSet, ConfigError> {
    tables
        .parse(&command.text(index)?)
        .map_err(|message| command.wrong(index, message, None))
}

/// The arguments as kinds of debugging.
pub(super) fn debug(command: Command<'_>) -> Result<DebugSet, ConfigError> {
    let mut set = DebugSet::NONE;
    for (index, word) in (1..).zip(command.texts()?) {
        set = set
            | DebugSet::parse(&word).map_err(|word| {
                command.wrong(
                    index,
                    format!("'{word}' is not a kind of debugging"),
                    Some(format!(
                        "kinds are {}, all, none, or a number",
                        DebugSet::ALL
                    )),
                )
            })?;
    }
    Ok(set)
}

fn seconds(command: Command<'_>) -> Result<Duration, ConfigError> {
    command.one_number().map(Duration::from_secs)
}

fn directories(command: Command<'_>) -> Result<PathRules, ConfigError> {
    let words = || command.arguments().iter();
    if let Some(position) = words().position(|word| word.bytes == b"!") {
        // The directory after it would be permitted, which is the opposite of what was meant.
        let mend = "write '!' and the directory without a blank between them";
        let message = "'!' excludes nothing by itself";
        return Err(command.wrong(position + 1, message, Some(mend.to_owned())));
    }
    Ok(PathRules::new(words().map(|word| path(&word.bytes))))
}

/// A login name or password: `*` is to be looked up, nothing is none.
fn call_word(command: Command<'_>) -> Result<Option<CallWord>, ConfigError> {
    command.expect_arguments(0, 1)?;
    Ok(match command.bytes(1) {
        b"" => None,
        b"*" => Some(CallWord::LookUp),
        word => Some(CallWord::Literal(Secret::new(unescape(word)))),
    })
}
