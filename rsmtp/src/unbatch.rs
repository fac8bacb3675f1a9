//! One input to its end: its messages to the MTA, and what is not a message to whoever must look at it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};

use uucp_core::delivery::SET_ASIDE_HEADER;
use uucp_core::receive::handing::Tally;
use uucp_core::receive::{Marks, Origin, Site};
use uucp_core::report::note::shown;
use uucp_core::spool::{Journal, Severity};
use uucp_core::sysexits::Failure;

use crate::batch::{Batch, Survey};
use crate::hand_over::hand_over;
use crate::input::{Input, Opened};

/// One input, for one neighbour.
#[derive(Debug)]
pub(crate) struct Unbatching<'a> {
    pub(crate) site: &'a Site,
    pub(crate) origin: &'a Origin,
}

/// What is to be said at the end, where there is something.
pub(crate) type Said = Option<String>;

impl Unbatching<'_> {
    /// Brings the input to its end.
    pub(crate) fn unbatch(&self, opened: Opened) -> Result<Said, Failure> {
        let input = match opened {
            Opened::Whole(input) => input,
            Opened::Cut(input, why) => return self.wait_for_the_rest(&input, &why, None),
            Opened::Damaged(input, why) => return self.set_aside(&input, &why).map(Some),
        };
        let reader = || input.reader().map_err(|e| unreadable(&e));
        if self.origin.neighbour.is_none() && is_set_aside(reader()?).map_err(|e| unreadable(&e))? {
            return Err(Failure::temporary(SET_ASIDE));
        }
        let survey = Survey::of(reader()?).map_err(|e| unreadable(&e))?;
        if survey.messages == 0 {
            return self.end_without_messages(&input, &survey);
        }
        let batch = Batch::new(self.site, self.origin, reader()?).map_err(Failure::temporary)?;
        let (batch, tally) = hand_over(self.site, self.origin, batch, survey.recipients)?;
        let said = said(&tally);
        self.log_tally(&tally, &batch);
        if let Some(trouble) = tally.trouble.or_else(|| batch.trouble.clone()) {
            return Err(Failure::temporary(trouble));
        }
        if batch.read < survey.messages {
            return Err(Failure::temporary("the batch changed while it was read"));
        }
        let said = match &survey.end.cut {
            Some(cut) => self.wait_for_the_rest(&input, &cut.to_string(), Some(&survey))?,
            None if survey.fault_count > 0 => Some(self.set_aside(&input, &faults(&survey))?),
            None => said,
        };
        batch.end_series();
        Ok(said)
    }

    /// Nothing of it is a message.
    fn end_without_messages(&self, input: &Input, survey: &Survey) -> Result<Said, Failure> {
        match &survey.end.cut {
            Some(cut) if survey.fault_count == 0 => {
                self.wait_for_the_rest(input, &cut.to_string(), None)
            }
            // A batch of nothing, to its end.
            None if survey.fault_count == 0 && survey.end.quit => Ok(None),
            None if survey.fault_count == 0 => self.set_aside(input, "it is empty").map(Some),
            _ => self.set_aside(input, &faults(survey)).map(Some),
        }
    }

    /// It was cut: whoever brought it may bring it whole. After the time that jobs wait it is set aside.
    fn wait_for_the_rest(
        &self,
        input: &Input,
        why: &str,
        survey: Option<&Survey>,
    ) -> Result<Said, Failure> {
        let neighbour = self.origin.neighbour.as_ref();
        let marks = Marks::new(&self.site.around.state, "cut", neighbour);
        let now = self.site.observed_now()?;
        let job = &self.origin.job;
        let key = if job.is_empty() {
            input.digest().map_err(|e| unreadable(&e))?.to_vec()
        } else {
            job.clone()
        };
        let mark = marks
            .get_or_make(&key, "cut", now)
            .map_err(Failure::temporary)?;
        let whole = survey.map_or(0, |survey| survey.messages);
        let text = format!("{why}; {} before that", whole_messages(whole));
        if now.since(mark.since) < self.site.times(neighbour, now).age_limit {
            // Our uuxqt logs what a command that fails has said.
            if !self.origin.is_by_our_uuxqt() {
                self.log(Severity::Error, &text);
            }
            return Err(Failure::temporary(text));
        }
        let said = self.set_aside(input, &text)?;
        marks.remove(&key);
        Ok(Some(said))
    }

    fn set_aside(&self, input: &Input, why: &str) -> Result<String, Failure> {
        let (mut raw, length) = input.raw().map_err(|e| unreadable(&e))?;
        let neighbour = self.origin.neighbour.as_ref();
        let line = self
            .site
            .set_aside(neighbour, &mut raw, length, why)
            .map_err(|e| Failure::temporary(format!("cannot set the input aside: {e}")))?;
        self.log(Severity::Error, &line);
        Ok(format!("5.6.0 {line}"))
    }

    fn log_tally(&self, tally: &Tally, batch: &Batch<'_>) {
        let mut text = format!(
            "{}: {} delivered, {} refused, {} kept, {} known before; \
             recipients: {} delivered, {} refused, {} kept",
            messages(batch.read),
            tally.delivered,
            tally.refused,
            tally.waiting + tally.held,
            tally.known + batch.known,
            tally.recipients_delivered,
            tally.recipients_refused,
            tally.recipients_waiting,
        );
        if let Some(reason) = &tally.reason {
            let _ = write!(text, "; kept: {reason}");
        }
        if let Some(refusal) = &tally.refusal {
            let _ = write!(text, "; refused: {refusal}");
        }
        self.log(Severity::Info, &text);
        for aside in &tally.aside {
            self.log(Severity::Error, aside);
        }
    }

    fn log(&self, severity: Severity, text: &str) {
        let neighbour = self.origin.neighbour.as_ref();
        let mut journal = Journal::open(&self.site.config, "rsmtp");
        match &*self.origin.job {
            [] => journal.log(neighbour, None, severity, text),
            job => {
                let text = format!("{text} ({})", shown(job));
                journal.log(neighbour, None, severity, &text);
            }
        }
    }
}

