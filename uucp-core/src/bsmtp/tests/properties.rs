//! What holds for every batch.

use std::io::Read;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::address::{Address, ReversePath};

/// Pieces of which interesting batches are made.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"MAIL FROM:<a@b>",
        b"MAIL FROM:<>",
        b"MAIL FROM:",
        b"MAIL FROM:<a@b> SIZE=5 X=y",
        b"RCPT TO:<c@d>",
        b"RCPT TO:<",
        b"RCPT",
        b"DATA",
        b"BDAT 5",
        b"BDAT 3 LAST",
        b"BDAT x",
        b"HELO a",
        b"NOOP bangpath",
        b"RSET",
        b"QUIT",
        b".",
        b"..",
        b"text",
        b"",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n.\n",
        b"\r\n.\r\n",
        b"\n",
        b"\r\n",
        b"\0",
        b"XFOO",
    ];
    prop_oneof![
        4 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..5),
    ]
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let line = (fragment(), proptest::sample::select(vec!["\n", "\r\n", ""]))
        .prop_map(|(words, end)| [&words[..], end.as_bytes()].concat());
    vec(line, 0..40).prop_map(|lines| lines.concat())
}

fn address() -> impl Strategy<Value = Address> {
    let byte = proptest::sample::select(b"ab.!@%:<+= -\"\\\xc5\xbe".to_vec());
    vec(byte, 1..12).prop_filter_map("an address that one path can hold", |bytes| {
        let address = Address::parse(&bytes).ok()?;
        let path = [b"<", address.as_bytes(), b">"].concat();
        let line = [b"RCPT TO:", &path[..]].concat();
        (Address::parse(&path).ok()? == address && line == line.trim_ascii()).then_some(address)
    })
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    proptest::string::bytes_regex("[a-z0-9.-]{1,8}").unwrap()
}

fn parameters() -> impl Strategy<Value = MailParameters> {
    let hold = prop_oneof![
        any::<u64>().prop_map(Hold::For),
        word().prop_map(Hold::Until)
    ];
    let by =
        (any::<i32>(), any::<bool>(), any::<bool>()).prop_map(|(seconds, returned, trace)| By {
            seconds: seconds.into(),
            returned,
            trace,
        });
    let other = (word(), proptest::option::of(word())).prop_map(|(keyword, value)| Parameter {
        keyword: [b"X-", &keyword[..]].concat(),
        value,
    });
    let body = proptest::sample::select(vec![Body::SevenBit, Body::EightBitMime, Body::BinaryMime]);
    let returned = proptest::sample::select(vec![Returned::Full, Returned::Headers]);
    let id = vec(any::<u8>(), 1..20);
    (
        proptest::option::of(any::<u64>()),
        proptest::option::of(body),
        any::<bool>(),
        proptest::option::of(returned),
        proptest::option::of(word()),
        proptest::option::of(by),
        proptest::option::of(hold),
        proptest::option::of(-9_i8..=9),
        proptest::option::of(id),
        vec(other, 0..3),
    )
        .prop_map(
            |(size, body, smtputf8, returned, envid, by, hold, mt_priority, id, other)| {
                MailParameters {
                    size,
                    body,
                    smtputf8,
                    returned,
                    envid,
                    by,
                    hold,
                    mt_priority,
                    id,
                    other,
                }
            },
        )
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let notify =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(success, failure, delay)| {
            Notify {
                success,
                failure,
                delay,
            }
        });
    let orcpt = word().prop_map(|word| [b"rfc822;", &word[..]].concat());
    (
        address(),
        proptest::option::of(notify),
        proptest::option::of(orcpt),
    )
        .prop_map(|(address, notify, orcpt)| Recipient {
            notify,
            orcpt,
            ..Recipient::from(address)
        })
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let sender = prop_oneof![
        1 => Just(ReversePath::Null),
        4 => address().prop_map(ReversePath::Address),
    ];
    (sender, vec(recipient(), 0..5), parameters()).prop_map(|(sender, recipients, parameters)| {
        Transaction {
            parameters,
            ..Transaction::new(sender, recipients)
        }
    })
}

