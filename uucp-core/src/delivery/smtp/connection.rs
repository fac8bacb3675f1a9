//! The bytes of a session: over TCP, over a unix socket, or to a program's standard input and from its standard output.
//!
//! Every descriptor is non-blocking and every wait has an end. While the server does not read, what it says is heard, so the
//! two can never wait for each other.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};

use super::Peer;
use super::broken::Broken;
use crate::config::mail::{HostPort, ServerAddress};
use crate::delivery::child::Dialogue;

/// How long one address may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Most bytes of replies that are held before they are looked at.
const RECEIVED_LIMIT: usize = 1024 * 1024;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    input: File,
    output: File,
    program: Option<Dialogue>,
    is_tcp: bool,
    /// Something was heard since something was last said.
    has_heard: bool,
    received: Vec<u8>,
}

impl Connection {
    /// Connects, or starts the program.
    pub(super) fn open(peer: &Peer, scratch: &Path, deadline: Instant) -> Result<Self, Broken> {
        let (input, output, program) = match peer {
            Peer::Server(ServerAddress::Tcp(target)) => both_ways(connect_tcp(target, deadline)?),
            Peer::Server(ServerAddress::Unix(path)) => both_ways(connect_unix(path)?),
            Peer::Program { command, .. } => Dialogue::start(command, &["-bs"], scratch)
                // What it reads is what is written here.
                .map(|(dialogue, input, output)| (output, input, Some(dialogue)))
                .map_err(|e| Broken::new(format!("cannot run {}: {e}", command.display()))),
        }?;
        let connection = Self {
            input: input.into(),
            output: output.into(),
            program,
            is_tcp: matches!(peer, Peer::Server(ServerAddress::Tcp(_))),
            has_heard: false,
            received: Vec::new(),
        };
        for descriptor in [&connection.input, &connection.output] {
            set_nonblocking(descriptor)
                .map_err(|e| Broken::new(format!("cannot set up the connection: {e}")))?;
        }
        Ok(connection)
    }

    /// What was received and not yet taken.
    pub(super) fn received(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    /// Waits for more, until `deadline`.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<(), Broken> {
        loop {
            self.acknowledge();
            let mut wanted = [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            wait(&mut wanted, deadline, "answered")?;
            if self.read_available()? {
                return Ok(());
            }
        }
    }

    /// A server that writes the replies to pipelined commands one by one, with Nagle's algorithm on, holds the second back
    /// until the first is acknowledged, which takes 40 ms unless we ask for less; the system forgets that we did. The last
    /// reply needs no such haste: what is said next acknowledges it.
    fn acknowledge(&self) {
        if self.is_tcp && self.has_heard {
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.input, true);
        }
    }

    /// Sends all of `bytes`; meanwhile what the server says is received.
    pub(super) fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match self.output.write(bytes) {
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    self.has_heard = false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.wait_for_room(deadline)?,
                Err(e) => {
                    // It may have said why, before it hung up.
                    let _ = self.read_available();
                    return Err(broken_by(&e));
                }
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self, deadline: Instant) -> Result<(), Broken> {
        let mut wanted = [
            PollFd::new(self.output.as_fd(), PollFlags::POLLOUT),
            PollFd::new(self.input.as_fd(), PollFlags::POLLIN),
        ];
        wait(&mut wanted, deadline, "read on")?;
        let speaks = wanted
            .get(1)
            .and_then(PollFd::revents)
            .is_some_and(|events| !events.is_empty());
        if speaks {
            self.read_available()?;
        }
        Ok(())
    }

    /// Reads once; whether there was something.
    fn read_available(&mut self) -> Result<bool, Broken> {
        let mut block = [0; 4096];
        match self.input.read(&mut block) {
            Ok(0) => Err(Broken::new("the server hung up")),
            Ok(count) => {
                self.has_heard = true;
                self.received
                    .extend_from_slice(block.get(..count).unwrap_or_default());
                if self.received.len() > RECEIVED_LIMIT {
                    return Err(Broken::new("the server says more than it was asked"));
                }
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                Ok(false)
            }
            Err(e) => Err(broken_by(&e)),
        }
    }

