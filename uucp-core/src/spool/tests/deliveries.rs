//! Deliveries of a sender to two recipients, with death and a full disk at every step; how a message is queued, each sender
//! has its own way.

use super::super::fault::{self, Trouble};
use super::super::submission::{Submission, SubmissionKey};
use super::super::{LocalMailDraft, SpoolError};
use super::{TestSpool, beta};

pub(crate) const JOE: &[u8] = b"joe@x.example";
pub(crate) const ANN: &[u8] = b"ann@x.example";

pub(crate) fn key() -> SubmissionKey {
    SubmissionKey {
        message_id: b"4Zx7".to_vec(),
        content_hash: [7; 32],
        system: beta(),
    }
}

/// Those of the recipients who do not have it.
pub(crate) fn open<'r>(submission: &Submission, recipients: &[&'r [u8]]) -> Vec<&'r [u8]> {
    let all = recipients.iter().copied();
    all.filter(|r| !submission.is_covered(r)).collect()
}

/// The report that goes with each delivery.
pub(crate) fn report(sender: &[Vec<u8>]) -> LocalMailDraft<'_> {
    LocalMailDraft {
        sender: b"",
        recipients: sender,
        content: b"no such",
    }
}

/// Death between any two steps, then the MTA comes again, one recipient at a time, perhaps after what was queued has gone.
/// `take` gives the recipients of what is queued, which goes; `check` looks at what is left in the end.
pub(crate) fn survive_death<T: std::fmt::Debug>(
    deliver: impl Fn(&TestSpool, &[&[u8]]) -> Result<T, SpoolError>,
    take: impl Fn(&TestSpool) -> Vec<String>,
    check: impl Fn(&TestSpool, usize),
) {
    let mut interrupted = 0;
    for steps in 0.. {
        for sent_before_repeat in [false, true] {
            let test = TestSpool::new();
            fault::arm(steps, Trouble::Death);
            let told = deliver(&test, &[JOE, ANN]);
            let died = fault::disarm();
            assert_eq!(told.is_ok(), !died, "step {steps}");
            let mut total = Vec::new();
            if sent_before_repeat {
                total.extend(take(&test));
            }
            deliver(&test, &[ANN]).unwrap();
            deliver(&test, &[JOE]).unwrap();
            total.extend(take(&test));
            total.sort();
            assert_eq!(total, ["ann@x.example", "joe@x.example"], "step {steps}");
            check(&test, steps);
            interrupted += usize::from(died);
        }
        if interrupted < 2 * (steps + 1) {
            break;
        }
    }
    assert!(interrupted > 20, "{interrupted}");
}

/// A full disk at any step is told, and the repeat makes it whole.
pub(crate) fn survive_full_disk<T: std::fmt::Debug>(
    deliver: impl Fn(&TestSpool, &[&[u8]]) -> Result<T, SpoolError>,
    take: impl Fn(&TestSpool) -> Vec<String>,
) {
    for steps in 0.. {
        let test = TestSpool::new();
        fault::arm(steps, Trouble::DiskFull);
        let told = deliver(&test, &[JOE]);
        let met = fault::disarm();
        assert_eq!(told.is_ok(), !met, "step {steps}");
        deliver(&test, &[JOE]).unwrap();
        assert_eq!(take(&test), ["joe@x.example"], "step {steps}");
        if !met {
            break;
        }
    }
}
