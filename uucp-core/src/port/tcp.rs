//! TCP connections: every address of the host is tried, nothing is left waiting for Nagle.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};

use super::line::Line;
use super::{LineTraits, Port, PortError, PortRead};
use crate::config::port::IpVersion;

/// How long one address may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long the other side may take to close after us.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTarget {
    /// A host name or address, perhaps with `:service` after it.
    pub host: String,
    /// The service's name or number.
    pub service: String,
    /// Only this version of IP.
    pub version: Option<IpVersion>,
}

/// Connects to the first address that answers.
///
/// # Errors
/// When the host or service is unknown, or no address answers.
pub fn connect(target: &TcpTarget) -> Result<Box<dyn Port>, PortError> {
    let number = service_number(&target.service)?;
    let shown = format!("{} port {number}", target.host);
    let fault = |source| PortError::Connect {
        target: shown.clone(),
        source,
    };
    let addresses = (target.host.as_str(), number)
        .to_socket_addrs()
        .map_err(fault)?;
    let wanted = addresses.filter(|address| fits(address, target.version));
    let stream = connect_to_first(wanted).map_err(fault)?;
    Ok(Box::new(TcpPort::new(stream).map_err(fault)?))
}

/// The first of the addresses that answers.
fn connect_to_first(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "no address of the wanted IP version",
    );
    for address in addresses {
        tracing::debug!(target: "uucp::port", %address, "connecting");
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                tracing::debug!(target: "uucp::port", %address, %error, "not connected");
                last = error;
            }
        }
    }
    Err(last)
}

fn fits(address: &SocketAddr, version: Option<IpVersion>) -> bool {
    match version {
        None => true,
        Some(IpVersion::V4) => address.is_ipv4(),
        Some(IpVersion::V6) => address.is_ipv6(),
    }
}

/// The number of a service: a number, a name in `/etc/services`, or `uucp` and `suucp` (over TLS), which are 540 and 4031
/// everywhere.
///
/// # Errors
/// When the name is unknown.
pub fn service_number(service: &str) -> Result<u16, PortError> {
    if let Ok(number) = service.parse() {
        return Ok(number);
    }
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let found = services
        .lines()
        .find_map(|line| named_service(line, service));
    match found {
        Some(number) => Ok(number),
        None if service == "uucp" => Ok(540),
        None if service == "suucp" => Ok(4031),
        None => Err(PortError::Address(format!(
            "the TCP service '{service}' is unknown; write its number instead"
        ))),
    }
}

/// `name number/tcp alias...`
fn named_service(line: &str, wanted: &str) -> Option<u16> {
    let line = line.split('#').next()?;
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let number = words.next()?.strip_suffix("/tcp")?;
    let fits = name == wanted || words.any(|alias| alias == wanted);
    fits.then(|| number.parse().ok()).flatten()
}

/// What every socket to a peer is told: send at once, notice a peer that is gone.
pub(super) fn prepare(socket: &impl std::os::fd::AsFd) {
    // A socket that is not TCP (a Unix socket as standard input) has no such options, and needs none.
    let _ = setsockopt(socket, sockopt::TcpNoDelay, &true);
    let _ = setsockopt(socket, sockopt::KeepAlive, &true);
}

/// Half-closes, so that what was written arrives before the connection is gone: closing with unread input would reset it.
pub(super) fn close(line: &mut Line) {
    end_output(line);
    line.drain(CLOSE_LIMIT);
}

fn end_output(line: &Line) {
    let (_, output) = line.descriptors();
    let _ = shutdown(output.as_raw_fd(), Shutdown::Write);
}

/// A connection.
#[derive(Debug)]
pub(super) struct TcpPort {
    line: Line,
    nothing_follows: bool,
}

impl TcpPort {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        prepare(&stream);
        let input = OwnedFd::from(stream);
        let output = input.try_clone()?;
        let mut line = Line::new(input, output, false)?;
        line.acknowledge_at_once()?;
        Ok(Self {
            line,
            nothing_follows: false,
        })
    }
}

impl Port for TcpPort {
    fn traits(&self) -> LineTraits {
        LineTraits::TCP
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.line.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.write(bytes)
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.line.descriptors()
    }

    fn hang_up(&mut self) {
        if !self.nothing_follows {
            return close(&mut self.line);
        }
        end_output(&self.line);
        let mut buffer = [0; 1024];
        // Of what is left unread the system would tell the peer, who could take it for a lost line.
        for _ in 0..64 {
            if !matches!(self.line.read(&mut buffer), Ok(PortRead::Bytes(_))) {
                break;
            }
        }
    }

    fn expect_nothing(&mut self) {
        self.nothing_follows = true;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::super::closed::closed_port;
    use super::*;

    #[test]
    fn who_does_not_wait_is_heard_to_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut port = TcpPort::new(stream).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        // Something that was not read does no harm.
        peer.write_all(&[7; 5000]).unwrap();
        port.write(b"the last word").unwrap();
        port.expect_nothing();
        port.hang_up();
        drop(port);
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"the last word");
    }

    #[test]
    fn the_next_address_is_tried_where_one_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], closed_port()));
        let stream = connect_to_first([nobody, there].into_iter()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        let refused = connect_to_first([nobody].into_iter()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect_to_first([].into_iter()).is_err());
    }
}
