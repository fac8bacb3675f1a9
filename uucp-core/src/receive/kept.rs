//! Mail that the MTA refuses for now: each message alone, until the MTA takes it or its time is over.
//!
//! ```text
//! STATE/kept/NEIGHBOUR/NAME         "#! kept IDENTITY SECONDS", then a batch of one message, for whoever still waits;
//!                                   SECONDS is the observed time when it came. NAME is made of IDENTITY and of
//!                                   the recipients with whom it came
//! STATE/kept/NEIGHBOUR/NAME.retry   how often it was tried, when it is due, whether its sender was warned
//! ```
//! The message is on disk, its name too, before the batch that brought it is done; it never changes. Who of its recipients
//! has it by now is in the neighbour's ledger. The state is not synced: without it a message is due.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::content::{Item, Messages};
use crate::bsmtp::{LineEnd, Style, Transaction, Writer};
use crate::delivery::{Identity, Message};
use crate::name::SystemName;
use crate::spool::{ObservedTime, OfFile, create_shared, make_shared_directory};

/// What a kept message begins with.
const MARK: &str = "#! kept ";
/// What the names of states end with.
const RETRY: &str = ".retry";
/// The longest first line, in bytes.
const LONGEST_MARK: u64 = 200;

/// One neighbour's mail that waits.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    bytes: u64,
    limit: u64,
    is_synced: bool,
}

/// When a message is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retry {
    /// How often it was tried.
    pub attempts: u32,
    /// When it is due.
    pub next: ObservedTime,
    /// Whether its sender knows that it waits.
    pub is_warned: bool,
}

/// A message that waits.
#[derive(Debug)]
pub struct KeptMail<T = Transaction, M = Message> {
    /// What it is in the ledger.
    pub identity: Identity,
    /// When it came.
    pub since: ObservedTime,
    /// Its envelope, as far as it was left.
    pub transaction: T,
    /// The message, with the trace line that it got when it came.
    pub message: M,
}

