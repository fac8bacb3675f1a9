//! Calls that come in on a serial line, without a getty: a cable, or a modem that answers by itself.

use std::io;
use std::os::fd::AsFd;

use super::line::LineInfo;
use super::opening::open_for_calls;
use super::signals::Signals;
use crate::config::PortConfig;
use crate::port::{Port, PortError, SerialPort, wait};
use crate::spool::{PidLock, Spool};

/// A serial line, open and locked, on which somebody may call.
#[derive(Debug)]
pub struct WaitingLine {
    line: SerialPort,
    info: LineInfo,
    /// The device stays locked as long as it is open.
    _lock: PidLock,
}

impl WaitingLine {
    /// Opens a port of type modem or direct; `None`: it is of another type.
    ///
    /// # Errors
    /// When the device cannot be opened, or is in use.
    pub fn open(spool: &Spool, port: &PortConfig) -> Result<Option<Self>, PortError> {
        let opened = open_for_calls(spool, port)?;
        Ok(opened.map(|(line, lock)| Self {
            info: LineInfo::new(port, line.traits()),
            line,
            _lock: lock,
        }))
    }

    /// Waits for carrier, where the line has it, shows the prompt, and waits for the caller's first byte, however long that
    /// takes. False when a signal came instead, or the line went dead.
    ///
    /// # Errors
    /// When the line fails.
    pub fn await_caller(&mut self, prompt: &[u8], signals: &Signals) -> io::Result<bool> {
        match self.line.require_carrier(true, Some(signals.as_fd())) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(false),
            other => other?,
        }
        let mut rest = prompt;
        loop {
            let count = self.line.write(rest)?;
            rest = rest.get(count..).unwrap_or_default();
            let ready = wait(
                self.line.descriptors(),
                !rest.is_empty(),
                Some(signals.as_fd()),
                None,
            )?;
            if ready.interrupted && (signals.ends_call() || signals.stops()) {
                return Ok(false);
            }
            if ready.readable {
                return Ok(true);
            }
        }
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &LineInfo {
        &self.info
    }

    /// The line, for the call that has come.
    pub fn port(&mut self) -> &mut dyn Port {
        &mut self.line
    }
}
