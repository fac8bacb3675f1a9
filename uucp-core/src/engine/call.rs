//! Placing a call: may we now, over which port, and what came of it.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::debugging::{DebugSwitch, Debugging};
use super::desk::{Desk, LineInfo, Totals};
use super::driver::Driver;
use super::executions::{ExecuteEvery, Executions};
use super::hooks::Occasion;
use super::neighbour::{Neighbour, local_time};
use super::opening::{self, Opened};
use super::outcome::{DAY, Finished, next_status, no_thread, now_seconds};
use super::outside::beside;
use super::progress::Progress;
use super::signals::Signals;
use crate::config::chat::SendItem;
use crate::config::mail::MailConfig;
use crate::config::time::{call_window, grade_limit};
use crate::config::{
    CallWord, Config, ConfigError, PortConfig, PortKind, ProtocolParameter, Secret, Settings,
    System,
};
use crate::conversation::{CallProfile, ChatWords, Conversation, ConversationError, Protocols};
use crate::link::{self, CallRole};
use crate::name::{Grade, SystemName};
use crate::outbox;
use crate::port::{LineTraits, PortError, TlsFault};
use crate::spool::{Journal, LockError, Severity, Spool, SpoolError, Status, StatusKind};
use crate::wire::command::Features;

/// How a call is to be made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// `-f`: whatever the status file says of earlier failures.
    pub force: bool,
    /// `-c`: nothing is said when the call may not be made now.
    pub quiet: bool,
    /// `-C`: only if there is work.
    pub if_work: bool,
    /// The call was asked for by name, which is as good as a job of the first grade.
    pub named: bool,
    /// `-g`: the least urgent grade, in both directions.
    pub grade: Option<Grade>,
    /// `-p`: the port to call on.
    pub port: Option<String>,
    /// `-z`: the next alternate also after a call that failed once the other system was reached.
    pub try_next: bool,
    /// Whether progress is shown on a terminal.
    pub progress: bool,
    /// uuxqt while the call lasts.
    pub execute_every: Option<ExecuteEvery>,
    /// How debugging messages of one call are switched on.
    pub debug: Option<DebugSwitch>,
}

/// What became of a call.
#[derive(Debug)]
pub enum Called {
    /// It took place, well or not.
    Finished(Finished),
    /// There was nothing to do.
    NoWork,
    /// It was not made, for this reason.
    NotMade(String),
}

impl Called {
    /// Whether the caller of this program should hear of a success.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Finished(finished) => finished.result.is_ok(),
            Self::NoWork => true,
            Self::NotMade(_) => false,
        }
    }
}

/// Everything that calls need.
struct Caller<'a> {
    config: &'a Config,
    spool: &'a Spool,
    mail: MailConfig,
    system: System,
    options: &'a CallOptions,
    signals: Option<&'a Signals>,
    status: Option<Status>,
}

/// Why one alternate came to nothing.
enum Attempt {
    Done(Finished),
    /// The other system was not reached: the next alternate may have more luck.
    Unreached(StatusKind, String),
}

/// Calls a system.
///
/// # Errors
/// When configuration or spool cannot be used.
pub fn call(
    config: &Config,
    spool: &Spool,
    name: &SystemName,
    options: &CallOptions,
    signals: Option<&Signals>,
) -> Result<Called, CallError> {
    let Some(system) = config.system(name)? else {
        return Err(CallError::Unknown(name.clone()));
    };
    let mut caller = Caller {
        config,
        spool,
        // What is wrong with it is told by whoever is to pack.
        mail: MailConfig::load(&config.directory).unwrap_or_default(),
        status: spool.status(&system.name)?,
        system,
        options,
        signals,
    };
    if let Some(outcome) = caller.reason_not_to()? {
        return Ok(outcome);
    }
    caller.call()
}

