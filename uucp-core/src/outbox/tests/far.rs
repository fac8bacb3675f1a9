//! What the far end makes of the batches.

use std::fs::File;
use std::io::{BufReader, Read};

use crate::bsmtp::{Event, Reader};
use crate::codec::{self, Dictionaries};
use crate::name::{Grade, SpoolName};
use crate::spool::tests::{TestSpool, beta};
use crate::wire::command::Request;

/// A message as it stands in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) word: String,
    pub(super) id: String,
}

/// The messages of a batch, which must be whole.
pub(super) fn unpack(batch: impl Read) -> Vec<Received> {
    let dictionaries = Dictionaries::none();
    let input = Box::new(BufReader::new(batch));
    let mut bytes = Vec::new();
    codec::decoder(input, codec::Limits::default(), &dictionaries)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let mut reader = Reader::default();
    let (mut rest, mut found, mut content) = (&bytes[..], Vec::new(), Vec::new());
    let mut id = None;
    loop {
        let (used, event) = reader.read(rest);
        rest = &rest[used..];
        match event {
            None => break,
            Some(Event::Begin(transaction)) => id = transaction.parameters.id,
            Some(Event::Content(text)) => content.extend_from_slice(text),
            Some(Event::End) => {
                let text = String::from_utf8(std::mem::take(&mut content)).unwrap();
                let word = text.strip_prefix("Subject: ").unwrap().trim_end();
                found.push(Received {
                    word: word.to_owned(),
                    id: String::from_utf8(id.take().unwrap()).unwrap(),
                });
            }
            Some(Event::Hello { .. } | Event::Quit) => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(reader.finish().cut, None);
    found
}

/// Sends what is queued: grade, command and messages of each job.
pub(super) fn send(test: &TestSpool) -> Vec<(char, String, Vec<Received>)> {
    let mut sent = Vec::new();
    for work in test.spool.scan(&beta(), Grade::LAST).unwrap() {
        let work = test.spool.read_work(&beta(), &work).unwrap();
        let [Request::Execute(execute)] = &work.requests[..] else {
            panic!("{work:?}");
        };
        let data = SpoolName::parse(&execute.file.temp).unwrap();
        let file = File::open(test.spool.data_path(&beta(), &data)).unwrap();
        let command = String::from_utf8(execute.command.clone()).unwrap();
        sent.push((char::from(work.grade.byte()), command, unpack(file)));
        test.spool.finish_job(&work.job, &[data]).unwrap();
    }
    sent
}

pub(super) fn words(received: &[Received]) -> String {
    let words: Vec<&str> = received.iter().map(|one| &*one.word).collect();
    words.join(" ")
}

/// The words of each job, with its grade before them.
pub(super) fn sent_words(test: &TestSpool) -> Vec<String> {
    send(test)
        .iter()
        .map(|(grade, _, received)| format!("{grade}: {}", words(received)))
        .collect()
}
