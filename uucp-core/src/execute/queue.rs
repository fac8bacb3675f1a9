//! The whole queue, most urgent first, handed out to a few workers until nothing is left that can be done now.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use thiserror::Error;

use super::job::Outcome;
use super::worker::Order;
use crate::name::{SpoolName, SystemName};
use crate::spool::{Execution, Spool, SpoolError};

/// Workers that may end one after the other without an answer, before it is no use to start another.
const DEATHS_BORNE: u32 = 8;

/// Why a run cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue cannot be listed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Workers cannot be started or spoken to.
    #[error("cannot run a worker: {0}")]
    Worker(#[from] io::Error),
    /// Workers end before they answer.
    #[error("workers end without an answer; what they wrote on standard error says why")]
    Dying,
    /// A signal asks us to stop. What runs comes to its end by itself.
    #[error("got signal {0}")]
    Signal(Signal),
}

/// The signals that end a run in order.
fn stop_signals() -> SigSet {
    [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
    ]
    .into_iter()
    .collect()
}

/// In a worker: signals are for the process that gives the orders, which decides that no new job begins. A worker that one
/// reaches brings its job to the end and notes it. They are caught, not ignored and not blocked: that the commands would
/// inherit, which must end when their time is over.
///
/// # Errors
/// When the system does not let us.
pub fn leave_signals_alone() -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    for signal in &stop_signals() {
        signal_hook::flag::register(signal as i32, Arc::clone(&seen))?;
    }
    stop_signals().thread_unblock().map_err(io::Error::from)
}

/// What a run is limited to.
#[derive(Debug)]
pub struct Limits {
    /// How many jobs run side by side.
    pub jobs: usize,
    /// Only jobs of this system.
    pub system: Option<SystemName>,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Jobs that were done.
    pub done: u32,
    /// Jobs that failed for good.
    pub failed: u32,
    /// Jobs that will be tried again.
    pub later: u32,
    /// Failures by system that nobody was told about one by one, since there were too many.
    pub untold: BTreeMap<SystemName, u32>,
}

/// Runs everything that can be run now. `worker` makes the command line of a worker.
///
/// # Errors
/// When the queue cannot be read, workers cannot be run, or a signal says to stop.
pub fn run_all(
    spool: &Spool,
    limits: &Limits,
    worker: impl Fn() -> Command,
) -> Result<Tally, QueueError> {
    let signals = stop_signals();
    signals.thread_block().map_err(io::Error::from)?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(&signals, flags).map_err(io::Error::from)?;
    let mut pool = Pool {
        limits,
        worker: &worker,
        signals,
        slots: Vec::new(),
        deaths: 0,
        lightened: BTreeSet::new(),
        tally: Tally::default(),
    };
    let mut seen: HashSet<(SystemName, SpoolName)> = HashSet::new();
    loop {
        let fresh: Vec<Execution> = spool
            .executions()?
            .into_iter()
            .filter(|e| limits.system.as_ref().is_none_or(|only| *only == e.system))
            .filter(|e| seen.insert((e.system.clone(), e.name.clone())))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for execution in fresh {
            pool.hand_out(&execution)?;
        }
        pool.finish()?;
        for system in std::mem::take(&mut pool.lightened) {
            spool.sync_executions(&system)?;
        }
    }
    Ok(pool.close())
}

/// A worker, and what it has in hand.
struct Slot {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
    read: Vec<u8>,
    busy: Option<SystemName>,
}

impl Slot {
    fn start(mut command: Command) -> io::Result<Self> {
        // A group of its own: what a terminal sends to us must not end a worker with a job in its hands.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker without pipes"));
        };
        Ok(Self {
            child,
            orders,
            answers,
            read: Vec::new(),
            busy: None,
        })
    }

    /// What the worker answered, if it is a whole line; an error where it has ended.
    fn answer(&mut self) -> io::Result<Option<Outcome>> {
        let mut buffer = [0; 64];
        let count = self.answers.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read
            .extend_from_slice(buffer.get(..count).unwrap_or_default());
        let Some(word) = self.read.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let outcome = std::str::from_utf8(word).ok().and_then(Outcome::from_word);
        self.read.clear();
        outcome
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The workers of a run.
struct Pool<'a> {
    limits: &'a Limits,
    worker: &'a dyn Fn() -> Command,
    signals: SignalFd,
    slots: Vec<Slot>,
    deaths: u32,
    /// Systems whose execute files have gone since their folders were synced.
    lightened: BTreeSet<SystemName>,
    tally: Tally,
}

