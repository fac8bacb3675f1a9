//! The daemon: waits for calls, and places them when work comes, a time window opens or a wait is over.
//!
//! Every call is a process of its own, this program again: the daemon itself holds no line and no lock, so nothing is lost
//! whenever it ends. `SIGHUP` reads the configuration again; `SIGTERM` lets the calls under way come to their end, a second
//! one ends them. systemd is told what goes on (`sd_notify(3)`).

mod candidates;
mod planner;
mod watch;

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use sd_notify::NotifyState;

use super::placed::{Placed, take_ended};
use super::server::{Answerer, ChildCommand, Door, take_all};
use super::signals::{Received, Signals};
use crate::config::Config;
use crate::ended::pid_of;
use crate::name::SystemName;
use crate::port::Listener;
use crate::spool::{Journal, Severity, Spool};
use candidates::{LOOK, WallClock, candidates, next_look};
use planner::Planner;
use watch::WorkWatch;

/// Work that comes in a burst makes one call.
const GATHER: Duration = Duration::from_millis(200);

/// How the daemon does its work.
#[derive(Debug)]
pub struct DaemonOptions {
    /// How many calls it places at once.
    pub calls: usize,
    /// The least time between two calls with one system.
    pub gap: Duration,
    /// What places one; the system's name comes last.
    pub call: ChildCommand,
}

/// Where calls are waited for.
#[derive(Debug)]
pub struct Waiting {
    /// The sockets.
    pub listener: Listener,
    /// How calls that come in there are answered.
    answer: Rc<Answerer>,
}

impl Waiting {
    /// Sockets and how calls there are answered.
    #[must_use]
    pub fn new(listener: Listener, answer: Answerer) -> Self {
        Self {
            listener,
            answer: Rc::new(answer),
        }
    }
}

/// What was read again.
#[derive(Debug)]
pub struct Reread {
    /// The configuration.
    pub config: Config,
    /// The spool that it names.
    pub spool: Spool,
    /// What of it does not hold before a restart, in words for the Log.
    pub not_yet: Vec<String>,
}

/// Reads configuration and spool again; why it could not.
pub type Reload<'a> = dyn FnMut() -> Result<Reread, String> + 'a;

/// The daemon while it runs.
struct Daemon<'a> {
    config: Config,
    spool: Spool,
    options: &'a DaemonOptions,
    signals: &'a Signals,
    listeners: Vec<Waiting>,
    door: Door,
    placed: Vec<Placed>,
    planner: Planner,
    watch: WorkWatch,
    /// When all is looked at next.
    look: Instant,
    draining: bool,
}

/// Runs until a signal ends it and the calls under way have come to their end.
///
/// # Errors
/// When the operating system does not let it wait.
pub fn daemon(
    config: Config,
    spool: Spool,
    listeners: Vec<Waiting>,
    options: &DaemonOptions,
    signals: &Signals,
    reload: &mut Reload<'_>,
) -> io::Result<()> {
    let mut daemon = Daemon {
        planner: Planner::new(options.calls, options.gap),
        config,
        spool,
        options,
        signals,
        listeners,
        door: Door::open()?,
        placed: Vec::new(),
        watch: WorkWatch::new(),
        look: Instant::now(),
        draining: false,
    };
    daemon.begin();
    loop {
        daemon.hear(reload);
        daemon.reap();
        daemon.answer();
        daemon.look_around();
        if daemon.is_over() {
            daemon.log(Severity::Info, "Daemon ended");
            return Ok(());
        }
        daemon.wait()?;
    }
}

