//! Batched SMTP: many messages with their envelopes in one stream, of which only the client's side is written.
//!
//! The station between the senders and the spool, and again between the execution and the receivers. Neither the reader nor
//! the parsers below do IO; the [`Writer`] writes to whatever it is given. RFC 2442 (application/batch-SMTP), RFC 5321 for
//! the commands, RFC 1870, 2852, 3030, 3461, 4865, 6152, 6531 and 6710 for the parameters.
//!
//! # What is read
//! What real producers write: lines that end in LF or CRLF, with and without HELO and QUIT, several batches in a row, with
//! `#! word` lines before them. See [`Reader`].
//!
//! # How a batch of ours is known
//! Exim and smail end a batch after any dot, so nobody can tell a batch that was cut between two messages. Ours begins with
//! `HELO name` (`EHLO name`, with parameters) and `NOOP bangpath` and ends with `QUIT`. Whoever reads the second line knows
//! that the last must come. A NOOP with an argument is plain RFC 5321, which `exim -bS` and every server of a dialogue take,
//! while Sendmail answers 501 to a second word after HELO. See [`MARK`].
//!
//! # Which dot ends a message
//! The kind of line end is that of the message's MAIL command, which its content cannot influence. Only a dot alone between
//! two line ends of this kind ends the content; a CR or LF that is no line end of this kind is data, and so are commands
//! that stand behind such a dot.

mod command;
mod content;
mod event;
mod find;
mod line;
mod parameter;
mod reader;
mod transaction;
mod value;
mod writer;
pub mod xtext;

#[cfg(test)]
mod tests;

pub use event::{Cut, End, Event, Fault, Problem};
pub use parameter::{MailParameters, Parameter};
pub use reader::{Limits, Reader};
pub use transaction::{Reason, Recipient, Refused, Transaction, Unwritable, Verb};
pub use value::{Body, By, Hold, Notify, Returned};
pub use writer::{Style, Writer};

/// The argument of the NOOP that marks a batch of ours: such a batch ends with QUIT, or it is cut.
pub const MARK: &[u8] = b"bangpath";

/// How the lines of a batch end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// LF: over UUCP and NNCP, as Exim and smail write it.
    Lf,
    /// CR LF: application/batch-SMTP.
    CrLf,
}

impl LineEnd {
    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}
