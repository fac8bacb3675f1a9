//! A chat program on an encrypted line: it gets a socket of its own, and a thread carries the bytes between that and the line.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::port::{Port, PortRead, wait};

/// How much is carried at a time.
const PIECE: usize = 16 * 1024;
/// How long the line may refuse to take a single byte.
const STUCK: Duration = Duration::from_mins(2);

/// What is left when the program has ended.
#[derive(Debug, Default)]
pub(super) struct Leavings {
    /// Bytes of the line that it has not read: the next words of the other side.
    pub(super) unread: Vec<u8>,
    /// Why the line went meanwhile, if it did and it is known.
    pub(super) fault: Option<io::Error>,
}

/// Runs `program` with a socket that stands for the line.
///
/// # Errors
/// When there can be no such socket.
pub(super) fn beside<T>(
    port: &mut dyn Port,
    program: impl FnOnce(BorrowedFd<'_>) -> T,
) -> io::Result<(T, Leavings)> {
    let (its, ours) = UnixStream::pair()?;
    let mut late = Vec::new();
    let (done, fault) = std::thread::scope(|scope| {
        let relay = scope.spawn(|| carry(port, ours, &mut late));
        let done = program(its.as_fd());
        // Whoever the program has left behind can neither read nor write any more. What is there already can be read.
        let shut = its.shutdown(Shutdown::Both);
        let carried = relay.join().unwrap_or(Ok(()));
        (done, shut.and(carried).err())
    });
    let mut unread = Vec::new();
    (&its).read_to_end(&mut unread)?;
    unread.append(&mut late);
    Ok((done, Leavings { unread, fault }))
}

/// Carries bytes until the program has no more; `late` are those of the line that came when it had just ended.
fn carry(port: &mut dyn Port, mut ours: UnixStream, late: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut line = Ok(true);
    while matches!(line, Ok(true)) {
        let held = port.holds();
        let mut readable = held.input;
        if !readable {
            let ready = wait(port.descriptors(), held.output, Some(ours.as_fd()), None)?;
            if ready.interrupted {
                let count = ours.read(&mut buffer)?;
                if count == 0 {
                    return Ok(());
                }
                line = send(port, buffer.get(..count).unwrap_or_default()).map(|()| true);
                continue;
            }
            if ready.writable {
                line = port.write(&[]).map(|_| true);
            }
            readable = ready.readable && line.is_ok();
        }
        if readable {
            line = port.read(&mut buffer).map(|read| match read {
                PortRead::Bytes(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    late.extend_from_slice(hand_on(&mut ours, bytes));
                    true
                }
                PortRead::Nothing => true,
                PortRead::HangUp => false,
            });
        }
    }
    // The program sees the end of the line; what it says now is for nobody.
    let _ = ours.shutdown(Shutdown::Write);
    while ours.read(&mut buffer)? > 0 {}
    line.map(drop)
}

/// Gives bytes to the program; those are left that it does not take because it has ended.
fn hand_on<'b>(ours: &mut UnixStream, bytes: &'b [u8]) -> &'b [u8] {
    let mut rest = bytes;
    while !rest.is_empty() {
        match ours.write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    rest
}

/// Writes all of it.
fn send(port: &mut dyn Port, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    let deadline = Instant::now() + STUCK;
    loop {
        let count = port.write(rest)?;
        rest = rest.get(count..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if count == 0 {
            wait(port.descriptors(), true, None, Some(deadline))?;
        }
    }
}
