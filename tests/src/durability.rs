//! What a program had made durable when it answered.
//!
//! A model of a disk that forgets whatever was not synced: it follows the system calls of a trace and knows at each step
//! which files would survive the loss of power, with their content and under their name. The rules then ask it at each answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::strace::{Call, Outcome, Step, What, absolute};

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

/// What a check found: how often the answers were given, and what was wrong at any of them.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many answers were looked at; 0 means that the check has seen nothing.
    pub answers: usize,
    /// Each wrong one, with the line of the log.
    pub wrong: Vec<String>,
}

impl Findings {
    fn answer(&mut self, line: usize, what: &str, at_risk: &[String]) {
        self.answers += 1;
        for risk in at_risk {
            self.wrong.push(format!("line {line}: {what}, but {risk}"));
        }
    }

    /// Panics unless at least `least` answers were seen, and all were right.
    #[track_caller]
    pub fn expect_right(&self, what: &str, least: usize) {
        assert!(
            self.answers >= least,
            "{what}: only {} of {least} answers were seen",
            self.answers
        );
        assert!(self.wrong.is_empty(), "{what}:\n{}", self.wrong.join("\n"));
    }
}

/// A sender: exit status 0 stands on durable job files, and the work file on durable data.
pub fn check_sender(steps: &[Step], spool: &Path) -> Findings {
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    for step in steps {
        let before = disk.files(|path| spool_part(path) == Some("C.")).len();
        let data_at_risk = disk.at_risk(|path| matches!(spool_part(path), Some("D." | "D.X")));
        disk.apply(step);
        let jobs = disk.files(|path| spool_part(path) == Some("C."));
        if jobs.len() > before {
            findings.answer(step.line, "the work file appears", &data_at_risk);
        }
        if step.what == What::Exited(0) && Some(step.pid) == first {
            let mut at_risk = disk.at_risk(|path| spool_part(path).is_some());
            if jobs.is_empty() {
                at_risk.push("no work file was made".into());
            }
            findings.answer(step.line, "exit status 0", &at_risk);
        }
    }
    findings
}

/// A receiving `uucico`: each `CY` stands on durable files, as many as it has confirmed.
///
/// `also` picks further files that must be durable then: the receipts.
pub fn check_receiver(steps: &[Step], spool: &Path, also: impl Fn(&Path) -> bool) -> Findings {
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let mut confirmed = 0;
    for step in steps {
        if let What::Begin(call) = &step.what
            && is_sending(call)
        {
            let now = confirmations(call);
            if now > 0 {
                confirmed += now;
                let mut at_risk = disk.at_risk(|path| spool_part(path).is_some() || also(path));
                let received = disk.files(|path| spool_part(path) == Some("D.")).len();
                let to_execute = disk.files(|path| spool_part(path) == Some("X.")).len();
                if received < confirmed || to_execute < confirmed {
                    at_risk.push(format!("only {received} data and {to_execute} execute files are there for {confirmed} confirmations"));
                }
                findings.answer(step.line, "CY goes out", &at_risk);
            }
        }
        disk.apply(step);
    }
    findings
}

/// A sending `uucico`: each removal of a job stands on a `CY` that came in.
pub fn check_removal(steps: &[Step], spool: &Path) -> Findings {
    let disk = Disk::new(spool);
    let mut findings = Findings::default();
    let (mut confirmed, mut work, mut data) = (0, 0, 0);
    for step in steps {
        match &step.what {
            What::End(call, outcome) if outcome.value > 0 && is_receiving(call) => {
                confirmed += confirmations(call);
            }
            What::Begin(call) => {
                let Some(path) = unlinked(&disk, step.pid, call) else {
                    continue;
                };
                let removed = match spool_part(&path) {
                    Some("C.") => &mut work,
                    Some("D." | "D.X") => &mut data,
                    _ => continue,
                };
                *removed += 1;
                let early = (*removed > confirmed)
                    .then(|| format!("only {confirmed} confirmations had come"));
                findings.answer(
                    step.line,
                    &format!("{} is removed", path.display()),
                    early.as_slice(),
                );
            }
            _ => {}
        }
    }
    findings
}

