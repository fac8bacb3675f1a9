//! The commands of a port file, each applied to the port it changes.

use super::value::protocols;
use super::{
    DialerChoice, DirectPort, ModemPort, PipePort, PortConfig, PortKind, ProtocolParameter,
    TcpPort, TliPort, TlsPort,
};
use crate::config::command::Command;
use crate::config::dial::DialerBuilder;
use crate::config::error::ConfigError;
use crate::config::layer::Fresh;

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
