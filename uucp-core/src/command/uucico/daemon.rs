//! `uucico --daemon`.

use std::ffi::OsString;
use std::time::Duration;

use super::Site;
use super::answering::{Place, this_program};
use crate::config::Config;
use crate::engine::{ChildCommand, DaemonOptions, Waiting, daemon};
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
            let bound = bound.map_err(|error| failed(&error))?;
            listeners.push(Waiting::new(bound, self.answerer(place)?));
        }
        // Ports below 1024 are root's; what comes in on them is not.
        self.become_owner()?;
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
        let mut reload = move || {
            let config = Config::load(file.as_deref()).map_err(|error| error.to_one_line())?;
            let spool = Spool::open(&config).map_err(|error| error.to_string())?;
            Ok((config, spool))
        };
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
        }))
    }

    /// What a call is placed with; the system's name comes after it.
    fn calling_arguments(&self) -> Vec<OsString> {
        let mut words = self.arguments_of_calls();
        words.extend(["--ifwork", "--quiet", "--system"].map(Into::into));
        words
    }
}
