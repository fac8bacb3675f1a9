//! One attempt: over one port, as one alternate says.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::claim::Claim;
use super::{Attempt, CallError, Caller};
use crate::config::{PortChoice, PortConfig, PortKind, Settings};
use crate::conversation::{CallProfile, ChatWords, Conversation, ConversationError};
use crate::engine::debugging::Debugging;
use crate::engine::desk::Desk;
use crate::engine::driver::Driver;
use crate::engine::executions::Executions;
use crate::engine::hooks::Occasion;
use crate::engine::line::LineInfo;
use crate::engine::neighbour::Neighbour;
use crate::engine::opening::{self, Opened};
use crate::engine::outcome::{Finished, cut_off, no_thread};
use crate::engine::outside::beside;
use crate::engine::progress::Progress;
use crate::link::CallRole;
use crate::name::Grade;
use crate::port::{PortError, TlsFault};
use crate::spool::{Journal, LockError, Severity, StatusKind, SystemLock};

/// What an attempt is made with.
pub(super) struct Way<'w> {
    pub(super) settings: &'w Settings,
    pub(super) port: &'w PortConfig,
    pub(super) grade: Grade,
    /// The fixed wait after a failure.
    pub(super) retry: Option<Duration>,
}

impl Way<'_> {
    /// The port in the Log. One that is described with the system has no name of its own: over TCP it is called as by Taylor.
    fn shown_port(&self) -> &str {
        let is_inline =
            matches!(&self.settings.port, PortChoice::Inline(port) if port.name == self.port.name);
        match self.port.kind {
            PortKind::Tcp(_) if is_inline => "TCP",
            _ => &self.port.name,
        }
    }
}

impl<'a> Caller<'a> {
    /// One alternate over one port. The system is locked until the hook after the call has been run.
    pub(super) fn attempt(&self, way: &Way<'_>) -> Result<Attempt, CallError> {
        let mut lock = match self.spool.lock_system(&self.system.name) {
            Ok(lock) => Some(lock),
            Err(LockError::Spool(error)) => return Err(error.into()),
            Err(error) => {
                // The call under way takes new work along, too.
                let text = format!("System already locked ({error})");
                return Ok(self.given_up(Severity::Info, text));
            }
        };
        // The first status may have been that of the call that held the lock.
        let status = self.spool.status(&self.system.name)?;
        if let Some(text) = cut_off(status.as_ref())
            && !self.told_of_cut.swap(true, Ordering::Relaxed)
        {
            self.journal(Severity::Info, text);
        }
        let line = self.claim(way.port);
        if let Claim::OfRound(holder) = line {
            return Ok(Attempt::Behind(holder));
        }
        let shown = way.shown_port();
        let shown = match &way.settings.alternate {
            Some(alternate) => format!("alternate {alternate}, port {shown}"),
            None => format!("port {shown}"),
        };
        let name = &self.system.name;
        self.journal(Severity::Info, &format!("Calling system {name} ({shown})"));
        // Until the hook after the call has been run: it may be for the device.
        let _locks = match line {
            Claim::Ours(locks) => locks,
            Claim::Failed(error) => {
                return Ok(self.unreached(kind_of(&error), error.to_string()));
            }
            Claim::OfRound(holder) => return Ok(Attempt::Behind(holder)),
        };
        let hooks = self.mail.hooks(name);
        let occasion = Occasion {
            config: self.config,
            hooks: &hooks,
            system: name,
            role: CallRole::Caller,
            port: &way.port.name,
        };
        if let Err(reason) = occasion.connect(self.signals) {
            return Ok(self.unreached(StatusKind::DialFailed, reason));
        }
        let mut desk = None;
        let outcome = self.place(way, &mut lock, &mut desk);
        let totals = desk.as_ref().map(|desk| desk.totals).unwrap_or_default();
        occasion.disconnect(failure_of(&outcome).as_deref(), totals);
        outcome
    }