impl Pool<'_> {
    /// Gives one job to a worker, as soon as one is free.
    fn hand_out(&mut self, execution: &Execution) -> Result<(), QueueError> {
        let system = execution.system.clone();
        loop {
            let index = self.free_slot()?;
            let line = Order(execution.clone()).to_line();
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            if slot.orders.write_all(line.as_bytes()).is_ok() {
                slot.busy = Some(system);
                return Ok(());
            }
            self.bury(index)?;
        }
    }

    /// The index of a worker that has nothing to do; the first signal that says to stop ends the run.
    fn free_slot(&mut self) -> Result<usize, QueueError> {
        loop {
            self.stop_if_asked()?;
            if let Some(index) = self.slots.iter().position(|slot| slot.busy.is_none()) {
                return Ok(index);
            }
            if self.slots.len() < self.limits.jobs.max(1) {
                self.slots.push(Slot::start((self.worker)())?);
                return Ok(self.slots.len() - 1);
            }
            self.wait()?;
        }
    }

    /// Waits until all jobs that were handed out are answered.
    fn finish(&mut self) -> Result<(), QueueError> {
        while self.slots.iter().any(|slot| slot.busy.is_some()) {
            self.wait()?;
            self.stop_if_asked()?;
        }
        Ok(())
    }

    /// Waits for answers or a signal, and takes what came.
    fn wait(&mut self) -> Result<(), QueueError> {
        let mut watched: Vec<PollFd<'_>> = self
            .slots
            .iter()
            .map(|slot| PollFd::new(slot.answers.as_fd(), PollFlags::POLLIN))
            .collect();
        watched.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let spoke: Vec<usize> = watched
            .iter()
            .take(self.slots.len())
            .enumerate()
            .filter(|(_, descriptor)| descriptor.any().unwrap_or(false))
            .map(|(index, _)| index)
            .collect();
        // From the end, so that burying one does not move the others.
        for index in spoke.into_iter().rev() {
            self.take_answer(index)?;
        }
        Ok(())
    }

    fn take_answer(&mut self, index: usize) -> Result<(), QueueError> {
        let Some(slot) = self.slots.get_mut(index) else {
            return Ok(());
        };
        match slot.answer() {
            Ok(None) => Ok(()),
            Ok(Some(outcome)) => {
                self.deaths = 0;
                if let Some(system) = slot.busy.take() {
                    self.count(system, outcome);
                }
                Ok(())
            }
            Err(_) => self.bury(index),
        }
    }

    fn count(&mut self, system: SystemName, outcome: Outcome) {
        if matches!(outcome, Outcome::Done | Outcome::Failed { .. }) {
            self.lightened.insert(system.clone());
        }
        match outcome {
            Outcome::Done => self.tally.done += 1,
            Outcome::Later => self.tally.later += 1,
            Outcome::NotNow => {}
            Outcome::Failed { told } => {
                self.tally.failed += 1;
                if !told {
                    *self.tally.untold.entry(system).or_default() += 1;
                }
            }
        }
    }

    /// A worker has ended though nobody told it to: its job stays in the spool, locked for as long as its command lives.
    fn bury(&mut self, index: usize) -> Result<(), QueueError> {
        let mut slot = self.slots.swap_remove(index);
        drop(slot.orders);
        slot.child.wait()?;
        if slot.busy.is_some() {
            self.tally.later += 1;
        }
        self.deaths += 1;
        if self.deaths > DEATHS_BORNE {
            return Err(QueueError::Dying);
        }
        Ok(())
    }

    fn stop_if_asked(&mut self) -> Result<(), QueueError> {
        match self.signals.read_signal() {
            Ok(Some(info)) => {
                let signal = i32::try_from(info.ssi_signo)
                    .ok()
                    .and_then(|number| Signal::try_from(number).ok())
                    .unwrap_or(Signal::SIGTERM);
                Err(QueueError::Signal(signal))
            }
            Ok(None) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Ends the workers, which have nothing to do.
    fn close(self) -> Tally {
        for mut slot in self.slots {
            drop(slot.orders);
            let _ = slot.child.wait();
        }
        self.tally
    }
}