/// Why calls cannot be made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No sys file describes the system.
    #[error("{0}: System not found")]
    Unknown(SystemName),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Caller<'_> {
    fn journal(&self, severity: Severity, text: &str) {
        let mut journal = Journal::open(self.config, "uucico");
        journal.log(Some(&self.system.name), None, severity, text);
    }

    fn not_made(&self, reason: &str) -> Called {
        if !self.options.quiet {
            self.journal(Severity::Error, reason);
        }
        Called::NotMade(format!("{}: {reason}", self.system.name))
    }

    /// Whether jobs wait, or messages that are to become jobs.
    fn has_work(&self, least: Grade) -> Result<bool, SpoolError> {
        let system = &self.system.name;
        Ok(self.spool.has_work(system, least)?
            || outbox::has_work(self.spool, &self.mail, system, least)?)
    }

    /// The wait after earlier calls, and the question whether there is anything to do.
    fn reason_not_to(&self) -> Result<Option<Called>, CallError> {
        let least = self.options.grade.unwrap_or(Grade::LAST);
        if self.options.if_work && !self.has_work(least)? {
            if !self.options.quiet {
                self.journal(Severity::Info, "No work");
            }
            return Ok(Some(Called::NoWork));
        }
        if self.options.force {
            return Ok(None);
        }
        let held = held_up(self.system.settings(), self.status.as_ref(), now_seconds());
        Ok(held.map(|held| self.not_made(held.reason)))
    }

    fn call(&mut self) -> Result<Called, CallError> {
        let alternates: Vec<Settings> = self.system.for_calling().cloned().collect();
        let mut last: Option<Called> = None;
        let mut may_call = false;
        for settings in alternates {
            let Some(window) = call_window(&settings.time, local_time()) else {
                continue;
            };
            let grade = self.options.grade.unwrap_or(Grade::LAST).min(window.grade);
            if !self.options.named && !self.has_work(grade)? {
                continue;
            }
            may_call = true;
            for port in opening::ports(self.config, &settings, self.options.port.as_deref())? {
                match self.attempt(&settings, &port, grade, window.retry)? {
                    Attempt::Done(finished) => {
                        let again = finished.result.is_err() && self.options.try_next;
                        last = Some(Called::Finished(finished));
                        if !again {
                            return Ok(last.unwrap_or(Called::NoWork));
                        }
                        break;
                    }
                    Attempt::Unreached(kind, reason) => {
                        self.failed_before_talking(kind, window.retry);
                        last = Some(Called::NotMade(format!("{}: {reason}", self.system.name)));
                    }
                }
            }
        }
        if !may_call {
            return Ok(self.wrong_time());
        }
        Ok(last.unwrap_or_else(|| {
            self.journal(Severity::Error, "No matching ports");
            self.failed_before_talking(StatusKind::PortUnavailable, None);
            Called::NotMade(format!(
                "{}: no matching ports; check 'port' in sys, and that the port file describes it",
                self.system.name
            ))
        }))
    }

    fn wrong_time(&self) -> Called {
        if !self.options.quiet {
            let failures = self.status.as_ref().map_or(0, |status| status.retries);
            let mut status = next_status(failures, StatusKind::WrongTimeToCall, None);
            status.retries = failures;
            status.wait = Duration::ZERO;
            let _ = self.spool.set_status(&self.system.name, &status);
        }
        self.not_made("Wrong time to call")
    }

    fn failed_before_talking(&self, kind: StatusKind, retry: Option<Duration>) {
        let failures = self.failures_before();
        let status = next_status(failures, kind, retry);
        if let Err(error) = self.spool.set_status(&self.system.name, &status) {
            self.journal(Severity::Error, &error.to_string());
        }
    }

    fn failures_before(&self) -> u32 {
        self.status.as_ref().map_or(0, |status| status.retries)
    }

    /// One alternate over one port.
    fn attempt(
        &self,
        settings: &Settings,
        port: &PortConfig,
        grade: Grade,
        retry: Option<Duration>,
    ) -> Result<Attempt, CallError> {
        let lock = match self.spool.lock_system(&self.system.name) {
            Ok(lock) => lock,
            Err(LockError::Spool(error)) => return Err(error.into()),
            Err(error) => {
                return Ok(self.given_up(format!("System already locked ({error})")));
            }
        };
        let way = match &settings.alternate {
            Some(alternate) => format!("alternate {alternate}, port {}", port.name),
            None => format!("port {}", port.name),
        };
        self.journal(
            Severity::Info,
            &format!("Calling system {} ({way})", self.system.name),
        );
        let hooks = self.mail.hooks(&self.system.name);
        let occasion = Occasion {
            config: self.config,
            hooks: &hooks,
            system: &self.system.name,
            role: CallRole::Caller,
            port: &port.name,
        };
        if let Err(reason) = occasion.connect(self.signals) {
            return Ok(self.unreached(StatusKind::DialFailed, reason));
        }
        let unreached = |kind, reason: String| {
            let result = Err(ConversationError::Dial(reason.clone()));
            occasion.disconnect(&result, Totals::default());
            Ok(self.unreached(kind, reason))
        };
        let mut debugging = Debugging::new(self.options.debug);
        debugging.begin(settings, None);
        let name = &self.system.name;
        let opened = self.encrypted_if_required(port).and_then(|()| {
            opening::open(self.config, self.spool, name, settings, port, self.signals)
        });
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(PortError::Tls {
                fault: fault @ TlsFault::Interrupted,
                ..
            }) => {
                let result = Err(ConversationError::Local(fault.to_string()));
                occasion.disconnect(&result, Totals::default());
                return Ok(self.given_up(fault.to_string()));
            }
            Err(error) => return unreached(kind_of(&error), error.to_string()),
        };
        let port = opened.port.clone();
        let info = LineInfo::new(&port, opened.line.traits());
        let neighbour = Neighbour::new(
            self.config,
            self.spool,
            lock,
            self.system.clone(),
            settings.clone(),
            CallRole::Caller,
            grade,
        )?;
        let mut profile = match self.profile(settings, &port, info.traits)? {
            Ok(profile) => profile,
            Err(reason) => return unreached(StatusKind::LoginFailed, reason),
        };
        let mut desk = Desk::new(
            self.config,
            self.spool.clone(),
            Journal::open(self.config, "uucico"),
            CallRole::Caller,
            info,
        );
        desk.neighbour = Some(neighbour);
        desk.failures_before = self.failures_before();
        desk.words = profile.words.clone();
        desk.sequence = profile
            .sequence
            .and_then(|number| u32::try_from(number).ok());
        if self.options.progress {
            desk.progress = Progress::on_terminal();
        }
        if let Some(dialing) = &opened.dialing {
            profile.dial.clone_from(&dialing.scripts);
        }
        desk.dialed = profile.dial.is_empty();
        let result = self.talk(&mut opened, profile, &mut desk);
        if let (Err(error), false) = (&result, desk.dialed) {
            return unreached(StatusKind::DialFailed, error.to_string());
        }
        let kind = desk.stage_of_failure();
        let finished = desk.conclude(result, kind, retry);
        occasion.disconnect(&finished.result, desk.totals);
        Ok(Attempt::Done(finished))
    }

    /// There is no call now, over this port or another.
    fn given_up(&self, reason: String) -> Attempt {
        self.journal(Severity::Error, &reason);
        Attempt::Done(Finished {
            result: Err(ConversationError::Local(reason)),
            system: Some(self.system.name.clone()),
            executions: 0,
            talked: false,
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

    /// What the conversation is told; or why it cannot begin.
    fn profile(
        &self,
        settings: &Settings,
        port: &PortConfig,
        line: LineTraits,
    ) -> Result<Result<CallProfile, String>, CallError> {
        let words = match self.words(settings)? {
            Ok(words) => words,
            Err(reason) => return Ok(Err(reason)),
        };
        let letters = usable_protocols(settings, port.protocols.as_deref(), line);
        if letters.is_empty() {
            let reason = "none of the protocols of the configuration can be used here";
            return Ok(Err(reason.to_owned()));
        }
        let mut parameters = usual_parameters(line);
        parameters.extend(settings.protocol_parameters.iter().cloned());
        parameters.extend(port.protocol_parameters.iter().cloned());
        let sequence = if settings.sequence {
            let last = self.spool.call_sequence(&self.system.name)?;
            Some(u64::from(last) + 1)
        } else {
            None
        };
        let grade = match self.options.grade {
            Some(grade) => Some(grade),
            None => grade_limit(&settings.call_timegrade, local_time()),
        };
        let local = settings
            .myname
            .clone()
            .unwrap_or_else(|| self.config.nodename.clone());
        Ok(Ok(CallProfile {
            local,
            system: self.system.name.clone(),
            aliases: self.system.aliases.clone(),
            dial: Vec::new(),
            chat: settings.chat.clone(),
            words,
            sequence,
            grade: grade.map(Grade::byte),
            protocols: Protocols {
                letters,
                parameters,
                half_duplex: port.half_duplex,
                max_file_time: settings.max_file_time,
            },
            strip_parity: self.config.strip_proto,
            features: Features::OURS,
        }))
    }

    /// Login name and password, if the script asks for them.
    fn words(&self, settings: &Settings) -> Result<Result<ChatWords, String>, CallError> {
        let script = settings.chat.script.iter();
        let mut sent = script.flat_map(|exchange| {
            let subsends = exchange
                .expect
                .iter()
                .filter_map(|one| one.subsend.as_ref());
            exchange.send.iter().chain(subsends.flatten())
        });
        let wanted = sent.any(|item| matches!(item, SendItem::Login | SendItem::Password));
        let phone = settings.phone.clone().unwrap_or_default();
        let mut words = ChatWords {
            phone: phone.clone(),
            translated_phone: phone,
            ..ChatWords::default()
        };
        let looked_up = self.config.call_credentials(&self.system.name)?;
        match &settings.call_login {
            Some(CallWord::Literal(login)) => words.login = login.expose().to_vec(),
            Some(CallWord::LookUp) => {
                if let Some(found) = &looked_up {
                    words.login.clone_from(&found.login);
                } else if wanted {
                    return Ok(Err("no login name in the call file".into()));
                }
            }
            None if wanted => {
                return Ok(Err(
                    "the chat script sends a login name, but there is no 'call-login'".into(),
                ));
            }
            None => {}
        }
        words.password = match (&settings.call_password, looked_up) {
            (Some(CallWord::Literal(password)), _) => password.clone(),
            (Some(CallWord::LookUp), Some(found)) => found.password,
            _ => Secret::default(),
        };
        Ok(Ok(words))
    }
}

/// Why a call waits after earlier ones.
pub(super) struct Held {
    /// For the log.
    pub(super) reason: &'static str,
    /// For how much longer; `None`: for so long that somebody had better look.
    pub(super) left: Option<Duration>,
}

/// What the status file says against a call now, in seconds since 1970; `None`: nothing.
pub(super) fn held_up(settings: &Settings, status: Option<&Status>, now: i64) -> Option<Held> {
    const WAIT: &str = "Retry time not reached";
    let status = status?;
    // A clock that was set back must not hold calls up.
    let passed = u64::try_from(now.saturating_sub(status.last)).ok()?;
    let passed = Duration::from_secs(passed);
    let wait = |time: Duration| {
        let left = time.saturating_sub(passed);
        (!left.is_zero()).then_some(Held {
            reason: WAIT,
            left: Some(left),
        })
    };
    match status.kind {
        StatusKind::ConversationComplete => wait(settings.success_wait),
        StatusKind::Talking => None,
        _ if passed >= DAY => None,
        _ if settings.max_retries > 0 && status.retries >= settings.max_retries => Some(Held {
            reason: "Too many retries",
            left: None,
        }),
        _ => wait(status.wait),
    }
}

/// Terminals of this speed and more are treated as any line: it is also what a terminal is set to that has no speed.
const FAST: u32 = 38_400;

/// Parameters that the kind of line suggests; those of the configuration come after them and win.
pub(super) fn usual_parameters(line: LineTraits) -> Vec<ProtocolParameter> {
    let size = |(letter, size): (u8, u32)| ProtocolParameter {
        letter,
        name: "packet-size".into(),
        value: size.to_string(),
    };
    match line.speed {
        // TCP carries the largest packet as well as any other, and loses none.
        _ if line.end_to_end => vec![size((b'g', 4096))],
        Some(speed @ 1..FAST) => sizes_at(speed).map(size).to_vec(),
        _ => Vec::new(),
    }
}

/// Packet sizes for a slow line, whose answers wait behind the packet that is on its way and whose damage costs whole
/// packets: of `g`, about a quarter of a second, and never less than Taylor's. A packet of `G` is of that size even if it
/// carries two letters. What `i` and `v` have there is right at 9,600 bits per second; below, `v` would be silent for
/// longer than its own timeout.
fn sizes_at(speed: u32) -> [(u8, u32); 5] {
    let about = |bytes: u32, most: u32| {
        let power = bytes.checked_ilog2().map_or(64, |power| 1 << power);
        power.clamp(64, most)
    };
    [
        (b'g', about(speed / 36, 2048)),
        (b'G', about(speed / 144, 512)),
        (b'v', about(speed / 9, 1024)),
        (b'i', 1024),
        (b'j', 1024),
    ]
}

/// What a port that could not be opened is in the status file.
fn kind_of(error: &PortError) -> StatusKind {
    match error {
        PortError::Unsupported(_) | PortError::Locked(_) | PortError::Configuration(_) => {
            StatusKind::PortUnavailable
        }
        _ => StatusKind::DialFailed,
    }
}

/// The letters to choose from, best first: those configured for the system or the port, else all that suit the line.
pub(super) fn usable_protocols(
    settings: &Settings,
    port: Option<&[u8]>,
    line: LineTraits,
) -> Vec<u8> {
    let known = || link::KNOWN.iter();
    match settings.protocols.as_deref().or(port) {
        Some(letters) => letters
            .iter()
            .copied()
            .filter(|letter| known().any(|one| one.letter == *letter))
            .collect(),
        None => known()
            .filter(|one| line.satisfy(one.traits))
            .map(|one| one.letter)
            .collect(),
    }
}

impl LineInfo {
    /// What the port file says of the line.
    #[must_use]
    pub fn new(port: &PortConfig, traits: LineTraits) -> Self {
        Self {
            name: port.name.clone(),
            traits: traits.limited(port.seven_bit, port.reliable),
            protocols: port.protocols.clone(),
            parameters: port.protocol_parameters.clone(),
            half_duplex: port.half_duplex,
        }
    }

    /// A line that no port file describes.
    #[must_use]
    pub fn plain(name: &str, traits: LineTraits) -> Self {
        Self {
            name: name.to_owned(),
            traits,
            protocols: None,
            parameters: Vec::new(),
            half_duplex: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_large_as_the_line_is_fast() {
        let sizes = |speed: Option<u32>, line: LineTraits| -> Vec<String> {
            let parameters = usual_parameters(LineTraits { speed, ..line });
            let shown = |one: &ProtocolParameter| {
                assert_eq!(one.name, "packet-size");
                format!("{} {}", char::from(one.letter), one.value)
            };
            parameters.iter().map(shown).collect()
        };
        assert_eq!(sizes(None, LineTraits::TCP), ["g 4096"]);
        for speed in [None, Some(0), Some(38_400), Some(4_000_000)] {
            assert!(sizes(speed, LineTraits::PIPE).is_empty(), "{speed:?}");
        }
        for (speed, all) in [
            (110, "g 64, G 64, v 64, i 1024, j 1024"),
            (2400, "g 64, G 64, v 256, i 1024, j 1024"),
            (9600, "g 256, G 64, v 1024, i 1024, j 1024"),
            (19_200, "g 512, G 128, v 1024, i 1024, j 1024"),
        ] {
            assert_eq!(sizes(Some(speed), LineTraits::PIPE).join(", "), all);
        }
    }
}
