//! Pseudo terminals of tests, whose ends no other program has.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::pty::{OpenptyResult, grantpt, posix_openpt, ptsname_r, unlockpt};

/// A pseudo terminal. `openpty(3)` would leave both ends to every program that any test starts, and as long as one of them lives
/// no end hangs up.
///
/// # Panics
/// When there is none.
pub(crate) fn open_pty() -> OpenptyResult {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(ptsname_r(&master).unwrap())
        .unwrap();
    OpenptyResult {
        master: master.as_fd().try_clone_to_owned().unwrap(),
        slave: slave.into(),
    }
}
