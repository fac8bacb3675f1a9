//! A line that takes nothing, and one that is told to break.

mod pressure;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use super::*;
use crate::config::Config;
use crate::config::chat::{Chat, Exchange, Expect, SendItem};
use crate::conversation::ChatWords;
use crate::engine::line::LineInfo;
use crate::link::CallRole;
use crate::port::{LineTraits, PortRead, accepted_port};
use crate::spool::Journal;
use crate::spool::tests::TestSpool;

/// Sends these things, then waits for a word.
fn script(send: Vec<SendItem>) -> Conversation {
    let exchange = |pattern: &[u8], send| Exchange {
        expect: vec![Expect {
            pattern: pattern.to_vec(),
            timeout: None,
            subsend: None,
        }],
        send,
    };
    let chat = Chat {
        script: vec![exchange(b"", send), exchange(b"thanks", Vec::new())],
        ..Chat::none()
    };
    Conversation::script(Instant::now(), chat, ChatWords::default())
}

/// Runs the script over a line.
fn run(port: &mut dyn Port, send: Vec<SendItem>, patience: Patience) -> Result<(), String> {
    let test = TestSpool::new();
    let at = |name: &str| test.folder().join(name);
    std::fs::write(at("config"), "nodename alpha\n").unwrap();
    let config = Config::load(Some(&at("config"))).unwrap();
    let line = LineInfo {
        name: "out".to_owned(),
        traits: port.traits(),
        protocols: None,
        parameters: Vec::new(),
        half_duplex: false,
    };
    let journal = Journal::open_at("uucico", &at("Log"), &at("Stats"));
    let mut desk = Desk::new(&config, test.spool.clone(), journal, CallRole::Caller, line);
    let mut driver = Driver::new(port, script(send), None);
    driver.patience = patience;
    driver.run(&mut desk).map_err(|error| error.to_string())
}

/// More than what two sockets of this machine keep for each other.
fn much() -> Vec<SendItem> {
    vec![SendItem::Bytes(vec![b'x'; 32 << 20])]
}

fn sockets() -> (Box<dyn Port>, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = accepted_port(listener.accept().unwrap().0).unwrap();
    (port, far)
}

#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let (mut port, _far) = sockets();
    let none = Patience {
        stuck: Duration::ZERO,
        last_words: Duration::ZERO,
    };
    let told = run(&mut *port, much(), none).unwrap_err();
    assert!(told.contains("the other system to take our data"), "{told}");
}

#[test]
fn a_peer_that_takes_all_is_waited_for() {
    let (mut port, mut far) = sockets();
    let reader = thread::spawn(move || {
        far.read_exact(&mut vec![0; 32 << 20]).unwrap();
        far.write_all(b"thanks").unwrap();
        far
    });
    assert_eq!(run(&mut *port, much(), PATIENCE), Ok(()));
    reader.join().unwrap();
}

/// Writes down what is asked of it; what is read is there from the beginning.
struct Recorder {
    line: UnixStream,
    far: UnixStream,
    asked: Vec<u8>,
}

impl Port for Recorder {
    fn traits(&self) -> LineTraits {
        LineTraits::TCP
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<PortRead> {
        self.line.read(buffer).map(PortRead::Bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send_break(&mut self) -> io::Result<()> {
        self.asked.extend_from_slice(b"<break>");
        Ok(())
    }

    fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.line.as_fd(), self.line.as_fd())
    }

    fn hang_up(&mut self) {}
}

#[test]
fn a_break_goes_out_between_what_stands_before_and_behind_it() {
    let (line, far) = UnixStream::pair().unwrap();
    let mut port = Recorder {
        line,
        far,
        asked: Vec::new(),
    };
    port.far.write_all(b"thanks").unwrap();
    let text = |text: &[u8]| SendItem::Bytes(text.to_vec());
    let send = vec![
        text(b"one"),
        SendItem::Break,
        SendItem::Break,
        text(b"two"),
        SendItem::Break,
    ];
    assert_eq!(run(&mut port, send, PATIENCE), Ok(()));
    let asked = port.asked.escape_ascii().to_string();
    assert_eq!(asked, "one<break><break>two<break>");
}
