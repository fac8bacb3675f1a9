//! Two non-blocking descriptors, the common part of every port.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::TcpStreamExt;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{PortRead, Ready};

/// A read of fewer bytes than this may be all that the peer has sent, or waits to be told of before it sends the rest.
const SMALL: usize = 32 * 1024;

/// A pair of descriptors; for a socket both are the same one, duplicated.
#[derive(Debug)]
pub(super) struct Line {
    input: File,
    output: Option<File>,
    /// The same socket once more, where acknowledgements are to go out at once.
    quick: Option<TcpStream>,
    /// Flags to put back, where the descriptors are shared with somebody else.
    restore: Option<(OFlag, OFlag)>,
}

impl Line {
    pub(super) fn new(input: OwnedFd, output: OwnedFd, shared: bool) -> io::Result<Self> {
        let before = (set_nonblocking(&input)?, set_nonblocking(&output)?);
        Ok(Self {
            quick: None,
            input: input.into(),
            output: Some(output.into()),
            restore: shared.then_some(before),
        })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        match self.input.read(buffer) {
            Ok(0) => Ok(PortRead::HangUp),
            Ok(count) => {
                self.acknowledge(count);
                Ok(PortRead::Bytes(count))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(PortRead::Nothing),
                // A terminal whose other end is gone gives EIO.
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(PortRead::HangUp),
                _ if error.raw_os_error() == Some(nix::libc::EIO) => Ok(PortRead::HangUp),
                _ => Err(error),
            },
        }
    }

    /// A peer that leaves Nagle's algorithm on holds its next small write back until this one is acknowledged; the system
    /// forgets that we do not want to delay that.
    fn acknowledge(&self, count: usize) {
        if let (Some(stream), ..SMALL) = (&self.quick, count) {
            let _ = stream.set_quickack(true);
        }
    }

    /// Lets acknowledgements go out at once.
    pub(super) fn acknowledge_at_once(&mut self) -> io::Result<()> {
        let stream = TcpStream::from(OwnedFd::from(self.input.try_clone()?));
        stream.set_quickack(true)?;
        self.quick = Some(stream);
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(output) = &mut self.output else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match output.write(bytes) {
            Ok(count) => Ok(count),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            },
        }
    }

    pub(super) fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        let output = self.output.as_ref().unwrap_or(&self.input);
        (self.input.as_fd(), output.as_fd())
    }

    /// Closes the writing side.
    pub(super) fn close_output(&mut self) {
        self.output = None;
    }

    /// Reads and throws away until the other side has closed, or the deadline has come; true: it has closed.
    pub(super) fn drain(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0; 65_536];
        while Instant::now() < deadline {
            match self.read(&mut buffer) {
                Ok(PortRead::Bytes(_)) => {}
                Ok(PortRead::Nothing) => {
                    if wait(self.descriptors(), false, None, Some(deadline)).is_err() {
                        return false;
                    }
                }
                Ok(PortRead::HangUp) | Err(_) => return true,
            }
        }
        false
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((input, output)) = self.restore {
            let _ = fcntl(self.input.as_fd(), FcntlArg::F_SETFL(input));
            if let Some(file) = &self.output {
                let _ = fcntl(file.as_fd(), FcntlArg::F_SETFL(output));
            }
        }
    }
}

/// Waits until a line (its reading and its writing descriptor) can be read, or written if that is wanted, or a third
/// descriptor can be read, or the deadline has come. A signal looks like a deadline that came early.
///
/// # Errors
/// When the descriptors cannot be waited for.
pub fn wait(
    line: (BorrowedFd<'_>, BorrowedFd<'_>),
    writing: bool,
    interrupt: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let (input, output) = line;
    wait_for(
        (Some(input), writing.then_some(output)),
        interrupt,
        deadline,
    )
}

/// As [`wait`], for those directions of a line alone that are given: what may come in another one does not end it.
///
/// # Errors
/// When the descriptors cannot be waited for.
pub fn wait_for(
    line: (Option<BorrowedFd<'_>>, Option<BorrowedFd<'_>>),
    interrupt: Option<BorrowedFd<'_>>,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut descriptors = Vec::new();
    let input = add(&mut descriptors, line.0, PollFlags::POLLIN);
    let output = add(&mut descriptors, line.1, PollFlags::POLLOUT);
    let interrupt = add(&mut descriptors, interrupt, PollFlags::POLLIN);
    match poll(&mut descriptors, timeout(deadline)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let any = |at: Option<usize>| {
        at.and_then(|at| descriptors.get(at))
            .and_then(PollFd::any)
            .unwrap_or_default()
    };
    Ok(Ready {
        readable: any(input),
        writable: any(output),
        interrupted: any(interrupt),
    })
}

/// Has one more descriptor waited for, if there is one; its place.
fn add<'a>(
    descriptors: &mut Vec<PollFd<'a>>,
    descriptor: Option<BorrowedFd<'a>>,
    flags: PollFlags,
) -> Option<usize> {
    descriptors.push(PollFd::new(descriptor?, flags));
    Some(descriptors.len() - 1)
}

/// Makes a descriptor non-blocking; gives the flags it had.
fn set_nonblocking(descriptor: &OwnedFd) -> io::Result<OFlag> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(flags)
}

/// Rounded up: waking a moment early would only mean to wait once more.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let milliseconds = left.as_micros().div_ceil(1000);
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
