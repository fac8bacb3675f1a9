//! A port that takes no calls, for tests of what becomes of a call to it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, IntoRawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};

/// A port of 127.0.0.1 that refuses calls as long as this process lives: it is taken, and nobody listens on it.
///
/// One whose listener was closed would do so less surely: somebody else may get its number, and a program that another test
/// starts just then still has a copy of the listener.
pub(crate) fn closed_port() -> u16 {
    let flags = SockFlag::SOCK_CLOEXEC;
    let taken = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let any = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    bind(taken.as_raw_fd(), &any).unwrap();
    let bound: SockaddrIn = getsockname(taken.as_raw_fd()).unwrap();
    let _ = taken.into_raw_fd();
    bound.port()
}
