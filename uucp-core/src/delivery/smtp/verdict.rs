//! What is known of every recipient of a transaction, from nothing to an outcome.

use super::broken::Broken;
use super::reply::ServerReply;
use crate::delivery::{Outcome, Reply};

/// What is known so far.
#[derive(Debug)]
pub(super) struct Verdicts {
    remote: String,
    mail: Option<Outcome>,
    recipients: Vec<Verdict>,
    pub(super) content_sent: bool,
}

#[derive(Debug, Clone)]
enum Verdict {
    Open,
    Accepted,
    TooMany(Outcome),
    Final(Outcome),
}

impl Verdicts {
    pub(super) fn new(count: usize, remote: String) -> Self {
        Self {
            remote,
            mail: None,
            recipients: vec![Verdict::Open; count],
            content_sent: false,
        }
    }

    /// The whole message is refused by ourselves.
    pub(super) fn refuse_all(&mut self, reply: Reply) {
        self.mail = Some(Outcome::Refused(reply));
    }

    /// One recipient is refused by ourselves.
    pub(super) fn refuse(&mut self, index: usize, reply: Reply) {
        self.set(index, Verdict::Final(Outcome::Refused(reply)));
    }

    pub(super) fn hear_mail(&mut self, reply: &ServerReply) {
        if reply.class() != 2 {
            self.mail = Some(outcome_of(reply, &self.remote));
        }
    }

    pub(super) fn mail_was_refused(&self) -> bool {
        self.mail.is_some()
    }

    /// `is_long`: our command was longer than every server must take (RFC 5321, 4.5.3.1.4), so that a server that cannot
    /// read it will never be able to.
    pub(super) fn hear_rcpt(&mut self, index: usize, reply: &ServerReply, is_long: bool) {
        let verdict = match reply.code {
            _ if reply.class() == 2 && self.mail.is_none() => Verdict::Accepted,
            452 => Verdict::TooMany(outcome_of(reply, &self.remote)),
            500 if is_long => Verdict::Final(outcome_of_content(reply, &self.remote)),
            _ => Verdict::Final(outcome_of(reply, &self.remote)),
        };
        self.set(index, verdict);
    }

    fn set(&mut self, index: usize, verdict: Verdict) {
        if let Some(slot) = self.recipients.get_mut(index) {
            *slot = verdict;
        }
    }

    /// Those whose RCPT was accepted, in order.
    pub(super) fn accepted(&self) -> Vec<usize> {
        let is_accepted = |(_, verdict): &(usize, &Verdict)| matches!(verdict, Verdict::Accepted);
        let all = self.recipients.iter().enumerate();
        all.filter(is_accepted).map(|(index, _)| index).collect()
    }

    /// The reply to DATA, which was not 354, counts for all whose RCPT was accepted.
    pub(super) fn hear_data(&mut self, reply: &ServerReply) {
        let outcome = outcome_of(reply, &self.remote);
        for index in self.accepted() {
            self.set(index, Verdict::Final(outcome.clone()));
        }
    }

    /// The reply to the final dot: for all whose RCPT was accepted, or in LMTP for one of them.
    pub(super) fn hear_content(&mut self, recipients: &[usize], reply: &ServerReply) {
        let outcome = outcome_of_content(reply, &self.remote);
        for index in recipients {
            self.set(*index, Verdict::Final(outcome.clone()));
        }
    }

    /// Whether somebody has the message now.
    pub(super) fn any_delivered(&self) -> bool {
        self.recipients
            .iter()
            .any(|v| matches!(v, Verdict::Final(Outcome::Delivered)))
    }

    /// How many recipients, or the message as a whole, were refused by the server.
    pub(super) fn refusals(&self) -> u32 {
        let refused =
            |v: &&Verdict| !matches!(v, Verdict::Accepted | Verdict::Final(Outcome::Delivered));
        let recipients = self.recipients.iter().filter(refused).count();
        u32::try_from(recipients).unwrap_or(u32::MAX)
    }

    pub(super) fn outcomes(self) -> Vec<Option<Outcome>> {
        if let Some(mail) = self.mail {
            return vec![Some(mail); self.recipients.len()];
        }
        let progress = self.any_delivered();
        self.recipients
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::TooMany(_) if progress => None,
                Verdict::TooMany(outcome) | Verdict::Final(outcome) => Some(outcome),
                Verdict::Open | Verdict::Accepted => Some(unknown(&self.remote)),
            })
            .collect()
    }

    /// The session broke: what was not settled is in doubt, and in doubt is "for now". Where the server only closed, before
    /// there was content, and had settled somebody, the others are to be offered again at once.
    pub(super) fn broken(self, broken: &Broken) -> Vec<Option<Outcome>> {
        let is_in_doubt = self.content_sent && !broken.is_closing;
        let doubt = if is_in_doubt {
            "after the message was sent, so nobody knows whether it was taken: "
        } else {
            ""
        };
        let deferred = Outcome::Deferred(Reply {
            status: broken.status.to_owned(),
            text: format!("{doubt}{}", broken.text),
            remote: (!broken.is_ours).then_some(self.remote),
        });
        let is_final = |v: &Verdict| matches!(v, Verdict::Final(_)) && self.mail.is_none();
        let goes_on =
            broken.is_closing && !self.content_sent && self.recipients.iter().any(is_final);
        self.recipients
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Final(outcome) if self.mail.is_none() => Some(outcome),
                _ => (!goes_on).then(|| deferred.clone()),
            })
            .collect()
    }
}

fn unknown(remote: &str) -> Outcome {
    Outcome::Deferred(Reply {
        status: "4.5.0".to_owned(),
        text: "the server did not say what became of this recipient".to_owned(),
        remote: Some(remote.to_owned()),
    })
}

/// 4xx is for now, 5xx for good; except where it says that we and the server do not fit together, which is for the
/// postmaster to mend and not the message's fault.
fn outcome_of(reply: &ServerReply, remote: &str) -> Outcome {
    match reply.code {
        500 | 502 | 503 | 530 | 534 | 535 | 538 => {
            Outcome::Deferred(said(reply, remote, "4.5.0".to_owned()))
        }
        _ if reply.class() == 2 => Outcome::Deferred(said(reply, remote, "4.5.0".to_owned())),
        _ => outcome_of_content(reply, remote),
    }
}

/// After the content a 5xx is about the content, whatever its number.
fn outcome_of_content(reply: &ServerReply, remote: &str) -> Outcome {
    match reply.class() {
        2 => Outcome::Delivered,
        4 => Outcome::Deferred(said(reply, remote, reply.enhanced())),
        5 => Outcome::Refused(said(reply, remote, reply.enhanced())),
        _ => Outcome::Deferred(said(reply, remote, "4.5.0".to_owned())),
    }
}

fn said(reply: &ServerReply, remote: &str, status: String) -> Reply {
    Reply {
        status,
        text: reply.to_string(),
        remote: Some(remote.to_owned()),
    }
}
