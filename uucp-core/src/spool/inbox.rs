//! Receiving: a file is staged, then committed in a group; only then may `CY` be sent.

use std::path::Path;

use super::{Spool, SpoolError, SystemLock};
use crate::config::PathRules;
use crate::name::{SystemName, TempName};
use crate::wire::command::{Refusal, Request, RequestOptions};

/// What the peer wants to send, or sends because we asked.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// The file's name over there: identity, and the name in a directory.
    pub from: &'a [u8],
    /// Where it is to go here.
    pub to: &'a [u8],
    /// The user who asked.
    pub user: &'a [u8],
    /// Option letters.
    pub options: &'a RequestOptions,
    /// The temporary name, if it is one that can be used.
    pub temp: Option<TempName>,
    /// Permission bits.
    pub mode: u32,
    /// Whom to notify, or the requestor's address; empty for none.
    pub notify: &'a [u8],
    /// The size announced, in bytes.
    pub size: Option<u64>,
    /// The command line of an `E`.
    pub command: Option<&'a [u8]>,
    /// Whether the request is our own (`R` out of our work file): then spool files may not be written, and directories of
    /// the requesting user may.
    pub own_request: bool,
    /// The directories that may be written.
    pub rules: &'a PathRules,
    /// The public directory.
    pub pubdir: &'a Path,
    /// Bytes that must stay free in the file system.
    pub free_space: u64,
}

impl<'a> Incoming<'a> {
    /// The peer's `S` or `E`; `None` for other requests.
    #[must_use]
    pub fn of_peer(
        _request: &'a Request,
        _rules: &'a PathRules,
        _pubdir: &'a Path,
        _free_space: u64,
    ) -> Option<Self> {
        todo!()
    }

    /// The file that answers our own `R`.
    #[must_use]
    pub fn of_own(
        _request: &'a crate::wire::command::ReceiveRequest,
        _mode: u32,
        _size: Option<u64>,
        _rules: &'a PathRules,
        _pubdir: &'a Path,
        _free_space: u64,
    ) -> Self {
        todo!()
    }
}

/// The answer to an offered file.
#[derive(Debug)]
pub enum Admission {
    /// It may come.
    Begin {
        /// Takes the bytes.
        reception: Box<Reception>,
        /// Where to go on: 0, or what was kept of an earlier attempt.
        restart_at: u64,
    },
    /// It came before: confirm it without taking it again.
    AlreadyReceived,
    /// It is refused; the reason is for the log.
    Refuse {
        /// The code for the peer.
        refusal: Refusal,
        /// One line for the log.
        reason: String,
    },
}

/// A file that is being received. Dropped unfinished, what has come is kept for a restart where that is safe.
#[derive(Debug)]
pub struct Reception {}

impl Reception {
    /// Writes bytes at `position`, or right after the last ones.
    ///
    /// # Errors
    /// When the disk is full (also: when `free_space` would be used up) or fails, or the position leaves a hole.
    pub fn write(&mut self, _position: Option<u64>, _bytes: &[u8]) -> Result<(), SpoolError> {
        todo!()
    }

    /// The file is complete. Starts to write it out; [`Inbox::commit`] makes it count.
    ///
    /// # Errors
    /// When fewer bytes came than were announced, or the execute file cannot be written.
    pub fn finish(&mut self) -> Result<(), SpoolError> {
        todo!()
    }

    /// How many bytes the file has, those of an earlier attempt included.
    #[must_use]
    pub fn size(&self) -> u64 {
        todo!()
    }

    /// Forgets what has come: not even a partial file is kept.
    pub fn discard(self) {
        todo!()
    }
}

/// The receiving side of one system, while its lock is held.
#[derive(Debug)]
pub struct Inbox {}

impl Spool {
    /// Opens the inbox of a system and finishes what a crash has left undone.
    ///
    /// # Errors
    /// When the receipts cannot be read.
    pub fn inbox(&self, _lock: &SystemLock) -> Result<Inbox, SpoolError> {
        todo!()
    }
}

impl Inbox {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        todo!()
    }

    /// Decides about a file that is offered.
    ///
    /// # Errors
    /// When the spool fails; the peer is to be told "later" (4).
    pub fn begin(&mut self, _incoming: &Incoming<'_>) -> Result<Admission, SpoolError> {
        todo!()
    }

    /// Makes received files count, several in one round of syncs: data, execute files, receipts, then the names. One answer
    /// each, in order; `CY` only after `Ok`.
    pub fn commit(&mut self, _receptions: Vec<Reception>) -> Vec<Result<(), SpoolError>> {
        todo!()
    }

    /// The peer has certainly seen all confirmations so far.
    pub fn acknowledged(&mut self) {
        todo!()
    }
}
