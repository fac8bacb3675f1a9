//! The system at the other end: its description, its lock, its limits, its queue and its inbox.

use std::path::PathBuf;

use super::packer::Packer;
use super::work::{Ever, Limits, WorkQueue};
use crate::clock;
use crate::config::mail::{Hooks, MailConfig};
use crate::config::time::size_limit;
use crate::config::{Config, LocalTime, Settings, System};
use crate::link::CallRole;
use crate::name::Grade;
use crate::spool::{Inbox, Spool, SpoolError, SystemLock};
use crate::wire::command::Features;

/// A known system while a call with it is under way.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) system: System,
    /// The alternate that counts in this call.
    pub(super) settings: Settings,
    pub(super) inbox: Inbox,
    pub(super) queue: WorkQueue,
    /// How many patterns it has asked for in this call.
    pub(super) patterns: u32,
    /// Whether our own jobs may be done in this call.
    pub(super) may_request: bool,
    /// The largest file on our request, in bytes.
    pub(super) local_size: Option<u64>,
    /// The largest file on the peer's request, in bytes.
    pub(super) remote_size: Option<u64>,
    pub(super) pubdir: PathBuf,
    /// How notes about its files are written, and how many in an hour.
    pub(super) mail: MailConfig,
    pub(super) notes_per_hour: u32,
    /// Why nothing is taken from it now: the rules for that cannot be read. Its mail waits where it is.
    pub(super) takes_nothing: Option<String>,
    /// Whether what the other side says is to reach no further than the configuration, by the kernel's own check.
    pub(super) confined: bool,
    /// What is run before and after the call.
    pub(super) hooks: Hooks,
    /// Released last, when everything above is closed.
    _lock: SystemLock,
}

impl Neighbour {
    /// Takes up the work with a system that is locked.
    ///
    /// # Errors
    /// When its inbox cannot be opened.
    pub(super) fn new(
        config: &Config,
        spool: &Spool,
        lock: SystemLock,
        system: System,
        settings: Settings,
        role: CallRole,
        grade: Grade,
    ) -> Result<Self, SpoolError> {
        let now = local_time();
        let (may_request, local, remote) = match role {
            CallRole::Caller => (
                settings.call_transfer,
                &settings.call_local_size,
                &settings.call_remote_size,
            ),
            CallRole::Called => (
                settings.called_transfer,
                &settings.called_local_size,
                &settings.called_remote_size,
            ),
        };
        let (local_size, remote_size) = (size_limit(local, now), size_limit(remote, now));
        let pubdir = settings
            .pubdir
            .clone()
            .unwrap_or_else(|| config.pubdir.clone());
        let limits = Limits {
            grade,
            size: local_size,
            features: Features::NONE,
            rules: settings.local_send.clone(),
            asked: settings.remote_send.clone(),
            received: settings.local_receive.clone(),
            pubdir: pubdir.clone(),
            ever: Ever::of(&system),
        };
        let mut queue = WorkQueue::new(
            spool.clone(),
            system.name.clone(),
            limits,
            spool.offered(&system.name)?,
        );
        if may_request {
            // What is given up would be a batch: its messages stay, each with an age of its own.
            queue.packer = Some(Packer::new(config, spool, &system.name));
        }
        let mut inbox = spool.inbox(&lock)?;
        let mail = MailConfig::load(&config.directory);
        let (mail, takes_nothing) = match mail {
            Ok(mail) => (mail, None),
            Err(error) => (MailConfig::default(), Some(error.to_string())),
        };
        let policy = mail.policy(Some(&system.name));
        if takes_nothing.is_none() {
            inbox.limit(policy.spool_limit);
        }
        Ok(Self {
            confined: mail.confines(),
            hooks: mail.hooks(&system.name),
            inbox,
            queue,
            patterns: 0,
            system,
            settings,
            may_request,
            local_size,
            remote_size,
            pubdir,
            notes_per_hour: policy.reports_per_hour,
            mail,
            takes_nothing,
            _lock: lock,
        })
    }

    /// What the handshake has shown.
    pub(super) fn learn(&mut self, features: Features, largest: Option<u64>) {
        self.queue.limits.features = features;
        let limits = [self.local_size, largest];
        self.queue.limits.size = limits.into_iter().flatten().min();
    }
}

/// The moment of the local week.
pub(super) fn local_time() -> LocalTime {
    LocalTime::from(clock::now().datetime())
}
