//! The dial and dialcode files: how to dial.
//!
//! Taylor UUCP manual, *The Dialer Configuration File*.

use std::path::Path;
use std::time::Duration;

use super::chat::Chat;
use super::command::Command;
use super::error::ConfigError;
use super::layer::Fresh;
use super::lines::{Lines, Style};
use super::port::ProtocolParameter;
use super::sys::OnFault;

/// A dialer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialerConfig {
    /// Its name.
    pub name: String,
    /// How to dial.
    pub chat: Chat,
    /// What stands for `=` in a phone number: wait for a dial tone.
    pub dialtone: Vec<u8>,
    /// What stands for `-` in a phone number: a pause.
    pub pause: Vec<u8>,
    /// Whether the modem reports carrier.
    pub carrier: bool,
    /// How long to wait for carrier.
    pub carrier_wait: Duration,
    /// Whether DTR is dropped and raised before dialing.
    pub dtr_toggle: bool,
    /// Whether to wait a second after that.
    pub dtr_toggle_wait: bool,
    /// What to do when the call is over.
    pub complete: Chat,
    /// What to do when the call has failed.
    pub abort: Chat,
    /// Parameters of link protocols.
    pub protocol_parameters: Vec<ProtocolParameter>,
    /// Only seven bits of a byte pass.
    pub seven_bit: bool,
    /// Whether bytes arrive unharmed and in order; `None`: not said.
    pub reliable: Option<bool>,
    /// Only one side can send at a time.
    pub half_duplex: bool,
}

/// The commands of a dial file, for suggestions.
pub(super) const KEYWORDS: [&str; 27] = [
    "dialer",
    "chat",
    "chat-timeout",
    "chat-fail",
    "chat-seven-bit",
    "chat-program",
    "dialtone",
    "pause",
    "carrier",
    "carrier-wait",
    "dtr-toggle",
    "complete",
    "complete-chat",
    "complete-chat-timeout",
    "complete-chat-fail",
    "complete-chat-seven-bit",
    "complete-chat-program",
    "abort",
    "abort-chat",
    "abort-chat-timeout",
    "abort-chat-fail",
    "abort-chat-seven-bit",
    "abort-chat-program",
    "protocol-parameter",
    "seven-bit",
    "reliable",
    "half-duplex",
];

impl DialerConfig {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            chat: Chat::none(),
            dialtone: b",".to_vec(),
            pause: b",".to_vec(),
            carrier: true,
            carrier_wait: Duration::from_mins(1),
            dtr_toggle: false,
            dtr_toggle_wait: false,
            complete: Chat::none(),
            abort: Chat::none(),
            protocol_parameters: Vec::new(),
            seven_bit: false,
            reliable: None,
            half_duplex: false,
        }
    }
}

/// A dialer in the making.
#[derive(Debug)]
pub(super) struct DialerBuilder {
    dialer: DialerConfig,
    fresh: Fresh,
}

impl DialerBuilder {
    /// A dialer without commands.
    pub(super) fn new(name: &str) -> Self {
        Self::from(DialerConfig::new(name))
    }

    /// The dialer as it is when the commands end.
    pub(super) fn finish(self) -> DialerConfig {
        self.dialer
    }

    /// Applies one command that is not `dialer`.
    pub(super) fn apply(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        let key = command.key();
        if self.apply_simple(&key, command)? || self.apply_chats(&key, command)? {
            Ok(())
        } else {
            Err(command.unknown("dial", &KEYWORDS))
        }
    }

    fn apply_simple(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let dialer = &mut self.dialer;
        match key {
            "dialtone" => dialer.dialtone = one_string(command)?,
            "pause" => dialer.pause = one_string(command)?,
            "carrier" => dialer.carrier = command.one_boolean()?,
            "carrier-wait" => dialer.carrier_wait = Duration::from_secs(command.one_number()?),
            "dtr-toggle" => {
                command.expect_arguments(1, 2)?;
                dialer.dtr_toggle = command.boolean(1)?;
                dialer.dtr_toggle_wait = command.arguments().len() > 1 && command.boolean(2)?;
            }
            "protocol-parameter" => {
                let all = &mut dialer.protocol_parameters;
                ProtocolParameter::apply(all, command, &mut self.fresh)?;
            }
            "seven-bit" => dialer.seven_bit = command.one_boolean()?,
            "reliable" => dialer.reliable = Some(command.one_boolean()?),
            "half-duplex" => dialer.half_duplex = command.one_boolean()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_chats(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let fresh = &mut self.fresh;
        match key {
            "complete" => self.dialer.complete.script = Chat::sending(&one_string(command)?),
            "abort" => self.dialer.abort.script = Chat::sending(&one_string(command)?),
            _ => {
                let (chat, key) = if let Some(key) = key.strip_prefix("complete-") {
                    (&mut self.dialer.complete, key)
                } else if let Some(key) = key.strip_prefix("abort-") {
                    (&mut self.dialer.abort, key)
                } else {
                    (&mut self.dialer.chat, key)
                };
                return chat.apply(key, command, fresh);
            }
        }
        Ok(true)
    }
}

impl From<DialerConfig> for DialerBuilder {
    fn from(dialer: DialerConfig) -> Self {
        Self {
            dialer,
            fresh: Fresh::default(),
        }
    }
}

/// The only argument; empty if there is none.
fn one_string(command: Command<'_>) -> Result<Vec<u8>, ConfigError> {
    command.expect_arguments(0, 1)?;
    Ok(command.bytes(1).to_vec())
}

/// Reads all of a dial file; what is wrong goes to `fault`.
pub(super) fn check_dialers(file: &Path, fault: OnFault<'_>) -> Result<(), ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Joined)? else {
        return Ok(());
    };
    let mut current = DialerBuilder::new("");
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        let checked = if command.key() == "dialer" {
            command.one_text().map(drop)
        } else {
            current.apply(command)
        };
        checked.or_else(&mut *fault)?;
    }
    Ok(())
}

