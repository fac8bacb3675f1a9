//! Limits of this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
