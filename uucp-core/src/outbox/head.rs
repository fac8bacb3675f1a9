//! What stands behind the content of a message's file.
//!
//! ```text
//! content 1234
//! observed 86400
//! MAIL FROM:<ann@leaf.example> SIZE=1250
//! RCPT TO:<bob@hub.example> NOTIFY=FAILURE
//! end 0000000092 89abcdef
//! ```
//! The last line has a length of its own, so that it is found from the end: how long the lines before it are, and their check
//! sum. The envelope is SMTP as a batch with parameters has it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::bsmtp::{Event, LineEnd, Reader, Transaction};
use crate::spool::{ObservedTime, SpoolError};
use crate::wire::checksum;

/// `end `, ten digits, a blank, eight hexadecimal digits, a line feed.
const FOOTER: usize = 24;
/// The longest head read, in bytes: 100,000 recipients with their parameters.
const LIMIT: u64 = 64 << 20;

/// What is known of a message in an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryHead {
    /// Its envelope, with the id that the receiver will know it by.
    pub transaction: Transaction,
    /// Bytes of content.
    pub size: u64,
    /// When it was queued, in observed time.
    pub observed: ObservedTime,
}

/// The lines behind the content; or why they would not say what the envelope says.
pub(super) fn emit(
    transaction: &Transaction,
    size: u64,
    now: ObservedTime,
) -> Result<Vec<u8>, String> {
    let mut kept = transaction.clone();
    kept.parameters.id = None;
    kept.refused.clear();
    kept.unlisted = 0;
    let mut head = format!("content {size}\nobserved {}\n", now.0).into_bytes();
    let begin = head.len();
    kept.emit(LineEnd::Lf, true, &mut head)
        .map_err(|error| error.to_string())?;
    if head.get(begin..).and_then(parse_envelope).as_ref() != Some(&kept) {
        return Err(format!("SMTP cannot say '{}'", kept.summary()));
    }
    let footer = format!("end {:010} {:08x}\n", head.len(), checksum::crc32(&head));
    head.extend_from_slice(footer.as_bytes());
    Ok(head)
}

/// Reads the head of a message's file, and leaves the file at the beginning of the content.
pub(super) fn read(file: &mut File, path: &Path) -> Result<EntryHead, SpoolError> {
    let failed = |source| SpoolError::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    };
    let corrupt = |reason: &str| SpoolError::Corrupt {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    };
    let length = file.metadata().map_err(failed)?.len();
    let body = length
        .checked_sub(FOOTER as u64)
        .ok_or_else(|| corrupt("too short for a message of an outbox"))?;
    let mut footer = [0; FOOTER];
    read_at(file, body, &mut footer).map_err(failed)?;
    let (head_length, check) =
        parse_footer(&footer).ok_or_else(|| corrupt("its end is not that of a message"))?;
    let begin = body
        .checked_sub(head_length)
        .filter(|_| head_length <= LIMIT)
        .ok_or_else(|| corrupt("its last line does not fit its length"))?;
    let mut head = vec![0; usize::try_from(head_length).unwrap_or_default()];
    read_at(file, begin, &mut head).map_err(failed)?;
    if checksum::crc32(&head) != check {
        return Err(corrupt("the check sum of its envelope is wrong"));
    }
    let head = parse(&head).ok_or_else(|| corrupt("its envelope cannot be understood"))?;
    if head.size != begin {
        return Err(corrupt("its content is not as long as it should be"));
    }
    file.rewind().map_err(failed)?;
    Ok(head)
}

fn read_at(file: &mut File, position: u64, buffer: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(position))?;
    file.read_exact(buffer)
}

fn parse_footer(footer: &[u8]) -> Option<(u64, u32)> {
    let text = std::str::from_utf8(footer).ok()?;
    let (length, check) = text
        .strip_prefix("end ")?
        .strip_suffix('\n')?
        .split_once(' ')?;
    Some((length.parse().ok()?, u32::from_str_radix(check, 16).ok()?))
}

