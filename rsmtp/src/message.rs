//! crmail: one message of RFC 976, handed over as the messages of a batch are. Whoever is to be tried again is tried by
//! `rsmtp --retry`; the job is done.

use uucp_core::bsmtp::Transaction;
use uucp_core::delivery::Identity;
use uucp_core::receive::bang_mail::BangMail;
use uucp_core::receive::kept::Kept;
use uucp_core::receive::mail::{Mail, Source};
use uucp_core::receive::{Origin, Site};
use uucp_core::spool::{Journal, Severity};
use uucp_core::sysexits::Failure;

use crate::hand_over::hand_over;
use crate::series::Series;
use crate::unbatch::{Said, said};

/// Brings the message to its end; gives what is worth a line.
pub(crate) fn deliver(site: &Site, origin: &Origin, mail: BangMail) -> Result<Said, Failure> {
    let recipients = mail.recipients.len() + mail.unfit.len();
    let by_content = Identity::of_content(&mail.sender, &mail.recipients, mail.message.digest());
    let mut series = Series::new(site, origin, by_content.as_bytes());
    let identity = if mail.trace.is_recognisable() {
        by_content
    } else {
        let number = series.number(site.observed_now()?, false);
        let number = number.map_err(Failure::temporary)?;
        Identity::of_place(number.as_bytes(), by_content.as_bytes())
    };
    let name = identity.with_recipients(&mail.recipients);
    let kept = Kept::open(&site.around.state, origin.neighbour.as_ref(), u64::MAX);
    if kept.map_err(Failure::temporary)?.has(&name) {
        series.end();
        return Ok(None);
    }
    let one = One(Some(Mail {
        identity,
        name,
        transaction: Transaction::new(
            mail.sender,
            mail.recipients.into_iter().map(Into::into).collect(),
        ),
        message: mail.message,
        unfit: mail.unfit,
        verdict: mail.verdict,
        waited: None,
    }));
    let (_, tally) = hand_over(site, origin, one, recipients as u64)?;
    let said = said(&tally);
    let mut journal = Journal::open(&site.config, "crmail");
    for aside in &tally.aside {
        journal.log(origin.neighbour.as_ref(), None, Severity::Error, aside);
    }
    if let Some(trouble) = tally.trouble {
        return Err(Failure::temporary(trouble));
    }
    series.end();
    Ok(said)
}

/// A source of one message.
struct One(Option<Mail>);

impl Source for One {
    fn next(&mut self) -> Option<Mail> {
        self.0.take()
    }
}