impl Kept {
    /// The mail of a neighbour, of which at most `limit` bytes are kept.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn open(state: &Path, neighbour: Option<&SystemName>, limit: u64) -> io::Result<Self> {
        let name = neighbour.map_or("-", SystemName::as_str);
        let mut kept = Self {
            folder: state.join("kept").join(name),
            bytes: 0,
            limit,
            is_synced: true,
        };
        for name in names(&kept.folder)? {
            kept.bytes += std::fs::metadata(kept.folder.join(name)).map_or(0, |meta| meta.len());
        }
        Ok(kept)
    }

    /// The neighbours of whom there is mail, `None` for mail of this system's own people.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn neighbours(state: &Path) -> io::Result<Vec<Option<SystemName>>> {
        let mut found = Vec::new();
        for name in names(&state.join("kept"))? {
            if name == "-" {
                found.push(None);
            } else {
                found.extend(SystemName::parse(name.as_bytes()).ok().map(Some));
            }
        }
        Ok(found)
    }

    /// Whether this message waits here.
    #[must_use]
    pub fn has(&self, name: &Identity) -> bool {
        self.path(name).exists()
    }

    /// Keeps a message under `name`, for the recipients of `transaction`. It is there for good when [`Self::commit`] has
    /// returned.
    ///
    /// # Errors
    /// When it cannot be written, or there are too many bytes.
    pub fn put(
        &mut self,
        name: &Identity,
        mail: &KeptMail<&Transaction, &Message>,
    ) -> io::Result<()> {
        if self.bytes.saturating_add(mail.message.len()) > self.limit {
            return Err(io::Error::other("too many bytes wait already"));
        }
        make_shared_directory(&self.folder)?;
        let path = self.path(name);
        let draft = path.with_extension("new");
        let written =
            write(&draft, mail).and_then(|length| std::fs::rename(&draft, &path).map(|()| length));
        match written {
            Ok(length) => self.bytes += length,
            Err(error) => {
                let _ = std::fs::remove_file(&draft);
                return Err(error).of(&path);
            }
        }
        self.is_synced = false;
        Ok(())
    }

    /// Waits until the names of what was kept are on disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn commit(&mut self) -> io::Result<()> {
        if !self.is_synced {
            File::open(&self.folder)
                .and_then(|folder| folder.sync_all())
                .of(&self.folder)?;
            self.is_synced = true;
        }
        Ok(())
    }

    /// The names of the messages that wait.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<Identity>> {
        let names = names(&self.folder)?;
        Ok(names
            .iter()
            .filter_map(|name| Identity::from_hexadecimal(name))
            .collect())
    }

    /// When a message is tried again.
    #[must_use]
    pub fn retry(&self, name: &Identity) -> Retry {
        let text = std::fs::read_to_string(self.retry_path(name)).unwrap_or_default();
        Retry::parse(&text).unwrap_or_default()
    }

    /// Notes when it is tried again.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn set_retry(&self, name: &Identity, retry: Retry) -> io::Result<()> {
        let path = self.retry_path(name);
        let draft = path.with_extension("state");
        let file = create_shared(&draft).of(&draft)?;
        (&file)
            .write_all(retry.to_string().as_bytes())
            .and_then(|()| std::fs::rename(&draft, &path))
            .of(&path)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn take(&self, name: &Identity, scratch: &Path) -> io::Result<KeptMail> {
        let mut file = BufReader::new(File::open(self.path(name))?);
        let mut mark = String::new();
        (&mut file).take(LONGEST_MARK).read_line(&mut mark)?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "this is no kept message");
        let (identity, since) = mark
            .strip_prefix(MARK)
            .and_then(|rest| rest.trim_end().split_once(' '))
            .and_then(|(identity, since)| {
                Some((Identity::from_hexadecimal(identity)?, since.parse().ok()?))
            })
            .ok_or_else(wrong)?;
        match Messages::new(file).next(u64::MAX, scratch)? {
            Some(Item::Message(incoming)) => Ok(KeptMail {
                identity,
                since: ObservedTime(since),
                transaction: incoming.transaction,
                message: incoming.message,
            }),
            _ => Err(wrong()),
        }
    }

    /// A message is done.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&mut self, name: &Identity) -> io::Result<()> {
        let path = self.path(name);
        let length = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        std::fs::remove_file(&path).of(&path)?;
        self.bytes = self.bytes.saturating_sub(length);
        let _ = std::fs::remove_file(self.retry_path(name));
        Ok(())
    }

    /// The file of a message.
    #[must_use]
    pub fn path(&self, name: &Identity) -> PathBuf {
        self.folder.join(name.to_hexadecimal())
    }

    fn retry_path(&self, name: &Identity) -> PathBuf {
        let mut name = name.to_hexadecimal();
        name.push_str(RETRY);
        self.folder.join(name)
    }
}

/// Nothing is put off for longer.
const LONGEST_WAIT: Duration = Duration::from_hours(366 * 24);

impl Retry {
    /// Whether it is due; also where another clock has said when: that time might never come.
    #[must_use]
    pub fn is_due(&self, now: ObservedTime) -> bool {
        self.next <= now || self.next.since(now) > LONGEST_WAIT
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Some(Self {
            attempts: words.next()?.parse().ok()?,
            next: ObservedTime(words.next()?.parse().ok()?),
            is_warned: words.next()? == "warned",
        })
    }
}

impl std::fmt::Display for Retry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let warned = if self.is_warned { "warned" } else { "-" };
        writeln!(f, "{} {} {warned}", self.attempts, self.next.0)
    }
}

