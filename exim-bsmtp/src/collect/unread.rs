//! What was not understood is kept beside the batches, for a person: `SYSTEM.unread.UNIQUE`.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use uucp_core::collect::Batch;
use uucp_core::sysexits::Failure;

/// Writes these parts of the batch's files into one file, durably. Done again, it makes the same file again.
pub(super) fn keep(batch: &Batch, parts: &[(PathBuf, Range<u64>)]) -> Result<PathBuf, Failure> {
    let path = batch.unread_path();
    let failed =
        |error: io::Error| Failure::temporary(format!("cannot keep {}: {error}", path.display()));
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let mut new = tempfile::Builder::new()
        .prefix(".unread-")
        .tempfile_in(directory)
        .map_err(failed)?;
    for (file, range) in parts {
        let mut file = batch.open(file).map_err(Failure::temporary)?;
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let mut part = file.take(range.end - range.start);
        io::copy(&mut part, &mut new).map_err(failed)?;
        new.write_all(b"\n").map_err(failed)?;
    }
    new.as_file().sync_all().map_err(failed)?;
    new.persist(&path).map_err(|error| failed(error.error))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)?;
    Ok(path)
}
