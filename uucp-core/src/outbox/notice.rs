//! What becomes of a message that its sender is to be told about while it is ours: one report, whoever repeats the step.
//!
//! The report is durable before the step that it tells of, together with a submission record: whoever comes again after a crash
//! in between finds that the sender is told.

use std::io::Read;
use std::time::{Duration, Instant};

use super::{Entry, Outbox};
use crate::address::Address;
use crate::bsmtp::{Notify, Returned};
use crate::report::{FailedRecipient, Kind, RETURN_LIMIT, Report, ReportError};
use crate::spool::{Delivery, EntryName, LocalMailDraft, SpoolError, SubmissionKey};

/// How long to wait for whoever is at work on the same record.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the record covers.
const LABEL: &[u8] = b"the sender is told";

/// What a sender is told.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    /// The word for it in the record.
    pub(super) word: &'static str,
    /// What the report says.
    pub(super) kind: Kind,
    /// Enhanced status code of each recipient.
    pub(super) status: &'static str,
    /// Why; empty where that needs no words.
    pub(super) diagnostic: String,
    /// Of whom the sender wants to be told.
    pub(super) wants: fn(Option<Notify>) -> bool,
    /// The name of this system, as its mail has it.
    pub(super) domain: &'a str,
    /// Who answers questions.
    pub(super) postmaster: Option<&'a Address>,
}

