//! A small SMTP client: it puts messages into a real MTA and takes no for an answer only by panicking.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A message with its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The reverse path; empty for the null sender.
    pub sender: String,
    /// The recipients, quoted as RFC 5321 wants them.
    pub recipients: Vec<String>,
    /// Header and body, lines ended by LF.
    pub content: Vec<u8>,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    reader: BufReader<TcpStream>,
}

impl Session {
    /// Connects to an MTA on this machine.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the MTA's port");
        stream
            .set_read_timeout(Some(Duration::from_mins(2)))
            .expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        let mut session = Self {
            reader: BufReader::new(stream),
        };
        session.expect('2', "the greeting");
        session.say("EHLO sender.example\r\n", '2');
        session
    }

    /// Hands over one message.
    pub fn send(&mut self, message: &Message) {
        let all: String = message.recipients.concat() + &message.sender;
        let utf8 = if all.is_ascii() { "" } else { " SMTPUTF8" };
        self.say(&format!("MAIL FROM:<{}>{utf8}\r\n", message.sender), '2');
        for recipient in &message.recipients {
            self.say(&format!("RCPT TO:<{recipient}>\r\n"), '2');
        }
        self.say("DATA\r\n", '3');
        let mut wire = Vec::with_capacity(message.content.len() + 64);
        for line in message.content.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.reader.get_mut().write_all(&wire).expect("the message");
        self.expect('2', "the message");
    }

    fn say(&mut self, line: &str, class: char) {
        self.reader
            .get_mut()
            .write_all(line.as_bytes())
            .expect("a command");
        self.expect(class, line.trim_end());
    }

    fn expect(&mut self, class: char, what: &str) {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a reply");
            assert!(line.starts_with(class), "{what}: {line:?}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

/// Hands over `messages` in `sessions` sessions at a time.
pub fn send_all(port: u16, messages: &[Message], sessions: usize) {
    let share = messages.len().div_ceil(sessions).max(1);
    std::thread::scope(|scope| {
        for part in messages.chunks(share) {
            scope.spawn(move || {
                let mut session = Session::open(port);
                for message in part {
                    session.send(message);
                }
            });
        }
    });
}
