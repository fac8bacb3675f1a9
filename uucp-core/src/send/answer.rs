//! The answer comes in time, and there is one: an MTA returns the mail of a program that exceeds its limit, and Exim that of
//! one that a signal has ended. So our limit is shorter than the MTA's, and the answer to both is 75.
//!
//! What can hang is the input, which is read with the limit in mind, another delivery's lock, which is waited for no longer,
//! and the disk. A local disk that hangs holds the process until it comes back, whatever the process does. A server of files
//! that hangs holds one thread, so for such a spool another one keeps the limit. It is not there without need: in a virtual
//! machine it costs a small message's sender a tenth of its time.

use std::io::{self, Read, Stdin};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC,
    TMPFS_MAGIC, XFS_SUPER_MAGIC, statfs,
};

use crate::program;
use crate::sysexits::{Audience, Failure, Status};

/// Whether an answer is being given.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// File systems on this machine's own disks (and memory). ext2 and ext3 have ext4's number.
const LOCAL: [FsType; 6] = [
    EXT4_SUPER_MAGIC,
    XFS_SUPER_MAGIC,
    BTRFS_SUPER_MAGIC,
    F2FS_SUPER_MAGIC,
    TMPFS_MAGIC,
    OVERLAYFS_SUPER_MAGIC,
];

/// The clock of one run, and the signals that would end it.
#[derive(Debug)]
pub struct Watch {
    name: &'static str,
    limit: Duration,
    until: Instant,
    signals: SignalFd,
}

impl Watch {
    /// Starts the clock, and takes the signals that would end the program; Exim starts its programs with most of them
    /// ignored.
    ///
    /// To be called before any thread is started. Nothing is lost by ending at any moment: what is queued already is known
    /// when the MTA delivers again.
    ///
    /// # Errors
    /// When the signals cannot be taken.
    pub fn begin(name: &'static str, limit: Duration) -> Result<Self, Failure> {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGQUIT,
        ] {
            set.add(signal);
        }
        // A signal that is blocked is kept even where it would be ignored.
        set.thread_block().map_err(cannot_watch)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self {
            name,
            limit,
            until: Instant::now() + limit,
            signals: SignalFd::with_flags(&set, flags).map_err(cannot_watch)?,
        })
    }

    /// When the time is over.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Standard input, which ends with an error when the time is over or a signal comes.
    #[must_use]
    pub fn input(&self) -> Input<'_> {
        Input {
            watch: self,
            stdin: io::stdin(),
        }
    }

    /// Fails when the time is over or a signal has come: for the moments between two messages.
    ///
    /// # Errors
    /// Just then.
    pub fn check(&self) -> Result<(), Failure> {
        match self.signal() {
            Some(why) => Err(Failure::temporary(why)),
            None if Instant::now() >= self.until => Err(Failure::temporary(self.too_late())),
            None => Ok(()),
        }
    }

    /// Watches over a spool that is not on a local disk.
    ///
    /// # Errors
    /// When no thread can be made; without a limit the work is not begun.
    pub fn over(&self, spool: &Path) -> Result<(), Failure> {
        let local = statfs(spool).is_ok_and(|found| LOCAL.contains(&found.filesystem_type()));
        if local {
            return Ok(());
        }
        let watch = Self {
            signals: SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_CLOEXEC)
                .map_err(cannot_watch)?,
            ..*self
        };
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || watch.expire())
            .map(drop)
            .map_err(cannot_watch)
    }

    /// Ends the process from the thread that keeps the time: the main thread may hang in the kernel for hours.
    fn expire(&self) {
        std::thread::sleep(self.until.saturating_duration_since(Instant::now()));
        if ANSWERED.swap(true, Ordering::SeqCst) {
            return;
        }
        let failure = Failure::new(Status::Temporary, self.too_late());
        let _ = program::report(self.name, Audience::Mail, &failure);
        std::process::exit(i32::from(failure.status.exit_status(Audience::Mail)));
    }

    fn too_late(&self) -> String {
        format!("not done within {} s", self.limit.as_secs())
    }

    /// The signal that has come.
    fn signal(&self) -> Option<String> {
        let signal = self.signals.read_signal().ok()??;
        let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
        let shown = Signal::try_from(number).map_or("a signal", Signal::as_str);
        Some(format!("ended by {shown}"))
    }

    /// Waits until `input` has something to read.
    fn wait_for(&self, input: impl AsFd) -> io::Result<()> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, self.too_late()));
            }
            // Rounded up, so that the last round does not spin.
            let milliseconds = left.as_millis().saturating_add(1);
            let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
            let mut both = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(input.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut both, timeout) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(why) = self.signal() {
                return Err(io::Error::other(why));
            }
            let [_, input] = both;
            if input.any().unwrap_or(true) {
                return Ok(());
            }
        }
    }
}

fn cannot_watch(error: impl std::fmt::Display) -> Failure {
    Failure::temporary(format!("cannot watch over the time: {error}"))
}

/// Standard input under watch.
#[derive(Debug)]
pub struct Input<'a> {
    watch: &'a Watch,
    stdin: Stdin,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch.wait_for(&self.stdin)?;
        // Past the library's buffer, which poll(2) does not see.
        Ok(nix::unistd::read(&self.stdin, buffer)?)
    }
}

/// Before the regular answer: it waits for its end where the clock was faster.
pub fn claim() {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::park();
        }
    }
}
