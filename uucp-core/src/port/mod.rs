//! The only IO to the other side: TCP connections, plain and over TLS, serial lines, programs on a pipe, standard input and
//! output.
//!
//! A port knows bytes and readiness, nothing of what they mean. Every descriptor is non-blocking, so a peer that does not
//! read can only cost time that somebody has set a limit to.

mod child;
#[cfg(test)]
pub(crate) mod closed;
mod line;
mod listen;
mod pipe;
mod serial;
mod stdio;
mod tcp;
mod terminal;
mod tls;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use thiserror::Error;

pub use child::spawn;
pub use line::{wait, wait_for};
pub use listen::{Listener, accepted_port};
pub use pipe::PipePort;
pub use serial::{SerialPort, SerialTarget, device_path};
pub use stdio::{StdioPort, caller_address, stderr_is_the_line};
pub use tcp::{TcpTarget, connect, service_number};
pub use tls::{Patience, TLS_HANDSHAKE, TlsFault, TlsIdentity, TlsPeer, TlsPort, TlsTrust};

use crate::link::{LineMode, LinkTraits};

/// What a line is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTraits {
    /// All eight bits of a byte pass.
    pub eight_bit: bool,
    /// Bytes are neither lost nor damaged.
    pub reliable: bool,
    /// It is reliable from one end to the other, flow control included: TCP.
    pub end_to_end: bool,
    /// Bits per second of a terminal, as it is set.
    pub speed: Option<u32>,
}

impl LineTraits {
    /// A TCP connection.
    pub const TCP: Self = Self {
        eight_bit: true,
        reliable: true,
        end_to_end: true,
        speed: None,
    };
    /// A pipe or anything else that is not told to be worse.
    pub const PIPE: Self = Self {
        eight_bit: true,
        reliable: true,
        end_to_end: false,
        speed: None,
    };

    /// What is left when somebody who knows the line says that it carries seven bits only, or says whether it is reliable.
    #[must_use]
    pub fn limited(self, seven_bit: bool, reliable: Option<bool>) -> Self {
        let reliable = self.reliable && reliable.unwrap_or(true);
        let eight_bit = self.eight_bit && !seven_bit;
        Self {
            eight_bit,
            reliable,
            end_to_end: self.end_to_end && reliable && eight_bit,
            speed: self.speed,
        }
    }

    /// Whether a link protocol can live on this line.
    #[must_use]
    pub fn satisfy(self, needs: LinkTraits) -> bool {
        (self.eight_bit || !needs.needs_eight_bit)
            && (self.reliable || !needs.needs_reliable)
            && (self.end_to_end || !needs.needs_end_to_end)
    }
}

/// What [`Port::read`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortRead {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The other side has hung up.
    HangUp,
}

/// Which of the two directions can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// Something can be read, or the end can be seen.
    pub readable: bool,
    /// Something can be written, or an error can be seen.
    pub writable: bool,
    /// The third descriptor can be read.
    pub interrupted: bool,
}

/// What a port has taken in and not yet given out: `poll(2)` knows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Something can be read without a wait.
    pub input: bool,
    /// Something that was written still has to leave; an empty write moves it.
    pub output: bool,
}

/// A line to the other side.
pub trait Port: Send {
    /// What the line is good for.
    fn traits(&self) -> LineTraits;

    /// Reads what is there.
    ///
    /// # Errors
    /// When the line fails; a reset connection is a hang-up, not an error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead>;

    /// Writes as much as the line takes now; 0 when it takes nothing.
    ///
    /// # Errors
    /// When the line fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends a break, where the line knows such a thing.
    ///
    /// # Errors
    /// When the line fails.
    fn send_break(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Sets a terminal as a link needs it; other lines are as they are.
    ///
    /// # Errors
    /// When the terminal cannot be set.
    fn set_mode(&mut self, mode: LineMode) -> io::Result<()> {
        let _ = mode;
        Ok(())
    }

    /// Waits for carrier and has the line end with it, or, when false, no longer. Lines that know no carrier are as wanted.
    ///
    /// # Errors
    /// When carrier has not come in time, or `interrupt` could be read before.
    fn require_carrier(
        &mut self,
        required: bool,
        interrupt: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let _ = (required, interrupt);
        Ok(())
    }

    /// What waits in the port itself.
    fn holds(&self) -> Held {
        Held::default()
    }

    /// Whether the descriptors carry the bytes as they are read and written here, so that a chat program can use them.
    fn is_plain(&self) -> bool {
        true
    }

    /// The descriptors for reading and writing, for a chat program to inherit.
    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>);

    /// Ends the connection in an orderly way: what was written arrives. Takes a second or two at most when the other side
    /// does not do its part.
    fn hang_up(&mut self);

    /// The other side has said its last word: hanging up need not wait for it.
    fn expect_nothing(&mut self) {}
}

/// Why a port could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// The address or the service is not known.
    #[error("{0}")]
    Address(String),
    /// No address answered; the reason of the last.
    #[error("connect to {target}: {source}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The program cannot be started.
    #[error("cannot run {program}: {source}")]
    Program {
        /// Its name.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Standard input or output cannot be used.
    #[error("standard input: {0}")]
    Stdio(io::Error),
    /// A device that cannot be opened as a serial line.
    #[error("{}: {source}", .device.display())]
    Device {
        /// Its file.
        device: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A speed that serial lines do not have.
    #[error("{}: no serial line runs at {speed} bits per second", .device.display())]
    Speed {
        /// The device's file.
        device: PathBuf,
        /// What was asked for.
        speed: u32,
    },
    /// One side does not believe the other.
    #[error("port '{port}': {fault}")]
    Tls {
        /// The port's name.
        port: String,
        /// Why.
        fault: TlsFault,
    },
    /// Another program uses the port.
    #[error("{reason}")]
    Locked {
        /// What is in use, and the lock that says so.
        reason: String,
        /// The number of its process, where known.
        holder: Option<i32>,
    },
    /// What the configuration says of the port cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// A port that cannot be listened on.
    #[error("listen on port {port}: {source}")]
    Listen {
        /// The port's number.
        port: u16,
        /// What the operating system said.
        source: io::Error,
    },
    /// A kind of port that this program cannot open.
    #[error("ports of type {0} cannot be opened by this version")]
    Unsupported(&'static str),
}

#[cfg(test)]
mod tests;
