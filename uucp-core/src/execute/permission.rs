//! Which program a command word names, and whether the system that asked may run it.
//!
//! The rules are those of the sys file's `commands` and `command-path`: a plain name must stand in the list and is looked
//! for along the path; a list entry that is an absolute path is that program and no other, and its last component may be
//! used as its name. `ALL` permits every program of the path, never a word with a slash in it: what lies outside the path
//! stays outside.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::CommandRules;

/// What a command word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// This program, which is there.
    Program(PathBuf),
    /// The system may run it, but it is not there: a package that is being replaced, a path that is not mounted yet.
    Missing(PathBuf),
    /// The system may not run it.
    NotPermitted,
}

/// Finds the program that `word` names for a system with these `commands` and this `command-path`.
#[must_use]
pub fn resolve(word: &[u8], commands: &CommandRules, path: &[PathBuf]) -> Resolved {
    if word.is_empty() || word.contains(&0) {
        return Resolved::NotPermitted;
    }
    match commands {
        // The name is the peer's own: what is not there will not come.
        CommandRules::All if word.contains(&b'/') => Resolved::NotPermitted,
        CommandRules::All => look_up(word, path).map_or(Resolved::NotPermitted, Resolved::Program),
        CommandRules::Listed(entries) => entries
            .iter()
            .find(|entry| permits(entry.as_bytes(), word))
            .map_or(Resolved::NotPermitted, |entry| resolve_entry(entry, path)),
    }
}

/// Whether a list entry permits this word.
fn permits(entry: &[u8], word: &[u8]) -> bool {
    if word.contains(&b'/') {
        word.starts_with(b"/") && entry == word
    } else if entry.starts_with(b"/") {
        entry.rsplit(|b| *b == b'/').next() == Some(word)
    } else {
        entry == word
    }
}

fn resolve_entry(entry: &str, path: &[PathBuf]) -> Resolved {
    if !entry.starts_with('/') {
        return look_up(entry.as_bytes(), path)
            .map_or_else(|| Resolved::Missing(entry.into()), Resolved::Program);
    }
    let program = PathBuf::from(entry);
    if is_program(&program) {
        Resolved::Program(program)
    } else {
        Resolved::Missing(program)
    }
}

pub(super) fn look_up(name: &[u8], path: &[PathBuf]) -> Option<PathBuf> {
    path.iter()
        .map(|directory| directory.join(OsStr::from_bytes(name)))
        .find(|candidate| is_program(candidate))
}

pub(super) fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> CommandRules {
        match entries {
            ["ALL"] => CommandRules::All,
            _ => CommandRules::Listed(entries.iter().map(ToString::to_string).collect()),
        }
    }

    fn make(directory: &Path, name: &str, mode: u32) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn names_paths_and_all() {
        let first = tempfile::tempdir().unwrap();
        let second = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let rmail = make(second.path(), "rmail", 0o755);
        make(first.path(), "rmail", 0o644);
        let cat = make(first.path(), "cat", 0o755);
        let tool = make(elsewhere.path(), "tool", 0o755);
        let tool_word = tool.to_str().unwrap();
        let gone = elsewhere.path().join("gone");
        let gone_word = gone.to_str().unwrap();
        let path = [first.path().to_path_buf(), second.path().to_path_buf()];
        let cat_word = cat.to_str().unwrap();
        let cases: &[(&str, &[&str], Resolved)] = &[
            ("rmail", &["rmail"], Resolved::Program(rmail)),
            ("cat", &["rmail"], Resolved::NotPermitted),
            ("cat", &["ALL"], Resolved::Program(cat.clone())),
            (cat_word, &["cat"], Resolved::NotPermitted),
            (cat_word, &["ALL"], Resolved::NotPermitted),
            (cat_word, &[cat_word], Resolved::Program(cat.clone())),
            ("tool", &[tool_word], Resolved::Program(tool.clone())),
            ("ool", &[tool_word], Resolved::NotPermitted),
            ("gone", &[gone_word], Resolved::Missing(gone.clone())),
            (gone_word, &[gone_word], Resolved::Missing(gone.clone())),
            ("rnews", &["rnews"], Resolved::Missing("rnews".into())),
            ("rnews", &["ALL"], Resolved::NotPermitted),
            ("../bin/cat", &["ALL"], Resolved::NotPermitted),
            ("../bin/cat", &["cat"], Resolved::NotPermitted),
            ("./cat", &["cat"], Resolved::NotPermitted),
            ("", &["ALL"], Resolved::NotPermitted),
            ("rmail", &[], Resolved::NotPermitted),
        ];
        for (word, commands, expected) in cases {
            let got = resolve(word.as_bytes(), &list(commands), &path);
            assert_eq!(&got, expected, "{word} with {commands:?}");
        }
        assert_eq!(
            resolve(b"cat\0x", &list(&["ALL"]), &path),
            Resolved::NotPermitted
        );
    }
}