impl Daemon<'_> {
    fn log(&self, severity: Severity, text: &str) {
        Journal::open(&self.config, "uucico").log(None, None, severity, text);
    }

    fn begin(&self) {
        let ports: Vec<String> = self
            .listeners
            .iter()
            .filter_map(|waiting| waiting.listener.port())
            .map(|port| port.to_string())
            .collect();
        let waits = if ports.is_empty() {
            "no port to wait on".to_owned()
        } else {
            format!("waiting on port {}", ports.join(", "))
        };
        self.log(Severity::Info, &format!("Daemon started ({waits})"));
        tell(&[NotifyState::Ready]);
    }

    fn is_over(&self) -> bool {
        self.draining && self.placed.is_empty() && self.door.is_idle()
    }

    /// What signals ask for.
    fn hear(&mut self, reload: &mut Reload<'_>) {
        let Received {
            terminate,
            interrupt,
            hang_up,
        } = self.signals.read();
        if hang_up {
            self.reload(reload);
        }
        if !terminate && !interrupt {
            return;
        }
        if self.draining {
            self.end_calls();
            return;
        }
        self.draining = true;
        self.listeners.clear();
        self.door.shut();
        tell(&[NotifyState::Stopping]);
        self.log(Severity::Info, "Daemon ends after the calls under way");
    }

    fn reload(&mut self, reload: &mut Reload<'_>) {
        let mut states = vec![NotifyState::Reloading];
        states.extend(NotifyState::monotonic_usec_now().ok());
        tell(&states);
        match reload() {
            Ok(Reread {
                config,
                spool,
                not_yet,
            }) => {
                self.config = config;
                self.spool = spool;
                self.watch = WorkWatch::new();
                self.look = Instant::now();
                self.log(Severity::Info, "Configuration read again");
                for text in not_yet {
                    self.log(Severity::Error, &text);
                }
            }
            Err(reason) => {
                let text = format!(
                    "Configuration not read again, the old one holds for the daemon alone: {reason}; each call reads its files itself, and fails where it needs this"
                );
                self.log(Severity::Error, &text);
            }
        }
        tell(&[NotifyState::Ready]);
    }

    /// The calls end as a call does on SIGTERM: what was confirmed is put away.
    fn end_calls(&self) {
        let placed = self.placed.iter().map(Placed::pid);
        for process in placed.chain(self.door.children().map(pid_of)) {
            let _ = kill(process, Signal::SIGTERM);
        }
    }

    fn reap(&mut self) {
        let now = Instant::now();
        for ended in take_ended(&mut self.placed) {
            match ended.behind {
                Some(others) => self.planner.after(ended.system, others),
                None => self.planner.ended(now, &ended.system),
            }
            // A line is free.
            self.look = now;
        }
    }

    fn answer(&mut self) {
        let config = &self.config;
        let mut log = |text: &str| {
            Journal::open(config, "uucico").log(None, None, Severity::Error, text);
        };
        for Waiting { listener, answer } in &self.listeners {
            take_all(listener, answer, &mut self.door, &mut log);
        }
        self.door.look(Instant::now(), &mut log);
    }

    /// Places the calls that are due.
    fn look_around(&mut self) {
        let news = self.watch.read();
        for system in &news.systems {
            self.planner.news_for(system);
        }
        let now = Instant::now();
        if news.any {
            self.look = self.look.min(now + GATHER);
        }
        if self.draining || self.look > now {
            return;
        }
        self.watch.cover(&self.spool);
        let wall = WallClock::now();
        let candidates = match candidates(&self.config, &self.spool, wall) {
            Ok(candidates) => candidates,
            Err(reason) => {
                self.log(Severity::Error, &reason);
                Vec::new()
            }
        };
        let (due, later) = self.planner.due(now, candidates);
        self.look = next_look(now, later);
        for system in due {
            self.place(system);
        }
    }

    fn place(&mut self, system: SystemName) {
        let command = &self.options.call;
        match Placed::place(command, &system) {
            Ok(one) => {
                self.planner.started(system);
                self.placed.push(one);
            }
            Err(error) => {
                let program = command.program.display();
                self.log(Severity::Error, &format!("cannot run {program}: {error}"));
            }
        }
    }

    /// Sleeps until something happens.
    fn wait(&self) -> io::Result<()> {
        let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let listeners = self.listeners.iter().map(|waiting| &waiting.listener);
        let listeners = listeners.flat_map(Listener::descriptors);
        let others = listeners.chain(self.watch.descriptor());
        let others = others.chain([self.door.as_fd()]);
        watched.extend(others.map(|one| PollFd::new(one, PollFlags::POLLIN)));
        let left = self.look.saturating_duration_since(Instant::now());
        let left = if self.draining { LOOK } else { left };
        let door = self.door.deadline();
        let door = door.map(|at| at.saturating_duration_since(Instant::now()));
        let left = door.map_or(left, |door| left.min(door));
        let timeout = PollTimeout::try_from(left.saturating_add(Duration::from_millis(1)))
            .unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Tells systemd, if it asked to be told.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
