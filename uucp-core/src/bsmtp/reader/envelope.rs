//! The envelope that is being read: how it begins, grows, and ends.

use super::{Reader, State};
use crate::bsmtp::LineEnd;
use crate::bsmtp::command::{self, Chunk};
use crate::bsmtp::content::Chunked;
use crate::bsmtp::event::{Event, Fault, Problem};
use crate::bsmtp::line::Line;
use crate::bsmtp::transaction::{Reason, Recipient, Refused, Transaction, Verb};

/// How much of a line that was not understood is told.
const TOLD: usize = 2000;

/// An envelope that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) transaction: Box<Transaction>,
    pub(super) line: u64,
    pub(super) bytes: usize,
}

impl Reader {
    /// An envelope begins, with a sender or without.
    pub(super) fn open(&mut self, kind: LineEnd) -> &mut Transaction {
        self.kind = Some(kind);
        let open = self.open.insert(Open {
            transaction: Box::default(),
            line: self.at,
            bytes: 0,
        });
        &mut open.transaction
    }

    /// There has to be an envelope; where there is none, its sender is unknown.
    pub(super) fn open_anyway(&mut self, kind: LineEnd) {
        if self.open.is_none() {
            self.open(kind);
            self.refuse(Verb::Mail, b"", Reason::NoMail);
        }
    }

    pub(super) fn refuse(&mut self, verb: Verb, line: &[u8], reason: Reason) {
        if let Some(open) = &mut self.open {
            open.transaction.refused.push(Refused {
                verb,
                text: shortened(command::argument(line)),
                reason,
                line: self.at,
            });
        }
    }

    pub(super) fn recipient(&mut self, line: &Line, rcpt: Result<Recipient, Reason>) {
        if let State::Chunked { .. } = self.state {
            // Too late for this message, and for no other.
            self.fault(self.at, Problem::NotACommand(shortened(&line.text)));
            return;
        }
        self.open_anyway(line.end);
        let Some(open) = &mut self.open else { return };
        open.bytes += line.text.len();
        let transaction = &mut open.transaction;
        let count = transaction.recipients.len() + transaction.refused.len();
        if count >= self.limits.recipients || open.bytes > self.limits.envelope {
            transaction.unlisted += 1;
            return;
        }
        match rcpt {
            Ok(recipient) => transaction.recipients.push(recipient),
            Err(reason) => self.refuse(Verb::Rcpt, &line.text, reason),
        }
    }

    /// Content begins: the envelope is told, and the line where it began given back.
    pub(super) fn begin(&mut self, kind: LineEnd) -> u64 {
        self.open_anyway(kind);
        let Some(open) = self.open.take() else {
            return self.at;
        };
        self.ready.push_back(Event::Begin(open.transaction));
        open.line
    }

    pub(super) fn chunk(&mut self, kind: LineEnd, chunk: Chunk) {
        if !matches!(self.state, State::Chunked { .. }) {
            let line = self.begin(kind);
            let content = Chunked::new(self.kind.unwrap_or(LineEnd::Lf));
            self.state = State::Chunked { content, line };
        }
        if let State::Chunked { content, .. } = &mut self.state {
            content.begin(chunk.size, chunk.last);
        }
    }

    /// Whatever message was begun ends here, without its content.
    pub(super) fn end_envelope(&mut self) {
        self.end_chunks();
        self.kind = None;
        if let Some(open) = self.open.take() {
            self.fault(open.line, Problem::NoContent(open.transaction));
        }
    }

    pub(super) fn end_chunks(&mut self) {
        if let State::Chunked { line, .. } = self.state {
            self.state = State::Command;
            self.kind = None;
            self.ready.push_back(Event::Broken(Fault {
                line,
                problem: Problem::NoLastChunk,
            }));
        }
    }

    pub(super) fn end_batch_without_quit(&mut self) {
        if let Some(line) = self.ours.take() {
            self.fault(line, Problem::NoQuit);
        }
    }

    pub(super) fn fault(&mut self, line: u64, problem: Problem) {
        self.ready.push_back(Event::Fault(Fault { line, problem }));
    }
}

pub(super) fn shortened(text: &[u8]) -> Vec<u8> {
    text.get(..TOLD).unwrap_or(text).to_vec()
}
