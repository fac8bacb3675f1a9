//! Kept mail, offered again to the MTA: by `uuxqt` at its start, by a timer, by hand.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::Site;
use super::handing::{Handing, Tally, Times};
use super::kept::Kept;
use super::mail::{Mail, Source, Waited};
use crate::clock;
use crate::delivery::{Identity, Ledger, Pool, Receiver};
use crate::name::SystemName;
use crate::spool::ObservedTime;
use crate::stop;
use crate::sysexits::{Failure, Status};

/// Whether any mail in this state directory is due.
#[must_use]
pub fn is_due(state: &Path, now: ObservedTime) -> bool {
    let neighbours = Kept::neighbours(state).unwrap_or_default();
    neighbours.iter().any(|neighbour| {
        let Ok(kept) = Kept::open(state, neighbour.as_ref(), u64::MAX) else {
            return false;
        };
        let names = kept.names().unwrap_or_default();
        names.iter().any(|name| kept.retry(name).is_due(now))
    })
}

/// Offers what is due, or with `all` whatever waits. A neighbour whose mail is being handed over by somebody else is left
/// to him.
///
/// # Errors
/// When nobody knows how mail is handed over, or what waits cannot be read.
pub fn run(site: &Site, all: bool) -> Result<Tally, Failure> {
    let mut total = Tally::default();
    let neighbours = Kept::neighbours(&site.around.state).map_err(Failure::temporary)?;
    for neighbour in neighbours {
        // What waits, waits on.
        if stop::is_asked() {
            break;
        }
        if let Some(tally) = run_neighbour(site, neighbour.as_ref(), all)? {
            total.add(tally);
        }
    }
    Ok(total)
}

fn run_neighbour(
    site: &Site,
    neighbour: Option<&SystemName>,
    all: bool,
) -> Result<Option<Tally>, Failure> {
    let now = site.observed_now()?;
    let state = &site.around.state;
    let policy = site.mail.policy(neighbour);
    let open = || Kept::open(state, neighbour, policy.waiting_limit);
    let (kept, list) = open()
        .and_then(|kept| Ok((kept, open()?)))
        .map_err(Failure::temporary)?;
    let mut due = list.names().map_err(Failure::temporary)?;
    due.retain(|name| all || list.retry(name).is_due(now));
    if due.is_empty() {
        return Ok(None);
    }
    let Some(ledger) =
        Ledger::open(state, neighbour, now, Duration::ZERO).map_err(Failure::temporary)?
    else {
        return Ok(None);
    };
    stop::hold().map_err(Failure::temporary)?;
    let wrong = |e: &dyn std::fmt::Display| Failure::new(Status::Configuration, e.to_string());
    let mut pool =
        Pool::choose(&site.mail.delivery(neighbour), &site.around).map_err(|e| wrong(&e))?;
    let receiver = Receiver::new(
        &site.mail,
        site.spool.as_ref(),
        site.around.clone(),
        neighbour,
        clock::now(),
    )
    .map_err(|e| wrong(&e))?;
    let source = Waiting {
        site,
        neighbour,
        kept: list,
        due: due.into_iter(),
        trouble: None,
    };
    let handing = Handing::new(
        source,
        &ledger,
        receiver,
        policy,
        kept,
        site.times(neighbour, now),
    );
    pool.run(&handing);
    let (source, mut tally) = handing.finish();
    tally.trouble = tally.trouble.or(source.trouble);
    Ok(Some(tally))
}

/// The messages that are due.
#[derive(Debug)]
struct Waiting<'a> {
    site: &'a Site,
    neighbour: Option<&'a SystemName>,
    kept: Kept,
    due: std::vec::IntoIter<Identity>,
    trouble: Option<String>,
}

impl Source for Waiting<'_> {
    fn next(&mut self) -> Option<Mail> {
        for name in self.due.by_ref() {
            match self.kept.take(&name, &self.site.around.state) {
                Ok(mail) => {
                    return Some(Mail {
                        identity: mail.identity,
                        name,
                        transaction: mail.transaction,
                        message: mail.message,
                        unfit: Vec::new(),
                        verdict: None,
                        waited: Some(Waited {
                            since: mail.since,
                            retry: self.kept.retry(&name),
                        }),
                    });
                }
                // Somebody else was done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let path = self.kept.path(&name);
                    let text = format!("cannot read {}: {error}", path.display());
                    if error.kind() == io::ErrorKind::InvalidData {
                        let why = "a kept message that cannot be understood";
                        let set_aside = self.site.set_aside_file(self.neighbour, &path, why);
                        if set_aside.is_ok() {
                            let _ = self.kept.remove(&name);
                        }
                    }
                    self.trouble = Some(text);
                }
            }
        }
        None
    }
}

impl Site {
    /// How long messages of this neighbour wait.
    #[must_use]
    pub fn times(&self, neighbour: Option<&SystemName>, now: ObservedTime) -> Times {
        let execution = self.mail.execution(neighbour);
        Times {
            now,
            age_limit: execution.age_limit,
            warn_after: execution.warn_after,
        }
    }
}
