//! Our end of the socket over which a command says that its job is done and gets another: see [`super::series`].

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use super::series::{self, DONE};

/// The socket of one command.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Listening(UnixListener),
    Connected(UnixStream),
}

/// What the command has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing yet.
    Nothing,
    /// Its job is done.
    Done,
    /// It will not say anything any more.
    Gone,
}

impl Line {
    /// A socket under a name that the system picks, in its own list of names, not in a folder.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&socket, &SocketAddrUnix::new_unnamed())?;
        listen(&socket, 1)?;
        let listener = UnixListener::from(socket);
        let address = listener.local_addr()?;
        let name = address
            .as_abstract_name()
            .and_then(|name| std::str::from_utf8(name).ok())
            .ok_or(io::ErrorKind::AddrNotAvailable)?
            .to_owned();
        let state = State::Listening(listener);
        Ok(Self { name, state })
    }

    /// What the command's environment says of it.
    pub(super) fn variable(&self, lock: i32) -> String {
        format!("{} {lock} {}", self.name, series::VERSION)
    }

    /// What is readable when the command says something.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.state {
            State::Listening(listener) => listener.as_fd(),
            State::Connected(stream) => stream.as_fd(),
        }
    }

    /// Takes what the command, process `pid`, has said. Anybody on this machine could connect: others are hung up on.
    pub(super) fn hear(&mut self, pid: Pid) -> Said {
        match &mut self.state {
            State::Listening(listener) => {
                let Ok((stream, _)) = listener.accept() else {
                    return Said::Nothing;
                };
                let is_child = getsockopt(&stream, PeerCredentials)
                    .is_ok_and(|peer| peer.pid() == pid.as_raw());
                if is_child {
                    self.state = State::Connected(stream);
                }
                Said::Nothing
            }
            State::Connected(stream) => {
                let mut word = [0];
                match stream.read(&mut word) {
                    Ok(1) if word == [DONE] => Said::Done,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => Said::Nothing,
                    _ => Said::Gone,
                }
            }
        }
    }

    /// Hands the next job over.
    pub(super) fn send(
        &self,
        job: &[u8],
        input: BorrowedFd<'_>,
        lock: BorrowedFd<'_>,
    ) -> io::Result<()> {
        match &self.state {
            State::Connected(stream) => series::send(stream, job, input, lock),
            State::Listening(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::SocketAddr;

    use super::*;

    fn connect(line: &Line) -> UnixStream {
        UnixStream::connect_addr(&SocketAddr::from_abstract_name(&line.name).unwrap()).unwrap()
    }

    #[test]
    fn the_command_is_heard() {
        let mut line = Line::open().unwrap();
        let me = Pid::this();
        assert_eq!(line.hear(me), Said::Nothing);
        let mut stream = connect(&line);
        assert_eq!(line.hear(me), Said::Nothing);
        stream.write_all(&[DONE]).unwrap();
        assert_eq!(line.hear(me), Said::Done);
        drop(stream);
        assert_eq!(line.hear(me), Said::Gone);
    }

    #[test]
    fn nobody_else_is_heard() {
        let mut line = Line::open().unwrap();
        let mut stream = connect(&line);
        stream.write_all(&[DONE]).unwrap();
        assert_eq!(line.hear(Pid::from_raw(1)), Said::Nothing);
        assert_eq!(line.hear(Pid::from_raw(1)), Said::Nothing);
        // Hung up on, with a word unread.
        assert!(stream.read(&mut [0]).is_ok_and(|count| count == 0) || stream.write(&[0]).is_err());
        let nothing = tempfile::tempfile().unwrap();
        assert!(line.send(b"", nothing.as_fd(), nothing.as_fd()).is_err());
    }

    #[test]
    fn words_of_another_kind_end_it() {
        let mut line = Line::open().unwrap();
        let mut stream = connect(&line);
        line.hear(Pid::this());
        stream.write_all(b"x").unwrap();
        assert_eq!(line.hear(Pid::this()), Said::Gone);
    }
}