/// Content made of dots and line ends.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b".", b"\n", b"\r", b"\r\n", b"..\n", b"a", b"\0", b"\xff", b"QUIT\n",
    ];
    vec(proptest::sample::select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

fn messages_of() -> impl Strategy<Value = Vec<(Transaction, Vec<u8>)>> {
    vec((transaction(), content()), 0..5)
}

/// Gives its bytes in pieces.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

fn write(messages: &[(Transaction, Vec<u8>)], style: &Style, step: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), style.clone()).unwrap();
    for (transaction, content) in messages {
        let before = writer.written();
        let size = writer
            .message(transaction, &mut Pieces(content, step))
            .unwrap();
        assert_eq!(writer.written() - before, size);
    }
    let written = writer.written();
    let batch = writer.finish().unwrap();
    let quit = "QUIT".len() + style.line_end.bytes().len();
    assert_eq!(batch.len(), usize::try_from(written).unwrap() + quit);
    batch
}

/// The content as DATA carries it: with a line end at its end.
fn complete(content: &[u8]) -> Vec<u8> {
    let ends = content.is_empty() || content.ends_with(b"\n");
    [content, if ends { b"" } else { b"\n" }].concat()
}

fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), any::<bool>()).prop_map(|(lf, parameters)| Style {
        line_end: if lf { LineEnd::Lf } else { LineEnd::CrLf },
        parameters,
        hello: "leaf.lab".to_owned(),
    })
}

/// As the far end reads it.
fn arrived(transaction: &Transaction, style: &Style) -> Transaction {
    if style.parameters {
        return transaction.clone();
    }
    let recipients = transaction.recipients.iter();
    let recipients = recipients.map(|r| r.address.clone().into()).collect();
    Transaction::new(transaction.sender.clone(), recipients)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_chunking_gives_the_same_events(batch in soup(), sizes in vec(1..20_usize, 1..6)) {
        let whole = read_in(&batch, &[batch.len().max(1)], Limits::default());
        prop_assert_eq!(read_in(&batch, &sizes, Limits::default()), whole);
    }

    #[test]
    fn what_is_written_is_read(messages in messages_of(), style in style(), step in 1..50_usize, size in 1..50_usize) {
        let batch = write(&messages, &style, step);
        let (found, end) = read_in(&batch, &[size], Limits::default());
        let mut expected = vec![Found::Hello("leaf.lab".to_owned(), style.parameters)];
        expected.extend(messages.iter().map(|(transaction, content)| {
            Found::Message(Box::new(arrived(transaction, &style)), complete(content))
        }));
        expected.push(Found::Quit);
        prop_assert_eq!(found, expected);
        prop_assert_eq!((end.cut, end.quit), (None, true));
    }

    /// Whatever a batch of ours loses at its end, the messages before the cut come through, and the cut shows.
    #[test]
    fn a_cut_is_always_seen(messages in messages_of(), style in style(), at in any::<proptest::sample::Index>()) {
        let batch = write(&messages, &style, 4096);
        let cut = &batch[..at.index(batch.len())];
        let (whole, _) = read_in(&batch, &[4096], Limits::default());
        let (found, end) = read_in(cut, &[4096], Limits::default());
        let before = |found: &[Found]| -> Vec<Found> {
            found.iter().filter(|f| matches!(f, Found::Message(..))).cloned().collect()
        };
        let came = before(&found);
        prop_assert_eq!(came.len() as u64, end.messages);
        prop_assert_eq!(&before(&whole)[..came.len()], &came[..]);
        prop_assert!(faults(&found).is_empty());
        // The mark may be cut off with all the rest; a batch without any message is then as good as none.
        let marked = cut.len() >= batch.len().min(9 + 15 + style.line_end.bytes().len() * 2);
        let all = cut.trim_ascii_end().ends_with(b"QUIT") && came.len() == messages.len() && !cut.ends_with(b".");
        if marked && !all {
            prop_assert!(end.cut.is_some(), "{:?}", cut.escape_ascii().to_string());
        }
        if let Some(Found::Cut(transaction, _)) = found.last() {
            prop_assert_eq!(&**transaction, &arrived(&messages[came.len()].0, &style));
            let is_content = matches!(end.cut, Some(Cut::Content { .. }));
            prop_assert!(is_content);
        }
    }
}
