//! One pass over a batch that was moved aside: every message of it becomes one of the outbox, once.
//!
//! The record of the batch's name says which of its messages are queued. They are queued in groups, each in one round of
//! syncs; a pass that is cut is followed by one that leaves out the groups that were queued.

use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uucp_core::bsmtp::{Event, Limits, Reader, Transaction, Verb};
use uucp_core::collect::Batch;
use uucp_core::owner::as_starter;
use uucp_core::report::note;
use uucp_core::spool::{
    Delivery, Journal, LocalMailDraft, SealedMessage, Severity, Spool, Submission, SubmissionKey,
};
use uucp_core::sysexits::{Failure, Status};

use super::scan::{MOST, Scan};
use super::unread;
use crate::link::Link;
use crate::message::{self, Message, Ready, group_size, of_spool};

const BUFFER: usize = 64 << 10;
/// How long to wait for another who is at work on the same record.
const WAIT: Duration = Duration::from_secs(30);
/// What a pass has done.
#[derive(Debug)]
pub(super) struct Done {
    /// How many messages were queued.
    pub(super) queued: u64,
    /// What was not understood.
    pub(super) problems: Vec<String>,
    /// Files that were read to their end, and how long they were.
    pub(super) whole: Vec<(PathBuf, u64)>,
    /// Why some of it could not be read: it is needed still.
    pub(super) unreadable: Option<Failure>,
}

/// One pass over a batch.
pub(super) struct Pass<'a> {
    batch: &'a Batch,
    link: &'a Link<'a>,
    spool: &'a Spool,
    submission: Option<Submission>,
    /// Messages that are written and not queued, and what the record will say of them.
    group: Vec<Ready>,
    covers: Vec<Vec<u8>>,
    /// How many make a group.
    group_size: usize,
    queued: u64,
    /// What was not understood, up to a number; and how much it was.
    problems: Vec<String>,
    lost: usize,
    whole: Vec<(PathBuf, u64)>,
    unreadable: Option<Failure>,
    unread: Vec<(PathBuf, Range<u64>)>,
}

/// A message that is being read.
struct Open<'a> {
    label: Vec<u8>,
    /// `None`: it is queued already, or cannot be.
    message: Option<Message<'a>>,
    /// What is wrong with it and can be told to nobody by mail.
    problem: Option<String>,
}

impl<'a> Pass<'a> {
    /// Queues what is not queued yet. When this returns well, and nothing was unreadable, nothing of the batch is needed any more.
    ///
    /// # Errors
    /// When anything could not be queued.
    pub(super) fn over(
        batch: &'a Batch,
        link: &'a Link<'a>,
        spool: &'a Spool,
    ) -> Result<Done, Failure> {
        let mut pass = Self {
            batch,
            link,
            spool,
            submission: Some(begin(batch, link, spool)?),
            group: Vec::new(),
            covers: Vec::new(),
            group_size: group_size(),
            queued: 0,
            problems: Vec::new(),
            lost: 0,
            whole: Vec::new(),
            unreadable: None,
            unread: Vec::new(),
        };
        for file in as_starter(|| batch.files()).map_err(Failure::temporary)? {
            match as_starter(|| batch.open(&file)) {
                Ok(open) => pass.file(&file, open)?,
                Err(error) => pass.cannot_read(Failure::temporary(error)),
            }
        }
        pass.finish()
    }

    /// What was read before it is queued all the same, and so are the other files: a bad block keeps nothing waiting but itself.
    fn cannot_read(&mut self, failure: Failure) {
        self.unreadable.get_or_insert(failure);
    }

