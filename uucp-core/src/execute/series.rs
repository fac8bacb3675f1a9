//! Several jobs by one process: what `uuxqt` and a command that can say to each other.
//!
//! To start a process costs more than to take a small message. So `uuxqt` names a socket in the environment of a command
//! ([`VARIABLE`]). A command that knows nothing of it does its job and ends, as ever. One that does connects when its job
//! has succeeded, says [`DONE`], and waits: `uuxqt` sends the next job of the same command from the same system, or hangs
//! up, and then the command ends. So every job has its own answer; a job without an answer is not done, whatever the
//! status that the process leaves.
//!
//! A job is a length (4 bytes, highest first) and so many bytes: the user, the job's name, what tells its execute file from
//! others of that name, and the command's words, each ended by a NUL. With the length go two descriptors: the job's standard input, and its lock, which the command keeps open
//! until it has answered.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The variable that names the socket, then the number of the descriptor that is the first job's lock, then [`VERSION`],
/// with blanks between.
pub const VARIABLE: &str = "BANGPATH_NEXT";

/// How jobs are written. A command that expects another does one job, as ever: an installation may be half done.
pub const VERSION: &str = "2";

/// What a command says when a job is done.
pub const DONE: u8 = b'.';

/// The longest job, in bytes: what a socket takes without waiting.
const LONGEST: usize = 64 * 1024;

/// What differs from one job to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextJob {
    /// The user whom the other system named.
    pub user: OsString,
    /// The execute file's name.
    pub job: OsString,
    /// What tells the execute file from any other of its name.
    pub instance: OsString,
    /// The command's words behind its name.
    pub words: Vec<OsString>,
}

impl NextJob {
    /// Its bytes; `None` where it is too long for the socket.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let named = [&self.user, &self.job, &self.instance];
        for part in named.into_iter().chain(&self.words) {
            if part.as_bytes().contains(&0) {
                return None;
            }
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        (bytes.len() <= LONGEST).then_some(bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes
            .strip_suffix(b"\0")?
            .split(|byte| *byte == 0)
            .map(|part| OsString::from_vec(part.to_vec()));
        Some(Self {
            user: parts.next()?,
            job: parts.next()?,
            instance: parts.next()?,
            words: parts.collect(),
        })
    }
}

/// A job as a command gets it.
#[derive(Debug)]
pub struct Incoming {
    /// The job.
    pub job: NextJob,
    /// Its standard input.
    pub input: File,
    /// Its lock, to be kept open until it is answered.
    pub lock: OwnedFd,
}

/// Sends a job.
///
/// # Errors
/// When the command is gone: then it has not seen the whole job, and will not do it.
pub fn send(
    mut stream: &UnixStream,
    job: &[u8],
    input: BorrowedFd<'_>,
    lock: BorrowedFd<'_>,
) -> io::Result<()> {
    let length = u32::try_from(job.len()).map_err(io::Error::other)?;
    let length = length.to_be_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let passed = [input, lock];
    let mut descriptors = SendAncillaryBuffer::new(&mut space);
    descriptors.push(SendAncillaryMessage::ScmRights(&passed));
    let sent = sendmsg(
        stream.as_fd(),
        &[IoSlice::new(&length)],
        &mut descriptors,
        SendFlags::NOSIGNAL,
    )?;
    stream.write_all(length.get(sent..).unwrap_or_default())?;
    stream.write_all(job)
}

/// Waits for the next job; `None`: there is none.
///
/// # Errors
/// When it does not come whole.
pub fn receive(mut stream: &UnixStream) -> io::Result<Option<Incoming>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut descriptors = RecvAncillaryBuffer::new(&mut space);
    let count = loop {
        match recvmsg(
            stream.as_fd(),
            &mut [IoSliceMut::new(&mut length)],
            &mut descriptors,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Ok(received) => break received.bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if count == 0 {
        return Ok(None);
    }
    stream.read_exact(length.get_mut(count..).unwrap_or_default())?;
    let mut passed = descriptors
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten();
    let (Some(input), Some(lock)) = (passed.next(), passed.next()) else {
        return Err(invalid("a job without its descriptors"));
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(invalid("a job that is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    let job = NextJob::parse(&bytes).ok_or_else(|| invalid("a job without its names"))?;
    Ok(Some(Incoming {
        job,
        input: File::from(input),
        lock,
    }))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The socket's name and the first lock's number, from the variable's value.
#[must_use]
pub fn parse_variable(value: &OsStr) -> Option<(String, i32)> {
    let (name, rest) = value.to_str()?.split_once(' ')?;
    let lock = rest.strip_suffix(VERSION)?.strip_suffix(' ')?;
    let lock = lock.parse().ok().filter(|number| *number > 2)?;
    Some((name.to_owned(), lock))
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    fn job(words: &[&str]) -> NextJob {
        NextJob {
            user: "bob".into(),
            job: "X.leafN0001".into(),
            instance: "X.leafN0001:7:5.000000001".into(),
            words: words.iter().map(OsString::from).collect(),
        }
    }

    #[test]
    fn a_job_arrives_with_its_descriptors() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"mail").unwrap();
        input.rewind().unwrap();
        let lock = tempfile::tempfile().unwrap();
        lock.lock().unwrap();
        for words in [&["a!b", "", "c@d"][..], &[], &[""]] {
            let bytes = job(words).to_bytes().unwrap();
            send(&here, &bytes, input.as_fd(), lock.as_fd()).unwrap();
            let mut incoming = receive(&there).unwrap().unwrap();
            assert_eq!(incoming.job, job(words));
            let mut text = String::new();
            incoming.input.read_to_string(&mut text).unwrap();
            assert_eq!(text, "mail");
            incoming.input.rewind().unwrap();
            // The same open file, not another one that would have to wait for the lock.
            File::from(incoming.lock).try_lock().unwrap();
        }
        drop(here);
        assert!(receive(&there).unwrap().is_none());
    }

    #[test]
    fn what_is_no_job_is_an_error() {
        let nothing = tempfile::tempfile().unwrap();
        let long = vec![b'x'; LONGEST + 1];
        for bytes in [&b""[..], b"user\0", b"user\0job", b"user\0job\0", &long] {
            let (here, there) = UnixStream::pair().unwrap();
            send(&here, bytes, nothing.as_fd(), nothing.as_fd()).unwrap();
            drop(here);
            assert!(receive(&there).is_err(), "{}", bytes.len());
        }
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"\0\0\0\x09u\0j\0i\0w\0").unwrap();
        assert!(receive(&there).is_err());
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"\0\0").unwrap();
        drop(here);
        assert!(receive(&there).is_err());
    }

    #[test]
    fn a_job_that_does_not_fit_is_not_for_the_socket() {
        let long = "x".repeat(LONGEST);
        assert_eq!(job(&[&long]).to_bytes(), None);
        assert_eq!(job(&["a\0b"]).to_bytes(), None);
    }

    #[test]
    fn the_variable_names_socket_and_lock() {
        let parsed = |text: &str| parse_variable(OsStr::new(text));
        assert_eq!(parsed("bangpath-1 7 2"), Some(("bangpath-1".to_owned(), 7)));
        // The last but one is of a uuxqt that writes jobs otherwise.
        for wrong in [
            "",
            "name",
            "name x 2",
            "name 2 2",
            "name -1 2",
            "name 7",
            "name 7 3",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
