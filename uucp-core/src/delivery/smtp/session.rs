//! One session with an SMTP or LMTP server: greeting, extensions, commands and replies within a deadline.

use std::time::Instant;

use super::broken::Broken;
use super::connection::Connection;
use super::dot::Stuffed;
use super::reply::ServerReply;
use super::{Client, Peer};
use crate::delivery::Flavour;

/// What the server offered in its answer to EHLO or LHLO.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an extension that is offered or not"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) pipelining: bool,
    /// SIZE: the largest message it takes; 0: it does not say.
    pub(super) size: Option<u64>,
    pub(super) eight_bit_mime: bool,
    pub(super) smtputf8: bool,
    pub(super) dsn: bool,
    pub(super) deliver_by: bool,
    pub(super) mt_priority: bool,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    deadline: Instant,
    pub(super) is_lmtp: bool,
    pub(super) extensions: Extensions,
    /// Postfix: an unprivileged `-bs` of it crashes when it is told a size.
    pub(super) may_say_size: bool,
    /// A transaction was begun and not ended: RSET goes before the next one.
    pub(super) unfinished: bool,
    /// Transactions begun.
    pub(super) begun: u32,
    /// Commands refused since a message was taken. Servers slow down, and then hang up on, who is refused often.
    pub(super) refusals: u32,
}

impl Session {
    /// Connects, and says hello.
    pub(super) fn open(client: &Client, deadline: Instant) -> Result<Self, Broken> {
        let mut session = Self {
            connection: Connection::open(&client.peer, &client.scratch, deadline)?,
            deadline,
            is_lmtp: client.is_lmtp,
            extensions: Extensions::default(),
            may_say_size: true,
            unfinished: false,
            begun: 0,
            refusals: 0,
        };
        session
            .greet(client)
            .map_err(|broken| session.explained(broken))?;
        Ok(session)
    }

    fn greet(&mut self, client: &Client) -> Result<(), Broken> {
        let greeting = self.read_reply()?;
        if greeting.class() != 2 {
            return Err(Broken::new(format!("the greeting is {greeting}")));
        }
        self.may_say_size = match &client.peer {
            Peer::Server(_) => !greeting.to_string().contains("Postfix"),
            Peer::Program { flavour, .. } => matches!(flavour, Flavour::Exim | Flavour::Sendmail),
        };
        self.say_hello(client)
    }

    fn say_hello(&mut self, client: &Client) -> Result<(), Broken> {
        let hello = &client.hello;
        if client.is_lmtp {
            let answer = self.ask(&format!("LHLO {hello}"))?;
            self.extensions = extensions_of(&answer);
            return match answer.class() {
                2 => Ok(()),
                _ => Err(Broken::new(format!("LHLO is answered by {answer}"))),
            };
        }
        let answer = self.ask(&format!("EHLO {hello}"))?;
        if answer.class() == 2 {
            self.extensions = extensions_of(&answer);
            return Ok(());
        }
        let answer = self.ask(&format!("HELO {hello}"))?;
        match answer.class() {
            2 => Ok(()),
            _ => Err(Broken::new(format!("HELO is answered by {answer}"))),
        }
    }

    /// A new message, a new deadline.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Sends commands; their replies are to be read.
    pub(super) fn send(&mut self, commands: &[u8]) -> Result<(), Broken> {
        self.connection.send(commands, self.deadline)
    }

    /// Whether the server says yes to what it was not asked yet.
    pub(super) fn accepts_unasked(&mut self) -> bool {
        self.connection.received().first() == Some(&b'2')
    }

    /// One command, one reply.
    pub(super) fn ask(&mut self, command: &str) -> Result<ServerReply, Broken> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.read_reply()
    }

    /// Sends the content and the final dot; the reply, or each recipient's, is to be read. A server that hangs up has often
    /// said why: then that is the reply, which nothing follows.
    pub(super) fn send_content(
        &mut self,
        content: Stuffed<'_>,
    ) -> Result<Option<ServerReply>, Broken> {
        let Err(broken) = self.try_send_content(content) else {
            return Ok(None);
        };
        match ServerReply::take(self.connection.received()) {
            Ok(Some(reply)) if reply.class() > 3 => Ok(Some(reply)),
            _ => Err(broken),
        }
    }

    fn try_send_content(&mut self, mut content: Stuffed<'_>) -> Result<(), Broken> {
        let unreadable = |error| Broken::new(format!("cannot read the message: {error}"));
        while let Some(block) = content.next().map_err(unreadable)? {
            self.send(&block)?;
        }
        Ok(())
    }

    /// One reply.
    pub(super) fn read_reply(&mut self) -> Result<ServerReply, Broken> {
        loop {
            if let Some(reply) = ServerReply::take(self.connection.received())? {
                return match reply.code {
                    421 => Err(Broken::closing(&reply)),
                    _ => Ok(reply),
                };
            }
            self.connection.receive(self.deadline)?;
        }
    }

    /// The session's end in the words of the program, where it had any.
    pub(super) fn explained(&mut self, mut broken: Broken) -> Broken {
        if broken.is_late {
            self.connection.kill();
        }
        if let Some(said) = self.connection.complaint().filter(|said| !said.is_empty()) {
            broken.text = format!("{}: {said}", broken.text);
        }
        broken
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.bid_farewell();
    }
}

fn extensions_of(answer: &ServerReply) -> Extensions {
    let mut found = Extensions::default();
    for line in answer.lines.iter().skip(1) {
        let mut words = line.split([' ', '=']);
        let keyword = words.next().unwrap_or_default();
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => found.pipelining = true,
            "SIZE" => found.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            "8BITMIME" => found.eight_bit_mime = true,
            "SMTPUTF8" => found.smtputf8 = true,
            "DSN" => found.dsn = true,
            "DELIVERBY" => found.deliver_by = true,
            "MT-PRIORITY" => found.mt_priority = true,
            _ => {}
        }
    }
    found
}
