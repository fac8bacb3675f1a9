//! The files of a directory, for `-R`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sysexits::{Failure, Status};

/// More files than are meant at once; each becomes a line of a job, and a copy in the spool.
const FILES: usize = 100_000;

/// A file in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its name from the directory's own on: `photos/1999/a.jpg`.
    pub(super) below: Vec<u8>,
}

/// All files of a directory and of those in it, by name. Links are followed, as the peer's uucp does it; one to a directory that was
/// entered before is an error: it may lead back into where it is, and a few of them side by side are more names than anybody can count.
pub(super) fn walk(directory: &Path) -> Result<Vec<Found>, Failure> {
    let name = match directory.file_name() {
        Some(name) => name.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let mut walk = Walk {
        found: Vec::new(),
        entered: HashSet::new(),
        limit: FILES,
    };
    walk.enter(directory, &name)?;
    Ok(walk.found)
}

struct Walk {
    found: Vec<Found>,
    /// Device and inode of the directories so far.
    entered: HashSet<(u64, u64)>,
    /// So many files and directories at most.
    limit: usize,
}

impl Walk {
    fn enter(&mut self, directory: &Path, below: &[u8]) -> Result<(), Failure> {
        let of = |error: std::io::Error| failed(directory, &error.to_string());
        let metadata = fs::metadata(directory).map_err(of)?;
        let own = (metadata.dev(), metadata.ino());
        if !self.entered.insert(own) {
            return Err(failed(
                directory,
                "a link to a directory that is there already",
            ));
        }
        let names: Result<Vec<OsString>, std::io::Error> = fs::read_dir(directory)
            .map_err(of)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect();
        let mut names = names.map_err(of)?;
        names.sort();
        if self.found.len() + self.entered.len() + names.len() > self.limit {
            let text = format!("more than {} files below the directory named", self.limit);
            return Err(failed(directory, &text));
        }
        for name in names {
            let path = directory.join(&name);
            let below = match below {
                b"" => name.as_bytes().to_vec(),
                below => [below, b"/", name.as_bytes()].concat(),
            };
            if path.is_dir() {
                self.enter(&path, &below)?;
            } else if path.is_file() {
                self.found.push(Found { path, below });
            } else {
                return Err(failed(&path, "not a regular file"));
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, why: &str) -> Failure {
    Failure::new(Status::NoInput, format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_name_and_loops_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir_all(top.join("b/c")).unwrap();
        fs::create_dir(top.join("empty")).unwrap();
        for name in ["z", "b/c/x", "a"] {
            fs::write(top.join(name), name).unwrap();
        }
        let names = |found: Vec<Found>| -> Vec<String> {
            let text = |found: Found| String::from_utf8(found.below).unwrap();
            found.into_iter().map(text).collect()
        };
        assert_eq!(names(walk(&top).unwrap()), ["top/a", "top/b/c/x", "top/z"]);
        std::os::unix::fs::symlink(&top, top.join("b/loop")).unwrap();
        let said = walk(&top).unwrap_err().to_string();
        assert!(
            said.contains("b/loop: a link to a directory that is there already"),
            "{said}"
        );
    }

    /// Two names for each next directory: as many paths as no memory holds.
    #[test]
    fn links_side_by_side_are_not_followed_twice() {
        let folder = tempfile::tempdir().unwrap();
        for level in 0..30 {
            let here = folder.path().join(level.to_string());
            fs::create_dir(&here).unwrap();
            for name in ["a", "b"] {
                let next = format!("../{}", level + 1);
                std::os::unix::fs::symlink(next, here.join(name)).unwrap();
            }
        }
        fs::create_dir(folder.path().join("30")).unwrap();
        let said = walk(&folder.path().join("0")).unwrap_err().to_string();
        assert!(said.contains("there already"), "{said}");
    }

    #[test]
    fn more_files_than_are_meant_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let with_limit = |limit| {
            let mut walk = Walk {
                found: Vec::new(),
                entered: HashSet::new(),
                limit,
            };
            walk.enter(folder.path(), b"x").map(|()| walk.found.len())
        };
        assert_eq!(with_limit(4).unwrap(), 3);
        let said = with_limit(3).unwrap_err().to_string();
        assert!(said.contains("more than 3 files"), "{said}");
    }
}
