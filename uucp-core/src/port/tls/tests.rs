//! Two ends of a connection, and what they make of each other.

mod keys;
mod strangers;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::super::accepted_port;
use super::*;

/// Both ends of a connection.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn patience() -> Patience<'static> {
    Patience {
        deadline: Instant::now() + Duration::from_mins(1),
        interrupt: None,
    }
}

/// Its time is over as soon as nothing is there to be read.
fn no_patience() -> Patience<'static> {
    Patience {
        deadline: Instant::now(),
        interrupt: None,
    }
}

/// What `uucico --certificate` makes.
fn made(name: &str) -> TlsIdentity {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    TlsIdentity::load_or_make(&at("crt"), &at("key"), name, folder.path()).unwrap()
}

fn pin(identity: &TlsIdentity) -> TlsTrust {
    TlsTrust {
        pins: vec![identity.fingerprint()],
        mend: "mend".into(),
        ..TlsTrust::default()
    }
}

/// A call: what the caller and the answerer make of each other.
fn meet(
    caller: (&TlsIdentity, TlsTrust),
    answerer: (&TlsIdentity, TlsTrust),
) -> (Result<TlsPort, TlsFault>, Result<TlsPort, TlsFault>) {
    let (near, far) = sockets();
    thread::scope(|scope| {
        let answer = scope.spawn(|| {
            let line = accepted_port(far).unwrap();
            TlsPort::answer(line, answerer.0, answerer.1, patience())
        });
        let line = accepted_port(near).unwrap();
        let call = TlsPort::call(line, caller.0, caller.1, "hub.example", patience());
        // Who did not come through has hung up; who waits for it hears of it.
        (call, answer.join().unwrap())
    })
}

/// Two that know each other.
fn friends() -> (TlsPort, TlsPort) {
    let (leaf, hub) = (made("leaf"), made("hub"));
    let (call, answer) = meet((&leaf, pin(&hub)), (&hub, pin(&leaf)));
    let (call, answer) = (call.unwrap(), answer.unwrap());
    assert_eq!(call.peer().unwrap().key, hub.fingerprint());
    assert_eq!(answer.peer().unwrap().key, leaf.fingerprint());
    (call, answer)
}

fn fault(result: Result<TlsPort, TlsFault>) -> String {
    match result {
        Ok(_) => panic!("they believe each other"),
        Err(fault) => fault.to_string(),
    }
}

/// What a side reads first.
fn first(port: &mut TlsPort) -> io::Result<PortRead> {
    let mut buffer = [0; 100];
    loop {
        match port.read(&mut buffer) {
            Ok(PortRead::Nothing) => {
                let deadline = Some(Instant::now() + Duration::from_mins(1));
                wait(port.descriptors(), false, None, deadline).unwrap();
            }
            found => return found,
        }
    }
}

/// Writes all of it and hangs up.
fn say(mut port: TlsPort, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() || port.holds().output {
        let count = port.write(rest).unwrap();
        rest = &rest[count..];
        if count == 0 {
            wait(port.descriptors(), true, None, None).unwrap();
        }
    }
    port.hang_up();
}

/// Reads to the end as the engine does: it waits only when the port says that it holds nothing.
fn hear(mut port: TlsPort, buffer: &mut [u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        if !port.holds().input {
            let deadline = Instant::now() + Duration::from_mins(1);
            wait(port.descriptors(), false, None, Some(deadline)).unwrap();
            assert!(Instant::now() < deadline, "it sleeps while bytes are there");
        }
        match port.read(buffer).unwrap() {
            PortRead::Bytes(count) => all.extend_from_slice(&buffer[..count]),
            PortRead::Nothing => {}
            PortRead::HangUp => return all,
        }
    }
}

#[test]
fn everything_arrives_whatever_the_size_of_a_read() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for size in [1000, 16_384, 300_000] {
        let (call, answer) = friends();
        let heard = thread::scope(|scope| {
            scope.spawn(|| say(call, &content));
            hear(answer, &mut vec![0; size])
        });
        assert!(heard == content, "read by {size}: {} bytes", heard.len());
    }
}