    /// Opens the line and talks; what happens at the desk is left there.
    fn place(
        &self,
        way: &Way<'_>,
        lock: &mut Option<SystemLock>,
        desk: &mut Option<Desk<'a>>,
    ) -> Result<Attempt, CallError> {
        let mut debugging = Debugging::new(self.options.debug);
        debugging.begin(way.settings, None);
        let (name, settings) = (&self.system.name, way.settings);
        let opened = self
            .encrypted_if_required(way.port)
            .and_then(|()| opening::open(self.config, name, settings, way.port, self.signals));
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(PortError::Tls {
                fault: fault @ TlsFault::Interrupted,
                ..
            }) => return Ok(self.given_up(Severity::Error, fault.to_string())),
            Err(error) => return Ok(self.unreached(kind_of(&error), error.to_string())),
        };
        let mut profile = match self.profile(settings, &opened.port, opened.line.traits())? {
            Ok(profile) => profile,
            Err(reason) => return Ok(self.unreached(StatusKind::LoginFailed, reason)),
        };
        if let Some(dialing) = &opened.dialing {
            profile.dial.clone_from(&dialing.scripts);
        }
        let desk = desk.insert(self.desk(&opened, &profile));
        if let Some(lock) = lock.take() {
            desk.neighbour = Some(Neighbour::new(
                self.config,
                self.spool,
                lock,
                self.system.clone(),
                settings.clone(),
                CallRole::Caller,
                way.grade,
            )?);
        }
        let result = self.talk(&mut opened, profile, desk);
        if let (Err(error), false) = (&result, desk.dialed) {
            return Ok(self.unreached(StatusKind::DialFailed, error.to_string()));
        }
        let kind = desk.stage_of_failure();
        Ok(Attempt::Done(desk.conclude(result, kind, way.retry)))
    }

    /// Who serves the conversation over this line.
    fn desk(&self, opened: &Opened, profile: &CallProfile) -> Desk<'a> {
        let mut desk = Desk::new(
            self.config,
            self.spool.clone(),
            Journal::open(self.config, "uucico"),
            CallRole::Caller,
            LineInfo::new(&opened.port, opened.line.traits()),
        );
        desk.failures_before = self.failures_before();
        desk.words = profile.words.clone();
        desk.sequence = profile
            .sequence
            .and_then(|number| u32::try_from(number).ok());
        if self.options.progress {
            desk.progress = Progress::on_terminal();
        }
        desk.dialed = profile.dial.is_empty();
        desk
    }

    /// There is no call now, over this port or another.
    fn given_up(&self, severity: Severity, reason: String) -> Attempt {
        self.journal(severity, &reason);
        Attempt::Done(Finished {
            result: Err(ConversationError::Local(reason)),
            system: Some(self.system.name.clone()),
            executions: 0,
            talked: false,
            unpacked: Vec::new(),
        })
    }

    /// A system of which TLS is required is called over nothing else.
    fn encrypted_if_required(&self, port: &PortConfig) -> Result<(), PortError> {
        let name = &self.system.name;
        let is_encrypted = matches!(port.kind, PortKind::Tls(_));
        if is_encrypted || !self.mail.tls(name).required {
            return Ok(());
        }
        Err(PortError::Configuration(format!(
            "port '{}' is not of type tls, which mail.toml requires for {name}",
            port.name
        )))
    }

    /// The other system was not reached: the next port or alternate may have more luck.
    fn unreached(&self, kind: StatusKind, reason: String) -> Attempt {
        self.journal(Severity::Error, &reason);
        Attempt::Unreached(kind, reason)
    }

    /// Dials, talks, puts the modem back, hangs up.
    fn talk(
        &self,
        opened: &mut Opened,
        mut profile: CallProfile,
        desk: &mut Desk<'_>,
    ) -> Result<(), ConversationError> {
        let line = &mut *opened.line;
        if let Some(dialer) = &mut opened.dial_line {
            for (chat, words) in profile.dial.drain(..) {
                let script = Conversation::script(Instant::now(), chat, words);
                Driver::new(dialer, script, self.signals).run(desk)?;
            }
            let interrupt = self.signals.map(AsFd::as_fd);
            line.require_carrier(true, interrupt)
                .map_err(|error| ConversationError::Dial(error.to_string()))?;
            desk.dialed = true;
        }
        let executions = Executions::new(self.options.execute_every.clone());
        let result = beside(executions, |outside| {
            desk.outside = outside;
            let conversation = Conversation::caller(Instant::now(), profile);
            Driver::new(line, conversation, self.signals).talk(desk)
        });
        let result = result.unwrap_or_else(|error| Err(no_thread(&error)));
        let parting = opened.dialing.as_ref();
        if let Some(chat) = parting.and_then(|dialing| dialing.parting(result.is_ok())) {
            // The modem may be listening though the line is gone; if it is not, the call is over all the same.
            let _ = line.require_carrier(false, None);
            let script = Conversation::script(Instant::now(), chat, ChatWords::default());
            if let Err(error) = Driver::new(line, script, self.signals).talk(desk) {
                self.journal(Severity::Info, &format!("after the call: {error}"));
            }
        }
        tracing::debug!(target: "uucp::port", "hanging up");
        line.hang_up();
        result
    }
}

/// Why an attempt came to nothing, for the hook after it.
fn failure_of(outcome: &Result<Attempt, CallError>) -> Option<String> {
    match outcome {
        Ok(Attempt::Done(finished)) => finished.result.as_ref().err().map(ToString::to_string),
        Ok(Attempt::Unreached(_, reason)) => Some(reason.clone()),
        Ok(Attempt::Behind(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// What a port that could not be opened is in the status file.
fn kind_of(error: &PortError) -> StatusKind {
    match error {
        PortError::Unsupported(_) | PortError::Locked { .. } | PortError::Configuration(_) => {
            StatusKind::PortUnavailable
        }
        _ => StatusKind::DialFailed,
    }
}
