//! A receiver's end of the socket over which `uuxqt` gives one job after the other: see [`crate::execute::series`].

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::getppid;

use crate::execute::series::{self, DONE, Incoming, NextJob};

/// Further jobs, one after the other.
#[derive(Debug)]
pub struct Series {
    name: String,
    stream: Option<UnixStream>,
    lock: Option<Lock>,
}

/// The lock of the job in hand. It is let go after the answer: should `uuxqt` be gone by then, nobody starts the job
/// again before it is done.
#[derive(Debug)]
enum Lock {
    /// It came with the process, under this number.
    Inherited(i32),
    Passed(OwnedFd),
}

impl Series {
    /// What the environment says of it, in the value of [`series::VARIABLE`].
    #[must_use]
    pub fn from_variable(value: Option<&OsStr>) -> Option<Self> {
        let (name, lock) = series::parse_variable(value?)?;
        Some(Self {
            name,
            stream: None,
            lock: Some(Lock::Inherited(lock)),
        })
    }
}

/// Each step says that the job in hand is done, and waits for the next, with its standard input.
impl Iterator for Series {
    type Item = (NextJob, File);

    fn next(&mut self) -> Option<Self::Item> {
        let mut stream = self.stream.take().or_else(|| connect(&self.name))?;
        stream.write_all(&[DONE]).ok()?;
        match self.lock.take() {
            // Nobody else here knows of it.
            Some(Lock::Inherited(number)) => drop(nix::unistd::close(number)),
            Some(Lock::Passed(descriptor)) => drop(descriptor),
            None => {}
        }
        let Incoming { job, input, lock } = series::receive(&stream).ok()??;
        self.lock = Some(Lock::Passed(lock));
        self.stream = Some(stream);
        Some((job, input))
    }
}

/// Only to who has started us: under a name that was another's once, nobody else gets our mail.
fn connect(name: &str) -> Option<UnixStream> {
    let address = SocketAddr::from_abstract_name(name).ok()?;
    let stream = UnixStream::connect_addr(&address).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?;
    (peer.pid() == getppid().as_raw()).then_some(stream)
}
