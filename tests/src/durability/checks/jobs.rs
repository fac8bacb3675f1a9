//! What the end of a job stands on: that it was done, and what became of its mail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Findings, is_sending, unlinked};
use crate::durability::{Disk, spool_part};
use crate::strace::{Call, Step, What};

/// `uuxqt`: each removal of an execute file stands on a command that has ended with 0, or has said that the job is done, and
/// data goes after it.
pub fn check_execution(steps: &[Step], spool: &Path) -> Findings {
    let disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    let (mut succeeded, mut executes, mut data) = (0, 0, 0);
    let mut answered = BTreeSet::new();
    for step in steps {
        match &step.what {
            // Who answers for each job has said all when it ends.
            What::Exited(0) if Some(step.pid) != first && !answered.contains(&step.pid) => {
                succeeded += 1;
            }
            What::Begin(call) if says_done(call) => {
                succeeded += 1;
                answered.insert(step.pid);
            }
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
                findings.removal(step.line, &path, early.as_ref());
            }
            _ => {}
        }
    }
    findings
}

/// A receiver into a Maildir: each job that the program `name` calls done, and its exit status 0, stands on durable
/// messages of its own.
///
/// Several run side by side; each answers for what it has put into a `new` folder since its last answer, and for nothing
/// else.
pub fn check_maildir(steps: &[Step], maildir: &Path, name: &str) -> Findings {
    let is_message = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("new"));
    check_kept(steps, maildir, name, is_message)
}

/// A receiver's record of who has a message: each job that the program `name` calls done, and its exit status 0, stands on a
/// durable one of its own.
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
    let mut running: BTreeMap<u32, Owed> = BTreeMap::new();
    for step in steps {
        let before = disk.files(&is_message);
        let says_done = matches!(&step.what, What::Begin(call) if says_done(call));
        if says_done && let Some(owed) = running.get_mut(&step.pid) {
            let at_risk = owed.settle(&disk);
            findings.answer(step.line, &format!("{name} calls a job done"), &at_risk);
        }
        disk.apply(step);
        if let Some(owed) = running.get_mut(&step.pid) {
            owed.files.extend(
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
                let Some(mut owed) = running.remove(&step.pid) else {
                    continue;
                };
                // Who has answered for each job has no more to answer for.
                if !(owed.has_answered && owed.files.is_empty()) {
                    let at_risk = owed.settle(&disk);
                    findings.answer(step.line, &format!("{name} exits with 0"), &at_risk);
                }
            }
            _ => {}
        }
    }
    findings
}

/// What a receiver has to answer for.
#[derive(Debug, Default)]
struct Owed {
    /// What it has written since its last answer.
    files: Vec<PathBuf>,
    has_answered: bool,
}

impl Owed {
    /// It answers: what of that could still be lost.
    fn settle(&mut self, disk: &Disk) -> Vec<String> {
        let own = std::mem::take(&mut self.files);
        self.has_answered = true;
        let mut at_risk = disk.at_risk(|path| own.iter().any(|one| one == path));
        if own.is_empty() {
            at_risk.push("it has written nothing".into());
        }
        at_risk
    }
}

/// A command's word to uuxqt that a job is done.
fn says_done(call: &Call) -> bool {
    is_sending(call) && call.string(1).as_deref() == Some(".")
}
