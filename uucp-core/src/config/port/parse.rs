//! The commands of a port file, each applied to the port it changes.

use std::path::Path;

use super::{
    DialerChoice, DialerStep, DirectPort, IpVersion, ModemPort, PipePort, PortConfig, PortKind,
    ProtocolParameter, TcpPort, TliPort, TlsPort,
};
use crate::config::chat::unescape;
use crate::config::command::Command;
use crate::config::dial::DialerBuilder;
use crate::config::error::ConfigError;
use crate::config::layer::Fresh;
use crate::config::lines::{Lines, Style};
use crate::config::sys::OnFault;

impl ProtocolParameter {
    /// Reads a `protocol-parameter` command. The first one for a letter replaces those of the defaults for this letter.
    pub(in crate::config) fn apply(
        all: &mut Vec<Self>,
        command: Command<'_>,
        fresh: &mut Fresh,
    ) -> Result<(), ConfigError> {
        command.expect_arguments(2, usize::MAX)?;
        let [letter] = command.bytes(1) else {
            let message = format!(
                "'{}' is not the letter of a link protocol",
                command.shown(1)
            );
            return Err(command.wrong(1, message, Some("write one letter, for example g".into())));
        };
        let mut words = command.texts()?.into_iter().skip(1);
        let parameter = Self {
            letter: *letter,
            name: words.next().unwrap_or_default().to_ascii_lowercase(),
            value: words.collect::<Vec<_>>().join(" "),
        };
        if fresh.first(&format!("protocol-parameter {letter}")) {
            all.retain(|other| other.letter != *letter);
        }
        all.push(parameter);
        Ok(())
    }
}

/// The commands of a port file, for suggestions.
pub(in crate::config) const KEYWORDS: [&str; 27] = [
    "port",
    "type",
    "protocol",
    "protocol-parameter",
    "seven-bit",
    "reliable",
    "half-duplex",
    "lockname",
    "device",
    "speed",
    "baud",
    "speed-range",
    "baud-range",
    "carrier",
    "hardflow",
    "dial-device",
    "dialer",
    "dialer-sequence",
    "service",
    "version",
    "certificate",
    "key",
    "ca",
    "push",
    "stream",
    "server-address",
    "command",
];

impl PortKind {
    /// The kind that `type` names, every command at its default.
    fn by_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "stdin" => Self::Stdin,
            "modem" => Self::Modem(ModemPort {
                device: None,
                speed: None,
                speed_range: None,
                carrier: true,
                hardflow: true,
                dial_device: None,
                dialer: None,
            }),
            "direct" => Self::Direct(DirectPort {
                device: None,
                speed: None,
                carrier: false,
                hardflow: true,
            }),
            "tcp" => Self::Tcp(TcpPort {
                service: "uucp".to_owned(),
                version: None,
                dialer: None,
            }),
            "tls" => Self::Tls(TlsPort::default()),
            "tli" => Self::Tli(TliPort::default()),
            "pipe" => Self::Pipe(PipePort::default()),
            _ => return None,
        })
    }

    /// The word that `type` names it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::Modem(_) => "modem",
            Self::Direct(_) => "direct",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Tli(_) => "tli",
            Self::Pipe(_) => "pipe",
        }
    }
}

impl PortConfig {
    /// A port of this name and no commands: a modem.
    pub(in crate::config) fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: PortKind::by_name(kind).unwrap_or(PortKind::Stdin),
            protocols: None,
            protocol_parameters: Vec::new(),
            seven_bit: false,
            reliable: None,
            half_duplex: false,
            lockname: None,
        }
    }
}

/// A port in the making: what the commands so far say.
#[derive(Debug)]
pub(in crate::config) struct PortBuilder {
    port: PortConfig,
    dialer: Option<DialerBuilder>,
    fresh: Fresh,
}

impl PortBuilder {
    /// A port without commands.
    pub(in crate::config) fn new(name: &str) -> Self {
        Self::from(PortConfig::new(name, "modem"))
    }

    /// The port as it is when the commands end.
    pub(in crate::config) fn finish(mut self) -> PortConfig {
        let inline = self.dialer.take().map(DialerBuilder::finish);
        if let (PortKind::Modem(modem), Some(dialer)) = (&mut self.port.kind, inline)
            && !matches!(modem.dialer, Some(DialerChoice::Named(_)))
        {
            modem.dialer = Some(DialerChoice::Inline(Box::new(dialer)));
        }
        self.port
    }

    /// Applies one command that is not `port`.
    pub(in crate::config) fn apply(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        let key = command.key();
        if self.apply_generic(&key, command)? {
            return Ok(());
        }
        let known = match &mut self.port.kind {
            PortKind::Modem(_) if key == "dialer" => {
                self.apply_dialer(command)?;
                true
            }
            PortKind::Modem(modem) => modem.apply(&key, command)?,
            PortKind::Direct(direct) => direct.apply(&key, command)?,
            PortKind::Tcp(tcp) => tcp.apply(&key, command)?,
            PortKind::Tls(tls) => tls.apply(&key, command)?,
            PortKind::Tli(tli) => tli.apply(&key, command)?,
            PortKind::Pipe(pipe) => pipe.apply(&key, command),
            PortKind::Stdin => false,
        };
        if known {
            Ok(())
        } else {
            Err(self.unknown(&key, command))
        }
    }

