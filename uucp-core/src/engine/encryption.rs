//! TLS on either side of a call: what we show, whom we believe, and as whom somebody who shows a key may call.
//!
//! Keys are pinned in `mail.toml`. Where a key is pinned for a system, that key alone is the system's, and the key is no
//! other system's: whatever login name and password somebody knows, it is the key that says who calls.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::desk::Desk;
use super::signals::Signals;
use crate::config::mail::{MailConfig, TlsRules};
use crate::config::{Config, System, TlsPort as TlsConfig};
use crate::name::SystemName;
use crate::port::{
    Patience, Port, PortError, TLS_HANDSHAKE, TcpTarget, TlsFault, TlsIdentity, TlsPeer, TlsPort,
    TlsTrust, connect,
};
use crate::wire::handshake::Answer as Reply;

/// A caller that has shown a key.
#[derive(Debug, Clone)]
pub struct Certified {
    peer: TlsPeer,
    /// The system whose key is enough: it is asked for nothing else, and can be nobody else.
    alone: Option<SystemName>,
}

/// Our certificate for a port, made if it is missing, and its file. What root makes belongs to the owner of the spool.
///
/// # Errors
/// When it cannot be read or made.
pub fn certificate(config: &Config, port: &TlsConfig) -> Result<(TlsIdentity, PathBuf), TlsFault> {
    let (certificate, key) = files(config, port);
    let name = config.nodename.as_str();
    let identity = TlsIdentity::load_or_make(&certificate, &key, name, &config.spool)?;
    Ok((identity, certificate))
}

/// Certificate and key; relative names are in the directory of the configuration.
fn files(config: &Config, port: &TlsConfig) -> (PathBuf, PathBuf) {
    let place = |file: &Path| config.directory.join(file);
    (place(&port.certificate), place(&port.key))
}

fn identity(config: &Config, port: &TlsConfig) -> Result<TlsIdentity, TlsFault> {
    let (certificate, key) = files(config, port);
    TlsIdentity::load(&certificate, &key)
}

/// What both sides believe; pins and names are filled in by each.
fn trust(config: &Config, port: &TlsConfig) -> Result<(TlsTrust, MailConfig), TlsFault> {
    let mail = MailConfig::load(&config.directory);
    let mail = mail.map_err(|error| TlsFault::Untrusting(error.to_string()))?;
    let mut trust = TlsTrust::default();
    if let Some(file) = &port.ca {
        trust.authorities = TlsTrust::read_authorities(&config.directory.join(file))?;
    }
    Ok((trust, mail))
}

/// Whom we believe when we call a system: its pinned keys, or, where there are none, an authority that has signed a
/// certificate for one of its names.
fn trust_in_system(
    config: &Config,
    system: &SystemName,
    host: &str,
    port: &TlsConfig,
) -> Result<TlsTrust, TlsFault> {
    let (mut trust, mail) = trust(config, port)?;
    let TlsRules { pins, names, .. } = mail.tls(system);
    if !pins.is_empty() {
        trust.mend = format!(
            "mail.toml pins another one for {system}; if {system} has a new key, have its fingerprint told by another way and add it to 'pins' of [neighbour.{system}.tls]"
        );
        trust.pins = pins;
        trust.authorities.clear();
    } else if trust.authorities.is_empty() {
        return Err(TlsFault::Untrusting(format!(
            "no key is pinned for {system}, and the port has no 'ca'; have 'uucico --certificate' run at {system} and put what it prints into mail.toml here"
        )));
    } else {
        trust.mend = format!(
            "pin the key in [neighbour.{system}.tls] of mail.toml, or have 'names' there say whose certificate {system} may show"
        );
        let own = || vec![system.as_str().to_owned(), host.to_owned()];
        trust.names = Some(if names.is_empty() { own() } else { names });
    }
    Ok(trust)
}

/// Calls a system over TLS: nothing is sent before its key is known to be its own.
///
/// # Errors
/// When it is not reached, or either side does not believe the other.
pub(super) fn call(
    config: &Config,
    system: &SystemName,
    target: &TcpTarget,
    (name, port): (&str, &TlsConfig),
    signals: Option<&Signals>,
) -> Result<Box<dyn Port>, PortError> {
    let told = |fault| PortError::Tls {
        port: name.to_owned(),
        fault,
    };
    let identity = identity(config, port).map_err(told)?;
    let trust = trust_in_system(config, system, &target.host, port).map_err(told)?;
    let line = connect(target)?;
    let ends = || signals.is_some_and(Signals::ends_call);
    let patience = patience(signals, &ends);
    let line = TlsPort::call(line, &identity, trust, &target.host, patience).map_err(told)?;
    Ok(Box::new(line))
}

