//! Mail for this system's own MTA that waits in the spool until it is handed over: reports that must not be lost and may
//! not depend on an MTA that hangs.
//!
//! One file a mail, `.Bangpath/local-mail/NAME`: a line for the sender, a line for each recipient, an empty line, the
//! message. Addresses are hexadecimal: no byte in them can be taken for the end of a line.

use std::fs::TryLockError;
use std::io::{self, Read};
use std::path::PathBuf;

use super::error::At;
use super::lock::LockedFile;
use super::queue::NewFile;
use super::submission::LocalMailDraft;
use super::work::move_aside;
use super::{Spool, SpoolError, durable, names, regular};

/// What the first line begins with: the form of the file.
const SENDER: &str = "from:";
const RECIPIENT: &str = "to:";

/// One waiting mail, locked while this value lives; dropped without [`LocalMail::remove`], it waits on.
#[derive(Debug)]
pub struct LocalMail {
    /// The envelope's sender; empty for the null sender.
    pub sender: Vec<u8>,
    /// The envelope's recipients.
    pub recipients: Vec<Vec<u8>>,
    /// The message.
    pub content: Vec<u8>,
    path: PathBuf,
    /// Holds the lock.
    _file: LockedFile,
}

impl LocalMail {
    /// It was handed over: removes it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<(), SpoolError> {
        durable::remove(&self.path)
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// The content of a waiting mail's file.
pub(super) fn emit(mail: &LocalMailDraft<'_>) -> Vec<u8> {
    let mut out = format!("{SENDER}{}\n", hexadecimal(mail.sender));
    for recipient in mail.recipients {
        out.push_str(RECIPIENT);
        out.push_str(&hexadecimal(recipient));
        out.push('\n');
    }
    out.push('\n');
    let mut out = out.into_bytes();
    out.extend_from_slice(mail.content);
    out
}

type Parts = (Vec<u8>, Vec<Vec<u8>>, Vec<u8>);

fn parse(bytes: &[u8]) -> Option<Parts> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, tail) = bytes.split_at_checked(end)?;
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let sender = from_hexadecimal(lines.next()?.strip_prefix(SENDER)?)?;
    let recipients = lines
        .map(|line| from_hexadecimal(line.strip_prefix(RECIPIENT)?))
        .collect::<Option<_>>()?;
    Some((sender, recipients, tail.get(2..)?.to_vec()))
}

impl Spool {
    pub(super) fn local_mail_path(&self, name: &str) -> PathBuf {
        self.own_folder("local-mail").join(name)
    }

    /// Queues mail for the local MTA, durably.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enqueue_local_mail(&self, mail: &LocalMailDraft<'_>) -> Result<(), SpoolError> {
        let mut new = NewFile::write(self, &emit(mail))?;
        new.sync()?;
        new.rename(&self.local_mail_path(&names::unique()))?;
        durable::sync_directory(&self.own_folder("local-mail"))
    }

    /// The names of the mails that wait, oldest first; most find none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn local_mail_names(&self) -> Result<Vec<String>, SpoolError> {
        let mut found = durable::names(&self.own_folder("local-mail"))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Takes one of them up; `None` if it is gone, or somebody else has it.
    ///
    /// # Errors
    /// When it cannot be read. [`SpoolError::Corrupt`] if it is no such mail: it lies in `.Corrupt/` then.
    pub fn take_local_mail(&self, name: &str) -> Result<Option<LocalMail>, SpoolError> {
        let path = self.local_mail_path(name);
        let mut file = match regular::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("open", &path)?,
        };
        match file.try_lock() {
            // Whoever had it before us may have removed it since we opened it.
            Ok(()) if !path.exists() => return Ok(None),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).at("read", &path)?;
        let Some((sender, recipients, content)) = parse(&bytes) else {
            let path = move_aside(&path, &self.taylor_folder(".Corrupt"))?;
            let reason = "not a mail that waits for the MTA".to_owned();
            return Err(SpoolError::Corrupt { path, reason });
        };
        Ok(Some(LocalMail {
            sender,
            recipients,
            content,
            path,
            _file: LockedFile(file),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TestSpool;
    use super::*;

    #[test]
    fn mail_waits_until_it_is_removed_and_is_taken_by_one_at_a_time() {
        let test = TestSpool::new();
        let mail = LocalMailDraft {
            sender: b"",
            recipients: &[b"joe@x.example".to_vec(), b"\"a\nb\"@y".to_vec()],
            content: b"Subject: x\n\n\nbody\xff",
        };
        assert!(test.spool.local_mail_names().unwrap().is_empty());
        test.spool.enqueue_local_mail(&mail).unwrap();
        let names = test.spool.local_mail_names().unwrap();
        let taken = test.spool.take_local_mail(&names[0]).unwrap().unwrap();
        assert_eq!(taken.sender, mail.sender);
        assert_eq!(taken.recipients, mail.recipients);
        assert_eq!(taken.content, mail.content);
        assert!(test.spool.take_local_mail(&names[0]).unwrap().is_none());
        drop(taken);
        let taken = test.spool.take_local_mail(&names[0]).unwrap().unwrap();
        taken.remove().unwrap();
        assert!(test.spool.take_local_mail(&names[0]).unwrap().is_none());
        assert!(test.spool.local_mail_names().unwrap().is_empty());
    }

    #[test]
    fn garbage_is_set_aside() {
        let test = TestSpool::new();
        let path = test.spool.local_mail_path("x");
        durable::make_directory(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "garbage").unwrap();
        let error = test.spool.take_local_mail("x").unwrap_err();
        assert!(matches!(error, SpoolError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(".Corrupt/x: "), "{error}");
        assert!(test.spool.root().join(".Corrupt/x").exists());
        assert!(test.spool.take_local_mail("x").unwrap().is_none());
    }
}
