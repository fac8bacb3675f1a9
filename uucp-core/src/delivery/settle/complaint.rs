//! Refusals for good: a report to the sender where there is one that may be told, else the message is set aside.

use std::collections::HashMap;
use std::time::Duration;

use super::super::{Message, Outcome, Reply, Success, policy};
use super::{Consignment, Receiver, aside};
use crate::address::{Address, Envelope, ReversePath};
use crate::bsmtp::{Notify, Recipient, Returned};
use crate::report::{FailedRecipient, Kind, RETURN_LIMIT, Report};
use crate::spool::LocalMailDraft;

impl Receiver<'_> {
    /// Tells somebody about refused recipients, durably. Gives a note when the message was set aside.
    pub(super) fn complain(
        &mut self,
        consignment: &Consignment<'_>,
        refused: &[(Address, Reply)],
    ) -> Result<Option<String>, Reply> {
        let sender = &consignment.envelope.sender;
        if sender.is_null() {
            return self
                .set_aside(consignment, refused, "it is itself a report")
                .map(Some);
        }
        let failures = concerned(consignment, refused, |notify| {
            notify.is_none_or(|notify| notify.failure)
        });
        if failures.is_empty() {
            return Ok(Some("the sender wants no report".to_owned()));
        }
        if let Some(why) = self.may_not_tell(sender)? {
            return self.set_aside(consignment, refused, why).map(Some);
        }
        let report = self.report(consignment, &failures, Kind::Failed)?;
        self.send_report(sender, report)
            .or_else(|why| self.set_aside(consignment, refused, &why?).map(Some))
    }

    /// Tells the sender that a message waits, and is tried again for the time that is `left`. Whether that is settled:
    /// the sender knows, or is not to be told.
    pub fn warn(
        &mut self,
        consignment: &Consignment<'_>,
        waiting: &[(Address, Reply)],
        left: Duration,
    ) -> bool {
        let sender = &consignment.envelope.sender;
        let failures = concerned(consignment, waiting, |notify| {
            notify.is_none_or(|notify| notify.delay)
        });
        if sender.is_null() || failures.is_empty() {
            return true;
        }
        let told = self.may_not_tell(sender).and_then(|why| {
            if why.is_some() {
                return Ok(());
            }
            let report = self.report(consignment, &failures, Kind::Delayed { left })?;
            // Refused for good: nothing is lost with a warning.
            self.send_report(sender, report)
                .map(drop)
                .or_else(|why| why.map(drop))
        });
        told.is_ok()
    }

    /// Tells the sender who has the message, where he asked for that and nobody behind us will. What keeps a report from him
    /// is no reason to do anything again: he has only to wait for one that says the contrary.
    pub fn tell_of_success(
        &mut self,
        consignment: &Consignment<'_>,
        have_it: &[Address],
        success: Success,
    ) {
        let kind = match success {
            Success::Passed => return,
            Success::Relayed => Kind::Relayed,
            Success::Delivered => Kind::Delivered,
        };
        let wants = |notify: Option<Notify>| notify.is_some_and(|notify| notify.success);
        let fine = have_it
            .iter()
            .map(|who| (who.clone(), Reply::new("2.0.0", "")));
        let happy = concerned(consignment, &fine.collect::<Vec<_>>(), wants);
        let sender = &consignment.envelope.sender;
        if happy.is_empty() || sender.is_null() {
            return;
        }
        if let Ok(None) = self.may_not_tell(sender)
            && let Ok(report) = self.report(consignment, &happy, kind)
        {
            let _ = self.send_report(sender, report);
        }
    }

    /// Why reports do not go to this sender now. Counts one that may.
    fn may_not_tell(&self, sender: &ReversePath) -> Result<Option<&'static str>, Reply> {
        if !policy::permits_sender(&self.policy, sender) {
            return Ok(Some("reports to its sender are not permitted"));
        }
        let limit = self.policy.reports_per_hour;
        let may_report = self
            .observed()
            .and_then(|now| policy::may_report(&self.around.state, self.neighbour, limit, now))
            .map_err(|e| Reply::new("4.3.0", format!("cannot count reports: {e}")))?;
        Ok((!may_report).then_some("this neighbour has had its reports of the hour"))
    }

    fn report(
        &self,
        consignment: &Consignment<'_>,
        failures: &[FailedRecipient],
        kind: Kind,
    ) -> Result<Vec<u8>, Reply> {
        let trouble = |e: &dyn std::fmt::Display| Reply::new("4.3.0", e.to_string());
        let original = consignment
            .message
            .head(RETURN_LIMIT + 1)
            .map_err(|e| trouble(&e))?;
        let sender = &consignment.envelope.sender;
        let name = self.config.domain().unwrap_or(&self.around.name);
        let mut report = Report::new(sender, name, self.now.clone(), failures, &original)
            .ok_or_else(|| Reply::new("4.3.0", "no report to the null sender"))?;
        report.postmaster = self.config.postmaster();
        report.received_from = self.neighbour.map(crate::name::SystemName::as_str);
        report.kind = kind;
        if let Some(asked) = consignment.asked {
            let parameters = &asked.parameters;
            report.envelope_id = parameters.envid.as_deref();
            report.header_only = parameters.returned == Some(Returned::Headers);
        }
        // Of a message that only waits, the header tells which it is.
        report.header_only |= kind != Kind::Failed;
        report.build().map_err(|e| trouble(&e))
    }

    /// Hands a report over, or queues it in the spool. `Err(Ok(why))` where nobody will ever take it, `Err(Err(reply))` where
    /// it can be neither handed over nor queued now.
    fn send_report(
        &mut self,
        to: &ReversePath,
        report: Vec<u8>,
    ) -> Result<Option<String>, Result<String, Reply>> {
        let envelope = Envelope {
            sender: ReversePath::Null,
            recipients: to.address().into_iter().cloned().collect(),
        };
        let message = Message::from_bytes(report);
        let outcome = self
            .handover
            .deliver(&envelope, &message, &mut |_| Ok(()))
            .into_iter()
            .next();
        match outcome {
            Some(Outcome::Delivered) | None => Ok(None),
            Some(Outcome::Refused(reply)) => Err(Ok(format!("the report was refused: {reply}"))),
            Some(Outcome::Deferred(reply)) => self.queue_report(to, &message, reply).map_err(Err),
        }
    }

    fn queue_report(
        &self,
        to: &ReversePath,
        report: &Message,
        deferred: Reply,
    ) -> Result<Option<String>, Reply> {
        let Some(spool) = self.spool else {
            return Err(deferred);
        };
        let content = report
            .head(usize::MAX)
            .map_err(|e| Reply::new("4.3.0", e.to_string()))?;
        let draft = LocalMailDraft {
            sender: b"",
            recipients: &[to.as_bytes().to_vec()],
            content: &content,
        };
        spool
            .enqueue_local_mail(&draft)
            .map_err(|e| Reply::new("4.3.0", format!("cannot queue a report: {e}")))?;
        Ok(Some("the report waits in the spool".to_owned()))
    }

    fn set_aside(
        &self,
        consignment: &Consignment<'_>,
        refused: &[(Address, Reply)],
        why: &str,
    ) -> Result<String, Reply> {
        let kept = aside::Kept {
            envelope: consignment.envelope,
            refused,
            why,
            message: consignment.message,
        };
        let neighbour = self.neighbour.map_or("-", crate::name::SystemName::as_str);
        let folder = self.around.state.join("aside").join(neighbour);
        let seconds = self.now.timestamp().as_second();
        let place = aside::keep(&folder, seconds, self.policy.kept_limit, &kept).map_err(|e| {
            let text = format!("cannot set a message aside in {}: {e}", folder.display());
            Reply::new("4.3.0", text)
        })?;
        let aside = format!("{}{}: {why}", aside::NOTE, place.display());
        Ok(match self.notify_postmaster(refused, &aside) {
            None => aside,
            Some(trouble) => format!("{aside}; {trouble}"),
        })
    }
}

/// Those of whom the sender wants to be told.
fn concerned(
    consignment: &Consignment<'_>,
    refused: &[(Address, Reply)],
    wants: impl Fn(Option<Notify>) -> bool,
) -> Vec<FailedRecipient> {
    let asked: HashMap<&Address, &Recipient> = consignment
        .asked
        .iter()
        .flat_map(|transaction| &transaction.recipients)
        .map(|recipient| (&recipient.address, recipient))
        .collect();
    let notify = |who| asked.get(who).and_then(|recipient| recipient.notify);
    refused
        .iter()
        .filter(|(who, _)| wants(notify(who)))
        .map(|(who, reply)| FailedRecipient {
            recipient: who.clone(),
            status: reply.status.clone(),
            diagnostic: reply.text.clone(),
            remote: reply.remote.clone(),
            original: asked.get(who).and_then(|r| r.orcpt.clone()),
        })
        .collect()
}