/// `uuxqt`: each removal of an execute file stands on a command that has ended with 0, and data goes after it.
pub fn check_execution(steps: &[Step], spool: &Path) -> Findings {
    let disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    let (mut succeeded, mut executes, mut data) = (0, 0, 0);
    for step in steps {
        match &step.what {
            What::Exited(0) if Some(step.pid) != first => succeeded += 1,
            What::Begin(call) => {
                let Some(path) = unlinked(&disk, step.pid, call) else {
                    continue;
                };
                let early = match spool_part(&path) {
                    Some("X.") => {
                        executes += 1;
                        (executes > succeeded)
                            .then(|| format!("only {succeeded} commands had succeeded"))
                    }
                    Some("D.") => {
                        data += 1;
                        (data > executes).then(|| "its execute file is still there".to_owned())
                    }
                    _ => continue,
                };
                findings.answer(
                    step.line,
                    &format!("{} is removed", path.display()),
                    early.as_slice(),
                );
            }
            _ => {}
        }
    }
    findings
}

/// A receiver into a Maildir: exit status 0 of the program `name` stands on durable messages of its own.
///
/// Several run side by side; each answers for what it has put into a `new` folder, and for nothing else.
pub fn check_maildir(steps: &[Step], maildir: &Path, name: &str) -> Findings {
    let is_message = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("new"));
    check_kept(steps, maildir, name, is_message)
}

/// A receiver's record of who has a message: exit status 0 of the program `name` stands on a durable one of its own.
pub fn check_records(steps: &[Step], spool: &Path, name: &str) -> Findings {
    let is_record = |path: &Path| path.to_string_lossy().contains("/.Mail/journal/");
    check_kept(steps, spool, name, is_record)
}

fn check_kept(
    steps: &[Step],
    root: &Path,
    name: &str,
    is_message: impl Fn(&Path) -> bool,
) -> Findings {
    let mut disk = Disk::new(root);
    let mut findings = Findings::default();
    let mut running: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
    for step in steps {
        let before = disk.files(&is_message);
        disk.apply(step);
        if let Some(own) = running.get_mut(&step.pid) {
            own.extend(
                disk.files(|path| is_message(path) && !before.iter().any(|old| old == path)),
            );
        }
        match &step.what {
            What::End(call, outcome) if call.name == "execve" && outcome.value == 0 => {
                let program = call.string(0).unwrap_or_default();
                if program.ends_with(&format!("/{name}")) {
                    running.entry(step.pid).or_default();
                }
            }
            What::Exited(0) => {
                let Some(own) = running.remove(&step.pid) else {
                    continue;
                };
                let mut at_risk = disk.at_risk(|path| own.iter().any(|one| one == path));
                if own.is_empty() {
                    at_risk.push("it has written nothing".into());
                }
                findings.answer(step.line, &format!("{name} exits with 0"), &at_risk);
            }
            _ => {}
        }
    }
    findings
}

fn unlinked(disk: &Disk, pid: u32, call: &Call) -> Option<PathBuf> {
    match call.name.as_str() {
        "unlink" => disk.path(pid, call, None, 0),
        "unlinkat" => disk.path(pid, call, Some(0), 1),
        _ => None,
    }
}

fn is_sending(call: &Call) -> bool {
    matches!(
        call.name.as_str(),
        "write" | "writev" | "sendto" | "sendmsg"
    ) && is_line(call)
}

fn is_receiving(call: &Call) -> bool {
    matches!(
        call.name.as_str(),
        "read" | "readv" | "recvfrom" | "recvmsg"
    ) && is_line(call)
}

fn is_line(call: &Call) -> bool {
    call.descriptor_path(0).is_some_and(|path| {
        ["socket:", "pipe:", "TCP:", "TCPv6:"]
            .iter()
            .any(|kind| path.starts_with(kind))
    })
}

/// How often a `CY` stands in the bytes of a call, as strace prints them: with a zero byte after it, or, where frames are
/// tagged, with its length of two before it.
fn confirmations(call: &Call) -> usize {
    let bare = call.arguments.matches("CY\\0").count();
    let tagged = call.arguments.matches("\\0\\0\\0\\2CY").count();
    bare.max(tagged)
}

#[cfg(test)]
#[path = "durability/tests.rs"]
mod tests;
