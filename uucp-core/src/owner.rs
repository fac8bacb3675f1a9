//! As whom a program works on a spool: what root starts becomes the user whose spool it is, for good.
//!
//! The peer's programs are setuid for that. Ours are started by inetd and init as root, and by whoever types in root's shell;
//! what they left in the spool would be root's, and what a neighbour executes would be done by root. And every member of the
//! spool's group may put something else in the place of a file or a folder there: what root would do with it, the owner cannot.
//!
//! Who queues files as root reads them as root: then the owner's rights are taken only until something outside of the spool is to
//! be opened ([`act_as_owner`], [`as_starter`]).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgid, getresgid, getresuid, getuid, initgroups, setegid,
    seteuid, setgid, setgroups, setuid,
};

use crate::sysexits::{Failure, Status};

/// Becomes the owner of a spool, in all ids and groups, if root runs this and the spool is somebody else's; whether it did.
///
/// # Errors
/// When it cannot be done: then nothing may be done on the spool.
pub fn become_owner(spool: &Path) -> Result<bool, Failure> {
    let Some(owner) = other_owner(spool) else {
        return Ok(false);
    };
    owner.take_groups()?.settle()?;
    Ok(true)
}

/// Takes the rights of the owner of a spool, if root runs this and the spool is somebody else's, until [`as_starter`] or
/// [`stay_owner`]; whether it did.
///
/// # Errors
/// When it cannot be done: then nothing may be done on the spool.
pub fn act_as_owner(spool: &Path) -> Result<bool, Failure> {
    let Some(owner) = other_owner(spool) else {
        return Ok(false);
    };
    let owner = owner.take_groups()?;
    owner
        .switch()
        .map_err(|error| owner.cannot(&error.to_string()))?;
    *acting() = Some(owner);
    Ok(true)
}

/// Does something with the rights of who has started this, if it acts as somebody else: what is opened in it was named by that user,
/// and is nothing of the spool's.
pub fn as_starter<T>(work: impl FnOnce() -> T) -> T {
    let owner = acting().filter(|owner| geteuid() == owner.user);
    let Some(owner) = owner else {
        return work();
    };
    // Also when the work panics.
    let back = Back(owner);
    or_end(Ids::ROOT.switch());
    let done = work();
    drop(back);
    done
}

/// Remains who it acts as, for good: before other programs are started.
///
/// # Errors
/// When that cannot be done.
pub fn stay_owner() -> Result<(), Failure> {
    let Some(owner) = acting().take() else {
        return Ok(());
    };
    Ids::ROOT
        .switch()
        .map_err(|error| owner.cannot(&error.to_string()))?;
    owner.settle()
}

/// Opens something with the rights of the owner of a spool, before root has become that user.
pub(crate) fn as_owner_of<T>(spool: &Path, open: impl FnOnce() -> T) -> T {
    let Some(owner) = other_owner(spool) else {
        return open();
    };
    let back = Back(Ids::ROOT);
    or_end(owner.switch());
    let opened = open();
    drop(back);
    opened
}

/// Whom this acts as: the process, and so not a value's.
static ACTING: Mutex<Option<Ids>> = Mutex::new(None);

fn acting() -> std::sync::MutexGuard<'static, Option<Ids>> {
    ACTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose rights are taken again.
struct Back(Ids);

impl Drop for Back {
    fn drop(&mut self) {
        // By way of root: nobody else may.
        or_end(Ids::ROOT.switch().and_then(|()| self.0.switch()));
    }
}

/// There is no way to go on with the wrong rights.
fn or_end(result: nix::Result<()>) {
    if result.is_err() {
        std::process::abort();
    }
}

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    user: Uid,
    group: Gid,
}

impl Ids {
    const ROOT: Self = Self {
        user: Uid::from_raw(0),
        group: Gid::from_raw(0),
    };

    /// The user's groups, and the first of them instead of the spool's.
    fn take_groups(self) -> Result<Self, Failure> {
        let failed = |error: nix::Error| self.cannot(&error.to_string());
        let Ok(Some(user)) = User::from_uid(self.user) else {
            // Nobody's name: the spool's group is all there is.
            setgroups(&[self.group]).map_err(failed)?;
            return Ok(self);
        };
        let name = std::ffi::CString::new(user.name).map_err(|_| failed(nix::Error::EINVAL))?;
        initgroups(&name, user.gid).map_err(failed)?;
        Ok(Self {
            group: user.gid,
            ..self
        })
    }

    /// The effective ids, for a while. To somebody else's only from root's.
    fn switch(self) -> nix::Result<()> {
        if self == Self::ROOT {
            seteuid(self.user)?;
            return setegid(self.group);
        }
        setegid(self.group)?;
        seteuid(self.user)
    }

    /// All ids, for good.
    fn settle(self) -> Result<(), Failure> {
        let failed = |error: nix::Error| self.cannot(&error.to_string());
        setgid(self.group)
            .and_then(|()| setuid(self.user))
            .map_err(failed)?;
        let (users, groups) = (getresuid().map_err(failed)?, getresgid().map_err(failed)?);
        let is_done = [users.real, users.effective, users.saved] == [self.user; 3]
            && [groups.real, groups.effective, groups.saved] == [self.group; 3];
        if is_done {
            return Ok(());
        }
        Err(self.cannot("the ids are not what they were set to"))
    }

    fn cannot(self, why: &str) -> Failure {
        let name = name(self.user);
        let text = format!("cannot become user {name}, whose spool this is: {why}");
        Failure::new(Status::OsError, text)
    }
}

/// Whether [`become_owner`] has something to do.
#[must_use]
pub fn is_anothers(spool: &Path) -> bool {
    other_owner(spool).is_some()
}

fn other_owner(spool: &Path) -> Option<Ids> {
    if !geteuid().is_root() {
        return None;
    }
    let found = fs::metadata(spool).ok()?;
    let user = Uid::from_raw(found.uid());
    (!user.is_root()).then(|| Ids {
        user,
        group: Gid::from_raw(found.gid()),
    })
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
