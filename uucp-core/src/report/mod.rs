//! Delivery reports, RFC 3464 in the frame of RFC 6522: what tells a sender that a message did not arrive, or not yet, or
//! that it did, where he asked for that. And [`note`]s.
//!
//! A report is built here as bytes; whoever asked for it queues it or hands it over, with the null sender. There is none to
//! the null sender, so none about a report.

mod build;
pub mod note;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Zoned;
use thiserror::Error;

use crate::address::{Address, ReversePath};

/// Largest original that is returned whole, in bytes; of a larger one the sender gets the header.
pub const RETURN_LIMIT: usize = 64 * 1024;

/// Why no report could be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The message builder refused.
    #[error("cannot build a delivery report: {0}")]
    Build(String),
}

/// One recipient that will not get the message, or whatever else the report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRecipient {
    /// Who.
    pub recipient: Address,
    /// Enhanced status code, such as `5.1.1`.
    pub status: String,
    /// The MTA's words, or ours; `550 5.1.1 no such user`. Empty where there are none.
    pub diagnostic: String,
    /// Whose words they are, when it was an SMTP server.
    pub remote: Option<String>,
    /// `ORCPT` of RFC 3461, `type;xtext`: whom the sender wrote to.
    pub original: Option<Vec<u8>>,
}

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The message will not arrive.
    Failed,
    /// It waits, and is tried again for this time.
    Delayed {
        /// How long.
        left: Duration,
    },
    /// It was handed to a system that tells no more of it (RFC 3461, 5.2.2).
    Relayed,
    /// It is in the mailbox.
    Delivered,
}

/// A delivery report that is to be built.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    to: &'a Address,
    /// Name of the system that reports.
    pub system: &'a str,
    /// Who answers questions: an address of this system.
    pub postmaster: Option<&'a Address>,
    /// When it is made.
    pub date: Zoned,
    /// The authenticated neighbour that the message came from, or the MTA that handed it in.
    pub received_from: Option<&'a str>,
    /// What became of the message.
    pub kind: Kind,
    /// `ENVID` of RFC 3461, in xtext: the sender's own name for the message.
    pub envelope_id: Option<&'a [u8]>,
    /// Whether only the header is returned, as the sender asked, or whatever fits.
    pub header_only: bool,
    /// Whom it is about.
    pub failures: &'a [FailedRecipient],
    /// The message, or its beginning.
    pub original: &'a [u8],
}

impl<'a> Report<'a> {
    /// A report to the sender of a message; `None` when that is the null sender, who is never told anything.
    #[must_use]
    pub fn new(
        sender: &'a ReversePath,
        system: &'a str,
        date: Zoned,
        failures: &'a [FailedRecipient],
        original: &'a [u8],
    ) -> Option<Self> {
        sender.address().map(|to| Self {
            to,
            system,
            postmaster: None,
            date,
            received_from: None,
            kind: Kind::Failed,
            envelope_id: None,
            header_only: false,
            failures,
            original,
        })
    }

    /// Who it goes to.
    #[must_use]
    pub fn recipient(&self) -> &Address {
        self.to
    }

    /// The report as a message with LF line ends, ready to be handed over with the null sender.
    ///
    /// # Errors
    /// When the message builder refuses what it is given.
    pub fn build(&self) -> Result<Vec<u8>, ReportError> {
        build::build(self)
    }
}
