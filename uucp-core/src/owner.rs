//! As whom a program works on a spool: what root starts becomes the user whose spool it is, for good.
//!
//! The peer's programs are setuid for that. Ours are started by inetd and init as root, and by whoever types in root's shell;
//! what they left in the spool would be root's, and what a neighbour executes would be done by root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgid, getresgid, getresuid, getuid, initgroups, setgid,
    setgroups, setuid,
};

use crate::sysexits::{Failure, Status};

/// Becomes the owner of a spool, in all ids and groups, if root runs this and the spool is somebody else's; whether it did.
///
/// # Errors
/// When it cannot be done: then nothing may be done on the spool.
pub fn become_owner(spool: &Path) -> Result<bool, Failure> {
    let Some((uid, gid)) = other_owner(spool) else {
        return Ok(false);
    };
    let failed = |error: nix::Error| cannot(spool, uid, &error.to_string());
    let gid = if let Ok(Some(user)) = User::from_uid(uid) {
        let name = std::ffi::CString::new(user.name).map_err(|_| failed(nix::Error::EINVAL))?;
        initgroups(&name, user.gid).map_err(failed)?;
        user.gid
    } else {
        // Nobody's name: the spool's group is all there is.
        setgroups(&[gid]).map_err(failed)?;
        gid
    };
    setgid(gid).and_then(|()| setuid(uid)).map_err(failed)?;
    let (users, groups) = (getresuid().map_err(failed)?, getresgid().map_err(failed)?);
    let is_done = [users.real, users.effective, users.saved] == [uid; 3]
        && [groups.real, groups.effective, groups.saved] == [gid; 3];
    if !is_done {
        return Err(cannot(spool, uid, "the ids are not what they were set to"));
    }
    Ok(true)
}

/// Whether [`become_owner`] has something to do.
#[must_use]
pub fn is_anothers(spool: &Path) -> bool {
    other_owner(spool).is_some()
}

fn other_owner(spool: &Path) -> Option<(Uid, Gid)> {
    if !geteuid().is_root() {
        return None;
    }
    let found = fs::metadata(spool).ok()?;
    let uid = Uid::from_raw(found.uid());
    (!uid.is_root()).then(|| (uid, Gid::from_raw(found.gid())))
}

fn cannot(spool: &Path, uid: Uid, why: &str) -> Failure {
    let text = format!(
        "cannot become user {}, whose spool {} is: {why}",
        name(uid),
        spool.display()
    );
    Failure::new(Status::OsError, text)
}

/// Why a program does nothing that was installed setuid or setgid and runs with the rights of its file: it opens what its
/// command line names, configuration and files, as whoever runs it, and must not do so for somebody else.
///
/// Ids that are mixed for another reason, by whoever started it, are his matter.
pub(crate) fn refuse_setuid() -> Option<Failure> {
    if getuid() == geteuid() && getgid() == getegid() {
        return None;
    }
    let bits = fs::metadata("/proc/self/exe").map(|file| file.mode() & 0o6000);
    if bits.is_ok_and(|bits| bits == 0) {
        return None;
    }
    let program = std::env::current_exe().unwrap_or_default();
    let text = format!(
        "{} is not made to be setuid or setgid: chmod ug-s, and put who may queue into the group of the spool",
        program.display()
    );
    // Mail that came this way waits for the mend.
    Some(Failure::temporary(text))
}

/// What a user is called.
pub(crate) fn name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// What is added to the error of a file that may not be read: who must be able to.
pub(crate) fn unreadable(error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    format!(
        "; this runs as user {}, who must be able to read it (chown it to that user, or chgrp it to a group of that user and chmod 0640)",
        name(geteuid())
    )
}