fn parse(head: &[u8]) -> Option<EntryHead> {
    let mut lines = head.splitn(3, |b| *b == b'\n');
    let mut number = |word: &str| -> Option<u64> {
        let line = std::str::from_utf8(lines.next()?).ok()?;
        line.strip_prefix(word)?.parse().ok()
    };
    let (size, observed) = (number("content ")?, number("observed ")?);
    Some(EntryHead {
        transaction: parse_envelope(lines.next()?)?,
        size,
        observed: ObservedTime(observed),
    })
}

/// Reads MAIL and RCPTs as the reader of batches does; something else beside them is no envelope.
fn parse_envelope(lines: &[u8]) -> Option<Transaction> {
    let mut reader = Reader::default();
    let batch = [lines, b"DATA\n"].concat();
    let (used, event) = reader.read(&batch);
    match event? {
        Event::Begin(transaction) if used == batch.len() => Some(*transaction),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::address::{Address, ReversePath};
    use crate::bsmtp::{Body, MailParameters, Notify, Recipient};

    fn transaction() -> Transaction {
        let address = |text: &[u8]| Address::parse(text).unwrap();
        let mut transaction = Transaction::new(
            ReversePath::Address(address("\u{17e}ofie@leaf.example".as_bytes())),
            vec![
                Recipient {
                    notify: Some(Notify::default()),
                    orcpt: Some(b"rfc822;bob@all.example".to_vec()),
                    ..address(b"\"a b>\"@hub.example").into()
                },
                address(b"hub!joe").into(),
            ],
        );
        transaction.parameters = MailParameters {
            body: Some(Body::EightBitMime),
            smtputf8: true,
            envid: Some(b"QQ+2B".to_vec()),
            mt_priority: Some(-3),
            ..MailParameters::default()
        };
        transaction
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn reread(bytes: &[u8]) -> Result<(EntryHead, Vec<u8>), SpoolError> {
        let mut file = file(bytes);
        let head = read(&mut file, Path::new("entry"))?;
        let mut content = Vec::new();
        file.take(head.size).read_to_end(&mut content).unwrap();
        Ok((head, content))
    }

    #[test]
    fn what_is_known_comes_back() {
        let content = b"Subject: x\n\nend 0000000001 00000000\n";
        let mut envelope = transaction();
        envelope.parameters.id = Some(b"somebody else's".to_vec());
        let behind = emit(&envelope, content.len() as u64, ObservedTime(77)).unwrap();
        let (head, read) = reread(&[&content[..], &behind].concat()).unwrap();
        assert_eq!(head.transaction, transaction());
        assert_eq!(
            (head.size, head.observed),
            (content.len() as u64, ObservedTime(77))
        );
        assert_eq!(read, content);
        let null = Transaction::new(ReversePath::Null, transaction().recipients);
        let behind = emit(&null, 0, ObservedTime(0)).unwrap();
        assert_eq!(reread(&behind).unwrap().0.transaction, null);
    }

    #[test]
    fn what_smtp_cannot_say_is_refused_at_once() {
        let mut envelope = transaction();
        envelope.parameters.envid = Some(b"two words".to_vec());
        assert!(emit(&envelope, 0, ObservedTime(0)).is_err());
        let mut envelope = transaction();
        envelope.recipients[0].orcpt = Some(b"a\nRCPT TO:<eve@x>".to_vec());
        assert!(emit(&envelope, 0, ObservedTime(0)).is_err());
    }

    #[test]
    fn a_file_that_is_cut_or_damaged_is_told_and_never_read() {
        let content = b"Subject: x\n\nhello\n";
        let behind = emit(&transaction(), content.len() as u64, ObservedTime(7)).unwrap();
        let whole = [&content[..], &behind].concat();
        for length in 0..whole.len() {
            let error = reread(&whole[..length]).unwrap_err();
            assert!(
                matches!(error, SpoolError::Corrupt { .. }),
                "{length}: {error}"
            );
        }
        for at in content.len()..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x01;
            assert!(reread(&damaged).is_err(), "{at}");
        }
        assert!(reread(&whole[1..]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_message_or_not_but_never_a_panic(bytes: Vec<u8>) {
            let _ = reread(&bytes);
        }
    }
}
