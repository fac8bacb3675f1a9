//! What an exit status 0 of a sender stands on.

use std::path::{Path, PathBuf};

use super::Findings;
use crate::durability::{Disk, spool_part};
use crate::strace::{Step, What};

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

/// A sender that keeps records of what it has queued: a record is written when the data is durable, the work file appears when the
/// record is, and exit status 0 stands on the record and on the mail for the local MTA.
pub fn check_submission(steps: &[Step], spool: &Path) -> Findings {
    let is_mail = |path: &Path| is_in(path, "/.Bangpath/local-mail/");
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    let mut recorded = false;
    for step in steps {
        let before = disk.files(|path| spool_part(path) == Some("C.")).len();
        let mut at_risk = disk.at_risk(is_record);
        if !recorded {
            at_risk.push("there is no record of it".into());
        }
        if writes_record(step) {
            let data = disk.at_risk(|path| matches!(spool_part(path), Some("D." | "D.X")));
            findings.answer(step.line, "the record is written", &data);
            recorded = true;
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

/// A sender into an outbox: a record is written when the message in `pending/` is durable, the message appears in the queue when
/// the record is, and exit status 0 stands on the record and on the mail for the local MTA. What the loss of power may undo of all
/// this is the message's way from `pending/` into the queue, which it goes again.
pub fn check_outbox(steps: &[Step], spool: &Path) -> Findings {
    let is_mail = |path: &Path| is_in(path, "/.Bangpath/local-mail/");
    let is_message = |path: &Path| {
        is_in(path, "/.Bangpath/outbox/") && path.parent().is_some_and(|at| at.ends_with("queue"))
    };
    let mut disk = Disk::new(spool);
    let mut findings = Findings::default();
    let first = steps.first().map(|step| step.pid);
    let mut recorded = false;
    for step in steps {
        let before = disk.files(is_message);
        let mut at_risk = disk.at_risk(is_record);
        if !recorded {
            at_risk.push("there is no record of it".into());
        }
        let pending =
            disk.at_risk(|path| is_in(path, "/pending/") || is_in(path, "/local-mail-pending/"));
        at_risk.extend(pending.iter().cloned());
        if writes_record(step) {
            findings.answer(step.line, "the record is written", &pending);
            recorded = true;
        }
        disk.apply(step);
        if disk.files(is_message).len() > before.len() {
            findings.answer(step.line, "a message appears in the outbox", &at_risk);
        }
        if step.what == What::Exited(0) && Some(step.pid) == first {
            let mut at_risk = disk.at_risk(is_message);
            at_risk.retain(|risk| !risk.ends_with("its directory is not synced"));
            at_risk.extend(disk.at_risk(|path| is_record(path) || is_mail(path)));
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

fn is_record(path: &Path) -> bool {
    is_in(path, "/.Bangpath/submissions/")
}

/// Whether something is appended to a record here.
fn writes_record(step: &Step) -> bool {
    let What::End(call, outcome) = &step.what else {
        return false;
    };
    let path = call.descriptor_path(0).map(PathBuf::from);
    call.name == "write" && outcome.value > 0 && path.is_some_and(|path| is_record(&path))
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.to_string_lossy().contains(folder)
}
