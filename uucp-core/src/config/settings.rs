//! What the sys file says of one system, every default filled in.

use std::path::PathBuf;
use std::time::Duration;

use super::chat::Chat;
use super::debug::DebugSet;
use super::permission::{CommandRules, ForwardRules, PathRules};
use super::port::{PortConfig, ProtocolParameter};
use super::secret::Secret;
use super::time::{CallWindow, GradeRule, LocalTime, SizeRule, TimeRule, call_window};
use crate::name::SystemName;

/// A system that this one knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: SystemName,
    /// Its other names.
    pub aliases: Vec<SystemName>,
    /// Its descriptions: the first, and one for every `alternate`. Never empty.
    pub alternates: Vec<Settings>,
}

impl System {
    /// The first description: what holds for everything but the choice of a port and of a login.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "`alternates` is never empty")]
    pub fn settings(&self) -> &Settings {
        &self.alternates[0]
    }

    /// The description that holds when the system has logged in by this name; `None`: by this name it may not.
    ///
    /// It is the first one that names the login, else the first that leaves it open: so Taylor's uucico chooses, and what a
    /// neighbour may do must not change with the program. The manual has it otherwise (DEVIATIONS.md).
    #[must_use]
    pub fn for_login(&self, login: &[u8]) -> Option<&Settings> {
        let mut all = self.alternates.iter();
        let naming = all.find(|one| {
            let wanted = one.called_login.as_deref();
            wanted.is_some_and(|wanted| wanted.as_bytes() == login)
        });
        naming.or_else(|| {
            let mut all = self.alternates.iter();
            all.find(|one| one.called_login.is_none())
        })
    }

    /// The descriptions to try when calling, in order: the first, and those that say something new about calling.
    pub fn for_calling(&self) -> impl Iterator<Item = &Settings> {
        self.alternates.iter().filter(|settings| settings.calls)
    }

    /// Whether any description that is used for calling allows a call at a moment, and the first that does.
    #[must_use]
    pub fn is_allowed(&self, now: LocalTime) -> Option<CallWindow> {
        self.for_calling()
            .find_map(|settings| settings.is_allowed(now))
    }
}

/// One description of a system: every command of the sys file, with its default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name given with `alternate`.
    pub alternate: Option<String>,
    /// Whether it is tried when calling: the first one is, and one that has a command about calling of its own.
    pub calls: bool,
    /// When it may be called. Empty: never.
    pub time: Vec<TimeRule>,
    /// How many calls in a row may fail before calls are given up.
    pub max_retries: u32,
    /// How long to wait after a successful call.
    pub success_wait: Duration,
    /// What to ask of the other side when it is called (`-p`, `-vgrade`).
    pub call_timegrade: Vec<GradeRule>,
    /// What is sent when it calls.
    pub called_timegrade: Vec<GradeRule>,
    /// The largest file sent or received on local request, when it is called.
    pub call_local_size: Vec<SizeRule>,
    /// The largest file sent or received on the other side's request, when it is called.
    pub call_remote_size: Vec<SizeRule>,
    /// The largest file sent or received on local request, when it calls.
    pub called_local_size: Vec<SizeRule>,
    /// The largest file sent or received on the other side's request, when it calls.
    pub called_remote_size: Vec<SizeRule>,
    /// The speed to call with, in bits per second.
    pub speed: Option<u32>,
    /// The speeds to call with, lowest and highest.
    pub speed_range: Option<(u32, u32)>,
    /// The port to call on.
    pub port: PortChoice,
    /// The phone number, or the host for TCP.
    pub phone: Option<Vec<u8>>,
    /// How to log in.
    pub chat: Chat,
    /// What to do after the handshake when it calls.
    pub called_chat: Chat,
    /// The login name.
    pub call_login: Option<CallWord>,
    /// The password.
    pub call_password: Option<CallWord>,
    /// How long one file may hold the line while others wait; zero: as long as it takes.
    pub max_file_time: Duration,
    /// The login name it must use; `None` for any.
    pub called_login: Option<String>,
    /// Whether it is called back instead.
    pub callback: bool,
    /// Whether calls are numbered.
    pub sequence: bool,
    /// This system's name in calls with it.
    pub myname: Option<SystemName>,
    /// The debugging that it may switch on here.
    pub max_remote_debug: DebugSet,
    /// The debugging of calls to it.
    pub debug: DebugSet,
    /// The link protocols, best first.
    pub protocols: Option<Vec<u8>>,
    /// Parameters of link protocols.
    pub protocol_parameters: Vec<ProtocolParameter>,
    /// Whether it may ask for files to be sent to it.
    pub send_request: bool,
    /// Whether it may ask for files to be received from it.
    pub receive_request: bool,
    /// Whether files are transferred on local request when it is called.
    pub call_transfer: bool,
    /// Whether files are transferred on local request when it calls.
    pub called_transfer: bool,
    /// Where local users may send from.
    pub local_send: PathRules,
    /// Where it may ask for files from.
    pub remote_send: PathRules,
    /// Where local users may receive to.
    pub local_receive: PathRules,
    /// Where it may send files to.
    pub remote_receive: PathRules,
    /// Where commands are looked for.
    pub command_path: Vec<PathBuf>,
    /// The commands it may have executed.
    pub commands: CommandRules,
    /// Bytes that must stay free on the disk.
    pub free_space: u64,
    /// Systems from which files may be forwarded to it.
    pub forward_from: ForwardRules,
    /// Systems to which it may forward files.
    pub forward_to: ForwardRules,
    /// Its public directory, if not everyone's.
    pub pubdir: Option<PathBuf>,
}

