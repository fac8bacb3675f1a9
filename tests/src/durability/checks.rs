//! The rules: which answer stands on what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Disk, spool_part};
use crate::strace::{Call, Step, What};

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

/// A sender that keeps records of what it has queued: the work file appears when a record is durable, and exit status 0
/// stands on the record and on the mail for the local MTA.
pub fn check_submission(steps: &[Step], spool: &Path) -> Findings {
    let is_record = |path: &Path| is_in(path, "/.Bangpath/submissions/");
    let is_mail = |path: &Path| is_in(path, "/.Bangpath/local-mail/");
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    for step in steps {
        let before = disk.files(|path| spool_part(path) == Some("C.")).len();
        let mut at_risk = disk.at_risk(is_record);
        if !disk
            .files(is_record)
            .iter()
            .any(|path| path.extension().is_none() && is_key(path))
        {
            at_risk.push("there is no record of it".into());
        }
        disk.apply(step);
        if disk.files(|path| spool_part(path) == Some("C.")).len() > before {
            findings.answer(step.line, "the work file appears", &at_risk);
        }
        if step.what == What::Exited(0) && Some(step.pid) == first {
            let at_risk = disk.at_risk(|path| is_record(path) || is_mail(path));
            findings.answer(step.line, "exit status 0", &at_risk);
        }
    }
    findings
}

/// A sender into an outbox: a message appears there when a record names it durably, and exit status 0 stands on durable
/// messages, their names, the record, and the mail for the local MTA.
pub fn check_outbox(steps: &[Step], spool: &Path) -> Findings {
    let is_record = |path: &Path| is_in(path, "/.Bangpath/submissions/");
    let is_mail = |path: &Path| is_in(path, "/.Bangpath/local-mail/");
    let is_message = |path: &Path| {
        is_in(path, "/.Bangpath/outbox/") && path.parent().is_some_and(|at| at.ends_with("queue"))
    };
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    for step in steps {
        let before = disk.files(is_message);
        let mut at_risk = disk.at_risk(is_record);
        if disk.files(is_record).len() <= before.len() {
            at_risk.push("there is no record of it".into());
        }
        // Its content is synced under its earlier name.
        let content_at_risk = disk.at_risk(|path| is_in(path, "/pending/"));
        at_risk.extend(content_at_risk);
        disk.apply(step);
        if disk.files(is_message).len() > before.len() {
            findings.answer(step.line, "a message appears in the outbox", &at_risk);
        }
        if step.what == What::Exited(0) && Some(step.pid) == first {
            let at_risk = disk.at_risk(|path| is_record(path) || is_mail(path) || is_message(path));
            findings.answer(step.line, "exit status 0", &at_risk);
        }
    }
    findings
}

/// How many mails for the local MTA a trace has left, for whoever wants to be sure that there was one.
pub fn local_mails(steps: &[Step], spool: &Path) -> usize {
    let mut disk = Disk::new(spool);
    for step in steps {
        disk.apply(step);
    }
    disk.files(|path| is_in(path, "/.Bangpath/local-mail/"))
        .len()
}

/// A record's name is the hash of its key; the folders above it are none.
fn is_key(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() == 40)
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.to_string_lossy().contains(folder)
}

/// Our receiving `uucico`: each `CY` stands on a receipt of its own that is on the disk, and on the receipts' own name.
///
/// The file is one log: what follows a receipt in it (that the renames are done) may wait.
pub fn check_receipts(steps: &[Step], spool: &Path) -> Findings {
    let is_log = |path: &str| path.contains("/.Bangpath/receipts/");
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let (mut noted, mut durable, mut confirmed) = (0, 0, 0);
    for step in steps {
        match &step.what {
            What::Begin(call) if is_sending(call) && confirmations(call) > 0 => {
                confirmed += confirmations(call);
                let mut at_risk = disk.at_risk(|path| is_log(&path.to_string_lossy()));
                at_risk.retain(|risk| !risk.ends_with("its content is not synced"));
                if durable < confirmed {
                    at_risk.push(format!(
                        "{durable} of {noted} receipts are on the disk for {confirmed} confirmations"
                    ));
                }
                findings.answer(step.line, "CY goes out", &at_risk);
            }
            What::End(call, outcome) if call.descriptor_path(0).is_some_and(|p| is_log(&p)) => {
                match call.name.as_str() {
                    "write" if outcome.value > 0 => noted += receipts(call),
                    "fsync" | "fdatasync" if outcome.value == 0 => durable = noted,
                    _ => {}
                }
            }
            _ => {}
        }
        disk.apply(step);
    }
    findings
}

/// How many lines that are receipts a call writes, as strace prints them.
fn receipts(call: &Call) -> usize {
    call.string(1).map_or(0, |text| {
        text.split("\\n")
            .filter(|line| line.starts_with("R "))
            .count()
    })
}

/// A receiving `uucico`: each `CY` stands on durable files, as many as it has confirmed.
///
/// `also` picks further files that must be durable then.
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
