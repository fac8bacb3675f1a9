//! Answering a call: who is it, may it come in, and what came of it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::debugging::{About, DebugSwitch, Debugging, identified};
use super::desk::Desk;
use super::driver::Driver;
use super::encryption::Certified;
use super::executions::{ExecuteEvery, Executions};
use super::hooks::Occasion;
use super::line::{LineInfo, usable_protocols, usual_parameters};
use super::neighbour::{Neighbour, local_time};
use super::outcome::{Finished, cut_off, no_thread};
use super::outside::beside;
use super::server::ToServer;
use super::signals::Signals;
use crate::config::time::grade_limit;
use crate::config::{Config, Settings, System};
use crate::conversation::{
    Admitted, AnswerProfile, Conversation, Introduction, LoginMode, Verdict,
};
use crate::link::CallRole;
use crate::name::{Grade, SystemName};
use crate::port::Port;
use crate::spool::{Journal, LockError, Severity, Spool, StatusKind};
use crate::wire::command::Features;
use crate::wire::handshake::Answer as Reply;

/// How long a login waits for the hashes of those before it; less than the caller waits.
const TURN: Duration = Duration::from_secs(30);

/// How a call is to be answered.
#[derive(Debug)]
pub struct Answer {
    /// How the caller logs in.
    pub login: LoginMode,
    /// The first prompt has been shown already.
    pub prompted: bool,
    /// The login name given by the operating system or an option, for callers that see no prompt.
    pub user: Option<Vec<u8>>,
    /// What is known of the line.
    pub line: LineInfo,
    /// The address that the call comes from, for the Log.
    pub from: Option<IpAddr>,
    /// Whether its bad logins are to be counted here: a server of ours counts itself.
    pub counts: bool,
    /// What the caller has shown, where the line is encrypted.
    pub certified: Option<Certified>,
    /// uuxqt while the call lasts.
    pub execute_every: Option<ExecuteEvery>,
    /// How debugging messages of one call are switched on.
    pub debug: Option<DebugSwitch>,
    /// The server that took the call, and waits to hear of the login.
    pub server: Option<ToServer>,
}

/// Answers one call on a line.
pub fn answer(
    config: &Config,
    spool: &Spool,
    port: &mut dyn Port,
    answer: Answer,
    signals: Option<&Signals>,
) -> Finished {
    let _about = About::new(None);
    let mut desk = Desk::new(
        config,
        spool.clone(),
        Journal::open(config, "uucico"),
        CallRole::Called,
        answer.line,
    );
    desk.login = answer.user;
    desk.from = answer.from;
    desk.counts_from = answer.from.filter(|_| answer.counts);
    desk.certified = answer.certified;
    desk.debugging = Debugging::new(answer.debug);
    desk.server = answer.server;
    desk.signals = signals;
    let local = match &answer.login {
        LoginMode::Done => desk.own_name(desk.login.as_deref().unwrap_or_default()),
        LoginMode::Prompt | LoginMode::Password(_) => config.nodename.clone(),
    };
    let profile = AnswerProfile {
        local,
        login: answer.login,
        prompted: answer.prompted,
        strip_login: config.strip_login,
        strip_parity: config.strip_proto,
        features: Features::OURS,
    };
    let result = beside(Executions::new(answer.execute_every), |outside| {
        desk.outside = outside;
        let conversation = Conversation::called(Instant::now(), profile);
        Driver::new(port, conversation, signals).run(&mut desk)
    });
    let result = result.unwrap_or_else(|error| Err(no_thread(&error)));
    let kind = desk.stage_of_failure();
    let finished = desk.conclude(result, kind, None);
    if desk.hooked
        && let Some(occasion) = desk.occasion()
    {
        let failure = finished.result.as_ref().err().map(ToString::to_string);
        occasion.disconnect(failure.as_deref(), desk.totals);
    }
    finished
}