impl Outbox<'_> {
    /// Tells the sender of a message; whether there is something to tell and somebody who wants to know it.
    pub(super) fn tell_sender(
        &self,
        name: &EntryName,
        entry: Entry,
        notice: &Notice<'_>,
    ) -> Result<bool, SpoolError> {
        let key = SubmissionKey {
            message_id: format!("{} {name}", notice.word).into_bytes(),
            content_hash: [0; 32],
            system: self.system.clone(),
        };
        let sender = entry.head.transaction.sender.clone();
        let deadline = Instant::now() + PATIENCE;
        let submission = self.spool.begin_submission(&key, deadline)?;
        let Some(content) = self.report(name, entry, notice)? else {
            return Ok(false);
        };
        if !submission.is_covered(LABEL) {
            submission.commit(Delivery {
                recipients: &[LABEL],
                mails: &[LocalMailDraft {
                    sender: b"",
                    recipients: &[sender.as_bytes().to_vec()],
                    content: &content,
                }],
                ..Delivery::default()
            })?;
        }
        Ok(true)
    }

    fn report(
        &self,
        name: &EntryName,
        mut entry: Entry,
        notice: &Notice<'_>,
    ) -> Result<Option<Vec<u8>>, SpoolError> {
        let transaction = &entry.head.transaction;
        let wants_it = transaction.recipients.iter();
        let concerned: Vec<FailedRecipient> = wants_it
            .filter(|recipient| (notice.wants)(recipient.notify))
            .map(|recipient| FailedRecipient {
                recipient: recipient.address.clone(),
                status: notice.status.to_owned(),
                diagnostic: notice.diagnostic.clone(),
                remote: None,
                original: recipient.orcpt.clone(),
            })
            .collect();
        if concerned.is_empty() {
            return Ok(None);
        }
        let mut original = Vec::new();
        let mut begin = (&mut entry.content).take(RETURN_LIMIT as u64 + 1);
        begin
            .read_to_end(&mut original)
            .map_err(|source| SpoolError::Io {
                action: "read",
                path: self.spool.message_path(&self.system, name),
                source,
            })?;
        let date = crate::clock::now();
        let sender = &transaction.sender;
        let Some(mut report) = Report::new(sender, notice.domain, date, &concerned, &original)
        else {
            return Ok(None);
        };
        report.postmaster = notice.postmaster;
        report.kind = notice.kind;
        report.envelope_id = transaction.parameters.envid.as_deref();
        let returned = transaction.parameters.returned;
        report.header_only = returned == Some(Returned::Headers) || notice.kind != Kind::Failed;
        let unwritable = |error: ReportError| SpoolError::Unqueueable {
            system: self.system.clone(),
            reason: error.to_string(),
        };
        report.build().map(Some).map_err(unwritable)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use crate::address::ReversePath;
    use crate::bsmtp::{Recipient, Transaction};
    use crate::outbox::tests::packing;
    use crate::outbox::{OutboxDraft, Packing, Scope};
    use crate::spool::fault::{self, Trouble};
    use crate::spool::tests::{TestSpool, beta, grade};

    use super::*;

    /// Queues a message from this sender, with a recipient for each wish.
    fn queue(test: &TestSpool, sender: &str, wishes: &[Option<Notify>]) {
        let recipient = |(number, notify): (usize, &Option<Notify>)| {
            let address = format!("u{number}@hub.example");
            Recipient {
                notify: *notify,
                ..Address::parse(address.as_bytes()).unwrap().into()
            }
        };
        let sender = match sender {
            "" => ReversePath::Null,
            sender => ReversePath::Address(Address::parse(sender.as_bytes()).unwrap()),
        };
        let recipients = wishes.iter().enumerate().map(recipient).collect();
        let mut draft = OutboxDraft::new(&test.spool, &beta()).unwrap();
        draft.write_all(b"Subject: hello\n\nbody\n").unwrap();
        let sealed = draft.seal(&Transaction::new(sender, recipients), grade(b'C'));
        test.spool.queue_messages(vec![sealed.unwrap()]).unwrap();
    }

    fn pack(test: &TestSpool, parameters: bool) {
        let mut how: Packing = packing();
        how.style.parameters = parameters;
        let _ = Outbox::new(&test.spool, &beta()).pack(&how, Scope::all(), &mut |_| {});
    }

    fn reports(test: &TestSpool) -> Vec<String> {
        let folder = test.spool.root().join(".Bangpath/local-mail");
        let files = std::fs::read_dir(folder).into_iter().flatten();
        files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect()
    }

    const SUCCESS: Option<Notify> = Some(Notify {
        success: true,
        failure: true,
        delay: false,
    });
    const FAILURE: Option<Notify> = Some(Notify {
        success: false,
        failure: true,
        delay: false,
    });

    #[test]
    fn who_wants_to_know_of_success_is_told_where_the_wish_does_not_go_on() {
        for (sender, wishes, parameters, expected) in [
            ("ann@leaf.example", &[SUCCESS, FAILURE, None][..], false, 1),
            ("ann@leaf.example", &[SUCCESS], true, 0),
            (
                "ann@leaf.example",
                &[FAILURE, None, Some(Notify::default())],
                false,
                0,
            ),
            ("", &[SUCCESS], false, 0),
        ] {
            let test = TestSpool::new();
            queue(&test, sender, wishes);
            pack(&test, parameters);
            let reports = reports(&test);
            assert_eq!(reports.len(), expected, "{sender} {wishes:?} {parameters}");
            for report in reports {
                assert_eq!(report.matches("Action: relayed").count(), 1, "{report}");
                assert!(report.contains("Final-Recipient: rfc822; u0@hub.example"));
                assert!(report.contains("Subject: hello") && !report.contains("body"));
            }
            assert!(Outbox::new(&test.spool, &beta()).is_empty().unwrap());
        }
    }

    #[test]
    fn death_between_any_two_steps_leaves_one_report_of_a_message_that_went() {
        for steps in 0.. {
            let test = TestSpool::new();
            queue(&test, "ann@leaf.example", &[SUCCESS]);
            fault::arm(steps, Trouble::Death);
            pack(&test, false);
            let died = fault::disarm();
            pack(&test, false);
            assert_eq!(reports(&test).len(), 1, "step {steps}");
            assert!(Outbox::new(&test.spool, &beta()).is_empty().unwrap());
            if !died {
                break;
            }
        }
    }
}
