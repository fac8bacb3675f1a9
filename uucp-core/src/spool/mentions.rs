//! Which names the files of a folder have in them: work, execute and record files alike, since a spool file's name stands in
//! each of them as a word of its own.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use super::error::At;
use super::{SpoolError, durable, regular};

/// What files in the making are called by Taylor's programs, and locks in the making by all. Such a file names nothing yet.
pub(super) const MAKING: &str = "TMP";

/// Calls `each` with every word of every file in `folder`, until it gives false. What is longer than `limit` bytes is read as
/// far as that; a file that is gone meanwhile has no words.
///
/// Nothing is understood: a file that says something else with such a word is taken to name the file.
pub(super) fn each_word(
    folder: &Path,
    limit: u64,
    mut each: impl FnMut(&str) -> bool,
) -> Result<(), SpoolError> {
    each_word_of_each(folder, limit, |_, word| each(word))
}

/// As [`each_word`], with the name of the file that has it.
pub(super) fn each_word_of_each(
    folder: &Path,
    limit: u64,
    mut each: impl FnMut(&str, &str) -> bool,
) -> Result<(), SpoolError> {
    for name in durable::names(folder)? {
        if name.starts_with(MAKING) {
            continue;
        }
        let path = folder.join(&name);
        let file = match regular::open(&path) {
            Err(e)
                if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory)
                    || regular::is_other_thing(&e) =>
            {
                continue;
            }
            other => other.at("open", &path)?,
        };
        let mut reader = BufReader::new(file.take(limit));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).at("read", &path)? > 0 {
            let words = line.split(|b| b.is_ascii_whitespace() || *b == b',');
            for word in words.filter_map(|word| std::str::from_utf8(word).ok()) {
                if !each(&name, word) {
                    return Ok(());
                }
            }
            line.clear();
        }
    }
    Ok(())
}
