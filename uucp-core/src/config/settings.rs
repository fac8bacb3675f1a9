//! What the sys file says of one system, every default filled in.

use std::path::PathBuf;
use std::time::Duration;

use super::chat::Chat;
use super::debug::DebugSet;
use super::permission::{CommandRules, ForwardRules, PathRules};
use super::port::{PortConfig, ProtocolParameter};
use super::secret::Secret;
use super::time::{GradeRule, SizeRule, TimeRule};
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

/// One description of a system: every command of the sys file, with its default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name given with `alternate`.
    pub alternate: Option<String>,
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
