//! What is in a batch: first a look at all of it, then its messages one by one, each with what makes it the same message
//! when it comes again.

use std::collections::HashSet;
use std::fs::File;
use std::io;

use sha2::{Digest, Sha256};
use uucp_core::address::Address;
use uucp_core::bsmtp::{End, Transaction, Verb};
use uucp_core::clock;
use uucp_core::delivery::{Identity, Message, Reply};
use uucp_core::receive::bang_mail::{HEADER_LIMIT, stand_in, strip_own_hosts};
use uucp_core::receive::content::{Incoming, Item, Messages, Sight};
use uucp_core::receive::kept::Kept;
use uucp_core::receive::mail::{Mail, Source};
use uucp_core::receive::{Origin, Site, Stamp, Trace, received_line};
use uucp_core::spool::ObservedTime;

use crate::series::Series;

/// Faults of which the words are kept; of others the number.
const MOST_FAULTS: usize = 20;

/// What a look at a batch has shown.
#[derive(Debug)]
pub(crate) struct Survey {
    /// How it ended.
    pub(crate) end: End,
    /// Messages and recipients, those that are no addresses among them.
    pub(crate) messages: u64,
    pub(crate) recipients: u64,
    /// What was not understood: the first few, in words, and how many.
    pub(crate) faults: Vec<String>,
    pub(crate) fault_count: u64,
}

impl Survey {
    /// Looks at the whole batch.
    pub(crate) fn of(batch: File) -> io::Result<Self> {
        let (mut messages, mut recipients) = (0, 0);
        let (mut faults, mut fault_count) = (Vec::new(), 0);
        let end = Messages::new(batch).survey(|sight| match sight {
            Sight::Message(transaction, _) => {
                messages += 1;
                let all = transaction.recipients.len() + transaction.refused.len();
                // One more for what stands in for a missing recipient, or for those that are too many.
                recipients += all as u64 + 1;
            }
            Sight::Fault(fault) => {
                fault_count += 1;
                if faults.len() < MOST_FAULTS {
                    faults.push(fault.to_string());
                }
            }
        })?;
        Ok(Self {
            end,
            messages,
            recipients,
            faults,
            fault_count,
        })
    }
}

/// The messages of a batch, on their way to the MTA.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) site: &'a Site,
    pub(crate) origin: &'a Origin,
    pub(crate) kept: Kept,
    pub(crate) now: ObservedTime,
    messages: Messages<File>,
    names: Vec<String>,
    limit: u64,
    is_trial: bool,
    /// The hash of all messages so far.
    chain: [u8; 32],
    /// The input's own number, for messages that nothing else tells from others.
    series: Option<Series>,
    seen: HashSet<Identity>,
    /// Whole messages that were read, and of those the ones that wait already or came twice.
    pub(crate) read: u64,
    pub(crate) known: u64,
    /// Why it could not be read on.
    pub(crate) trouble: Option<String>,
}

impl<'a> Batch<'a> {
    /// Reads the batch from its beginning.
    pub(crate) fn new(site: &'a Site, origin: &'a Origin, batch: File) -> io::Result<Self> {
        let now = site.observed_now().map_err(io::Error::other)?;
        Self::at(site, origin, batch, now)
    }

    fn at(site: &'a Site, origin: &'a Origin, batch: File, now: ObservedTime) -> io::Result<Self> {
        let neighbour = origin.neighbour.as_ref();
        let state = &site.around.state;
        Ok(Self {
            site,
            origin,
            kept: Kept::open(state, neighbour, u64::MAX)?,
            now,
            messages: Messages::new(batch),
            names: site.names(),
            limit: site.mail.policy(neighbour).message_limit,
            is_trial: false,
            chain: [0; 32],
            series: None,
            read: 0,
            known: 0,
            seen: HashSet::new(),
            trouble: None,
        })
    }

    /// The input is done: an equal one is another.
    pub(crate) fn end_series(&self) {
        if let Some(series) = &self.series {
            series.end();
        }
    }

    /// As [`Batch::new`], to see what would become of it: nothing is written.
    pub(crate) fn trial(site: &'a Site, origin: &'a Origin, batch: File) -> io::Result<Self> {
        Ok(Self {
            is_trial: true,
            ..Self::at(site, origin, batch, ObservedTime::default())?
        })
    }

