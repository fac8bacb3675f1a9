//! What waits in outboxes is packed now: into jobs, for whichever uucico calls next, or through NNCP.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use uucp_core::config::Config;
use uucp_core::config::mail::{Carrier, MailConfig};
use uucp_core::name::SystemName;
use uucp_core::outbox::{Batch, Outbox, PackError, Packed, Packing, Scope, expire};
use uucp_core::owner::become_owner;
use uucp_core::send::{look_up, of_config, user_name};
use uucp_core::spool::{Journal, Severity, Spool};
use uucp_core::sysexits::{Failure, Status};

use crate::cli::Arguments;
use crate::nncp;

/// Runs the mode.
///
/// # Errors
/// When nothing can be begun, or messages of any system could not be packed; those of the others are.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let mail = MailConfig::load(&config.directory)
        .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
    let spool = Spool::open(&config).map_err(|e| Failure::temporary(&e))?;
    become_owner(spool.root())?;
    let systems = systems(arguments, &config, &spool)?;
    let mut flush = Flush {
        config: &config,
        mail: &mail,
        spool: &spool,
        progress: Progress::new(arguments.quiet),
        total: Total::default(),
        failures: Vec::new(),
    };
    for system in &systems {
        flush.system(system);
    }
    flush.finish(arguments.quiet)
}

/// Those that are named, else all for which something waits.
pub(crate) fn systems(
    arguments: &Arguments,
    config: &Config,
    spool: &Spool,
) -> Result<Vec<SystemName>, Failure> {
    if arguments.systems.is_empty() {
        return spool
            .systems_with_messages()
            .map_err(|e| Failure::temporary(&e));
    }
    let named = arguments.systems.iter();
    named
        .map(|name| look_up(config, name).map(|system| system.name))
        .collect()
}

struct Flush<'a> {
    config: &'a Config,
    mail: &'a MailConfig,
    spool: &'a Spool,
    progress: Progress,
    total: Total,
    failures: Vec<Failure>,
}

/// What was packed, in all.
#[derive(Debug, Default)]
struct Total {
    messages: usize,
    batches: usize,
    bytes: u64,
    size: u64,
    systems: usize,
}

impl Flush<'_> {
    fn system(&mut self, system: &SystemName) {
        let before = self.total.messages;
        let outcome = self.pack(system);
        self.total.systems += usize::from(self.total.messages > before);
        let mut journal = Journal::open(self.config, "exim-bsmtp");
        let user = user_name();
        let mut log = |text: &str| journal.log(Some(system), Some(&user), Severity::Error, text);
        let complaints = match outcome {
            Ok(packed) => packed.complaints,
            Err(failure) => {
                log(&failure.message);
                self.failures.push(failure);
                return;
            }
        };
        for complaint in complaints {
            log(&complaint);
            self.failures
                .push(Failure::temporary(format!("{system}: {complaint}")));
        }
    }

    fn pack(&mut self, system: &SystemName) -> Result<Packed, Failure> {
        let mut journal = Journal::open(self.config, "exim-bsmtp");
        expire(self.spool, self.mail, system, &mut journal).map_err(|e| Failure::temporary(&e))?;
        let how = Packing::new(self.config, self.mail, system).map_err(|e| {
            let text = format!("{e}; what waits in the outbox stays there");
            Failure::new(Status::Configuration, text)
        })?;
        let sending = self.mail.sending(system);
        let outbox = Outbox::new(self.spool, system);
        let waiting = outbox.list().map_err(|e| Failure::temporary(&e))?.len();
        let user = how.user.clone();
        let (total, progress) = (&mut self.total, &mut self.progress);
        let begun = total.messages;
        let mut told = |batch: &Batch, to: &str| {
            total.add(batch);
            progress.show(system, total.messages - begun, waiting);
            let text = format!(
                "Packed {} messages of grade {}, {} bytes, into {to}",
                batch.messages.len(),
                batch.grade,
                batch.size
            );
            journal.log(Some(system), Some(&user), Severity::Info, &text);
        };
        let packed = match sending.carrier {
            Carrier::Uucp => outbox.pack(&how, Scope::all(), &mut |batch| {
                let job = batch.job.as_ref().map(|job| job.work.to_string());
                told(batch, &job.unwrap_or_default());
            }),
            Carrier::Nncp => outbox.pack_with(&how, Scope::all(), &mut |batch, file| {
                nncp::hand_over(&sending, &how.command, &file)?;
                told(batch, &format!("a packet for {}", sending.nncp_node));
                Ok(())
            }),
        };
        packed.map_err(|error| of_pack(system, &error))
    }

    fn finish(mut self, quiet: bool) -> Result<ExitCode, Failure> {
        self.progress.clear();
        // That there was nothing to pack is not so where it could not be packed.
        if !quiet && (self.total.messages > 0 || self.failures.is_empty()) {
            let line = self.total.line();
            // A closed standard output changes nothing of what was done.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        if self.failures.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let first = self.failures.remove(0);
        let more = match self.failures.len() {
            0 => String::new(),
            count => format!(" (and {count} more; see the log)"),
        };
        Err(Failure::new(
            first.status,
            format!("{}{more}", first.message),
        ))
    }
}

fn of_pack(system: &SystemName, error: &PackError) -> Failure {
    let text = if error.is_busy() {
        format!("{system}: somebody else is packing this outbox: {error}")
    } else {
        format!("{system}: {error}")
    };
    Failure::temporary(text)
}

impl Total {
    fn add(&mut self, batch: &Batch) {
        self.messages += batch.messages.len();
        self.batches += 1;
        self.bytes += batch.bytes;
        self.size += batch.size;
    }

    fn line(&self) -> String {
        if self.messages == 0 {
            return "nothing to pack".to_owned();
        }
        let of = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {many}"),
        };
        format!(
            "packed {} for {} into {}: {} bytes, {} before compression",
            of(self.messages, "message", "messages"),
            of(self.systems, "system", "systems"),
            of(self.batches, "batch", "batches"),
            self.size,
            self.bytes
        )
    }
}

/// A line that changes, on a terminal; elsewhere nothing.
#[derive(Debug)]
struct Progress {
    shown: bool,
    terminal: bool,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        Self {
            shown: false,
            terminal: !quiet && std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, system: &SystemName, done: usize, of: usize) {
        if self.terminal {
            self.shown = true;
            let _ = write!(std::io::stderr(), "\r\x1b[K{system}: {done} of {of}");
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_and_says_when_there_was_nothing() {
        let mut total = Total::default();
        assert_eq!(total.line(), "nothing to pack");
        let batch = |messages: usize| Batch {
            grade: uucp_core::name::Grade::DEFAULT,
            messages: vec![uucp_core::spool::EntryName::parse("N0123456789ABC").unwrap(); messages],
            bytes: 1000,
            size: 100,
            job: None,
        };
        total.systems = 1;
        total.add(&batch(1));
        assert_eq!(
            total.line(),
            "packed 1 message for 1 system into 1 batch: 100 bytes, 1000 before compression"
        );
        total.systems = 2;
        total.add(&batch(7));
        assert_eq!(
            total.line(),
            "packed 8 messages for 2 systems into 2 batches: 200 bytes, 2000 before compression"
        );
    }
}