impl Desk<'_> {
    /// Our name towards whoever has this login name.
    pub(super) fn own_name(&self, login: &[u8]) -> SystemName {
        // A sys file that cannot be read is told when the caller has said who it is.
        let name = self.config.name_for_login(login);
        name.unwrap_or_else(|_| self.config.nodename.clone())
    }

    pub(super) fn check_login(&mut self, login: &[u8], password: &[u8]) -> bool {
        let good = self.verify(login, password);
        if let Ok(true) = good {
            self.login = Some(login.to_vec());
            return true;
        }
        if let Some(server) = &mut self.server {
            server.wrong_password();
        }
        let shown = login.escape_ascii();
        let text = match good {
            Err(error) => format!("Bad login for {shown}: {error}"),
            Ok(_) => format!("Bad login for {shown}"),
        };
        let text = self.with_address(text);
        self.log(None, Severity::Error, &text);
        false
    }

    fn verify(&self, login: &[u8], password: &[u8]) -> Result<bool, String> {
        if let Some(from) = self.counts_from
            && !self
                .spool
                .may_log_in_from(from)
                .map_err(|e| e.to_string())?
        {
            return Err(format!("too many bad logins from {from} in this hour"));
        }
        let good = self.compare(login, password)?;
        if let (false, Some(from)) = (good, self.counts_from) {
            let counted = self.spool.count_bad_login_from(from);
            counted.map_err(|error| error.to_string())?;
        }
        Ok(good)
    }

    fn compare(&self, login: &[u8], password: &[u8]) -> Result<bool, String> {
        let check = self.config.look_up_login(login, password);
        let check = check.map_err(|error| error.to_one_line())?;
        // A hundred callers at once must not need a hundred times the memory of one hash.
        let turn = check
            .is_costly()
            .then(|| self.spool.take_turn("login", Instant::now() + TURN));
        let _turn = turn.transpose().map_err(|error| error.to_string())?;
        Ok(check.fits())
    }

    /// Who calls, and whether it may.
    pub(super) fn identify(&mut self, introduction: &Introduction) -> Verdict {
        if introduction.login.is_some() {
            self.login.clone_from(&introduction.login);
        }
        match self.admit(introduction) {
            Ok(admitted) => {
                if let Some(server) = &mut self.server {
                    server.logged_in();
                }
                Verdict::Admit(Box::new(admitted))
            }
            Err((reply, reason)) => Verdict::Refuse(reply, reason),
        }
    }

    fn admit(&mut self, introduction: &Introduction) -> Result<Admitted, (Reply, String)> {
        let shown = introduction.name.escape_ascii().to_string();
        let name = SystemName::parse(&introduction.name)
            .map_err(|_| (Reply::Unknown, self.unknown_caller(&shown)))?;
        self.system = Some(name.clone());
        let system = self
            .find(&name)
            .map_err(|error| (Reply::Other(b"cannot answer now".to_vec()), error))?
            .ok_or_else(|| (Reply::Unknown, self.unknown_caller(&shown)))?;
        self.system = Some(system.name.clone());
        self.check_key(&system)?;
        let settings = self
            .alternate_of_login(&system)
            .ok_or_else(|| (Reply::WrongLogin, self.wrong_login(&shown)))?
            .clone();
        identified(&system.name);
        self.debugging.begin(&settings, introduction.debug);
        // Its string came before anyone knew whose messages are wanted.
        tracing::debug!(
            target: "uucp::handshake",
            system = %system.name,
            sequence = ?introduction.sequence,
            wants = ?introduction.debug,
            "caller is known"
        );
        self.call_back(&system, &settings)?;
        self.check_sequence(&system, &settings, introduction)?;
        let user = self.login.clone().unwrap_or_default();
        let from = self.from.map(|from| format!(" from {from}"));
        let text = format!(
            "Incoming call (login {} port {}){}",
            user.escape_ascii(),
            self.line.name,
            from.unwrap_or_default()
        );
        self.note(&text);
        self.take_up(system, &settings, introduction)?;
        self.run_connect_hook()?;
        let protocols =
            usable_protocols(&settings, self.line.protocols.as_deref(), self.line.traits);
        let mut parameters = usual_parameters(self.line.traits);
        parameters.extend(settings.protocol_parameters.iter().cloned());
        parameters.extend(self.line.parameters.iter().cloned());
        let chat = &settings.called_chat;
        let chat = (!chat.script.is_empty() || chat.program.is_some()).then(|| chat.clone());
        Ok(Admitted {
            protocols,
            parameters,
            half_duplex: self.line.half_duplex,
            max_file_time: settings.max_file_time,
            chat,
        })
    }

    fn find(&self, name: &SystemName) -> Result<Option<System>, String> {
        let known = self
            .config
            .system(name)
            .map_err(|error| error.to_one_line())?;
        match known {
            Some(system) => Ok(Some(system)),
            None => self
                .config
                .unknown_system(name)
                .map_err(|error| error.to_one_line()),
        }
    }

    fn unknown_caller(&self, shown: &str) -> String {
        let login = self.login.clone().unwrap_or_default();
        format!(
            "Call from unknown system {shown}, login {}",
            login.escape_ascii()
        )
    }

    fn wrong_login(&self, shown: &str) -> String {
        let login = self.login.clone().unwrap_or_default();
        format!(
            "System {shown} used wrong login name {}",
            login.escape_ascii()
        )
    }

    /// The alternate that this login name may use; `None`: it may use none.
    fn alternate_of_login<'s>(&self, system: &'s System) -> Option<&'s Settings> {
        let login = self.login.clone().unwrap_or_default();
        let settings = system.for_login(&login)?;
        // A login name with a list of systems is for those, and for systems that name it themselves.
        let listed = self.config.systems_of_login(&login).ok()?;
        let permitted = match listed {
            None => true,
            Some(systems) => {
                settings.called_login.is_some()
                    || systems.contains(&system.name)
                    || system.aliases.iter().any(|alias| systems.contains(alias))
            }
        };
        permitted.then_some(settings)
    }

    /// With `callback true` the answer is a call of ours.
    fn call_back(&mut self, system: &System, settings: &Settings) -> Result<(), (Reply, String)> {
        if !settings.callback {
            return Ok(());
        }
        let queued = self
            .spool
            .queue(&system.name, Grade::FIRST, &[], Vec::new());
        if let Err(error) = queued {
            self.complain(&error.to_string());
        }
        // What came of earlier calls must not hold this one up.
        self.set_status(&system.name, StatusKind::ConversationComplete, None);
        Err((Reply::CallBack, "Will call back".into()))
    }

    fn check_sequence(
        &mut self,
        system: &System,
        settings: &Settings,
        introduction: &Introduction,
    ) -> Result<(), (Reply, String)> {
        if !settings.sequence {
            return Ok(());
        }
        let fault = |error: crate::spool::SpoolError| (Reply::BadSequence, error.to_string());
        let expected = self.spool.call_sequence(&system.name).map_err(fault)? + 1;
        match introduction.sequence {
            Some(number) if number == u64::from(expected) => self
                .spool
                .set_call_sequence(&system.name, expected)
                .map_err(fault),
            Some(number) => Err((
                Reply::BadSequence,
                format!("Out of sequence call rejected ({number}, expected {expected})"),
            )),
            None => Err((
                Reply::BadSequence,
                "No sequence number (call rejected)".into(),
            )),
        }
    }

    /// What the operator wants done when this system calls; if it fails, the call is not taken.
    fn run_connect_hook(&mut self) -> Result<(), (Reply, String)> {
        let connected = self.occasion().map(|one| one.connect(self.signals));
        if let Some(Err(reason)) = connected {
            return Err((Reply::Other(b"cannot talk now".to_vec()), reason));
        }
        self.hooked = true;
        Ok(())
    }

    fn occasion(&self) -> Option<Occasion<'_>> {
        let neighbour = self.neighbour.as_ref()?;
        Some(Occasion {
            config: self.config,
            hooks: &neighbour.hooks,
            system: &neighbour.system.name,
            role: CallRole::Called,
            port: &self.line.name,
        })
    }

    fn take_up(
        &mut self,
        system: System,
        settings: &Settings,
        introduction: &Introduction,
    ) -> Result<(), (Reply, String)> {
        let fault = |error: crate::spool::SpoolError| {
            (
                Reply::Other(b"cannot answer now".to_vec()),
                error.to_string(),
            )
        };
        let lock = match self.spool.lock_system(&system.name) {
            Ok(lock) => lock,
            Err(LockError::Spool(error)) => return Err(fault(error)),
            Err(error) => {
                return Err((Reply::Locked, format!("System already locked ({error})")));
            }
        };
        let asked = introduction
            .grade
            .and_then(|grade| Grade::parse(grade).ok());
        let ruled = grade_limit(&settings.called_timegrade, local_time());
        let grade = ruled.or(asked).unwrap_or(Grade::LAST);
        let status = self.spool.status(&system.name).ok().flatten();
        if let Some(text) = cut_off(status.as_ref()) {
            self.note(text);
        }
        self.failures_before = status.map_or(0, |status| status.retries);
        let neighbour = Neighbour::new(
            self.config,
            &self.spool,
            lock,
            system,
            settings.clone(),
            CallRole::Called,
            grade,
        )
        .map_err(fault)?;
        self.neighbour = Some(neighbour);
        Ok(())
    }
}
