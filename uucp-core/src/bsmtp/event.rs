//! What the reader tells.

use std::fmt;

use super::Transaction;

/// One thing that the reader has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// HELO or EHLO.
    Hello {
        /// Its argument, which may be empty.
        name: Vec<u8>,
        /// Whether it was EHLO.
        esmtp: bool,
    },
    /// A message begins; its content follows, then [`Event::End`].
    Begin(Box<Transaction>),
    /// A piece of the content: lines end in LF, dots are unstuffed. Never empty.
    Content(&'a [u8]),
    /// The content is whole.
    End,
    /// Something that is no part of a message was not understood; the reader goes on behind it.
    Fault(Fault),
    /// The message that was begun will not become whole: forget its content. The reader goes on behind it.
    Broken(Fault),
    /// QUIT.
    Quit,
}

/// What was not understood, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not a command of SMTP. Of several such lines in a row only the first is told.
    NotACommand(Vec<u8>),
    /// The envelope that began on this line has neither DATA nor BDAT: its message did not come.
    NoContent(Box<Transaction>),
    /// A batch of ours, begun on this line, has no QUIT before the next one begins: what came of it was whole, its end was
    /// not.
    NoQuit,
    /// The chunks of the message that began on this line do not end with a LAST one.
    NoLastChunk,
    /// The length of a BDAT cannot be read, so that nobody knows where the next command is. All that follows is lost.
    BadChunk(Vec<u8>),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACommand(text) => {
                write!(f, "'{}' is not a command of SMTP", text.escape_ascii())
            }
            Self::NoContent(transaction) => {
                write!(f, "the message {} has no content", transaction.summary())
            }
            Self::NoQuit => f.write_str("the batch that begins here has no QUIT: it was cut"),
            Self::NoLastChunk => {
                f.write_str("the message that begins here has no last BDAT: it was cut")
            }
            Self::BadChunk(text) => write!(
                f,
                "the length of '{}' cannot be read, nor what follows it",
                text.escape_ascii()
            ),
        }
    }
}

/// How the batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Messages that were whole.
    pub messages: u64,
    /// Whether QUIT was the last command.
    pub quit: bool,
    /// Whether the last batch was one of ours.
    pub ours: bool,
    /// What is missing, where something certainly is.
    pub cut: Option<Cut>,
}

/// What is missing at the end. The lines are those where the incomplete thing begins, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// The end of a command, outside of any message.
    Command {
        /// Its line.
        line: u64,
        /// What there is of it.
        text: Vec<u8>,
    },
    /// The content of this message, and perhaps the rest of its envelope.
    Envelope {
        /// The line of its MAIL.
        line: u64,
        /// What is known of it.
        transaction: Box<Transaction>,
    },
    /// The rest of the content of the message that was begun last.
    Content {
        /// The line of its MAIL.
        line: u64,
    },
    /// The QUIT that every batch of ours has. All messages that came are whole; how many did not come is unknown.
    Quit {
        /// The line where the batch begins.
        line: u64,
    },
    /// Everything behind a BDAT that could not be read, told by [`Problem::BadChunk`].
    Unreadable {
        /// The line of the BDAT.
        line: u64,
    },
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { line, text } => write!(
                f,
                "line {line}: the batch is cut in the command '{}'",
                text.escape_ascii()
            ),
            Self::Envelope { line, transaction } => write!(
                f,
                "line {line}: the batch is cut in the envelope of the message {}",
                transaction.summary()
            ),
            Self::Content { line } => write!(
                f,
                "line {line}: the batch is cut in the message that begins here"
            ),
            Self::Quit { line } => write!(
                f,
                "line {line}: the batch that begins here has no QUIT at its end: it is cut between two messages"
            ),
            Self::Unreadable { line } => {
                write!(f, "line {line}: nothing after this BDAT can be read")
            }
        }
    }
}