impl Settings {
    /// What holds before the first line of a sys file.
    #[must_use]
    pub fn defaults() -> Self {
        let public = || PathRules::new(["~"]);
        let nobody = || ForwardRules::Listed(Vec::new());
        Self {
            alternate: None,
            calls: true,
            time: Vec::new(),
            max_retries: 26,
            success_wait: Duration::ZERO,
            call_timegrade: Vec::new(),
            called_timegrade: Vec::new(),
            call_local_size: Vec::new(),
            call_remote_size: Vec::new(),
            called_local_size: Vec::new(),
            called_remote_size: Vec::new(),
            speed: None,
            speed_range: None,
            port: PortChoice::None,
            phone: None,
            chat: Chat::login(),
            called_chat: Chat::none(),
            call_login: None,
            call_password: None,
            max_file_time: Duration::ZERO,
            called_login: None,
            callback: false,
            sequence: false,
            myname: None,
            max_remote_debug: DebugSet::REMOTE_DEFAULT,
            debug: DebugSet::NONE,
            protocols: None,
            protocol_parameters: Vec::new(),
            send_request: true,
            receive_request: true,
            call_transfer: true,
            called_transfer: true,
            local_send: PathRules::new(["/"]),
            remote_send: public(),
            local_receive: public(),
            remote_receive: public(),
            command_path: ["/bin", "/usr/bin", "/usr/local/bin", "/usr/sbin"]
                .map(PathBuf::from)
                .to_vec(),
            commands: Self::usual_commands(),
            free_space: 50_000,
            forward_from: nobody(),
            forward_to: nobody(),
            pubdir: None,
        }
    }

    /// The commands where no sys file names any.
    #[must_use]
    pub fn usual_commands() -> CommandRules {
        CommandRules::Listed(vec!["rnews".to_owned(), "rmail".to_owned()])
    }

    /// Whether the system may be called at a moment, and with what; `None`: not now.
    #[must_use]
    pub fn is_allowed(&self, now: LocalTime) -> Option<CallWindow> {
        call_window(&self.time, now)
    }

    /// Whether there is a time at which the system may be called. A port need not be given: then any will do.
    #[must_use]
    pub fn can_be_called(&self) -> bool {
        self.time.iter().any(|rule| !rule.times.is_empty())
    }

    /// What may be executed here for a user of this system who has no more than a place in the spool: what a neighbour may, and
    /// files may be passed on, since that user could have sent them there himself.
    pub(super) fn of_this_system() -> Self {
        Self {
            forward_from: ForwardRules::Any,
            forward_to: ForwardRules::Any,
            ..Self::defaults()
        }
    }
}

/// The port named by a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortChoice {
    /// None.
    None,
    /// A port of the port file.
    Named(String),
    /// A port described with the system.
    Inline(Box<PortConfig>),
}

/// What `call-login` or `call-password` says.
#[derive(Debug, Clone)]
pub enum CallWord {
    /// `*`: look in the call file.
    LookUp,
    /// This word; never printed, as it may be the password.
    Literal(Secret),
}

impl PartialEq for CallWord {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::LookUp, Self::LookUp) => true,
            (Self::Literal(a), Self::Literal(b)) => a.matches(b.expose()),
            _ => false,
        }
    }
}

impl Eq for CallWord {}