    fn file(&mut self, path: &Path, mut file: impl Read) -> Result<(), Failure> {
        let name = path.file_name().unwrap_or_default();
        let mut reader = Reader::new(Limits::default());
        let mut scan = Scan::default();
        let mut open = None;
        let mut number = 0_u64;
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut piece = match next_piece(&mut file, &mut buffer) {
                Ok(piece) => piece,
                Err(error) => {
                    let shown = path.as_os_str().as_bytes().escape_ascii();
                    let text = format!("cannot read {shown}: {error}");
                    self.cannot_read(Failure::temporary(text));
                    return Ok(());
                }
            };
            if piece.is_empty() {
                break;
            }
            loop {
                let (used, event) = reader.read(piece);
                scan.follow(used, event.as_ref());
                piece = piece.get(used..).unwrap_or_default();
                match event {
                    None => break,
                    Some(Event::Begin(transaction)) => {
                        number += 1;
                        let label = [name.as_bytes(), format!(" {number}").as_bytes()].concat();
                        open = Some(self.begin(label, *transaction)?);
                    }
                    Some(Event::Content(text)) => {
                        if let Some(Open {
                            message: Some(message),
                            ..
                        }) = &mut open
                        {
                            message.write(text)?;
                        }
                    }
                    Some(Event::End) => {
                        if let Some(open) = open.take()
                            && let Some(problem) = self.end(open)?
                        {
                            scan.lose_message(problem);
                        }
                    }
                    Some(Event::Broken(_)) => open = None,
                    Some(_) => {}
                }
            }
        }
        scan.end(&reader.finish());
        let name = self.batch.system().as_bytes().escape_ascii();
        let room = MOST.saturating_sub(self.problems.len());
        let problems = scan.problems.iter().take(room);
        self.problems
            .extend(problems.map(|text| format!("{name}: {text}")));
        self.lost += scan.count;
        self.whole.push((path.to_owned(), scan.read()));
        let ranges = scan.ranges.into_iter();
        self.unread
            .extend(ranges.map(|range| (path.to_owned(), range)));
        Ok(())
    }

    fn begin(&mut self, label: Vec<u8>, transaction: Transaction) -> Result<Open<'a>, Failure> {
        let (lost, problem) = judge(&transaction);
        let message = if lost || self.is_covered(&label)? {
            None
        } else {
            Some(Message::begin(self.link, self.spool, transaction)?)
        };
        Ok(Open {
            label,
            message,
            problem,
        })
    }

    /// The message is whole; gives what is wrong with it and can be told to nobody by mail.
    fn end(&mut self, open: Open<'a>) -> Result<Option<String>, Failure> {
        let Some(message) = open.message else {
            return Ok(open.problem);
        };
        match message.ready() {
            Ok(Some(ready)) => {
                self.group.push(ready);
                self.covers.push(open.label);
            }
            Ok(None) => {
                let nobody = "nobody can get this message, and nobody can be told".to_owned();
                return Ok(open.problem.or(Some(nobody)));
            }
            Err(failure) if failure.status == Status::DataError => {
                return Ok(Some(failure.message));
            }
            Err(failure) => return Err(failure),
        }
        if self.group.len() >= self.group_size {
            self.commit(None)?;
        }
        Ok(open.problem)
    }

    /// Whether the record says that this is dealt with.
    fn is_covered(&mut self, label: &[u8]) -> Result<bool, Failure> {
        let submission = match self.submission.take() {
            Some(submission) => submission,
            None => begin(self.batch, self.link, self.spool)?,
        };
        Ok(self.submission.insert(submission).is_covered(label))
    }

    /// Queues a group, and with it the note about what was not understood.
    fn commit(&mut self, note: Option<&[u8]>) -> Result<(), Failure> {
        let submission = match self.submission.take() {
            Some(submission) => submission,
            None => begin(self.batch, self.link, self.spool)?,
        };
        let mut group = std::mem::take(&mut self.group);
        let mut covers = std::mem::take(&mut self.covers);
        let messages: Vec<SealedMessage> = group
            .iter_mut()
            .filter_map(|one| one.message.take())
            .collect();
        let mut mails = Vec::new();
        for one in &group {
            if let Some(content) = &one.report {
                mails.push(mail(&one.to, content));
            }
        }
        let postmaster = [note::postmaster(&self.link.mail).to_vec()];
        if let Some(note) = note {
            covers.push(self.note_label());
            mails.push(mail(&postmaster, note));
        }
        let covers: Vec<&[u8]> = covers.iter().map(Vec::as_slice).collect();
        submission
            .commit(Delivery {
                recipients: &covers,
                messages,
                mails: &mails,
                ..Delivery::default()
            })
            .map_err(|error| of_spool(&error))?;
        self.queued += group.iter().filter(|one| one.name.is_some()).count() as u64;
        self.log(&group);
        Ok(())
    }

    fn log(&self, group: &[Ready]) {
        let mut journal = Journal::open(self.link.config, "exim-bsmtp");
        for one in group {
            message::log(
                &mut journal,
                self.link,
                one.name.as_ref(),
                &one.shown,
                &one.refusals,
            );
        }
    }

    /// What the record says of the note. Should more come to a batch that was read, there is more to be told.
    fn note_label(&self) -> Vec<u8> {
        format!("note {}", self.lost).into_bytes()
    }

    fn finish(mut self) -> Result<Done, Failure> {
        let mut note = None;
        let more = self.lost.saturating_sub(self.problems.len());
        if more > 0 {
            self.problems.push(format!("and {more} more like these"));
        }
        if !self.problems.is_empty() && !self.is_covered(&self.note_label())? {
            let mut text = self.problems.join("\n");
            if !self.unread.is_empty() {
                // Durable before the record says that it is dealt with.
                let kept = as_starter(|| unread::keep(self.batch, &self.unread))?;
                let kept = format!("what was not understood is in {}", kept.display());
                let mut journal = Journal::open(self.link.config, "exim-bsmtp");
                for line in self.problems.iter().chain([&kept]) {
                    journal.log(Some(&self.link.system), None, Severity::Error, line);
                }
                text.push_str("\n\n");
                text.push_str(&kept);
                text.push('\n');
                self.problems.push(kept);
            }
            let subject = format!("Mail for {} that was not understood", self.link.system);
            let local = self.spool.nodename();
            note = Some(note::postmaster_note(
                local,
                &self.link.mail,
                &subject,
                &text,
            ));
        }
        if note.is_some() || !self.covers.is_empty() {
            self.commit(note.as_deref())?;
        }
        Ok(Done {
            queued: self.queued,
            problems: self.problems,
            whole: self.whole,
            unreadable: self.unreadable,
        })
    }
}

