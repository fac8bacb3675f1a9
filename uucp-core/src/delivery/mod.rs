//! Handing mail to this system's MTA, or into a Maildir where there is none. RFC 5321 and RFC 2033 for the client side of
//! SMTP and LMTP.
//!
//! ```text
//! choice ──> handover ──> smtp (a server, or `sendmail -bs`) | sendmail (`-i -f`) | batch (`-bS`) | maildir
//!            pool: several handovers side by side, fed with messages
//! ```
//! Every outcome is told per recipient: delivered, refused for good, or refused for now. The only instants that count are
//! the server's 250 after the final dot, the command's exit, the rename into `new/`; whatever ends earlier, or in doubt, is
//! "for now". What an exit status means is decided per MTA, never passed through.

mod batch;
pub mod child;
mod choice;
mod handover;
mod identity;
mod journal;
mod ledger;
mod local;
mod maildir;
mod message;
mod offer;
mod parts;
mod policy;
mod pool;
mod said;
mod sendmail;
pub(crate) mod settle;
mod smtp;

use std::fmt;

use crate::address::Address;

pub use choice::{NoWay, Surroundings};
pub use handover::Handover;
pub use identity::Identity;
pub use journal::{Journal, JournalError, JournalKey};
pub use ledger::{Known, Ledger};
pub use local::{deliver_local_queue, deliver_some_local_mail, local_mail};
pub use message::{Message, MessageReader, Oversize};
pub use offer::{Offer, RecipientWishes, Success, Wishes};
pub use pool::{Feed, Pool};
pub use sendmail::Flavour;
pub use settle::aside::{HEADER as SET_ASIDE_HEADER, is_place};
pub use settle::{Consignment, Plan, Receiver, Settled};

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The MTA has it, or it lies in the Maildir: ours no more.
    Delivered,
    /// Refused for good: a report is due.
    Refused(Reply),
    /// Refused for now, or in doubt: to be offered again.
    Deferred(Reply),
}

/// Why, in the words of whoever said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Enhanced status code; class 5 in [`Outcome::Refused`], class 4 in [`Outcome::Deferred`].
    pub status: String,
    /// One line of text.
    pub text: String,
    /// The SMTP server that said it, if one did.
    pub remote: Option<String>,
}

impl Reply {
    /// Words of our own.
    pub fn new(status: &str, text: impl Into<String>) -> Self {
        Self {
            status: status.to_owned(),
            text: text.into(),
            remote: None,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.remote {
            Some(remote) => write!(f, "{remote}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Told after every part of a message that was handed over, before the next part is offered: the recipients that have it
/// now. An error ends the delivery; what was not offered yet is deferred.
pub type Record<'a> = dyn FnMut(&[&Address]) -> std::io::Result<()> + 'a;
