//! zstd dictionaries: what the mails of one link have in common, known to both ends, so that also a single small mail
//! becomes small.
//!
//! A dictionary holds pieces of the mail it was trained from. So it is made for one link, from that link's own mail; its
//! file can be read by the owner and the group of the spool only; and it is handed to the other end as a key would be. The data names it by a number,
//! which is made from a hash of its content: one that was changed, or another of the same number, is never used.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::name::SystemName;
use crate::spool::{make_shared_directory, share};

/// The first bytes of a dictionary (RFC 8878, section 5); its number follows.
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// Where the number stands.
const NUMBER: std::ops::Range<usize> = 4..8;
/// A dictionary is no larger than this.
const LARGEST: u64 = 1 << 20;
/// What the files are called after their system and number.
const EXTENSION: &str = "zdict";

/// What is wrong with a dictionary.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DictionaryError {
    /// It is not what was trained.
    #[error("{}: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is too little mail to learn from.
    #[error(
        "{count} messages of {size} bytes in all are too few to train a dictionary from: about a hundred, of 50,000 bytes in all, are needed"
    )]
    TooLittle {
        /// How many there are.
        count: usize,
        /// How large they are together.
        size: usize,
    },
}

trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, DictionaryError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, DictionaryError> {
        self.map_err(|source| DictionaryError::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// A dictionary.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary {
    id: u32,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content is mail.
        write!(f, "Dictionary({:08x})", self.id)
    }
}

impl Dictionary {
    /// Takes the bytes of a dictionary that was trained here or at the other end. `None` if they are none, or were changed.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let id = content_id(&bytes)?;
        let own = bytes.get(NUMBER)?;
        (own == id.to_le_bytes()).then_some(Self { id, bytes })
    }

    /// Gives trained bytes their number.
    fn seal(mut bytes: Vec<u8>) -> Option<Self> {
        let id = content_id(&bytes)?;
        bytes.get_mut(NUMBER)?.copy_from_slice(&id.to_le_bytes());
        Some(Self { id, bytes })
    }

    /// The number by which data names it. Written in eight hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The bytes, as they are handed to the other end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The number that belongs to this content, by a hash of all of it but the number. Numbers below 32,768 and from 2^31 on
/// are for registered dictionaries.
fn content_id(bytes: &[u8]) -> Option<u32> {
    let rest = bytes.strip_prefix(&MAGIC)?.get(NUMBER.len()..)?;
    let hash = Sha256::digest(rest);
    let number = u32::from_be_bytes(*hash.first_chunk()?);
    Some(0x8000 + number % (0x8000_0000 - 0x8000))
}

/// Messages to train a dictionary from.
#[derive(Debug, Default)]
pub struct Training {
    samples: Vec<u8>,
    sizes: Vec<usize>,
}

impl Training {
    /// No message teaches more than its beginning.
    const LONGEST: usize = 64 << 10;
    /// So much of samples is enough for any dictionary.
    const ENOUGH: usize = 16 << 20;
    /// The largest dictionary that is made, unless another size is asked for: what more of it gains is little.
    const SIZE: usize = 64 << 10;

    /// Whether more messages would teach nothing more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.samples.len() >= Self::ENOUGH
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// Adds a message, as it will stand in the data; false if there is enough already.
    pub fn add(&mut self, message: &[u8]) -> bool {
        if self.is_full() {
            return false;
        }
        let start = message.get(..Self::LONGEST).unwrap_or(message);
        if !start.is_empty() {
            self.samples.extend_from_slice(start);
            self.sizes.push(start.len());
        }
        true
    }

    /// Trains a dictionary of at most `size` bytes; 64 KiB and at most a quarter of the messages, unless given.
    ///
    /// # Errors
    /// When there is too little to learn from.
    pub fn finish(self, size: Option<usize>) -> Result<Dictionary, DictionaryError> {
        let too_little = || DictionaryError::TooLittle {
            count: self.sizes.len(),
            size: self.samples.len(),
        };
        let size = size.unwrap_or_else(|| Self::SIZE.min(self.samples.len() / 4));
        let size = size.clamp(1024, usize::try_from(LARGEST).unwrap_or(usize::MAX));
        let bytes = zstd::dict::from_continuous(&self.samples, &self.sizes, size)
            .map_err(|_| too_little())?;
        Dictionary::seal(bytes).ok_or_else(too_little)
    }
}

