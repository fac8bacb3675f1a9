//! The port file: the ways out of and into this machine.
//!
//! Taylor UUCP manual, *The Port Configuration File*.

mod find;
mod kinds;
mod parse;
mod value;

use std::path::PathBuf;

use super::dial::DialerConfig;
pub(super) use find::{find_port, find_port_with};
pub(super) use parse::{KEYWORDS, PortBuilder};
pub(super) use value::{protocols, speed, speed_range};

/// A port, of the port file or inline in a system's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// Its name; inline ports are called after the system.
    pub name: String,
    /// What it is.
    pub kind: PortKind,
    /// The link protocols that may be used on it, best first.
    pub protocols: Option<Vec<u8>>,
    /// Parameters of link protocols.
    pub protocol_parameters: Vec<ProtocolParameter>,
    /// Only seven bits of a byte pass.
    pub seven_bit: bool,
    /// Whether bytes arrive unharmed and in order; `None`: as its kind suggests.
    pub reliable: Option<bool>,
    /// Only one side can send at a time.
    pub half_duplex: bool,
    /// The name used in its lock file, if not the device's.
    pub lockname: Option<String>,
}

/// What a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortKind {
    /// Standard input and output.
    Stdin,
    /// A modem.
    Modem(ModemPort),
    /// A serial line without a modem.
    Direct(DirectPort),
    /// A TCP connection.
    Tcp(TcpPort),
    /// A TLS connection over TCP: a type of ours.
    Tls(TlsPort),
    /// A TLI connection: read, never opened.
    Tli(TliPort),
    /// A program whose standard input and output are the line.
    Pipe(PipePort),
}

/// A modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModemPort {
    /// The device; the port's name if not given.
    pub device: Option<PathBuf>,
    /// Its speed, in bits per second.
    pub speed: Option<u32>,
    /// The speeds it can do, lowest and highest.
    pub speed_range: Option<(u32, u32)>,
    /// Whether the device knows carrier.
    pub carrier: bool,
    /// Whether hardware flow control is used.
    pub hardflow: bool,
    /// The device to dial with, if another.
    pub dial_device: Option<PathBuf>,
    /// How to dial.
    pub dialer: Option<DialerChoice>,
}

/// A serial line without a modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectPort {
    /// The device; the port's name if not given.
    pub device: Option<PathBuf>,
    /// Its speed, in bits per second.
    pub speed: Option<u32>,
    /// Whether the device knows carrier.
    pub carrier: bool,
    /// Whether hardware flow control is used.
    pub hardflow: bool,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpPort {
    /// The service's name or number.
    pub service: String,
    /// Only this version of IP.
    pub version: Option<IpVersion>,
    /// Dialers to run once connected.
    pub dialer: Option<DialerChoice>,
}

/// A TLS connection over TCP. Whose key is believed stands in `mail.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPort {
    /// The service's name or number.
    pub service: String,
    /// Only this version of IP.
    pub version: Option<IpVersion>,
    /// Our certificate, in PEM; `tls.crt`, unless set.
    pub certificate: PathBuf,
    /// Its key, in PEM; `tls.key`, unless set.
    pub key: PathBuf,
    /// Certificates of authorities, in PEM: whom they name is believed where no key is pinned.
    pub ca: Option<PathBuf>,
}

impl Default for TlsPort {
    fn default() -> Self {
        Self {
            service: "suucp".to_owned(),
            version: None,
            certificate: "tls.crt".into(),
            key: "tls.key".into(),
            ca: None,
        }
    }
}

/// A version of the internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A TLI connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TliPort {
    /// The device.
    pub device: Option<PathBuf>,
    /// Whether it is a stream.
    pub stream: bool,
    /// Modules to push on it.
    pub push: Vec<String>,
    /// Dialers to run once connected.
    pub dialer: Option<DialerChoice>,
    /// The address to listen on.
    pub server_address: Option<Vec<u8>>,
}

/// A program whose standard input and output are the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipePort {
    /// The program and its arguments.
    pub command: Vec<Vec<u8>>,
}

/// How a port dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialerChoice {
    /// By a dialer of the dial file.
    Named(String),
    /// By a dialer described with the port.
    Inline(Box<DialerConfig>),
    /// By several, one after the other.
    Sequence(Vec<DialerStep>),
}

/// One step of a `dialer-sequence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialerStep {
    /// The dialer's name.
    pub dialer: String,
    /// What it is to dial; `\D` or `\T` for the system's number.
    pub token: Option<String>,
}

/// One `protocol-parameter` command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolParameter {
    /// The link protocol.
    pub letter: u8,
    /// The parameter, in lower case.
    pub name: String,
    /// Its value; the words after the name, separated by single blanks.
    pub value: String,
}

#[cfg(test)]
mod tests;
