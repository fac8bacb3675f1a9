//! A small SMTP client: it puts messages into a real MTA and takes no for an answer only by panicking.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
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

impl Message {
    /// As a transaction of batched SMTP: no greeting, no end, lines ended by LF.
    #[must_use]
    pub fn in_batch(&self) -> Vec<u8> {
        let mut text = format!("MAIL FROM:<{}>\n", self.sender).into_bytes();
        for recipient in &self.recipients {
            text.extend(format!("RCPT TO:<{recipient}>\n").into_bytes());
        }
        text.extend_from_slice(b"DATA\n");
        for line in self.content.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                text.push(b'.');
            }
            text.extend_from_slice(line);
        }
        text.extend_from_slice(b".\n");
        text
    }
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
        self.content(message);
    }

    /// As [`Session::send`], with the whole envelope in one piece (RFC 2920).
    pub fn send_pipelined(&mut self, message: &Message) {
        let mut envelope = format!("MAIL FROM:<{}>\r\n", message.sender);
        for recipient in &message.recipients {
            let _ = write!(envelope, "RCPT TO:<{recipient}>\r\n");
        }
        envelope += "DATA\r\n";
        let mut reply = self.ask(&envelope);
        for _ in &message.recipients {
            assert!(reply.starts_with('2'), "the envelope: {reply:?}");
            reply = self.reply();
        }
        assert!(reply.starts_with('2'), "the envelope: {reply:?}");
        self.expect('3', "DATA");
        self.content(message);
    }

    fn content(&mut self, message: &Message) {
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

    /// The server's no to a recipient; the session can go on.
    pub fn refuses(&mut self, recipient: &str) -> String {
        self.say("MAIL FROM:<ann@leaf.example>\r\n", '2');
        let reply = self.ask(&format!("RCPT TO:<{recipient}>\r\n"));
        self.say("RSET\r\n", '2');
        reply
    }

    /// The server's no to a whole message, wherever it says it.
    pub fn refusal_of(&mut self, message: &Message) -> String {
        let mut commands = vec![format!("MAIL FROM:<{}>\r\n", message.sender)];
        commands.extend(
            message
                .recipients
                .iter()
                .map(|recipient| format!("RCPT TO:<{recipient}>\r\n")),
        );
        commands.push("DATA\r\n".to_owned());
        commands.push("\r\n.\r\n".to_owned());
        commands
            .iter()
            .map(|command| self.ask(command))
            .find(|reply| reply.starts_with(['4', '5']))
            .expect("a refusal")
    }

    fn ask(&mut self, line: &str) -> String {
        self.reader
            .get_mut()
            .write_all(line.as_bytes())
            .expect("a command");
        self.reply()
    }

    fn say(&mut self, line: &str, class: char) {
        let reply = self.ask(line);
        assert!(reply.starts_with(class), "{}: {reply:?}", line.trim_end());
    }

    fn expect(&mut self, class: char, what: &str) {
        let reply = self.reply();
        assert!(reply.starts_with(class), "{what}: {reply:?}");
    }

    /// The last line of a reply.
    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a reply");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }
}

/// Hands over `messages` in `sessions` sessions at a time.
pub fn send_all(port: u16, messages: &[Message], sessions: usize) {
    send_by(port, messages, sessions, Session::send);
}

/// As [`send_all`], each envelope in one piece.
pub fn send_all_pipelined(port: u16, messages: &[Message], sessions: usize) {
    send_by(port, messages, sessions, Session::send_pipelined);
}

fn send_by(port: u16, messages: &[Message], sessions: usize, send: fn(&mut Session, &Message)) {
    let share = messages.len().div_ceil(sessions).max(1);
    std::thread::scope(|scope| {
        for part in messages.chunks(share) {
            scope.spawn(move || {
                let mut session = Session::open(port);
                for message in part {
                    send(&mut session, message);
                }
            });
        }
    });
}
