//! Waiting for calls over TCP, IPv4 and IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use listenfd::ListenFd;
use nix::sys::socket::{Backlog, listen};

use super::tcp::TcpPort;
use super::{Port, PortError};
use crate::config::port::IpVersion;

/// How many connections the system keeps until they are taken. With the standard library's 128 a burst of callers would have
/// some wait a second until their system tries again.
const BACKLOG: i32 = 4096;

/// Sockets that listen on one port number.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
}

/// A connection that has come in, as a port.
///
/// # Errors
/// When the socket cannot be used.
pub fn accepted_port(stream: TcpStream) -> io::Result<Box<dyn Port>> {
    Ok(Box::new(TcpPort::new(stream)?))
}

impl Listener {
    /// Listens on all addresses. A port number that was used a moment ago can be used again.
    ///
    /// # Errors
    /// When no socket can be bound.
    pub fn bind(port: u16, version: Option<IpVersion>) -> Result<Self, PortError> {
        let six = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let wanted: &[SocketAddr] = match version {
            // Where the first takes IPv4 too, the second finds the address in use.
            None => &[six, four],
            Some(IpVersion::V6) => &[six],
            Some(IpVersion::V4) => &[four],
        };
        let mut sockets = Vec::new();
        let mut fault = None;
        for address in wanted {
            // The standard library sets SO_REUSEADDR.
            match TcpListener::bind(address) {
                Ok(socket) => {
                    prepare(&socket).map_err(|source| PortError::Listen { port, source })?;
                    sockets.push(socket);
                }
                Err(error) => fault = Some(error),
            }
            // Port 0 stands for one number that is free, not for one number each.
            if port == 0 && !sockets.is_empty() {
                break;
            }
        }
        match fault {
            Some(source) if sockets.is_empty() => Err(PortError::Listen { port, source }),
            _ => Ok(Self { sockets }),
        }
    }

    /// The number listened on.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let socket = self.sockets.first()?;
        Some(socket.local_addr().ok()?.port())
    }

    /// A connection that is there already.
    #[must_use]
    pub fn try_accept(&self) -> Option<(TcpStream, IpAddr)> {
        self.sockets.iter().find_map(|socket| {
            // A caller that has gone again, or too many open files, is not the end of the server.
            let (stream, address) = socket.accept().ok()?;
            Some((stream, address.ip().to_canonical()))
        })
    }

    /// The sockets that systemd has opened for this process, each by itself.
    ///
    /// # Errors
    /// When one of them is no TCP socket that listens.
    pub fn inherited() -> io::Result<Vec<Self>> {
        let mut given = ListenFd::from_env();
        let mut all = Vec::new();
        for number in 0..given.len() {
            if let Some(socket) = given.take_tcp_listener(number)? {
                socket.set_nonblocking(true)?;
                all.push(Self {
                    sockets: vec![socket],
                });
            }
        }
        Ok(all)
    }

    /// They become readable when somebody calls.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd)
    }
}

fn prepare(socket: &TcpListener) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Once more: that is how the number is changed.
    listen(socket, Backlog::new(BACKLOG)?)?;
    Ok(())
}
