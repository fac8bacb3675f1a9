//! Limits of this process.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

/// Memory of a call: many times what the largest window of a compressor takes.
const CALL_MEMORY: u64 = 2 << 30;
/// Processor time of a call, in seconds: enough for terabytes.
const CALL_SECONDS: u64 = 3600;

/// Asks for so many open descriptors, or as many as may be had; gives back how many there are.
pub(crate) fn descriptors(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 256;
    };
    let wanted = wanted.min(hard);
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

/// Whether a file may grow to this length: one that is longer than who runs this may write is cut there.
pub(crate) fn may_be_as_long(length: u64) -> bool {
    getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| length <= soft)
}

/// Limits that hold until this is dropped. What is started meanwhile would inherit them.
#[derive(Debug)]
pub(crate) struct Imposed(Vec<Limit>);

/// One limit: before and meanwhile, both of them up to the hard one.
#[derive(Debug, Clone, Copy)]
struct Limit {
    resource: Resource,
    before: u64,
    meanwhile: u64,
    hard: u64,
}

impl Imposed {
    /// What a call may use of memory and processor time from now on, so that a mistake in it harms nobody else.
    pub(crate) fn for_a_call() -> Self {
        let wanted = [
            (Resource::RLIMIT_DATA, CALL_MEMORY),
            (Resource::RLIMIT_CPU, seconds_used() + CALL_SECONDS),
        ];
        let limits = wanted.into_iter().filter_map(|(resource, meanwhile)| {
            let (before, hard) = getrlimit(resource).ok()?;
            (meanwhile < before).then_some(Limit {
                resource,
                before,
                meanwhile,
                hard,
            })
        });
        let imposed = Self(limits.collect());
        imposed.set(|limit| limit.meanwhile);
        imposed
    }

    /// Does something, such as starting a program, without the limits.
    pub(crate) fn lifted<T>(&self, work: impl FnOnce() -> T) -> T {
        self.set(|limit| limit.before);
        let done = work();
        self.set(|limit| limit.meanwhile);
        done
    }

    fn set(&self, value: impl Fn(&Limit) -> u64) {
        for limit in &self.0 {
            // It was the limit before, or is lower than that: nothing to be refused.
            let _ = setrlimit(limit.resource, value(limit), limit.hard);
        }
    }
}

impl Drop for Imposed {
    fn drop(&mut self) {
        self.set(|limit| limit.before);
    }
}

/// Processor time of this process so far.
fn seconds_used() -> u64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return 0;
    };
    let seconds = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    u64::try_from(seconds).unwrap_or_default()
}
