//! One connection to an SMTP server: greeting, extensions, commands and replies within a deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::dot::DotStuffer;
use super::reply::{NotSmtp, ServerReply};
use crate::config::mail::HostPort;
use crate::delivery::Message;

/// How long one address may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Shortest time that a socket can be told to wait.
const SHORTEST: Duration = Duration::from_millis(1);
/// How much content is sent at a time, in bytes.
const BLOCK: usize = 64 * 1024;

/// The session is over, and why. What was not confirmed is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) text: String,
}

impl Broken {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl From<NotSmtp> for Broken {
    fn from(NotSmtp(text): NotSmtp) -> Self {
        Self { text }
    }
}

/// What the server offered in its answer to EHLO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) pipelining: bool,
    pub(super) size: bool,
    pub(super) eight_bit_mime: bool,
    pub(super) smtputf8: bool,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    stream: TcpStream,
    received: Vec<u8>,
    deadline: Instant,
    pub(super) extensions: Extensions,
    /// A transaction was begun and not ended: RSET goes before the next one.
    pub(super) unfinished: bool,
}

impl Session {
    /// Connects, and says hello.
    pub(super) fn open(target: &HostPort, hello: &str, deadline: Instant) -> Result<Self, Broken> {
        let stream = connect(target, deadline)?;
        // Small commands must not wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        let mut session = Self {
            stream,
            received: Vec::new(),
            deadline,
            extensions: Extensions::default(),
            unfinished: false,
        };
        let greeting = session.read_reply()?;
        if greeting.class() != 2 {
            return Err(Broken::new(format!("the greeting is {greeting}")));
        }
        session.say_hello(hello)?;
        Ok(session)
    }

    fn say_hello(&mut self, hello: &str) -> Result<(), Broken> {
        let answer = self.converse(format!("EHLO {hello}\r\n").as_bytes(), 1)?;
        let answer = answer.first().filter(|reply| reply.class() == 2);
        if let Some(answer) = answer {
            self.extensions = extensions_of(answer);
            return Ok(());
        }
        let answer = self.converse(format!("HELO {hello}\r\n").as_bytes(), 1)?;
        match answer.first() {
            Some(reply) if reply.class() == 2 => Ok(()),
            Some(reply) => Err(Broken::new(format!("HELO is answered by {reply}"))),
            None => Err(Broken::new("HELO is not answered")),
        }
    }

    /// A new message, a new deadline.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Sends commands and reads as many replies.
    pub(super) fn converse(
        &mut self,
        commands: &[u8],
        replies: usize,
    ) -> Result<Vec<ServerReply>, Broken> {
        self.write(commands)?;
        (0..replies).map(|_| self.read_reply()).collect()
    }

    /// Sends the content and the final dot, and reads what the server says to that.
    pub(super) fn send_content(&mut self, message: &Message) -> Result<ServerReply, Broken> {
        let mut reader = message.reader();
        let mut stuffer = DotStuffer::default();
        let mut block = vec![0; BLOCK];
        let mut out = Vec::with_capacity(BLOCK + BLOCK / 8);
        loop {
            let count = reader
                .read(&mut block)
                .map_err(|e| Broken::new(format!("cannot read the message: {e}")))?;
            if count == 0 {
                break;
            }
            stuffer.push(block.get(..count).unwrap_or_default(), &mut out);
            if out.len() >= BLOCK {
                self.write(&out)?;
                out.clear();
            }
        }
        stuffer.finish(&mut out);
        self.write(&out)?;
        self.read_reply()
    }

    /// One reply. A 421 is a reply and the end of the session.
    pub(super) fn read_reply(&mut self) -> Result<ServerReply, Broken> {
        loop {
            if let Some(reply) = ServerReply::take(&mut self.received)? {
                if reply.code == 421 {
                    return Err(Broken::new(reply.to_string()));
                }
                return Ok(reply);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), Broken> {
        let wait = self.time_left()?;
        let _ = self.stream.set_read_timeout(Some(wait));
        let mut block = [0; 4096];
        match self.stream.read(&mut block) {
            Ok(0) => Err(Broken::new("the server hung up")),
            Ok(count) => {
                self.received
                    .extend_from_slice(block.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(broken_by(&e, "answered")),
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let wait = self.time_left()?;
            let _ = self.stream.set_write_timeout(Some(wait));
            match self.stream.write(bytes) {
                Ok(0) => return Err(Broken::new("the server takes no more")),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(broken_by(&e, "read on")),
            }
        }
        Ok(())
    }

    fn time_left(&self) -> Result<Duration, Broken> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::new("the time limit has passed"));
        }
        Ok(left.max(SHORTEST))
    }
}

impl Drop for Session {
    /// A polite end; nothing depends on it, so nothing waits for it.
    fn drop(&mut self) {
        let _ = self.stream.set_write_timeout(Some(SHORTEST));
        let _ = self.stream.write(b"QUIT\r\n");
    }
}

fn broken_by(error: &std::io::Error, missing: &str) -> Broken {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::new(format!(
            "the server has not {missing} within the time limit"
        )),
        _ => Broken::new(format!("the connection broke: {error}")),
    }
}

/// Tries every address of the host.
fn connect(target: &HostPort, deadline: Instant) -> Result<TcpStream, Broken> {
    let addresses = (target.host.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|e| Broken::new(format!("cannot look up {}: {e}", target.host)))?;
    let mut last = Broken::new(format!("{} has no address", target.host));
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT.min(left).max(SHORTEST)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Broken::new(format!("cannot connect to {address}: {error}")),
        }
    }
    Err(last)
}

fn extensions_of(answer: &ServerReply) -> Extensions {
    let mut found = Extensions::default();
    for line in answer.lines.iter().skip(1) {
        let keyword = line.split([' ', '=']).next().unwrap_or_default();
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => found.pipelining = true,
            "SIZE" => found.size = true,
            "8BITMIME" => found.eight_bit_mime = true,
            "SMTPUTF8" => found.smtputf8 = true,
            _ => {}
        }
    }
    found
}
