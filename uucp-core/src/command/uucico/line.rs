//! Calls that come in on a serial line, `uucico -e -p PORT` and `-l -p PORT`: in the place of a getty.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;

use super::Site;
use crate::command::debug;
use crate::config::{PortConfig, PortKind};
use crate::engine::{Answer, WaitingLine, answer};
use crate::port::{PortError, device_path};
use crate::spool::{Journal, Severity};
use crate::sysexits::{Failure, Status};

/// How long the line stays closed between two calls: a modem hangs up meanwhile, and a line that is dead costs nothing.
const CLOSED: Duration = Duration::from_secs(1);

/// Whether a serial port's device is our standard input already, as under a getty.
pub(super) fn is_standard_input(port: &PortConfig) -> bool {
    let device = match &port.kind {
        PortKind::Modem(modem) => modem.device.as_deref(),
        PortKind::Direct(direct) => direct.device.as_deref(),
        _ => return false,
    };
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let input = input.and_then(|input| File::from(input).metadata());
    match (input, fs::metadata(device_path(device, &port.name))) {
        (Ok(input), Ok(device)) => {
            device.file_type().is_char_device() && input.rdev() == device.rdev()
        }
        _ => false,
    }
}

impl Site<'_> {
    /// The port of `-p`, if that is serial.
    pub(super) fn serial_port(&self) -> Result<Option<PortConfig>, Failure> {
        let Some(name) = self.arguments.port() else {
            return Ok(None);
        };
        let port = self
            .config
            .port(name)
            .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
        Ok(port.filter(|port| matches!(port.kind, PortKind::Modem(_) | PortKind::Direct(_))))
    }

    /// Takes one call, or, if it is to wait without end, all until a signal comes; whether the last went well.
    pub(super) fn answer_on_line(&self, port: &PortConfig) -> Result<bool, Failure> {
        let endless = self.arguments.endless || self.arguments.wait;
        let mut in_use = false;
        loop {
            let good = match WaitingLine::open(&self.spool, port) {
                // A call of ours goes out over it: the line is free again when that is over.
                Err(PortError::Locked { reason, .. }) if endless => {
                    if !in_use {
                        let mut journal = Journal::open(&self.config, "uucico");
                        journal.log(None, None, Severity::Info, &format!("Waiting: {reason}"));
                    }
                    in_use = true;
                    false
                }
                opened => {
                    in_use = false;
                    self.take_call(port, opened)?
                }
            };
            if self.signals.stops() {
                return Ok(true);
            }
            if !endless {
                return Ok(good);
            }
            self.signals.pause(CLOSED);
        }
    }

    fn take_call(
        &self,
        port: &PortConfig,
        opened: Result<Option<WaitingLine>, PortError>,
    ) -> Result<bool, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(Status::OsError, error.to_string());
        let opened = opened.map_err(|error| failed(&error))?;
        let Some(mut line) = opened else {
            let text = format!("port {} is not of type modem or direct", port.name);
            return Err(Failure::new(Status::Configuration, text));
        };
        let called = line.await_caller(&self.first_prompt(), &self.signals);
        if !called.map_err(|error| failed(&format!("port {}: {error}", port.name)))? {
            return Ok(false);
        }
        let info = line.info().clone();
        let finished = answer(
            &self.config,
            &self.spool,
            line.port(),
            Answer {
                login: self.asking(),
                prompted: true,
                user: None,
                line: info,
                from: None,
                counts: false,
                certified: None,
                execute_every: self.execute_every(),
                debug: Some(debug::add),
                server: None,
            },
            Some(&self.signals),
        );
        // A modem is to hang up before uuxqt takes its time.
        drop(line);
        Ok(self.after_answer(&finished, false))
    }
}
