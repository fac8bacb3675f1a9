//! Messages that wait too long go back to their senders: a link may be down for weeks, but nobody is left without a word.
//!
//! The report is durable before the message goes: whoever comes again after a crash in between finds that the sender is told,
//! and only removes the message.

use std::time::{Duration, Instant};

use super::notice::Notice;
use super::{Entry, Outbox};
use crate::config::mail::MailConfig;
use crate::name::SystemName;
use crate::report::Kind;
use crate::spool::{EntryName, Journal, ObservedTime, OutboxLock, Severity, Spool, SpoolError};

/// So many messages of a grade that may stay, one after the other, end the search: those behind them came later still.
const YOUNG_ENOUGH: usize = 16;

/// A message that was taken out because its time was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its name.
    pub name: EntryName,
    /// Sender and recipients, for the log.
    pub shown: String,
    /// Whether its sender is told. Nobody is about a message of the null sender, or to whom `NOTIFY=NEVER` was said.
    pub is_told: bool,
}

/// Returns messages for a system to their senders that have waited longer than `mail.toml` allows, and logs each; how many.
/// An outbox that somebody else is at work on is left to the next time.
///
/// # Errors
/// When a step fails.
pub fn expire(
    spool: &Spool,
    mail: &MailConfig,
    system: &SystemName,
    journal: &mut Journal,
) -> Result<usize, SpoolError> {
    let age = mail.sending(system).age_limit;
    let mut count = 0;
    let done = Outbox::new(spool, system).expire(mail, age, Instant::now(), &mut |expired| {
        count += 1;
        let told = if expired.is_told {
            "its sender is told"
        } else {
            "nobody is to be told"
        };
        let text = format!(
            "Returned message {} {}: it waited too long; {told}",
            expired.name, expired.shown
        );
        journal.log(Some(system), None, Severity::Error, &text);
    });
    match done {
        Err(SpoolError::Locked { .. }) => Ok(0),
        other => other.map(|()| count),
    }
}

/// As [`expire`], for all systems.
///
/// # Errors
/// When a step fails.
pub fn expire_all(
    spool: &Spool,
    mail: &MailConfig,
    journal: &mut Journal,
) -> Result<(), SpoolError> {
    for system in spool.systems_with_messages()? {
        expire(spool, mail, &system, journal)?;
    }
    Ok(())
}

impl Outbox<'_> {
    /// Returns messages to their senders that have waited longer than `age`; tells `each` of them. Waits until `deadline` for
    /// whoever is packing ([`SpoolError::Locked`] then).
    ///
    /// # Errors
    /// When a step fails; messages before that are returned.
    pub fn expire(
        &self,
        mail: &MailConfig,
        age: Duration,
        deadline: Instant,
        each: &mut dyn FnMut(Expired),
    ) -> Result<(), SpoolError> {
        let now = self.spool.observed_now()?;
        let old = self.older_than(age, now)?;
        if old.is_empty() {
            return Ok(());
        }
        let lock = self.spool.lock_outbox(&self.system, deadline)?;
        for name in old {
            // Whoever had the lock may have packed it.
            if let Some(entry) = self.open(&name)? {
                let waited = now.since(entry.head.observed);
                each(self.give_back(&lock, mail, &name, entry, waited)?);
            }
        }
        Ok(())
    }

    fn older_than(&self, age: Duration, now: ObservedTime) -> Result<Vec<EntryName>, SpoolError> {
        let names = self.list()?;
        let mut old = Vec::new();
        for same in names.chunk_by(|a, b| a.grade() == b.grade()) {
            let mut young = 0;
            for name in same {
                // What cannot be understood is set aside when it is packed.
                let Ok(Some(entry)) = self.open(name) else {
                    continue;
                };
                if now.since(entry.head.observed) >= age {
                    old.push(name.clone());
                } else {
                    young += 1;
                    if young == YOUNG_ENOUGH {
                        break;
                    }
                }
            }
        }
        Ok(old)
    }

    fn give_back(
        &self,
        lock: &OutboxLock,
        mail: &MailConfig,
        name: &EntryName,
        entry: Entry,
        waited: Duration,
    ) -> Result<Expired, SpoolError> {
        let shown = entry.head.transaction.summary();
        let notice = Notice {
            word: "expired",
            kind: Kind::Failed,
            status: "5.4.7",
            diagnostic: format!(
                "5.4.7 it waited {} for a call with {}",
                days(waited),
                self.system
            ),
            wants: |notify| notify.is_none_or(|notify| notify.failure),
            domain: mail
                .domain()
                .unwrap_or_else(|| self.spool.nodename().as_str()),
            postmaster: mail.postmaster(),
        };
        let is_told = self.tell_sender(name, entry, &notice)?;
        lock.remove([name])?;
        Ok(Expired {
            name: name.clone(),
            shown,
            is_told,
        })
    }
}

fn days(time: Duration) -> String {
    match (time.as_secs() / 86_400, time.as_secs() / 3600) {
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::tests::queue;
    use crate::spool::fault::{self, Trouble};
    use crate::spool::tests::{TestSpool, beta};

    fn expire(test: &TestSpool, age: Duration) -> Result<Vec<Expired>, SpoolError> {
        let mail = MailConfig::parse("", std::path::Path::new("mail.toml")).unwrap();
        let mut all = Vec::new();
        Outbox::new(&test.spool, &beta()).expire(&mail, age, Instant::now(), &mut |one| {
            all.push(one);
        })?;
        Ok(all)
    }

    fn reports(test: &TestSpool) -> usize {
        let folder = test.spool.root().join(".Bangpath/local-mail");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[test]
    fn what_is_too_old_goes_back_and_the_rest_stays() {
        let test = TestSpool::new();
        let names = queue(&test, &[("a", b'C'), ("b", b'N')]);
        let age = Duration::from_hours(48);
        assert_eq!(expire(&test, age).unwrap(), []);
        test.let_pass(age);
        queue(&test, &[("young", b'C')]);
        let expired = expire(&test, age).unwrap();
        assert_eq!(expired.len(), 2);
        assert_eq!((&expired[0].name, expired[0].is_told), (&names[0], true));
        assert_eq!(reports(&test), 2);
        let folder = test.spool.root().join(".Bangpath/local-mail");
        let report = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        let report = std::fs::read_to_string(report.path()).unwrap();
        for part in [
            "Final-Recipient: rfc822; bob@hub.example",
            "Status: 5.4.7",
            "it waited 2 days for a call with beta",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert_eq!(Outbox::new(&test.spool, &beta()).list().unwrap().len(), 1);
    }

    #[test]
    fn death_between_any_two_steps_leaves_one_report_or_the_message() {
        for steps in 0.. {
            let test = TestSpool::new();
            queue(&test, &[("a", b'C')]);
            fault::arm(steps, Trouble::Death);
            let _ = expire(&test, Duration::ZERO);
            let died = fault::disarm();
            expire(&test, Duration::ZERO).unwrap();
            // What was cut after its record is finished by whoever comes next.
            assert_eq!(reports(&test), 1, "step {steps}");
            assert!(Outbox::new(&test.spool, &beta()).is_empty().unwrap());
            if !died {
                break;
            }
        }
    }
}
