//! Standard input and output as the line: inetd, ssh with a forced command, a login shell, another uucico's pipe.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};
use nix::sys::stat::fstat;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsendbreak, tcsetattr};
use nix::unistd::{dup2_stdin, dup2_stdout};

use super::line::Line;
use super::{LineTraits, Port, PortError, PortRead, tcp, terminal};
use crate::link::LineMode;

/// How long the other side may take to close after us.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The line that this process was started on.
#[derive(Debug)]
pub struct StdioPort {
    line: Line,
    traits: LineTraits,
    socket: bool,
    /// A terminal's settings before we made it raw.
    terminal: Option<(OwnedFd, Termios)>,
}

impl StdioPort {
    /// Takes standard input and output. A terminal becomes raw until the port is dropped.
    ///
    /// # Errors
    /// When one of them is closed.
    pub fn open() -> Result<Self, PortError> {
        Self::take().map_err(PortError::Stdio)
    }

    /// Takes standard input for both directions: a connection that a server of ours has taken. Standard output is given
    /// back; it leads to the server.
    ///
    /// # Errors
    /// When one of them is closed.
    pub fn open_accepted() -> Result<(Self, OwnedFd), PortError> {
        let take = || {
            let input = io::stdin().as_fd().try_clone_to_owned()?;
            let line = input.try_clone()?;
            let output = io::stdout().as_fd().try_clone_to_owned()?;
            Ok((Self::on(input, line)?, output))
        };
        take().map_err(PortError::Stdio)
    }

    fn take() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Self::on(input, output)
    }

    fn on(input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        // The line ends with this port, whatever the process does after it; and nothing can be printed on it by mistake.
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        let socket = is_socket(&input);
        if socket {
            tcp::prepare(&input);
        }
        let terminal = make_raw(&input)?;
        let traits = if socket {
            LineTraits::TCP
        } else {
            LineTraits {
                speed: terminal::speed(&input),
                ..LineTraits::PIPE
            }
        };
        let mut line = Line::new(input, output, true)?;
        if socket {
            // A socket that is not TCP has no acknowledgements.
            let _ = line.acknowledge_at_once();
        }
        Ok(Self {
            line,
            traits,
            socket,
            terminal,
        })
    }
}

/// The address that a socket leads to, if it leads over a network.
fn address_of(descriptor: &OwnedFd) -> Option<IpAddr> {
    use std::os::fd::AsRawFd;
    let peer: SockaddrStorage = getpeername(descriptor.as_raw_fd()).ok()?;
    let four = peer.as_sockaddr_in().map(|four| IpAddr::from(four.ip()));
    let six = || peer.as_sockaddr_in6().map(|six| IpAddr::from(six.ip()));
    four.or_else(six).map(|address| address.to_canonical())
}

/// Whether it is a socket; the peer's implementation asks the same question of its standard input.
fn is_socket(descriptor: &OwnedFd) -> bool {
    use std::os::fd::AsRawFd;
    getsockname::<SockaddrStorage>(descriptor.as_raw_fd()).is_ok()
}

/// Whose connection standard input is, if it is one over a network: what inetd and systemd hand over.
#[must_use]
pub fn caller_address() -> Option<IpAddr> {
    address_of(&io::stdin().as_fd().try_clone_to_owned().ok()?)
}

/// Bytes are to pass a terminal unharmed and without echo (`ssh -tt` makes one).
fn make_raw(input: &OwnedFd) -> io::Result<Option<(OwnedFd, Termios)>> {
    let Ok(before) = tcgetattr(input) else {
        return Ok(None);
    };
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    tcsetattr(input, SetArg::TCSANOW, &raw)?;
    Ok(Some((input.try_clone()?, before)))
}

/// Whether standard error is the line to the peer (inetd, a terminal made by ssh): nothing may be printed there then.
#[must_use]
pub fn stderr_is_the_line() -> bool {
    let identity = |descriptor: BorrowedFd<'_>| {
        fstat(descriptor)
            .ok()
            .map(|status| (status.st_dev, status.st_ino, status.st_rdev))
    };
    let stdin = identity(io::stdin().as_fd());
    stdin.is_some() && stdin == identity(io::stderr().as_fd())
}

impl Port for StdioPort {
    fn traits(&self) -> LineTraits {
        self.traits
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.line.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn set_mode(&mut self, mode: LineMode) -> io::Result<()> {
        match &self.terminal {
            Some((terminal, _)) => terminal::set_mode(terminal, mode),
            None => Ok(()),
        }
    }

    fn send_break(&mut self) -> io::Result<()> {
        if let Some((terminal, _)) = &self.terminal {
            tcsendbreak(terminal, 0)?;
        }
        Ok(())
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.line.descriptors()
    }

    fn hang_up(&mut self) {
        if self.socket {
            tcp::close(&mut self.line);
        } else if self.terminal.is_none() {
            // A pipe closed before the other side's last words would be a signal to it, and an error in its log.
            self.line.close_output();
            self.line.drain(CLOSE_LIMIT);
        }
    }
}

impl Drop for StdioPort {
    fn drop(&mut self) {
        if let Some((terminal, before)) = &self.terminal {
            let _ = tcsetattr(terminal, SetArg::TCSADRAIN, before);
        }
    }
}