#[test]
fn new_keys_in_the_middle_are_used() {
    let (mut call, answer) = friends();
    let heard = thread::scope(|scope| {
        scope.spawn(|| {
            call.write(b"old ").unwrap();
            call.session.refresh_traffic_keys().unwrap();
            say(call, b"new");
        });
        hear(answer, &mut [0; 100])
    });
    assert_eq!(heard, b"old new");
}

/// A line that brings a byte at a time, always at once; it counts them.
struct Trickle(Box<dyn Port>, Arc<AtomicUsize>);

impl Port for Trickle {
    fn traits(&self) -> LineTraits {
        self.0.traits()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let (near, far) = self.0.descriptors();
        wait((near, far), false, None, None)?;
        self.0.read(&mut buffer[..1])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        self.0.descriptors()
    }

    fn hang_up(&mut self) {
        self.0.hang_up();
    }
}

#[test]
fn a_line_that_brings_no_bytes_and_never_stops_is_left_now_and_then() {
    let (mut call, mut answer) = friends();
    let reads = Arc::new(AtomicUsize::new(0));
    answer.line = Box::new(Trickle(answer.line, reads.clone()));
    assert_eq!(call.write(&[b'x'; 1000]).unwrap(), 1000);
    let mut buffer = [0; 2000];
    let mut nothing = 0;
    loop {
        let before = reads.load(Ordering::Relaxed);
        let read = answer.read(&mut buffer).unwrap();
        assert!(reads.load(Ordering::Relaxed) <= before + READS);
        match read {
            PortRead::Nothing => nothing += 1,
            read => {
                assert_eq!(read, PortRead::Bytes(1000));
                break;
            }
        }
    }
    assert!(nothing > 50, "{nothing}");
}

#[test]
fn a_line_that_takes_nothing_takes_only_so_much_into_memory() {
    let (mut call, _answer) = friends();
    let mut taken = 0;
    let piece = vec![0; 100_000];
    loop {
        match call.write(&piece).unwrap() {
            0 => break,
            count => taken += count,
        }
    }
    assert!(call.holds().output && taken > 100_000);
}

#[test]
fn a_cut_is_no_farewell() {
    let (mut call, answer) = friends();
    drop(answer);
    let error = first(&mut call).unwrap_err();
    assert!(
        matches!(TlsFault::in_line(&error), Some(TlsFault::Cut)),
        "{error}"
    );
    // What came before the cut is not lost, and the cut is told after it.
    let (mut call, mut answer) = friends();
    call.write(b"last words").unwrap();
    drop(call);
    assert_eq!(first(&mut answer).unwrap(), PortRead::Bytes(10));
    assert!(first(&mut answer).is_err());
    // The same with something that is no TLS.
    let (mut call, mut answer) = friends();
    call.write(b"word").unwrap();
    call.line.write(&[0; 100]).unwrap();
    assert_eq!(first(&mut answer).unwrap(), PortRead::Bytes(4));
    let error = first(&mut answer).unwrap_err();
    assert!(error.to_string().starts_with("TLS: "), "{error}");
    let (call, mut answer) = friends();
    thread::scope(|scope| {
        scope.spawn(|| say(call, b""));
        assert_eq!(first(&mut answer).unwrap(), PortRead::HangUp);
        answer.hang_up();
    });
}

#[test]
fn a_signal_ends_a_handshake_and_news_of_a_child_does_not() {
    use std::os::fd::AsFd;
    let (leaf, hub) = (made("leaf"), made("hub"));
    let (near, far) = sockets();
    let (mut bell, rung) = std::os::unix::net::UnixStream::pair().unwrap();
    bell.write_all(b"x").unwrap();
    for (ends, told) in [(true, "ended by a signal"), (false, "in time")] {
        let line = accepted_port(far.try_clone().unwrap()).unwrap();
        let ends = || ends;
        let patience = Patience {
            interrupt: Some((rung.as_fd(), &ends)),
            ..no_patience()
        };
        let fault = fault(TlsPort::answer(line, &hub, pin(&leaf), patience));
        assert!(fault.contains(told), "{fault}");
    }
    drop(near);
}
