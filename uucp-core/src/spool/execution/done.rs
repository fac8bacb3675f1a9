//! Which data a job that is done had, written into its guard before the execute file goes: a kill after that leaves files
//! that are known, and not taken for mail whose job never came.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::name::SpoolName;

/// What a line begins with.
const DONE: &str = "done";

/// One data file. Another that gets its name later is not it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DoneFile {
    pub(super) name: SpoolName,
    inode: u64,
    modified: (i64, i64),
}

impl DoneFile {
    /// The file that has this name now; `None` where there is none.
    pub(super) fn of(path: &Path, name: &SpoolName) -> Option<Self> {
        let found = path.symlink_metadata().ok()?;
        Some(Self {
            name: name.clone(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// One line a file.
pub(super) fn emit(files: &[DoneFile]) -> String {
    let mut text = String::new();
    for file in files {
        let (seconds, nanoseconds) = file.modified;
        let _ = writeln!(
            text,
            "{DONE} {} {} {seconds} {nanoseconds}",
            file.name, file.inode
        );
    }
    text
}

/// The files of whole lines; others are not ours to touch.
pub(super) fn parse(text: &str) -> Vec<DoneFile> {
    let whole = text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<DoneFile> {
    let mut words = line.strip_prefix(DONE)?.strip_prefix(' ')?.split(' ');
    Some(DoneFile {
        name: SpoolName::parse(words.next()?.as_bytes()).ok()?,
        inode: words.next()?.parse().ok()?,
        modified: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_survive_the_lines_and_a_cut_line_names_none() {
        let file = |name: &str, inode| DoneFile {
            name: name.parse().unwrap(),
            inode,
            modified: (5, 7),
        };
        let files = [file("D.alphaN0001", 3), file("D.alphaN0002", 4)];
        let text = emit(&files);
        assert_eq!(parse(&text), files);
        assert_eq!(parse(text.get(..text.len() - 1).unwrap()), files[..1]);
        for other in [
            "",
            "1 2 3\n",
            "done ../x 1 2 3\n",
            "done D.alphaN0001 1 2\n",
        ] {
            assert_eq!(parse(other), [], "{other}");
        }
    }
}