/// Answers a call over TLS: nothing is said before the caller's key is known to be somebody's.
///
/// # Errors
/// When our own key is of no use, or either side does not believe the other.
pub fn answer_encrypted(
    config: &Config,
    port: &TlsConfig,
    line: Box<dyn Port>,
    signals: &Signals,
) -> Result<(TlsPort, Certified), TlsFault> {
    let identity = identity(config, port)?;
    let (mut trust, mail) = trust(config, port)?;
    trust.pins = mail.pinned().map(|(_, pin)| pin).collect();
    trust.mend =
        "if it is a neighbour's, add it to 'pins' of [neighbour.NAME.tls] in mail.toml".into();
    if trust.pins.is_empty() && trust.authorities.is_empty() {
        return Err(TlsFault::Untrusting(
            "no key is pinned for any system, and the port has no 'ca': nobody can call; put what 'uucico --certificate' prints at the neighbour into mail.toml here".into(),
        ));
    }
    let ends = || signals.ends_call();
    let line = TlsPort::answer(line, &identity, trust, patience(Some(signals), &ends))?;
    let peer = line.peer().cloned().ok_or(TlsFault::NoCertificate)?;
    let mut silent = mail.known_by_key_alone();
    let alone = silent.find(|(name, rules)| is_proof(&peer, name, rules));
    let alone = alone.map(|(name, _)| name);
    Ok((line, Certified { peer, alone }))
}

fn patience<'a>(signals: Option<&'a Signals>, ends: &'a dyn Fn() -> bool) -> Patience<'a> {
    Patience {
        deadline: Instant::now() + TLS_HANDSHAKE,
        interrupt: signals.map(|signals| (signals.as_fd(), ends)),
    }
}

/// Whether what somebody has shown proves that it is this system.
fn is_proof(peer: &TlsPeer, system: &SystemName, rules: &TlsRules) -> bool {
    if !rules.pins.is_empty() {
        return rules.pins.contains(&peer.key);
    }
    let own = [system.as_str().to_owned()];
    let names = if rules.names.is_empty() {
        own.as_slice()
    } else {
        &rules.names
    };
    peer.by_authority && names.iter().any(|name| peer.is_named(name))
}

impl Certified {
    /// The login name that the key stands for, where the key is enough.
    ///
    /// # Errors
    /// When the system's description cannot be read.
    pub fn login(&self, config: &Config) -> Result<Option<Vec<u8>>, crate::config::ConfigError> {
        let Some(name) = &self.alone else {
            return Ok(None);
        };
        let system = config.system(name)?;
        let login = system.and_then(|system| system.settings().called_login.clone());
        Ok(Some(login.map_or_else(
            || name.as_bytes().to_vec(),
            String::into_bytes,
        )))
    }
}

impl Desk<'_> {
    /// Whether the line and the key that was shown there are this system's.
    pub(super) fn check_key(&self, system: &System) -> Result<(), (Reply, String)> {
        let name = &system.name;
        // A rule that cannot be read is not the absence of a rule.
        let mail = MailConfig::load(&self.config.directory).map_err(|error| {
            let reply = Reply::Other(b"cannot answer now".to_vec());
            (reply, error.to_string())
        })?;
        let rules = mail.tls(name);
        let Some(Certified { peer, alone }) = &self.certified else {
            if !rules.required {
                return Ok(());
            }
            let reason =
                format!("System {name} called without TLS, which mail.toml requires of it");
            return Err((Reply::Other(b"call over TLS".to_vec()), reason));
        };
        let wrong = |reason| Err((Reply::WrongLogin, reason));
        let key = peer.key;
        let owner = mail.owner_of(key);
        match (owner, alone.as_ref().map(SystemName::as_str)) {
            (Some(other), _) | (None, Some(other)) if other != name.as_str() => wrong(format!(
                "System {name} called with the key of {other} ({key})"
            )),
            _ if !is_proof(peer, name, &rules) => wrong(format!(
                "System {name} called with the key {key}, which is not known as its own; see [neighbour.{name}.tls] in mail.toml"
            )),
            _ => Ok(()),
        }
    }
}
