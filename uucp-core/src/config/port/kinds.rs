//! The commands that only ports of one type know.

use super::value::{speed, speed_range};
use super::{
    DialerChoice, DialerStep, DirectPort, IpVersion, ModemPort, PipePort, TcpPort, TliPort, TlsPort,
};
use crate::config::chat::unescape;
use crate::config::command::Command;
use crate::config::error::ConfigError;

impl ModemPort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        match key {
            "device" => self.device = command.optional_path()?,
            "speed" | "baud" => self.speed = speed(command)?,
            "speed-range" | "baud-range" => self.speed_range = speed_range(command)?,
            "carrier" => self.carrier = command.one_boolean()?,
            "hardflow" => self.hardflow = command.one_boolean()?,
            "dial-device" => self.dial_device = command.optional_path()?,
            "dialer-sequence" => self.dialer = dialer_sequence(command)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl DirectPort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        match key {
            "device" => self.device = command.optional_path()?,
            "speed" | "baud" => self.speed = speed(command)?,
            "carrier" => self.carrier = command.one_boolean()?,
            "hardflow" => self.hardflow = command.one_boolean()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl TcpPort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        match key {
            "service" => self.service = service(command, "uucp")?,
            "version" => self.version = ip_version(command)?,
            "dialer-sequence" => self.dialer = dialer_sequence(command)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl TlsPort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let unset = Self::default();
        match key {
            "service" => self.service = service(command, &unset.service)?,
            "version" => self.version = ip_version(command)?,
            "certificate" => {
                self.certificate = command.optional_path()?.unwrap_or(unset.certificate);
            }
            "key" => self.key = command.optional_path()?.unwrap_or(unset.key),
            "ca" => self.ca = command.optional_path()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A service's name or number; without one it is the usual one again.
fn service(command: Command<'_>, usual: &str) -> Result<String, ConfigError> {
    let service = command.optional_text()?;
    Ok(if service.is_empty() {
        usual.to_owned()
    } else {
        service
    })
}

fn ip_version(command: Command<'_>) -> Result<Option<IpVersion>, ConfigError> {
    command.expect_arguments(1, 1)?;
    match command.bytes(1) {
        b"0" => Ok(None),
        b"4" => Ok(Some(IpVersion::V4)),
        b"6" => Ok(Some(IpVersion::V6)),
        _ => {
            let message = format!("'{}' is not a version of IP", command.shown(1));
            let mend = Some("write 4, 6, or 0 for any".to_owned());
            Err(command.wrong(1, message, mend))
        }
    }
}

impl TliPort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        match key {
            "device" => self.device = command.optional_path()?,
            "stream" => self.stream = command.one_boolean()?,
            "push" => self.push = command.texts()?,
            "dialer-sequence" => self.dialer = dialer_sequence(command)?,
            "server-address" => {
                command.expect_arguments(0, 1)?;
                let address = Some(unescape(command.bytes(1)));
                self.server_address = address.filter(|address| !address.is_empty());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl PipePort {
    pub(super) fn apply(&mut self, key: &str, command: Command<'_>) -> bool {
        if key != "command" {
            return false;
        }
        let words = command.arguments().iter();
        self.command = words.map(|word| word.bytes.clone()).collect();
        true
    }
}

/// The steps of a `dialer-sequence`.
fn dialer_sequence(command: Command<'_>) -> Result<Option<DialerChoice>, ConfigError> {
    let words = command.texts()?;
    let steps = words.chunks(2).map(|pair| DialerStep {
        dialer: pair.first().cloned().unwrap_or_default(),
        token: pair.get(1).cloned(),
    });
    let steps: Vec<_> = steps.collect();
    Ok((!steps.is_empty()).then_some(DialerChoice::Sequence(steps)))
}
