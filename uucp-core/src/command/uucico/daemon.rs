//! `uucico --daemon`.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::Site;
use super::answering::{Place, this_program};
use crate::config::mail::MailConfig;
use crate::config::{Config, ConfigError, PortConfig};
use crate::engine::{ChildCommand, DaemonOptions, Reread, Waiting, daemon};
use crate::port::Listener;
use crate::spool::Spool;
use crate::sysexits::{Failure, Status};

/// How many calls the daemon places at once unless told.
const CALLS: usize = 4;

impl Site<'_> {
    /// Stays until a signal comes.
    pub(super) fn stay(self) -> Result<bool, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(Status::OsError, error.to_string());
        let names = self.arguments.ports.iter();
        let places = names.filter_map(|name| self.place_named(name).transpose());
        let mut places = places.collect::<Result<Vec<Place>, _>>()?;
        let mut listeners = Vec::new();
        // Those that a name of the port file stands for, to be looked up again.
        let described: Vec<(String, u16)> = places
            .iter()
            .filter(|place| place.is_described)
            .map(|place| (place.name.clone(), place.number))
            .collect();
        for listener in Listener::inherited().map_err(|error| failed(&error))? {
            let number = listener.port().unwrap_or_default();
            let place = match places.iter().position(|place| place.number == number) {
                Some(index) => places.swap_remove(index),
                None => self.place_of_number(number)?,
            };
            listeners.push(Waiting::new(listener, self.answerer(&place)?));
        }
        for place in &places {
            let bound = Listener::bind(place.number, place.version);
            let bound = bound.map_err(|error| self.cannot_listen(&error))?;
            listeners.push(Waiting::new(bound, self.answerer(place)?));
        }
        // Ports below 1024 are root's; what comes in on them is not.
        self.become_owner()?;
        self.log_if_unconfined();
        let call = ChildCommand {
            program: this_program()?,
            arguments: self.calling_arguments(),
        };
        let options = DaemonOptions {
            calls: self.arguments.max_calls.map_or(CALLS, usize::from),
            gap: Duration::from_secs(self.arguments.gap),
            call,
        };
        let file = self.arguments.common.config.clone();
        let mut reload = move || read_again(file.as_deref(), &described);
        let Site {
            config,
            spool,
            signals,
            ..
        } = self;
        daemon(config, spool, listeners, &options, &signals, &mut reload)
            .map_err(|error| failed(&error))?;
        Ok(true)
    }

    /// The port that a socket of systemd's stands for: the one of the port file with its number.
    fn place_of_number(&self, number: u16) -> Result<Place, Failure> {
        let ports = self
            .config
            .ports()
            .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        // A port whose service nobody knows is not this one.
        let mut places = ports.into_iter().filter_map(|port| Place::of(port).ok()?);
        let found = places.find(|place| place.number == number);
        Ok(found.unwrap_or_else(|| Place {
            name: "TCP".to_owned(),
            number,
            version: None,
            encrypted: false,
            is_described: false,
        }))
    }

    /// What a call is placed with; the system's name comes after it.
    fn calling_arguments(&self) -> Vec<OsString> {
        let mut words = self.arguments_of_calls();
        words.extend(["--ifwork", "--quiet", "--of-daemon", "--system"].map(Into::into));
        words
    }
}

/// Reads all that the daemon and its calls go by. Of a file with an error nothing holds: what was read before goes on, but
/// not in calls, which read it themselves.
fn read_again(file: Option<&Path>, named: &[(String, u16)]) -> Result<Reread, String> {
    let line = |error: ConfigError| error.to_one_line();
    let config = Config::load(file).map_err(line)?;
    config
        .for_each_system(|_| ControlFlow::Continue(()))
        .map_err(line)?;
    let ports = config.ports().map_err(line)?;
    MailConfig::load(&config.directory).map_err(|error| error.to_string())?;
    let spool = Spool::open(&config).map_err(|error| error.to_string())?;
    let not_yet = named
        .iter()
        .filter_map(|(name, number)| not_yet(&ports, name, *number))
        .collect();
    Ok(Reread {
        config,
        spool,
        not_yet,
    })
}

/// What the port file says otherwise of a port that is waited on.
fn not_yet(ports: &[PortConfig], name: &str, number: u16) -> Option<String> {
    let waits = format!("until a restart calls are waited for on {number}, as before");
    let Some(port) = ports.iter().find(|port| port.name == name) else {
        return Some(format!("Port {name} is gone from the port file; {waits}"));
    };
    match Place::of(port.clone()) {
        Ok(Some(place)) if place.number == number => None,
        Ok(Some(place)) => Some(format!(
            "Port {name} has service {} now; {waits}",
            place.number
        )),
        Ok(None) => Some(format!("Port {name} is of another type now; {waits}")),
        Err(error) => Some(format!("Port {name}: {}; {waits}", error.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_elsewhere_now_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        let spool = folder.path().join("spool");
        write(
            "config",
            &format!("nodename hub\nspool {}\n", spool.display()),
        );
        write("sys", "system leaf\ntime any\n");
        write(
            "port",
            "port a\ntype tcp\nservice 5001\nport b\ntype tcp\nservice 5002\n",
        );
        let file = folder.path().join("config");
        let named = [("a".to_owned(), 5001), ("b".to_owned(), 5002)];
        let read = || read_again(Some(&file), &named);
        assert_eq!(read().unwrap().not_yet, [""; 0]);
        write(
            "port",
            "port a\ntype tcp\nservice 5003\nport c\ntype pipe\n",
        );
        let not_yet = read().unwrap().not_yet;
        assert!(
            not_yet[0].starts_with("Port a has service 5003 now; "),
            "{not_yet:?}"
        );
        assert!(not_yet[0].contains("waited for on 5001"), "{not_yet:?}");
        assert!(not_yet[1].starts_with("Port b is gone"), "{not_yet:?}");
        for (name, text, part) in [
            ("sys", "system leaf\ntime any\nretry-wait x\n", "sys:3"),
            ("port", "port a\ntype nothing\n", "port:2"),
            ("mail.toml", "nothing = 1\n", "mail.toml"),
        ] {
            let path = folder.path().join(name);
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            write(name, text);
            let error = read().unwrap_err();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains('\n'), "{error}");
            write(name, &before);
        }
        assert!(read().is_ok());
    }
}
