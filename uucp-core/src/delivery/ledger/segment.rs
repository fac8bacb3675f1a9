//! The files of a log: which there are, which go, what stands in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::A_DAY;
use crate::spool::{ObservedTime, OfFile};

/// Lines are kept this long: longer than a peer, uuxqt or NNCP comes back with a job.
const KEPT: Duration = Duration::from_hours(24 * 14);
/// A file that is larger than this is followed by another, in bytes.
pub(super) const SEGMENT_LIMIT: u64 = 1024 * 1024;
/// Most bytes of one neighbour: half a million lines, which take 4 MiB of memory.
pub(super) const TOTAL_LIMIT: u64 = 8 * SEGMENT_LIMIT;

/// One file of the log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) begun: ObservedTime,
    pub(super) path: PathBuf,
    pub(super) length: u64,
}

/// The files, oldest first.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).of(folder)? {
        let entry = entry.of(folder)?;
        let name = entry.file_name();
        if let Some(seconds) = name.to_str().and_then(|name| name.parse().ok()) {
            found.push(Segment {
                begun: ObservedTime(seconds),
                path: entry.path(),
                length: entry.metadata().of(&entry.path())?.len(),
            });
        }
    }
    found.sort_by_key(|segment| segment.begun);
    Ok(found)
}

/// Removes what is old, and the oldest where there is too much.
pub(super) fn expire(segments: Vec<Segment>, now: ObservedTime) -> Vec<Segment> {
    let mut total: u64 = segments.iter().map(|segment| segment.length).sum();
    let mut left = Vec::new();
    for segment in segments {
        let is_old = now.since(segment.begun) > KEPT + A_DAY;
        if (is_old || total > TOTAL_LIMIT) && std::fs::remove_file(&segment.path).is_ok() {
            total = total.saturating_sub(segment.length);
        } else {
            left.push(segment);
        }
    }
    left
}

pub(super) fn load(segments: &[Segment]) -> io::Result<Vec<u64>> {
    let mut known = Vec::new();
    let mut line = Vec::new();
    for segment in segments {
        let file = File::open(&segment.path).of(&segment.path)?;
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).of(&segment.path)? == 0 {
                break;
            }
            known.extend(parse(&line));
        }
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// A whole line; one that was cut is none.
fn parse(line: &[u8]) -> Option<u64> {
    let digits = line.strip_suffix(b"\n")?;
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
