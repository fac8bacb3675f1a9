//! Files that have room before it is needed: behind what was written stand empty lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What room is filled with: a line end, so that what was cut before it ends there.
pub(crate) const FILLER: u8 = b'\n';

/// A file grows by as much at least: what file systems give it anyway.
pub(crate) const BLOCK: usize = 4096;

/// Where the filler at the end of a file of this length begins.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn filled(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; BLOCK];
    while end > 0 {
        let start = (end - 1) / BLOCK as u64 * BLOCK as u64;
        let part = usize::try_from(end - start).unwrap_or_default();
        let part = block.get_mut(..part).unwrap_or_default();
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != FILLER) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