fn mail<'m>(to: &'m [Vec<u8>], content: &'m [u8]) -> LocalMailDraft<'m> {
    LocalMailDraft {
        sender: b"",
        recipients: to,
        content,
    }
}

/// What is wrong with an envelope and can be told to nobody by mail; and whether its message cannot be queued at all.
fn judge(transaction: &Transaction) -> (bool, Option<String>) {
    let mail = transaction
        .refused
        .iter()
        .find(|one| one.verb == Verb::Mail);
    if let Some(refused) = mail {
        return (true, Some(refused.to_string()));
    }
    if transaction.unlisted > 0 {
        let text = format!("{} recipients more than can be read", transaction.unlisted);
        return (false, Some(text));
    }
    let untold = transaction.sender.address().is_none();
    let first = transaction.refused.first().filter(|_| untold);
    (false, first.map(ToString::to_string))
}

/// The record of a batch, by its name: nobody is given that again.
fn begin(batch: &Batch, link: &Link<'_>, spool: &Spool) -> Result<Submission, Failure> {
    let key = SubmissionKey {
        message_id: [b"collected ", batch.name().as_bytes()].concat(),
        content_hash: [0; 32],
        system: link.system.clone(),
    };
    spool
        .begin_submission(&key, Instant::now() + WAIT)
        .map_err(|error| of_spool(&error))
}

fn next_piece<'b>(source: &mut impl Read, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        match source.read(buffer) {
            Ok(count) => return Ok(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