    /// Commands that every kind knows.
    fn apply_generic(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
        let port = &mut self.port;
        match key {
            "type" => self.apply_type(command)?,
            "protocol" => port.protocols = protocols(command)?,
            "protocol-parameter" => {
                ProtocolParameter::apply(&mut port.protocol_parameters, command, &mut self.fresh)?;
            }
            "seven-bit" => port.seven_bit = command.one_boolean()?,
            "reliable" => port.reliable = Some(command.one_boolean()?),
            "half-duplex" => port.half_duplex = command.one_boolean()?,
            "lockname" => port.lockname = Some(command.optional_text()?).filter(|n| !n.is_empty()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_type(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        let name = command.one_text()?;
        let kind = PortKind::by_name(&name).ok_or_else(|| {
            command.wrong(
                1,
                format!("'{}' is not a type of port", command.shown(1)),
                Some("types are stdin, modem, direct, tcp, tls, tli, pipe".to_owned()),
            )
        })?;
        // A file's defaults are of use to ports of the same type only; `type` of another kind drops them.
        if kind.name() != self.port.kind.name() {
            self.port.kind = kind;
            self.dialer = None;
        }
        Ok(())
    }

    /// `dialer NAME` or `dialer COMMAND...`; a name wins over commands.
    fn apply_dialer(&mut self, command: Command<'_>) -> Result<(), ConfigError> {
        command.expect_arguments(1, usize::MAX)?;
        if command.arguments().len() > 1 {
            let name = &self.port.name;
            let dialer = self.dialer.get_or_insert_with(|| DialerBuilder::new(name));
            return dialer.apply(command.inner()?);
        }
        let named = DialerChoice::Named(command.text(1)?);
        if let PortKind::Modem(modem) = &mut self.port.kind {
            modem.dialer = Some(named);
        }
        Ok(())
    }

    /// A command of no port, or of a port of another type.
    fn unknown(&self, key: &str, command: Command<'_>) -> ConfigError {
        if key == "port" || !KEYWORDS.contains(&key) {
            return command.unknown("port", &KEYWORDS);
        }
        command.wrong(
            0,
            format!(
                "'{key}' is not a command of ports of type {}",
                self.port.kind.name()
            ),
            Some("'type' must come first; a port without it is a modem".to_owned()),
        )
    }
}

impl From<PortConfig> for PortBuilder {
    fn from(port: PortConfig) -> Self {
        Self {
            port,
            dialer: None,
            fresh: Fresh::default(),
        }
    }
}

/// The letters of a `protocol` command; none at all means every protocol.
pub(in crate::config) fn protocols(command: Command<'_>) -> Result<Option<Vec<u8>>, ConfigError> {
    command.expect_arguments(0, 1)?;
    let letters = command.bytes(1);
    if !letters.iter().all(u8::is_ascii_alphanumeric) {
        let message = format!("'{}' is not a list of link protocols", command.shown(1));
        return Err(command.wrong(
            1,
            message,
            Some("write letters, for example tgi".to_owned()),
        ));
    }
    Ok((!letters.is_empty()).then(|| letters.to_vec()))
}

/// A range of speeds.
pub(in crate::config) fn speed_range(
    command: Command<'_>,
) -> Result<Option<(u32, u32)>, ConfigError> {
    command.expect_arguments(2, 2)?;
    let (least, most) = (command.number(1)?, command.number(2)?);
    if least > most {
        let mend = Some("write the lower speed first".to_owned());
        return Err(command.wrong(1, "the range is empty", mend));
    }
    Ok(Some((least, most)))
}

/// A speed; 0 is the natural speed of the line.
pub(in crate::config) fn speed(command: Command<'_>) -> Result<Option<u32>, ConfigError> {
    Ok(Some(command.one_number()?).filter(|speed| *speed != 0))
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

impl ModemPort {
    fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
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
    fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
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
    fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
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
    fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
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
    fn apply(&mut self, key: &str, command: Command<'_>) -> Result<bool, ConfigError> {
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
    fn apply(&mut self, key: &str, command: Command<'_>) -> bool {
        if key != "command" {
            return false;
        }
        let words = command.arguments().iter();
        self.command = words.map(|word| word.bytes.clone()).collect();
        true
    }
}

/// Hands every port of a port file to `visit`, in order, until it gives something back.
pub(in crate::config) fn find_port<T>(
    file: &Path,
    visit: impl FnMut(&str) -> bool,
    found: impl FnMut(PortConfig) -> Option<T>,
) -> Result<Option<T>, ConfigError> {
    find_port_with(file, visit, found, &mut Err)
}

/// As [`find_port`]; what is wrong goes to `fault`, which says whether to go on without it.
pub(in crate::config) fn find_port_with<T>(
    file: &Path,
    mut visit: impl FnMut(&str) -> bool,
    mut found: impl FnMut(PortConfig) -> Option<T>,
    fault: OnFault<'_>,
) -> Result<Option<T>, ConfigError> {
    let Some(mut lines) = Lines::open(file, Style::Joined)? else {
        return Ok(None);
    };
    let mut defaults = Some(PortBuilder::new(""));
    let mut default_port = None;
    let mut current: Option<PortBuilder> = None;
    while let Some(line) = lines.next_line()? {
        let command = line.command();
        if command.key() == "port" {
            let name = match command.one_text() {
                Ok(name) => name,
                Err(error) => {
                    fault(error)?;
                    String::new()
                }
            };
            if let Some(port) = current.take().and_then(|port| found(port.finish())) {
                return Ok(Some(port));
            }
            if let Some(defaults) = defaults.take() {
                default_port = Some(defaults.finish());
            }
            current = visit(&name)
                .then(|| {
                    default_port
                        .clone()
                        .map(|port| PortBuilder::from(PortConfig { name, ..port }))
                })
                .flatten();
        } else if let Some(defaults) = &mut defaults {
            defaults.apply(command).or_else(&mut *fault)?;
        } else if let Some(port) = &mut current {
            port.apply(command).or_else(&mut *fault)?;
        }
    }
    Ok(current.and_then(|port| found(port.finish())))
}
