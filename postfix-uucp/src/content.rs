//! The message as it comes in: hashed, counted, and written to every data file that is to hold it.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use uucp_core::report::RETURN_LIMIT;
use uucp_core::sysexits::{Failure, Status};

/// What is known of a message that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// SHA-256 of its bytes.
    pub(crate) hash: [u8; 32],
    /// Their number.
    pub(crate) size: u64,
    /// The beginning, for a report.
    pub(crate) head: Vec<u8>,
    /// Whether it is not all ASCII.
    pub(crate) eight_bit: bool,
}

/// How much is read at first: most mail is smaller, and memory that is not touched need not be had.
const FIRST_READ: usize = 8 << 10;
/// How much is read at once of larger mail.
const FURTHER_READS: usize = 64 << 10;

/// Reads a message to its end and writes it to all `targets`.
///
/// A `From ` line at its head (`flags=F`) is left out: the sender is known, and that line's date would make every repeated
/// delivery another message.
///
/// # Errors
/// When it cannot be read or written, is larger than `limit`, or is empty.
pub(crate) fn read(
    source: &mut impl Read,
    targets: &mut [impl Write],
    limit: Option<u64>,
) -> Result<Content, Failure> {
    let mut intake = Intake {
        targets,
        limit,
        hash: Sha256::new(),
        size: 0,
        head: Vec::new(),
        eight_bit: false,
    };
    let mut first = FirstLine::Unknown(Vec::new());
    let mut buffer = vec![0; FIRST_READ];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::temporary(format!(
                    "cannot read the message: {error}"
                )));
            }
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        first = first.take(bytes, &mut intake)?;
        if count == FIRST_READ {
            buffer.resize(FURTHER_READS, 0);
        }
    }
    if let FirstLine::Unknown(kept) = first {
        intake.write(&kept)?;
    }
    if intake.size == 0 {
        return Err(Failure::temporary("no message on standard input"));
    }
    Ok(Content {
        hash: intake.hash.finalize().into(),
        size: intake.size,
        head: intake.head,
        eight_bit: intake.eight_bit,
    })
}

/// What is known of the first line.
enum FirstLine {
    /// Too little has come.
    Unknown(Vec<u8>),
    /// It is a `From ` line, and still goes on.
    Dropping,
    /// It is past.
    Past,
}

impl FirstLine {
    fn take<W: Write>(self, bytes: &[u8], intake: &mut Intake<'_, W>) -> Result<Self, Failure> {
        const MARK: &[u8] = b"From ";
        match self {
            Self::Past => intake.write(bytes).map(|()| Self::Past),
            Self::Unknown(mut kept) => {
                kept.extend_from_slice(bytes);
                if kept.starts_with(MARK) {
                    Self::Dropping.take(&kept, intake)
                } else if MARK.starts_with(&kept) {
                    Ok(Self::Unknown(kept))
                } else {
                    intake.write(&kept).map(|()| Self::Past)
                }
            }
            Self::Dropping => match bytes.iter().position(|b| *b == b'\n') {
                Some(at) => intake
                    .write(bytes.get(at + 1..).unwrap_or_default())
                    .map(|()| Self::Past),
                None => Ok(Self::Dropping),
            },
        }
    }
}

struct Intake<'a, W> {
    targets: &'a mut [W],
    limit: Option<u64>,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
    eight_bit: bool,
}

impl<W: Write> Intake<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(limit) = self.limit
            && self.size > limit
        {
            return Err(Failure::new(
                Status::TooLarge,
                format!("the message is larger than {limit} bytes, the limit of this link"),
            ));
        }
        self.hash.update(bytes);
        self.eight_bit |= !bytes.is_ascii();
        let room = RETURN_LIMIT
            .saturating_add(1)
            .saturating_sub(self.head.len());
        self.head
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        for target in &mut *self.targets {
            target.write_all(bytes).map_err(|error| {
                Failure::temporary(format!("cannot spool the message: {error}"))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of `step`.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn read_in(message: &[u8], step: usize) -> (Content, Vec<u8>) {
        let mut targets = [Vec::new(), Vec::new()];
        let content = read(&mut Pieces(message, step), &mut targets, None).unwrap();
        let [one, two] = targets;
        assert_eq!(one, two);
        (content, one)
    }

    #[test]
    fn bytes_stay_bytes_however_they_come() {
        let message = b"Subject: x\n\nbare\rcr nul\0 8bit \xff\nFrom me\n.\n";
        let (whole, written) = read_in(message, 4096);
        assert_eq!(written, message);
        assert!(whole.eight_bit && !read_in(b"Subject: x\n\n", 4096).0.eight_bit);
        for step in 1..20 {
            assert_eq!(read_in(message, step), (whole.clone(), written.clone()));
        }
    }

    #[test]
    fn a_from_line_is_left_out_and_does_not_count() {
        let (plain, _) = read_in(b"Subject: x\n\n", 4096);
        for step in [1, 3, 7, 4096] {
            let (content, written) = read_in(
                b"From bob@hub.lab  Fri Nov 20 10:10:47 2026\nSubject: x\n\n",
                step,
            );
            assert_eq!(written, b"Subject: x\n\n");
            assert_eq!(content, plain);
        }
        assert_eq!(read_in(b"From: x\n\n", 1).1, b"From: x\n\n");
        assert_eq!(read_in(b"Fro", 1).1, b"Fro");
    }

    #[test]
    fn too_much_and_nothing() {
        let mut none: [Vec<u8>; 0] = [];
        let error = read(&mut &b"12345"[..], &mut none, Some(4)).unwrap_err();
        assert_eq!(error.status, Status::TooLarge);
        let error = read(&mut &b""[..], &mut none, None).unwrap_err();
        assert_eq!(error.status, Status::Temporary);
        assert!(read(&mut &b"1234"[..], &mut none, Some(4)).is_ok());
    }
}
