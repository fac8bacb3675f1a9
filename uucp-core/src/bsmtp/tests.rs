//! Batches of real producers, bad ones, and what holds for all of them.

mod bad;
mod producers;
mod properties;

use super::*;

/// What a batch gave, its content put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Hello(String, bool),
    Message(Box<Transaction>, Vec<u8>),
    /// Begun, but not whole.
    Broken(Box<Transaction>, Vec<u8>, Fault),
    Fault(Fault),
    Quit,
    /// Begun, and nothing after it.
    Cut(Box<Transaction>, Vec<u8>),
}

/// Reads a batch in pieces of these sizes, over and over.
fn read_in(batch: &[u8], sizes: &[usize], limits: Limits) -> (Vec<Found>, End) {
    let mut reader = Reader::new(limits);
    let mut found = Vec::new();
    let mut message = None;
    let mut sizes = sizes.iter().cycle();
    let mut left = batch;
    while !left.is_empty() {
        let (mut piece, later) = left.split_at(left.len().min(*sizes.next().unwrap()));
        left = later;
        loop {
            let (used, event) = reader.read(piece);
            let Some(event) = event else {
                assert_eq!(used, piece.len(), "no event, and input left");
                break;
            };
            piece = &piece[used..];
            match event {
                Event::Hello { name, esmtp } => {
                    found.push(Found::Hello(
                        String::from_utf8_lossy(&name).into_owned(),
                        esmtp,
                    ));
                }
                Event::Begin(transaction) => {
                    assert!(message.is_none(), "two messages at once");
                    message = Some((transaction, Vec::new()));
                }
                Event::Content(text) => {
                    assert!(!text.is_empty());
                    let (_, content) = message.as_mut().expect("content of no message");
                    content.extend_from_slice(text);
                }
                Event::End => {
                    let (transaction, content) = message.take().expect("the end of no message");
                    found.push(Found::Message(transaction, content));
                }
                Event::Broken(fault) => {
                    let (transaction, content) = message.take().expect("no message is broken");
                    found.push(Found::Broken(transaction, content, fault));
                }
                Event::Fault(fault) => found.push(Found::Fault(fault)),
                Event::Quit => found.push(Found::Quit),
            }
        }
    }
    let end = reader.finish();
    found.extend(message.map(|(transaction, content)| Found::Cut(transaction, content)));
    (found, end)
}

/// Reads a batch, and again byte by byte and in odd pieces, which must not matter.
fn read(batch: &[u8]) -> (Vec<Found>, End) {
    let whole = read_in(batch, &[batch.len().max(1)], Limits::default());
    for sizes in [&[1][..], &[2, 3], &[7, 1, 64]] {
        assert_eq!(read_in(batch, sizes, Limits::default()), whole, "{sizes:?}");
    }
    whole
}

/// Sender, recipients and content of every whole message.
fn messages(found: &[Found]) -> Vec<(String, Vec<String>, Vec<u8>)> {
    found
        .iter()
        .filter_map(|found| match found {
            Found::Message(transaction, content) => Some((
                transaction.sender.to_string(),
                recipients(transaction),
                content.clone(),
            )),
            _ => None,
        })
        .collect()
}

fn recipients(transaction: &Transaction) -> Vec<String> {
    let recipients = transaction.recipients.iter();
    recipients.map(|r| r.address.to_string()).collect()
}

fn faults(found: &[Found]) -> Vec<String> {
    found
        .iter()
        .filter_map(|found| match found {
            Found::Fault(fault) | Found::Broken(_, _, fault) => Some(fault.to_string()),
            _ => None,
        })
        .collect()
}

fn message(sender: &str, recipients: &[&str], content: &[u8]) -> (String, Vec<String>, Vec<u8>) {
    let recipients = recipients.iter().map(ToString::to_string).collect();
    (sender.to_owned(), recipients, content.to_vec())
}

fn crlf(batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in batch {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}
