//! What is handed over: envelope, content, and what the sender asked for in the words of SMTP's extensions.

use super::Message;
use crate::address::Envelope;
use crate::bsmtp::By;

/// One message, as it is offered to the MTA.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Sender and recipients.
    pub envelope: &'a Envelope,
    /// The content.
    pub message: &'a Message,
    /// What the sender asked for.
    pub wishes: &'a Wishes,
}

impl<'a> Offer<'a> {
    /// A message whose sender asked for nothing.
    #[must_use]
    pub fn plain(envelope: &'a Envelope, message: &'a Message) -> Self {
        Self {
            envelope,
            message,
            wishes: &NONE,
        }
    }
}

/// Parameters of `MAIL` and `RCPT` (RFC 2852, 3461, 6531 and 6710), each value as it stood in the command. They are passed to an MTA that
/// offers the extension; [`Handover::success`](super::Handover::success) tells whether this one does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `SMTPUTF8` was said: header lines may hold UTF-8. Where they do, or an address does, only an MTA that offers it can
    /// take the message.
    pub smtputf8: bool,
    /// `RET=`: `FULL` or `HDRS`.
    pub ret: Option<Vec<u8>>,
    /// `ENVID=`.
    pub envid: Option<Vec<u8>>,
    /// `BY=` (RFC 2852), with the time that is left now.
    pub by: Option<By>,
    /// `MT-PRIORITY=` (RFC 6710).
    pub mt_priority: Option<i8>,
    /// Of each recipient, in the envelope's order. Those that it does not reach asked for nothing.
    pub recipients: Vec<RecipientWishes>,
}

/// Who answers a sender that wants to be told of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// The MTA, which was told so.
    Passed,
    /// We do: the MTA knows of no such wish, so the message was relayed to where no more is known (RFC 3461, 5.2.2).
    Relayed,
    /// We do: it is in the mailbox.
    Delivered,
}

/// Parameters of one `RCPT`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientWishes {
    /// `NOTIFY=`: `NEVER`, or a list of `SUCCESS`, `FAILURE`, `DELAY`.
    pub notify: Option<Vec<u8>>,
    /// `ORCPT=`.
    pub orcpt: Option<Vec<u8>>,
}

static NONE: Wishes = Wishes {
    smtputf8: false,
    ret: None,
    envid: None,
    by: None,
    mt_priority: None,
    recipients: Vec::new(),
};

static NONE_OF_RECIPIENT: RecipientWishes = RecipientWishes {
    notify: None,
    orcpt: None,
};

impl Wishes {
    /// Whether somebody wants to be told of success.
    #[must_use]
    pub fn want_success(&self) -> bool {
        let mut notify = self.recipients.iter().filter_map(|r| r.notify.as_deref());
        notify.any(|words| words.split(|b| *b == b',').any(|word| word == b"SUCCESS"))
    }

    /// What was asked for the recipient at this position of the envelope.
    pub(super) fn of(&self, index: usize) -> &RecipientWishes {
        self.recipients.get(index).unwrap_or(&NONE_OF_RECIPIENT)
    }
}
