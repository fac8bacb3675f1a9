//! The messages of a test, and what became of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use uucp_core::address::{Address, Envelope, ReversePath};
use uucp_core::delivery::{Feed, Message, Offer, Outcome, Success, Wishes};

/// One message, known by its number.
pub(super) struct Parcel {
    number: usize,
    envelope: Envelope,
    message: Message,
    wishes: Wishes,
}

impl Parcel {
    pub(super) fn new(number: usize, recipients: &[String]) -> Self {
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let sender = match number % 2 {
            0 => ReversePath::Null,
            _ => ReversePath::Address(address("ann@leaf.example")),
        };
        let content = format!(
            "From: ann@leaf.example\nSubject: {number}\nX-Number: {number}\n\n{}",
            body(number)
        );
        Self {
            number,
            envelope: Envelope {
                sender,
                recipients: recipients.iter().map(|r| address(r)).collect(),
            },
            message: Message::from_bytes(content.into_bytes()),
            wishes: Wishes::default(),
        }
    }
}

pub(super) fn body(number: usize) -> String {
    format!(
        "body {number}\n.\n..x\nFrom y\n\n{}",
        "line\n".repeat(if number % 20 == 9 {
            20_000
        } else {
            number % 7 * 300
        })
    )
}

/// Messages that are handed out one by one, and what became of them.
#[derive(Default)]
pub(super) struct Batch {
    waiting: Mutex<Vec<Parcel>>,
    pub(super) told: Mutex<Told>,
    /// Called at each record with how many there are.
    pub(super) at_record: Option<Box<dyn Fn(usize) + Send + Sync>>,
}

#[derive(Default)]
pub(super) struct Told {
    pub(super) recorded: Vec<(usize, String)>,
    pub(super) outcomes: BTreeMap<usize, Vec<Outcome>>,
}

impl Batch {
    pub(super) fn of(mut parcels: Vec<Parcel>) -> Self {
        parcels.reverse();
        Self {
            waiting: Mutex::new(parcels),
            ..Self::default()
        }
    }
}

impl Feed for Batch {
    type Parcel = Parcel;

    fn next(&self) -> Option<Parcel> {
        self.waiting.lock().unwrap().pop()
    }

    fn offer<'p>(&self, parcel: &'p Parcel) -> Offer<'p> {
        Offer {
            envelope: &parcel.envelope,
            message: &parcel.message,
            wishes: &parcel.wishes,
        }
    }

    fn record(&self, parcel: &Parcel, have_it: &[&Address]) -> io::Result<()> {
        let mut told = self.told.lock().unwrap();
        let lines = have_it.iter().map(|to| (parcel.number, to.to_string()));
        told.recorded.extend(lines);
        if let Some(at_record) = &self.at_record {
            at_record(told.recorded.len());
        }
        Ok(())
    }

    fn settle(&self, parcel: Parcel, outcomes: Vec<Outcome>, _: Success) {
        let mut told = self.told.lock().unwrap();
        let earlier = told.outcomes.insert(parcel.number, outcomes);
        assert_eq!(earlier, None, "settled twice");
    }
}
