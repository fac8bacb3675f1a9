//! What a program had made durable when it answered.
//!
//! A model of a disk that forgets whatever was not synced: it follows the system calls of a trace and knows at each step
//! which files would survive the loss of power, with their content and under their name. The rules ([`check_sender`] and so on)
//! then ask it at each answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::strace::{Call, Outcome, Step, What, absolute};

mod checks;

pub use checks::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    content_synced: bool,
    name_synced: bool,
}

/// The files that a trace has made under one folder.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    folders_of: BTreeMap<u32, PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
}

impl Disk {
    /// A disk on which everything under `root` is as it is meant to be.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            folders_of: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    /// Follows one step.
    pub fn apply(&mut self, step: &Step) {
        if let What::End(call, outcome) = &step.what
            && outcome.value >= 0
        {
            self.call(step.pid, call, outcome);
        }
    }

    fn call(&mut self, pid: u32, call: &Call, outcome: &Outcome) {
        match call.name.as_str() {
            "open" | "openat" | "creat" => self.opened(call, outcome),
            "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "ftruncate" | "sendfile" => {
                self.written(call.descriptor_path(0));
            }
            "copy_file_range" | "splice" => self.written(call.descriptor_path(2)),
            "fsync" | "fdatasync" => self.synced(call.descriptor_path(0)),
            "sync" | "syncfs" => self.all_synced(),
            "rename" => self.moved(pid, call, (None, 0), (None, 1), true),
            "renameat" | "renameat2" => self.moved(pid, call, (Some(0), 1), (Some(2), 3), true),
            "link" => self.moved(pid, call, (None, 0), (None, 1), false),
            "linkat" => self.moved(pid, call, (Some(0), 1), (Some(2), 3), false),
            "unlink" => self.removed(pid, call, None, 0),
            "unlinkat" => self.removed(pid, call, Some(0), 1),
            "mkdir" => self.made_folder(pid, call, None, 0),
            "mkdirat" => self.made_folder(pid, call, Some(0), 1),
            "chdir" => {
                if let Some(path) = call.string(0) {
                    let folder = absolute(&self.folder_of(pid), &path);
                    self.folders_of.insert(pid, folder);
                }
            }
            _ => {}
        }
    }

    fn folder_of(&self, pid: u32) -> PathBuf {
        self.folders_of.get(&pid).unwrap_or(&self.root).clone()
    }

    /// The path in a call: a string, relative to a descriptor or to the current folder.
    pub fn path(
        &self,
        pid: u32,
        call: &Call,
        folder: Option<usize>,
        name: usize,
    ) -> Option<PathBuf> {
        let base = folder
            .and_then(|index| call.descriptor_path(index))
            .map_or_else(|| self.folder_of(pid), PathBuf::from);
        let path = absolute(&base, &call.string(name)?);
        path.starts_with(&self.root).then_some(path)
    }

    fn opened(&mut self, call: &Call, outcome: &Outcome) {
        let makes = call.name == "creat" || call.arguments.contains("O_CREAT");
        if let Some(path) = outcome.path.as_deref().map(PathBuf::from)
            && makes
            && path.starts_with(&self.root)
        {
            self.entries.entry(path).or_insert(Entry {
                content_synced: true,
                name_synced: false,
            });
        }
    }

    fn written(&mut self, path: Option<String>) {
        if let Some(path) = path.map(PathBuf::from)
            && path.starts_with(&self.root)
        {
            let entry = self.entries.entry(path).or_insert(Entry {
                content_synced: true,
                name_synced: true,
            });
            entry.content_synced = false;
        }
    }

    fn synced(&mut self, path: Option<String>) {
        let Some(path) = path.map(PathBuf::from) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(&path) {
            entry.content_synced = true;
        }
        for (name, entry) in &mut self.entries {
            if name.parent() == Some(&path) {
                entry.name_synced = true;
            }
        }
    }

    fn all_synced(&mut self) {
        for entry in self.entries.values_mut() {
            *entry = Entry {
                content_synced: true,
                name_synced: true,
            };
        }
    }

    fn moved(
        &mut self,
        pid: u32,
        call: &Call,
        from: (Option<usize>, usize),
        to: (Option<usize>, usize),
        leaves: bool,
    ) {
        let from = self.path(pid, call, from.0, from.1);
        let to = self.path(pid, call, to.0, to.1);
        let known = from
            .as_ref()
            .and_then(|from| self.entries.get(from))
            .copied();
        if leaves && let Some(from) = &from {
            self.entries.remove(from);
        }
        if let Some(to) = to {
            let content_synced = known.is_none_or(|entry| entry.content_synced);
            self.entries.insert(
                to,
                Entry {
                    content_synced,
                    name_synced: false,
                },
            );
        }
    }

    fn removed(&mut self, pid: u32, call: &Call, folder: Option<usize>, name: usize) {
        if let Some(path) = self.path(pid, call, folder, name) {
            self.entries.remove(&path);
        }
    }

    fn made_folder(&mut self, pid: u32, call: &Call, folder: Option<usize>, name: usize) {
        if let Some(path) = self.path(pid, call, folder, name) {
            let entry = Entry {
                content_synced: true,
                name_synced: false,
            };
            self.entries.insert(path, entry);
        }
    }

    /// The files made in this trace that are there now and that `wanted` picks.
    pub fn files(&self, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        self.entries
            .keys()
            .filter(|path| wanted(path))
            .cloned()
            .collect()
    }

    /// Of those, what the loss of power would take, each with what is missing.
    pub fn at_risk(&self, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for (path, entry) in self.entries.iter().filter(|(path, _)| wanted(path)) {
            if !entry.content_synced {
                found.push(format!("{}: its content is not synced", path.display()));
            }
            if !entry.name_synced {
                found.push(format!("{}: its directory is not synced", path.display()));
            }
            for folder in path.ancestors().skip(1) {
                if self
                    .entries
                    .get(folder)
                    .is_some_and(|folder| !folder.name_synced)
                {
                    found.push(format!(
                        "{}: the new folder {} is not synced",
                        path.display(),
                        folder.display()
                    ));
                }
            }
        }
        found
    }
}

/// Which part of the spool a path lies in: `C.`, `D.`, `D.X` or `X.`; temporary and lock names are none.
pub fn spool_part(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?.file_name()?.to_str()?;
    ["C.", "D.", "D.X", "X."]
        .into_iter()
        .find(|part| *part == folder)
        .filter(|part| name.starts_with(&part[..2]))
}

#[cfg(test)]
mod tests;
