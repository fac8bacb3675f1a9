//! `uucico --daemon`.

use std::ffi::OsString;
use std::time::Duration;

use super::Site;
use crate::config::Config;
use crate::engine::{ChildCommand, DaemonOptions, daemon};
use crate::port::Listener;
use crate::spool::Spool;
use crate::sysexits::{Failure, Status};

impl Site<'_> {
    /// Stays until a signal comes.
    pub(super) fn stay(self) -> Result<bool, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(Status::OsError, error.to_string());
        let place = self.place()?;
        let name = place.as_ref().map_or("TCP", |place| place.name.as_str());
        let answer = self.answerer(name)?;
        let call = ChildCommand {
            program: answer.command.program.clone(),
            arguments: self.calling_arguments(),
        };
        let mut listeners = Vec::new();
        listeners.extend(Listener::inherited().map_err(|error| failed(&error))?);
        if let Some(place) = &place {
            let bound = Listener::bind(place.number, place.version);
            listeners.push(bound.map_err(|error| failed(&error))?);
        }
        let options = DaemonOptions {
            calls: self.arguments.max_calls,
            gap: Duration::from_secs(self.arguments.gap),
            answer,
            call,
        };
        let file = self.arguments.config.clone();
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

    /// What a call is placed with; the system's name comes after it.
    fn calling_arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["--master", "--ifwork", "--quiet"].map(Into::into).to_vec();
        if let Some(file) = &self.config.source {
            words.extend(["--config".into(), file.into()]);
        }
        if self.arguments.no_uuxqt {
            words.push("--nouuxqt".into());
        }
        if self.arguments.try_next {
            words.push("--try-next".into());
        }
        if let Some(grade) = self.arguments.grade {
            words.extend(["--grade".into(), grade.to_string().into()]);
        }
        for kinds in &self.arguments.debug {
            words.extend(["--debug".into(), kinds.into()]);
        }
        words.push("--system".into());
        words
    }
}
