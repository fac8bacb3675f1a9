//! The files of a directory, for `-R`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sysexits::{Failure, Status};

/// Deeper than any tree that is meant.
const DEPTH: usize = 100;

/// A file in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its name from the directory's own on: `photos/1999/a.jpg`.
    pub(super) below: Vec<u8>,
}

/// All files of a directory and of those in it, by name. Links are followed, as the peer's uucp does it; one that leads back
/// into where it is, is an error.
pub(super) fn walk(directory: &Path) -> Result<Vec<Found>, Failure> {
    let name = match directory.file_name() {
        Some(name) => name.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let mut walk = Walk {
        found: Vec::new(),
        above: Vec::new(),
    };
    walk.enter(directory, &name)?;
    Ok(walk.found)
}

struct Walk {
    found: Vec<Found>,
    /// Device and inode of the directories above.
    above: Vec<(u64, u64)>,
}

impl Walk {
    fn enter(&mut self, directory: &Path, below: &[u8]) -> Result<(), Failure> {
        let of = |error: std::io::Error| failed(directory, &error.to_string());
        let metadata = fs::metadata(directory).map_err(of)?;
        let own = (metadata.dev(), metadata.ino());
        if self.above.contains(&own) || self.above.len() >= DEPTH {
            return Err(failed(directory, "a directory that holds itself"));
        }
        let names: Result<Vec<OsString>, std::io::Error> = fs::read_dir(directory)
            .map_err(of)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect();
        let mut names = names.map_err(of)?;
        names.sort();
        self.above.push(own);
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
        self.above.pop();
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
            said.contains("b/loop: a directory that holds itself"),
            "{said}"
        );
    }
}