/// What is told of a message that was set aside: it would only be set aside once more.
const SET_ASIDE: &str = "this message was set aside with its envelope in its first lines, and is no batch; \
                         'sendmail -i -f SENDER -- RECIPIENT ... <FILE' or rmail(8) delivers it";

/// Whether a message that was set aside begins here.
fn is_set_aside(input: File) -> io::Result<bool> {
    let mut beginning = Vec::new();
    input
        .take(SET_ASIDE_HEADER.len() as u64)
        .read_to_end(&mut beginning)?;
    Ok(beginning == SET_ASIDE_HEADER.as_bytes())
}

/// What is worth a line though the input is done.
pub(crate) fn said(tally: &Tally) -> Said {
    let others = |count: u64| match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", messages(count - 1)),
    };
    if let Some(refusal) = &tally.refusal {
        return Some(format!("{refusal}{}", others(tally.refused)));
    }
    let reason = tally.reason.as_ref()?;
    let others = others(tally.waiting);
    Some(format!(
        "{} kept for later: {reason}{others}",
        reason.status
    ))
}

fn whole_messages(count: u64) -> String {
    match count {
        1 => "1 whole message".to_owned(),
        count => format!("{count} whole messages"),
    }
}

/// So many messages, in words.
pub(crate) fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

fn faults(survey: &Survey) -> String {
    let mut text = survey.faults.join("; ");
    let more = survey
        .fault_count
        .saturating_sub(survey.faults.len() as u64);
    if more > 0 {
        let _ = write!(text, "; and {more} more");
    }
    if let Some(cut) = &survey.end.cut {
        let _ = write!(text, "; {cut}");
    }
    text
}

pub(crate) fn unreadable(error: &io::Error) -> Failure {
    Failure::temporary(format!("cannot read the input: {error}"))
}
