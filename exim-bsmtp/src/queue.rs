//! A batch on standard input becomes messages of the outbox.
//!
//! Order of events: the batch is read to its end and checked; then, message by message, the submission record tells which
//! recipients are queued already, and the rest is committed in one durable step. Only then comes exit status 0. A run that
//! ends in between is repeated by the MTA, and knows what it had queued. Messages of a large batch are committed side by
//! side: each waits for the disk, and the disk serves all who wait at once.

use std::ffi::OsStr;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use uucp_core::bsmtp::Transaction;
use uucp_core::config::Config;
use uucp_core::owner::become_owner;
use uucp_core::send::answer::{self, Watch};
use uucp_core::send::of_config;
use uucp_core::spool::Spool;
use uucp_core::sysexits::Failure;

use crate::batch::{Batch, Visitor};
use crate::cli::Arguments;
use crate::link::Link;
use crate::message::{Message, group_size};

/// How many messages are committed side by side.
const AT_ONCE: usize = 16;
/// Descriptors that a commit needs at most.
const DESCRIPTORS: usize = 8;
/// How many messages wait for that: each has buffers of its own.
const GROUP: usize = 64;

/// Runs the mode, within its deadline.
///
/// # Errors
/// Whatever keeps the batch from being queued; the MTA reads the status and the line.
pub(crate) fn run(arguments: &Arguments, system: &OsStr) -> Result<ExitCode, Failure> {
    let watch = Watch::begin("exim-bsmtp", arguments.deadline)?;
    let result = deliver(arguments, system, &watch);
    answer::claim();
    result.map(|()| ExitCode::SUCCESS)
}

fn deliver(arguments: &Arguments, system: &OsStr, watch: &Watch) -> Result<(), Failure> {
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let link = Link::new(arguments, &config, system)?;
    let mut input = watch.input();
    if arguments.dry_run {
        let batch = Batch::read(&mut input, &std::env::temp_dir())?;
        return batch.visit(&mut DryRun {
            link: &link,
            open: None,
        });
    }
    let spool = Spool::open(&config).map_err(Failure::temporary)?;
    become_owner(spool.root())?;
    watch.over(spool.root())?;
    let batch = Batch::read(&mut input, spool.root())?;
    let alone = batch.messages == 1;
    let mut queue = Queue {
        link: &link,
        spool: &spool,
        watch,
        alone,
        open: None,
        number: 0,
        group: Vec::new(),
    };
    batch.visit(&mut queue)?;
    queue.commit()
}

/// Queues each message.
struct Queue<'a> {
    link: &'a Link<'a>,
    spool: &'a Spool,
    watch: &'a Watch,
    /// Whether the batch is one message, so that the exit status can tell what is wrong with it.
    alone: bool,
    open: Option<Message<'a>>,
    number: u64,
    /// Messages that are written and not queued, with their numbers.
    group: Vec<(u64, Message<'a>)>,
}

impl Queue<'_> {
    /// Queues what is written; the first message that cannot be is the one that is told of.
    fn commit(&mut self) -> Result<(), Failure> {
        let (alone, watch) = (self.alone, self.watch);
        let waiting = Mutex::new(std::mem::take(&mut self.group).into_iter());
        let next = || lock(&waiting).next();
        let failed: Mutex<Option<(u64, Failure)>> = Mutex::new(None);
        let work = || {
            while let Some((number, message)) = next() {
                // What is queued is known when the batch comes again.
                let in_time = watch.check();
                let submitted = in_time.and_then(|()| message.submit(number, alone, watch.until()));
                let Err(failure) = submitted else {
                    continue;
                };
                let mut failed = lock(&failed);
                if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                    *failed = Some((number, failure));
                }
                return;
            }
        };
        let most = (group_size() / DESCRIPTORS).clamp(1, AT_ONCE);
        let others = lock(&waiting).len().clamp(1, most) - 1;
        std::thread::scope(|scope| {
            for _ in 0..others {
                scope.spawn(work);
            }
            work();
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some((_, failure)) if alone => Err(failure),
            Some((number, Failure { status, message })) => {
                let text = format!("message {number} of the batch: {message}");
                Err(Failure::new(status, text))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Visitor for Queue<'_> {
    fn begin(&mut self, transaction: Transaction) -> Result<(), Failure> {
        // What is queued is known when the batch comes again.
        self.watch.check()?;
        self.number += 1;
        self.open = Some(Message::begin(self.link, self.spool, transaction)?);
        Ok(())
    }

    fn content(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.open.as_mut().map_or(Ok(()), |open| open.write(text))
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(message) = self.open.take() else {
            return Ok(());
        };
        self.group.push((self.number, message));
        // Each holds its file open.
        if self.group.len() < group_size().min(GROUP) {
            return Ok(());
        }
        self.commit()
    }
}

/// An address as it is; in quotes where it would not look like one word.
fn quoted(address: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\'';
    if !address.is_empty() && address.chars().all(is_plain) {
        address.to_owned()
    } else {
        format!("'{}'", address.escape_default())
    }
}

/// `--dry-run`: prints what would be queued.
struct DryRun<'a> {
    link: &'a Link<'a>,
    open: Option<(Transaction, u64)>,
}

impl Visitor for DryRun<'_> {
    fn begin(&mut self, transaction: Transaction) -> Result<(), Failure> {
        self.open = Some((transaction, 0));
        Ok(())
    }

    fn content(&mut self, text: &[u8]) -> Result<(), Failure> {
        if let Some((_, size)) = &mut self.open {
            *size += text.len() as u64;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some((transaction, size)) = self.open.take() else {
            return Ok(());
        };
        let mut out = Vec::new();
        let priority = transaction.parameters.mt_priority;
        let grade = self.link.sending.grade_with_priority(size, priority);
        let line = format!("{} {grade} {size} ", self.link.system);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"from ");
        out.extend_from_slice(quoted(&transaction.sender.to_string()).as_bytes());
        for (number, recipient) in transaction.recipients.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b" to " } else { b" " });
            out.extend_from_slice(quoted(&recipient.address.to_string()).as_bytes());
        }
        out.push(b'\n');
        for refused in &transaction.refused {
            out.extend_from_slice(format!("refused {refused}\n").as_bytes());
        }
        std::io::stdout()
            .write_all(&out)
            .map_err(|e| Failure::temporary(format!("standard output: {e}")))
    }
}