/// The dictionaries of this system: a directory of files `SYSTEM.NUMBER.zdict`.
#[derive(Debug, Clone, Default)]
pub struct Dictionaries {
    directory: Option<PathBuf>,
}

impl Dictionaries {
    /// The directory's name in the directory where delivery keeps what it must remember.
    pub const FOLDER: &'static str = "dictionaries";

    /// No dictionaries.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those in a directory, which need not be there.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            directory: Some(directory.to_owned()),
        }
    }

    /// The dictionary with this number; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read, others may read it, or it is not what was put there.
    pub fn load(&self, id: u32) -> io::Result<Option<Dictionary>> {
        let Some((_, path)) = self.list()?.into_iter().find(|(known, _)| *known == id) else {
            return Ok(None);
        };
        read_of(&path, 0o007, "chmod 660")
            .and_then(|dictionary| {
                if dictionary.id == id {
                    return Ok(Some(dictionary));
                }
                Err(DictionaryError::Unusable {
                    reason: format!(
                        "its number is {:08x}, not that of its name; remove it, and import it again",
                        dictionary.id
                    ),
                    path,
                })
            })
            .map_err(io::Error::other)
    }

    /// Their numbers and files, by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> io::Result<Vec<(u32, PathBuf)>> {
        let Some(directory) = &self.directory else {
            return Ok(Vec::new());
        };
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.at("read", directory).map_err(io::Error::other)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if let Some(id) = id_of_name(&path) {
                found.push((id, path));
            }
        }
        found.sort_by(|one, other| one.1.cmp(&other.1));
        Ok(found)
    }

    /// Keeps a dictionary, for mail to or from `system`: durable, and readable by those only whose the spool is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store(
        &self,
        system: &SystemName,
        dictionary: &Dictionary,
    ) -> Result<PathBuf, DictionaryError> {
        let Some(directory) = &self.directory else {
            return Err(io::Error::other("there is no directory for dictionaries"))
                .at("store", Path::new(EXTENSION));
        };
        make_shared_directory(directory).at("create", directory)?;
        let path = directory.join(format!("{system}.{:08x}.{EXTENSION}", dictionary.id));
        let mut new = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(directory)
            .at("create a file in", directory)?;
        new.write_all(&dictionary.bytes)
            .and_then(|()| new.as_file().sync_all())
            .at("write", new.path())?;
        share(new.as_file(), directory);
        new.persist(&path)
            .map_err(|error| error.error)
            .at("create", &path)?;
        sync_directory(directory)?;
        Ok(path)
    }
}

/// Reads a dictionary from a file that nobody but its owner can read.
///
/// # Errors
/// When it cannot be read, or is no dictionary of ours.
pub fn read(path: &Path) -> Result<Dictionary, DictionaryError> {
    read_of(path, 0o077, "chmod 600")
}

fn read_of(path: &Path, others: u32, mend: &str) -> Result<Dictionary, DictionaryError> {
    let unusable = |reason: &str| DictionaryError::Unusable {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .at("open", path)?;
    let metadata = file.metadata().at("read", path)?;
    if !metadata.is_file() {
        return Err(unusable("this is no file"));
    }
    if metadata.mode() & others != 0 {
        return Err(unusable(&format!(
            "others can read or write this dictionary, and it holds pieces of mail; {mend}"
        )));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .at("read", path)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unusable("this is too large for a dictionary"));
    }
    Dictionary::parse(bytes).ok_or_else(|| {
        unusable("this is no dictionary that was trained here, or it was changed; import it again")
    })
}

/// Writes a dictionary to a new file, to be handed to the other end.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub fn write(path: &Path, dictionary: &Dictionary) -> Result<(), DictionaryError> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .at("create", path)?;
    file.write_all(&dictionary.bytes)
        .and_then(|()| file.sync_all())
        .at("write", path)
}

fn id_of_name(path: &Path) -> Option<u32> {
    if path.extension()? != EXTENSION {
        return None;
    }
    let (_, digits) = path.file_stem()?.to_str()?.rsplit_once('.')?;
    let id = u32::from_str_radix(digits, 16).ok()?;
    (digits.len() == 8).then_some(id)
}

fn sync_directory(directory: &Path) -> Result<(), DictionaryError> {
    File::open(directory)
        .and_then(|open| open.sync_all())
        .at("sync", directory)
}