    /// The next whole message, and whether it is the first of its kind, here and among those that wait.
    pub(crate) fn next_whole(&mut self) -> io::Result<Option<(Mail, bool)>> {
        let state = &self.site.around.state;
        while let Some(item) = self.messages.next(self.limit, state)? {
            if let Item::Message(incoming) = item {
                self.read += 1;
                let mail = self.mail(*incoming)?;
                // The same message twice in one batch: the first speaks for both.
                let is_new = self.seen.insert(mail.name) && !self.kept.has(&mail.name);
                return Ok(Some((mail, is_new)));
            }
        }
        Ok(None)
    }

    fn next_mail(&mut self) -> io::Result<Option<Mail>> {
        while let Some((mail, is_new)) = self.next_whole()? {
            if is_new {
                return Ok(Some(mail));
            }
            self.known += 1;
        }
        Ok(None)
    }

    fn mail(&mut self, incoming: Incoming) -> io::Result<Mail> {
        let Incoming {
            mut transaction,
            mut message,
            fits,
        } = incoming;
        let trace = Trace::read(&message.head(HEADER_LIMIT)?, &self.names);
        let identity = self.identity(&transaction, &message, trace)?;
        let name = identity.with_recipients(transaction.recipients.iter().map(|r| &r.address));
        let unfit = unfit(&transaction);
        let is_sender_known = transaction.refused.iter().all(|r| r.verb != Verb::Mail);
        let oversize = || Reply::new("5.3.4", "the message is larger than this system takes");
        let looping = || trace.loop_found().map(|text| Reply::new("5.4.6", text));
        let verdict = fits.err().map(|_| oversize()).or_else(looping);
        self.take_own_names_off(&mut transaction);
        let stamp = Stamp {
            program: "rsmtp",
            domain: None,
            by: &self.site.config.nodename,
            note: (!is_sender_known).then_some("no sender named"),
        };
        message.prepend(received_line(self.origin, &stamp, &clock::now()).as_bytes());
        Ok(Mail {
            identity,
            name,
            transaction,
            message,
            unfit,
            verdict,
            waited: None,
        })
    }

    fn identity(
        &mut self,
        transaction: &Transaction,
        message: &Message,
        trace: Trace,
    ) -> io::Result<Identity> {
        let recipients = transaction.recipients.iter().map(|r| &r.address);
        let by_content = Identity::of_content(&transaction.sender, recipients, message.digest());
        let mut hash = Sha256::new();
        hash.update(self.chain);
        hash.update(by_content.as_bytes());
        self.chain = hash.finalize().into();
        let series = self
            .series
            .get_or_insert_with(|| Series::new(self.site, self.origin, &self.chain));
        if let Some(id) = &transaction.parameters.id {
            return Ok(Identity::named(id));
        }
        if trace.is_recognisable() {
            return Ok(by_content);
        }
        let number = series.number(self.now, self.is_trial)?;
        Ok(Identity::of_place(number.as_bytes(), &self.chain))
    }

    fn take_own_names_off(&self, transaction: &mut Transaction) {
        for recipient in &mut transaction.recipients {
            let word = strip_own_hosts(recipient.address.as_bytes(), &self.names);
            if let Ok(address) = Address::parse(&word) {
                recipient.address = address;
            }
        }
    }
}

impl Source for Batch<'_> {
    fn next(&mut self) -> Option<Mail> {
        if self.trouble.is_some() {
            return None;
        }
        self.next_mail().unwrap_or_else(|error| {
            self.trouble = Some(format!("cannot read the batch: {error}"));
            None
        })
    }
}

/// What stands among the recipients and is no address, in a form that a report can show.
fn unfit(transaction: &Transaction) -> Vec<Address> {
    let recipients = transaction.refused.iter().filter(|r| r.verb == Verb::Rcpt);
    let mut unfit: Vec<Address> = recipients
        .filter_map(|refused| Address::parse(&stand_in(&refused.text)).ok())
        .collect();
    if transaction.unlisted > 0 {
        let text = format!("and {} more, which are too many", transaction.unlisted);
        unfit.extend(Address::parse(&stand_in(text.as_bytes())));
    }
    if transaction.recipients.is_empty() && unfit.is_empty() {
        unfit.extend(Address::parse(&stand_in(b"no recipient")));
    }
    unfit
}
