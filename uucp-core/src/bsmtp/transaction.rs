//! One message's envelope as a batch gives it.

use std::fmt;

use thiserror::Error;

use super::LineEnd;
use super::parameter::{self, MailParameters, Parameter};
use super::value::Notify;
use crate::address::{Address, AddressError, ReversePath};

/// One message's envelope as a batch gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Where reports go. Null, too, when there is no MAIL that can be understood; [`Self::refused`] tells then.
    pub sender: ReversePath,
    /// Who is to get it, in the order given.
    pub recipients: Vec<Recipient>,
    /// What cannot be understood: nobody gets the message for it, so that the receiver has to tell somebody.
    pub refused: Vec<Refused>,
    /// Recipients past [`Limits`](super::Limits), whose addresses are not known.
    pub unlisted: u64,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
}

impl Default for Transaction {
    fn default() -> Self {
        Self::new(ReversePath::Null, Vec::new())
    }
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Address,
    /// NOTIFY.
    pub notify: Option<Notify>,
    /// ORCPT, `type;xtext`, as it came.
    pub orcpt: Option<Vec<u8>>,
    /// Whatever else stands behind the address.
    pub other: Vec<Parameter>,
}

impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self {
            address,
            notify: None,
            orcpt: None,
            other: Vec::new(),
        }
    }
}

/// A command of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
}

/// A MAIL or RCPT that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which command.
    pub verb: Verb,
    /// What stood behind it (and its FROM: or TO:), at most 2,000 bytes of it. Empty where the command is missing.
    pub text: Vec<u8>,
    /// Why.
    pub reason: Reason,
    /// Its line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a MAIL or RCPT cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// It holds no address.
    #[error("{0}")]
    Address(#[from] AddressError),
    /// There is no FROM: or TO:.
    #[error("no FROM: in MAIL, or no TO: in RCPT")]
    Syntax,
    /// The line is longer than [`Limits`](super::Limits) allow.
    #[error("the line is too long")]
    TooLong,
    /// Recipients or content without a MAIL before them: the sender is unknown.
    #[error("no MAIL before it, so that the sender is unknown")]
    NoMail,
}

/// What the lines of a batch cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a parameter of {0} cannot be written into a batch")]
pub struct Unwritable(String);

impl Transaction {
    /// An envelope without parameters.
    #[must_use]
    pub fn new(sender: ReversePath, recipients: Vec<Recipient>) -> Self {
        Self {
            sender,
            recipients,
            refused: Vec::new(),
            unlisted: 0,
            parameters: MailParameters::default(),
        }
    }

    /// Whether every address is ASCII; otherwise the message needs SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.sender.address().is_none_or(Address::is_ascii)
            && self.recipients.iter().all(|r| r.address.is_ascii())
    }

    /// Sender and first recipient, for a log.
    #[must_use]
    pub fn summary(&self) -> String {
        let sender = match &self.sender {
            ReversePath::Null => "from <>".to_owned(),
            ReversePath::Address(address) => format!("from {address}"),
        };
        match (self.recipients.first(), self.recipients.len()) {
            (None, _) => sender,
            (Some(one), 1) => format!("{sender} to {}", one.address),
            (Some(one), count) => format!("{sender} to {} and {} more", one.address, count - 1),
        }
    }

    /// Writes MAIL and the RCPTs. Without `parameters` nothing but the addresses, which every receiver takes.
    ///
    /// What was refused is not written.
    ///
    /// # Errors
    /// When a parameter holds what no command line can; `out` is as before then.
    pub fn emit(
        &self,
        line_end: LineEnd,
        parameters: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        if parameters && !self.is_writable() {
            return Err(Unwritable(self.summary()));
        }
        out.extend_from_slice(b"MAIL FROM:<");
        out.extend_from_slice(self.sender.as_bytes());
        out.push(b'>');
        if parameters {
            self.parameters.emit(out);
        }
        out.extend_from_slice(line_end.bytes());
        for recipient in &self.recipients {
            out.extend_from_slice(b"RCPT TO:<");
            out.extend_from_slice(recipient.address.as_bytes());
            out.push(b'>');
            if parameters {
                let orcpt = recipient.orcpt.as_deref();
                parameter::emit_recipient(recipient.notify, orcpt, &recipient.other, out);
            }
            out.extend_from_slice(line_end.bytes());
        }
        Ok(())
    }

    fn is_writable(&self) -> bool {
        self.parameters.is_writable()
            && self.recipients.iter().all(|recipient| {
                let word = |text: &[u8]| text.iter().all(|b| *b > b' ' && *b != 0x7f);
                recipient.orcpt.as_deref().is_none_or(word)
                    && recipient.other.iter().all(Parameter::is_writable)
            })
    }
}
