//! A batch on standard input becomes messages of the outbox.
//!
//! Order of events: the batch is read to its end and checked; then, message by message, the submission record tells which
//! recipients are queued already, and the rest is committed in one durable step. Only then comes exit status 0. A run that
//! ends in between is repeated by the MTA, and knows what it had queued.

use std::ffi::OsStr;
use std::io::Write;
use std::process::ExitCode;

use uucp_core::bsmtp::Transaction;
use uucp_core::config::Config;
use uucp_core::send::answer::{self, Watch};
use uucp_core::send::of_config;
use uucp_core::spool::Spool;
use uucp_core::sysexits::Failure;

use crate::batch::{Batch, Visitor};
use crate::cli::Arguments;
use crate::link::Link;
use crate::message::Message;

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
    watch.over(spool.root())?;
    let batch = Batch::read(&mut input, spool.root())?;
    let alone = batch.messages == 1;
    batch.visit(&mut Queue {
        link: &link,
        spool: &spool,
        watch,
        alone,
        open: None,
        number: 0,
    })
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
        message
            .submit(self.number, self.alone, self.watch.until())
            .map_err(|failure| {
                if self.alone {
                    return failure;
                }
                let text = format!("message {} of the batch: {}", self.number, failure.message);
                Failure::new(failure.status, text)
            })
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
        out.extend_from_slice(transaction.summary().as_bytes());
        out.push(b'\n');
        for refused in &transaction.refused {
            out.extend_from_slice(format!("refused {refused}\n").as_bytes());
        }
        std::io::stdout()
            .write_all(&out)
            .map_err(|e| Failure::temporary(format!("standard output: {e}")))
    }
}
