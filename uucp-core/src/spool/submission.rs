//! Submission records: a message that an MTA delivers twice is queued once.

use std::time::{Duration, Instant};

use super::{Draft, Spool, SpoolError};
use crate::name::{JobId, SystemName};

/// What makes two deliveries the same message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// The MTA's id of the message (for Postfix its queue id), and whatever else must be equal, such as the sender.
    pub message_id: Vec<u8>,
    /// A hash of the content.
    pub content_hash: [u8; 32],
    /// The system it is for.
    pub system: SystemName,
}

/// One delivery of a message, while its record is locked.
#[derive(Debug)]
pub struct Submission {}

impl Spool {
    /// Begins a delivery: locks the message's record (waiting until `deadline` for a concurrent delivery of the same
    /// message), and finishes a submission that was cut.
    ///
    /// # Errors
    /// When the record cannot be read or written, or stays locked.
    pub fn begin_submission(
        &self,
        _key: &SubmissionKey,
        _deadline: Instant,
    ) -> Result<Submission, SpoolError> {
        todo!()
    }

    /// Forgets records that were not touched for `age` of observed time. Longer than the MTA keeps its queue.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn expire_submissions(&self, _age: Duration) -> Result<(), SpoolError> {
        todo!()
    }
}

impl Submission {
    /// Whether this recipient was queued (or reported) by an earlier delivery.
    #[must_use]
    pub fn is_covered(&self, _recipient: &[u8]) -> bool {
        todo!()
    }

    /// Queues jobs and local mail that cover `recipients`, durably and once. When this returns, all of it is queued; when
    /// it fails or is cut, the next [`Spool::begin_submission`] finishes it or knows nothing of it.
    ///
    /// # Errors
    /// When anything could not be written.
    pub fn commit(
        self,
        _recipients: &[&[u8]],
        _jobs: Vec<Draft>,
        _mails: &[LocalMailDraft<'_>],
    ) -> Result<Vec<JobId>, SpoolError> {
        todo!()
    }
}

/// Mail for this system's own MTA, such as a report about a refused recipient.
#[derive(Debug, Clone, Copy)]
pub struct LocalMailDraft<'a> {
    /// The envelope's sender; empty for the null sender.
    pub sender: &'a [u8],
    /// The envelope's recipients.
    pub recipients: &'a [Vec<u8>],
    /// The message.
    pub content: &'a [u8],
}
