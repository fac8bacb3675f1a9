//! `--list`, `--cancel` and `--expire`: the messages that wait, one by one.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use uucp_core::config::Config;
use uucp_core::config::mail::MailConfig;
use uucp_core::name::SystemName;
use uucp_core::outbox::{Entry, Outbox, expire};
use uucp_core::owner::become_owner;
use uucp_core::program::print;
use uucp_core::send::{look_up, of_config, user_name};
use uucp_core::spool::{EntryName, Journal, Severity, Spool};
use uucp_core::sysexits::{Failure, Status};

use crate::cli::Arguments;
use crate::flush::systems;

/// How long to wait for whoever is packing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message that waits. Bytes that are not UTF-8 are shown as U+FFFD.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    system: String,
    name: String,
    grade: String,
    queued: String,
    bytes: u64,
    sender: String,
    recipients: Vec<String>,
}

/// Runs one of these modes, if it is asked for.
pub(crate) fn mode(arguments: &Arguments) -> Option<Result<ExitCode, Failure>> {
    if arguments.list {
        return Some(list(arguments));
    }
    if arguments.expire {
        return Some(return_old(arguments));
    }
    let system = arguments.cancel.as_ref()?;
    Some(cancel(arguments, system))
}

fn open(arguments: &Arguments) -> Result<(Config, Spool), Failure> {
    let config = Config::load(arguments.config.as_deref()).map_err(|e| of_config(&e))?;
    let spool = Spool::open(&config).map_err(Failure::temporary)?;
    become_owner(spool.root())?;
    Ok((config, spool))
}

fn list(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (config, spool) = open(arguments)?;
    let mut shown = Vec::new();
    for system in systems(arguments, &config, &spool)? {
        let outbox = Outbox::new(&spool, &system);
        // A full disk is no reason to show nothing.
        let _ = outbox.settle();
        for name in outbox.list().map_err(Failure::temporary)? {
            // What is packed meanwhile waits here no more.
            if let Some(entry) = outbox.open(&name).map_err(Failure::temporary)? {
                shown.push(Shown::new(&system, &name, &entry));
            }
        }
    }
    print(&shown, arguments.json, |shown| {
        shown.iter().map(|one| one.line() + "\n").collect()
    })
}

impl Shown {
    fn new(system: &SystemName, name: &EntryName, entry: &Entry) -> Self {
        let transaction = &entry.head.transaction;
        let queued = Timestamp::try_from(name.queued());
        Self {
            system: system.to_string(),
            name: name.to_string(),
            grade: name.grade().to_string(),
            queued: queued.map_or_else(|_| String::new(), |time| time.to_string()),
            bytes: entry.head.size,
            sender: transaction.sender.to_string(),
            recipients: transaction
                .recipients
                .iter()
                .map(|recipient| recipient.address.to_string())
                .collect(),
        }
    }

    fn line(&self) -> String {
        let Self {
            system,
            name,
            queued,
            bytes,
            sender,
            ..
        } = self;
        let to = match &*self.recipients {
            [one, two, three, rest @ ..] if !rest.is_empty() => {
                format!("{one} {two} {three} and {} more", rest.len())
            }
            few => few.join(" "),
        };
        let line = format!("{system} {name} {queued} {bytes:>9} {sender} -> {to}");
        line.replace(char::is_control, "?")
    }
}

fn cancel(arguments: &Arguments, system: &OsStr) -> Result<ExitCode, Failure> {
    if arguments.systems.is_empty() {
        let text = "--cancel=SYSTEM wants the names of messages behind it, as --list shows them";
        return Err(Failure::new(Status::Usage, text));
    }
    let (config, spool) = open(arguments)?;
    let system = look_up(&config, system)?.name;
    let outbox = Outbox::new(&spool, &system);
    let names = arguments.systems.iter().map(|word| {
        let name = word.to_str().and_then(EntryName::parse);
        let wrong = || {
            format!(
                "{} is not the name of a message; see --list",
                word.display()
            )
        };
        name.ok_or_else(|| Failure::new(Status::Usage, wrong()))
    });
    let names: Vec<EntryName> = names.collect::<Result<_, _>>()?;
    let mut journal = Journal::open(&config, "exim-bsmtp");
    let user = user_name();
    for name in names {
        let deadline = Instant::now() + PATIENCE;
        if !outbox.cancel(&name, deadline).map_err(Failure::temporary)? {
            let text = format!("{name} does not wait for {system}: it was packed, or never there");
            return Err(Failure::new(Status::Other, text));
        }
        let text = format!("Cancelled message {name}");
        journal.log(Some(&system), Some(&user), Severity::Info, &text);
    }
    Ok(ExitCode::SUCCESS)
}

fn return_old(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (config, spool) = open(arguments)?;
    let mail = MailConfig::load(&config.directory)
        .map_err(|e| Failure::new(Status::Configuration, e.to_string()))?;
    let mut journal = Journal::open(&config, "exim-bsmtp");
    let mut count = 0;
    for system in systems(arguments, &config, &spool)? {
        count += expire(&spool, &mail, &system, &mut journal).map_err(Failure::temporary)?;
    }
    if !arguments.quiet && count > 0 {
        // A closed standard output changes nothing of what was done.
        let _ = writeln!(io::stdout(), "returned messages: {count}");
    }
    Ok(ExitCode::SUCCESS)
}
