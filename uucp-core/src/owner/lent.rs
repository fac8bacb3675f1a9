//! A program that is setuid and setgid: with which bits it works, and for whom.

use std::os::unix::fs::MetadataExt;

#[cfg(feature = "cli")]
use nix::unistd::{Gid, Uid};
use nix::unistd::{getegid, geteuid, getgid, getuid};

#[cfg(feature = "cli")]
use super::Ids;
use crate::sysexits::Failure;

/// Setuid and setgid.
const BITS: u32 = 0o6000;

/// Whose rights this process was given by the bits of its file; nobody's if its ids are one user's and group's, or were mixed by
/// whoever started it, which is his matter.
///
/// # Errors
/// When the bits are not both there, or the file is root's.
#[cfg(feature = "cli")]
pub(super) fn by_bits() -> Result<Option<Ids>, Failure> {
    if is_as_started() {
        return Ok(None);
    }
    let file = std::fs::metadata("/proc/self/exe");
    if file.as_ref().is_ok_and(|file| file.mode() & BITS == 0) {
        return Ok(None);
    }
    let given = Ids {
        user: geteuid(),
        group: getegid(),
    };
    let is_so = file.is_ok_and(|file| {
        file.mode() & BITS == BITS
            && Uid::from_raw(file.uid()) == given.user
            && Gid::from_raw(file.gid()) == given.group
    });
    if is_so && !given.user.is_root() && given.group.as_raw() != 0 {
        return Ok(Some(given));
    }
    Err(refused(
        "must have mode 6755 and the owner and the group of the spool, neither of them root's, or mode 755",
    ))
}

/// Why a program does nothing that was installed setuid or setgid: it opens what its command line names, configuration and files, as
/// whoever runs it, and must not do so for somebody else.
pub(super) fn refusal() -> Option<Failure> {
    if is_as_started() {
        return None;
    }
    let bits = std::fs::metadata("/proc/self/exe").map(|file| file.mode() & BITS);
    if bits.is_ok_and(|bits| bits == 0) {
        return None;
    }
    Some(refused("is not made to be setuid or setgid: chmod ug-s"))
}

/// Who runs this has given it his own rights and no others.
fn is_as_started() -> bool {
    getuid() == geteuid() && getgid() == getegid()
}

fn refused(why: &str) -> Failure {
    let program = std::env::current_exe().unwrap_or_default();
    // Mail that came this way waits for the mend.
    Failure::temporary(format!("{} {why}", program.display()))
}