/// Writes and syncs the file of a message; its length.
fn write(draft: &Path, mail: &KeptMail<&Transaction, &Message>) -> io::Result<u64> {
    let mut file = create_shared(draft)?;
    writeln!(
        file,
        "{MARK}{} {}",
        mail.identity.to_hexadecimal(),
        mail.since.0
    )?;
    let style = Style {
        line_end: LineEnd::Lf,
        parameters: true,
        hello: "localhost".to_owned(),
    };
    let mut writer = Writer::new(&file, style)?;
    writer.message(mail.transaction, &mut mail.message.reader())?;
    writer.finish()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// The names in a folder; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.of(folder)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry.of(folder)?.file_name().into_string());
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &[u8] =
        b"EHLO x\nMAIL FROM:<a@x> RET=HDRS ENVID=Q1 BODY=8BITMIME\nRCPT TO:<b@y> NOTIFY=FAILURE ORCPT=rfc822;c@z\n\
          RCPT TO:<h!u\x80>\nDATA\nSubject: x\n\n..\n\xff\r\nFrom x\n.\nQUIT\n";

    fn incoming() -> (Transaction, Message) {
        let item = Messages::new(BATCH).next(u64::MAX, Path::new("/")).unwrap();
        let Some(Item::Message(incoming)) = item else {
            panic!("no message")
        };
        (incoming.transaction, incoming.message)
    }

    fn bytes_of(message: &Message) -> Vec<u8> {
        message.head(usize::MAX).unwrap()
    }

    fn mail<'a>(
        transaction: &'a Transaction,
        message: &'a Message,
    ) -> KeptMail<&'a Transaction, &'a Message> {
        KeptMail {
            identity: Identity::named(b"id"),
            since: ObservedTime(7),
            transaction,
            message,
        }
    }

    #[test]
    fn a_time_of_another_clock_is_not_waited_for() {
        let (count, wall) = (ObservedTime(5_000_000), ObservedTime(1_800_000_000));
        let at = |next| Retry {
            next,
            ..Retry::default()
        };
        assert!(at(count).is_due(wall) && at(wall).is_due(count));
        assert!(!at(count.after(Duration::from_hours(30 * 24))).is_due(count));
    }

    #[test]
    fn a_message_comes_back_with_its_envelope() {
        let state = tempfile::tempdir().unwrap();
        let hub = SystemName::parse(b"hub").unwrap();
        let open = || Kept::open(state.path(), Some(&hub), 1000).unwrap();
        let (transaction, message) = incoming();
        let name = Identity::named(b"1");
        let mut kept = open();
        assert!(!kept.has(&name));
        kept.put(&name, &mail(&transaction, &message)).unwrap();
        kept.commit().unwrap();
        assert!(kept.has(&name));
        let mut kept = open();
        assert_eq!(kept.names().unwrap(), [name]);
        let back = kept.take(&name, state.path()).unwrap();
        assert_eq!(back.identity, Identity::named(b"id"));
        assert_eq!(
            (back.since, &back.transaction),
            (ObservedTime(7), &transaction)
        );
        assert_eq!(bytes_of(&back.message), bytes_of(&message));
        assert_eq!(kept.retry(&name), Retry::default());
        let retry = Retry {
            attempts: 3,
            next: ObservedTime(99),
            is_warned: true,
        };
        kept.set_retry(&name, retry).unwrap();
        assert_eq!(kept.retry(&name), retry);
        assert_eq!(kept.names().unwrap(), [name]);
        let neighbours = Kept::neighbours(state.path()).unwrap();
        assert_eq!(neighbours, [Some(hub.clone())]);
        kept.remove(&name).unwrap();
        let left = std::fs::read_dir(state.path().join("kept/hub")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn a_neighbour_has_its_limit_and_a_damaged_file_is_told() {
        let state = tempfile::tempdir().unwrap();
        let (transaction, message) = incoming();
        let mail = mail(&transaction, &message);
        let (one, two) = (Identity::named(b"1"), Identity::named(b"2"));
        let mut kept = Kept::open(state.path(), None, 200).unwrap();
        kept.put(&one, &mail).unwrap();
        assert!(kept.put(&two, &mail).is_err());
        let mut kept = Kept::open(state.path(), None, 200).unwrap();
        assert!(kept.put(&two, &mail).is_err());
        let bytes = std::fs::read(kept.path(&one)).unwrap();
        for cut in [0, 5, bytes.len() / 2] {
            std::fs::write(kept.path(&one), &bytes[..cut]).unwrap();
            assert!(kept.take(&one, state.path()).is_err(), "{cut}");
        }
    }
}
