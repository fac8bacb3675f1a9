//! `uucico --certificate`: our key, for neighbours to pin.

use std::io::Write;

use super::Site;
use crate::config::{PortKind, TlsPort};
use crate::engine::certificate;
use crate::sysexits::{Failure, Status};

impl Site<'_> {
    /// Prints the lines for the `mail.toml` of neighbours, after making key and certificate if there are none.
    pub(super) fn show_certificate(&self) -> Result<bool, Failure> {
        let port = self.encrypted_port()?;
        let (identity, file) = certificate(&self.config, &port)
            .map_err(|fault| Failure::new(Status::Configuration, fault.to_string()))?;
        let name = &self.config.nodename;
        let (file, key) = (file.display(), identity.fingerprint());
        let text = format!(
            "# The key of {name} ({file}), for mail.toml at its neighbours:\n[neighbour.{}.tls]\npins = [\"{key}\"]\n",
            quoted(name.as_str())
        );
        let written = std::io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Failure::new(Status::OsError, error.to_string()))?;
        Ok(true)
    }

    /// The port of `-p`, or the first of its type, or what one without commands would be.
    fn encrypted_port(&self) -> Result<TlsPort, Failure> {
        let unusable = |text| Failure::new(Status::Configuration, text);
        let ports = self.config.ports();
        let mut ports = ports
            .map_err(|error| unusable(error.to_string()))?
            .into_iter();
        let found = match self.arguments.port() {
            Some(name) => Some(
                ports
                    .find(|port| port.name == *name)
                    .ok_or_else(|| unusable(format!("{name}: Port not found")))?,
            ),
            None => ports.find(|port| matches!(port.kind, PortKind::Tls(_))),
        };
        match found.map(|port| (port.name, port.kind)) {
            Some((_, PortKind::Tls(tls))) => Ok(tls),
            Some((name, _)) => Err(unusable(format!("port {name} is not of type tls"))),
            None => Ok(TlsPort::default()),
        }
    }
}

/// A key of TOML: bare, where it may be.
fn quoted(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.bytes().all(bare) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}