    /// A polite end; nothing depends on it, so nothing waits for it.
    pub(super) fn bid_farewell(&mut self) {
        let _ = self.output.write(b"QUIT\r\n");
    }

    /// What the program complained about, where there is one.
    pub(super) fn complaint(&self) -> Option<String> {
        self.program.as_ref().map(Dialogue::said)
    }

    /// Kills the program, where there is one: it has not kept to its time.
    pub(super) fn kill(&mut self) {
        if let Some(program) = &mut self.program {
            program.kill();
        }
    }
}

type Ends = (OwnedFd, OwnedFd, Option<Dialogue>);

fn both_ways(socket: OwnedFd) -> Result<Ends, Broken> {
    let output = socket
        .try_clone()
        .map_err(|e| Broken::new(format!("cannot set up the connection: {e}")))?;
    Ok((socket, output, None))
}

/// Tries every address of the host.
fn connect_tcp(target: &HostPort, deadline: Instant) -> Result<OwnedFd, Broken> {
    let addresses = (target.host.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|e| Broken::new(format!("cannot look up {}: {e}", target.host)))?;
    let mut last = Broken::new(format!("{} has no address", target.host));
    for address in addresses {
        let limit = CONNECT_LIMIT.min(time_left(deadline)?);
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                // Small commands must not wait for acknowledgements.
                let _ = stream.set_nodelay(true);
                return Ok(stream.into());
            }
            // Whoever tells of it names the server; which of its addresses this is may be worth a word.
            Err(error) if address.ip().to_string() == target.host => {
                last = Broken::new(format!("cannot connect: {error}"));
            }
            Err(error) => last = Broken::new(format!("cannot connect to {address}: {error}")),
        }
    }
    Err(last)
}

/// A unix socket answers at once or not at all: one whose queue is full would otherwise be waited for without end.
fn connect_unix(path: &Path) -> Result<OwnedFd, Broken> {
    let failed = |error: Errno| {
        let error = match error {
            Errno::EAGAIN => "it is busy".to_owned(),
            other => io::Error::from(other).to_string(),
        };
        Broken::new(format!("cannot connect: {error}"))
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .map_err(failed)?;
    let address = UnixAddr::new(path).map_err(failed)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address).map_err(failed)?;
    Ok(socket)
}

fn set_nonblocking(descriptor: &File) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| ())
}

/// Waits until one of them is ready. `missing` says what the server did not do where none is in time.
fn wait(wanted: &mut [PollFd<'_>], deadline: Instant, missing: &str) -> Result<(), Broken> {
    loop {
        let late = || Broken::late(missing);
        let left = time_left(deadline).map_err(|_| late())?;
        // Rounded up: a wait of nothing would turn in circles.
        let left =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(wanted, left) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(broken_by(&error.into())),
        }
    }
}

fn time_left(deadline: Instant) -> Result<Duration, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Broken::late("answered"));
    }
    Ok(left)
}

fn broken_by(error: &io::Error) -> Broken {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Broken::new("the server hung up"),
        _ => Broken::new(format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_others_follow_is_acknowledged_at_once() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        let peer = Peer::Server(ServerAddress::Tcp(address.parse().unwrap()));
        let deadline = Instant::now() + Duration::from_mins(2);
        let mut connection = Connection::open(&peer, Path::new("/"), deadline).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        // Else the second reply would wait until the system acknowledges the first by itself, and then knows better.
        accepted.set_nodelay(true).unwrap();
        // Of a side that has answered several times the system takes it that it always will.
        for _ in 0..20 {
            for is_more in [false, true] {
                accepted.write_all(b"250 ok\r\n").unwrap();
                connection.receive(deadline).unwrap();
                let is_at_once = rustix::net::sockopt::tcp_quickack(&connection.input).unwrap();
                assert!(is_at_once || !is_more);
            }
            connection.send(b"NOOP\r\n", deadline).unwrap();
            accepted.read_exact(&mut [0; 6]).unwrap();
        }
    }
}
