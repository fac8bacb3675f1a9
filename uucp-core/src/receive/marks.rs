//! Small notes about inputs that are not done: one file a note, which goes with it, or when it is old.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::name::SystemName;
use crate::spool::{ObservedTime, OfFile, create_shared, make_shared_directory};

/// Notes go after this time whatever became of their input.
const KEPT: Duration = Duration::from_hours(24 * 30);

/// Notes of one kind about one neighbour's inputs: `STATE/KIND/NEIGHBOUR/HASH`, each `SECONDS TEXT`.
#[derive(Debug)]
pub struct Marks {
    folder: PathBuf,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When it was made, in observed time.
    pub since: ObservedTime,
    /// What it says.
    pub text: String,
}

impl Marks {
    /// The notes of this kind.
    #[must_use]
    pub fn new(state: &Path, kind: &str, neighbour: Option<&SystemName>) -> Self {
        let name = neighbour.map_or("-", SystemName::as_str);
        Self {
            folder: state.join(kind).join(name),
        }
    }

    /// The note about `input`. If there is none yet, one with this text is made; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn get_or_make(&self, input: &[u8], text: &str, now: ObservedTime) -> io::Result<Mark> {
        let path = self.path(input);
        if let Some(mark) = read(&path)? {
            return Ok(mark);
        }
        make_shared_directory(&self.folder)?;
        self.expire(now);
        let draft = path.with_extension(std::process::id().to_string());
        let mut file = create_shared(&draft).of(&draft)?;
        writeln!(file, "{} {text}", now.0)
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&draft, &path))
            .of(&path)?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .of(&self.folder)?;
        Ok(Mark {
            since: now,
            text: text.to_owned(),
        })
    }

    /// The input is done.
    pub fn remove(&self, input: &[u8]) {
        let _ = std::fs::remove_file(self.path(input));
    }

    fn path(&self, input: &[u8]) -> PathBuf {
        use std::fmt::Write as _;
        let hash = Sha256::digest(input);
        let name = hash.iter().take(16).fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        });
        self.folder.join(name)
    }

    fn expire(&self, now: ObservedTime) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if let Ok(Some(mark)) = read(&path)
                && now.since(mark.since) > KEPT
            {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// A note; `None` where there is none, or nothing that can be read.
fn read(path: &Path) -> io::Result<Option<Mark>> {
    let mut text = String::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other
            .and_then(|file| file.take(4096).read_to_string(&mut text))
            .of(path)?,
    };
    let mark = text.trim_end().split_once(' ').and_then(|(since, text)| {
        Some(Mark {
            since: ObservedTime(since.parse().ok()?),
            text: text.to_owned(),
        })
    });
    Ok(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stays_as_it_was_until_its_input_is_done() {
        let state = tempfile::tempdir().unwrap();
        let marks = Marks::new(state.path(), "series", None);
        let get = |input: &[u8], text: &str, now| {
            marks.get_or_make(input, text, ObservedTime(now)).unwrap()
        };
        let first = get(b"one", "a", 5);
        assert_eq!((first.since, first.text.as_str()), (ObservedTime(5), "a"));
        assert_eq!(get(b"one", "b", 9), first);
        assert_eq!(get(b"two", "b", 9).text, "b");
        marks.remove(b"one");
        assert_eq!(get(b"one", "c", 10).text, "c");
        let month = KEPT.as_secs();
        get(b"three", "d", 10 + month);
        assert_eq!(get(b"two", "e", 10 + month).text, "e");
        assert_eq!(get(b"one", "e", 10 + month).text, "c");
    }
}
