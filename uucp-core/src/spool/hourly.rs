//! What a neighbour can cause only so often in an hour: reports and notes.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::durable::make_directory;
use super::error::At;
use super::sharing::{OfFile, open_shared};
use super::{ObservedTime, Spool, SpoolError};
use crate::name::SystemName;

const HOUR: u64 = 3600;

/// Counts one more in the file `path`, whose folder is there. False: there were `limit` in this hour of observed time already.
///
/// # Errors
/// When the count cannot be read or written.
pub fn count_in_hour(path: &Path, limit: u32, now: ObservedTime) -> io::Result<bool> {
    let mut file = open_shared(path, OpenOptions::new().read(true).write(true)).of(path)?;
    file.lock().of(path)?;
    let mut held = Vec::new();
    (&file).take(100).read_to_end(&mut held).of(path)?;
    let text = String::from_utf8_lossy(&held);
    let hour = now.0 / HOUR;
    let mut words = text.split_whitespace();
    let same_hour = words.next().and_then(|w| w.parse().ok()) == Some(hour);
    let count: u32 = words
        .next()
        .and_then(|w| w.parse().ok())
        .filter(|_| same_hour)
        .unwrap_or(0);
    if count >= limit {
        return Ok(false);
    }
    let line = format!("{hour} {}\n", count + 1);
    file.rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.write_all(line.as_bytes()))
        .of(path)?;
    Ok(true)
}

impl Spool {
    /// Whether one more note of this kind may be made about a system in this hour; counts it.
    ///
    /// # Errors
    /// When the count cannot be read or written.
    pub fn may_note(
        &self,
        kind: &str,
        system: &SystemName,
        limit: u32,
    ) -> Result<bool, SpoolError> {
        let folder = self.own_folder("notes").join(kind);
        make_directory(&folder)?;
        let file = folder.join(system.as_str());
        count_in_hour(&file, limit, self.observed_now()?).at("count in", &file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_by_the_hour() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub");
        let may = |second| count_in_hour(&file, 2, ObservedTime(second)).unwrap();
        assert_eq!(
            [may(0), may(10), may(3599), may(3600), may(3601), may(7199)],
            [true, true, false, true, true, false]
        );
        std::fs::write(&file, "garbage\n").unwrap();
        assert!(may(7200));
    }
}
