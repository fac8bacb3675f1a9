//! What a confirmation stands on, and what the removal of a job does.

use std::path::Path;

use super::{Findings, is_line, is_sending, unlinked};
use crate::durability::{Disk, spool_part};
use crate::strace::{Call, Step, What};

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
                findings.removal(step.line, &path, early.as_ref());
            }
            _ => {}
        }
    }
    findings
}

fn is_receiving(call: &Call) -> bool {
    matches!(
        call.name.as_str(),
        "read" | "readv" | "recvfrom" | "recvmsg"
    ) && is_line(call)
}

/// How often a `CY` stands in the bytes of a call, as strace prints them: with a zero byte after it, or, where frames are
/// tagged, with its length of two before it.
fn confirmations(call: &Call) -> usize {
    let bare = call.arguments.matches("CY\\0").count();
    let tagged = call.arguments.matches("\\0\\0\\0\\2CY").count();
    bare.max(tagged)
}