/// Reads all of a dialcode file; what is wrong goes to `fault`.
pub(super) fn check_dialcodes(file: &Path, fault: OnFault<'_>) -> Result<(), ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Single)? else {
        return Ok(());
    };
    while let Some(line) = lines.next_line()? {
        let checked = line.command().expect_arguments(0, 1);
        checked.or_else(&mut *fault)?;
    }
    Ok(())
}

/// The first dialer of this name in a dial file.
pub(super) fn find_dialer(file: &Path, wanted: &str) -> Result<Option<DialerConfig>, ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Joined)? else {
        return Ok(None);
    };
    let mut defaults = DialerBuilder::new("");
    let mut in_defaults = true;
    let mut current: Option<DialerBuilder> = None;
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        if command.key() == "dialer" {
            let name = command.one_text()?;
            if let Some(found) = current {
                return Ok(Some(found.finish()));
            }
            in_defaults = false;
            current = (name == wanted).then(|| {
                let defaults = defaults.dialer.clone();
                DialerBuilder::from(DialerConfig { name, ..defaults })
            });
        } else if in_defaults {
            defaults.apply(command)?;
        } else if let Some(dialer) = &mut current {
            dialer.apply(command)?;
        }
    }
    Ok(current.map(DialerBuilder::finish))
}

/// What a dialcode stands for in a dialcode file: the second word of the line that begins with it.
pub(super) fn find_dialcode(file: &Path, wanted: &str) -> Result<Option<String>, ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Single)? else {
        return Ok(None);
    };
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        if command.bytes(0) == wanted.as_bytes() {
            command.expect_arguments(0, 1)?;
            return command.text(1).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::chat::SendItem;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn dialer(text: &str, name: &str) -> DialerConfig {
        find_dialer(file(text).path(), name).unwrap().unwrap()
    }

    #[test]
    fn a_dialer_without_commands_has_taylors_defaults() {
        assert_eq!(dialer("dialer d\n", "d"), DialerConfig::new("d"));
    }

    #[test]
    fn debians_hayes_dialer() {
        let hayes = dialer(
            "dialer hayes\nchat \"\" ATZ\\r\\d\\c OK\\r \\dATM0L0E1Q0\\r\\d\\c OK\\r ATDT\\D CONNECT\n\
             chat-fail RING\nchat-fail NO\\sCARRIER\ncomplete \\d\\d+++\\d\\dATM0H\\r\\c\n",
            "hayes",
        );
        assert_eq!(hayes.chat.script.len(), 4);
        assert_eq!(hayes.chat.fail, [b"RING".to_vec(), b"NO CARRIER".to_vec()]);
        assert_eq!(hayes.complete.script[0].send[0], SendItem::Delay);
        assert_eq!(hayes.complete.timeout, Duration::from_mins(1));
    }

    #[test]
    fn every_command_has_its_value() {
        let d = dialer(
            "chat-timeout 7\nchat-fail OLD\npause p\ndialer x\nfoo\ndialer d\ndialtone w\npause\ncarrier n\n\
             carrier-wait 5\ndtr-toggle t y\ncomplete a\ncomplete-chat-timeout 3\nabort-chat b c\nabort-chat-fail NO\n\
             chat-fail NEW\nchat-fail NEWER\nchat-seven-bit f\nchat-program /p \\D\nprotocol-parameter g window 3\n\
             seven-bit t\nreliable f\nhalf-duplex t\ndialer d\npause second\n",
            "d",
        );
        assert_eq!((d.dialtone, d.pause), (b"w".to_vec(), vec![]));
        assert!(!d.carrier && d.dtr_toggle && d.dtr_toggle_wait);
        assert_eq!(d.carrier_wait, Duration::from_secs(5));
        assert_eq!(d.chat.timeout, Duration::from_secs(7));
        assert_eq!(d.chat.fail, [b"NEW".to_vec(), b"NEWER".to_vec()]);
        assert!(!d.chat.seven_bit);
        assert_eq!(d.chat.program.unwrap().len(), 2);
        assert_eq!(d.complete.timeout, Duration::from_secs(3));
        assert_eq!(d.complete.script, Chat::sending(b"a"));
        assert_eq!(d.abort.fail, [b"NO".to_vec()]);
        assert_eq!(d.protocol_parameters[0].value, "3");
        assert!(d.seven_bit && d.half_duplex);
        assert_eq!(d.reliable, Some(false));
    }

    #[test]
    fn an_unknown_command_is_an_error_with_a_suggestion() {
        let file = file("dialer d\ncarier y\n");
        let error = find_dialer(file.path(), "d").unwrap_err().to_one_line();
        assert!(
            error.ends_with(
                ":2:1: 'carier' is not a command of a dial file (did you mean 'carrier'?)"
            ),
            "{error}"
        );
    }

    #[test]
    fn dialcodes_are_looked_up_by_their_first_word() {
        let file = file("# codes\nHH 040\nB 030\n");
        let code = |prefix| find_dialcode(file.path(), prefix).unwrap();
        assert_eq!(code("HH").as_deref(), Some("040"));
        assert_eq!(code("B").as_deref(), Some("030"));
        assert_eq!(code("M"), None);
    }
}
