//! As whom a program works on a spool: for whoever starts it, and as the user whose spool it is.
//!
//! The peer's programs are setuid for that, and ours may be that queue. What root starts becomes the owner of the spool by itself:
//! what it left there would be root's, and what a neighbour executes would be done by root. And every member of the
//! spool's group may put something else in the place of a file or a folder there: what root would do with it, the owner cannot.
//!
//! So a process that queues has two sides: who has started it opens what the command line names, and the owner does what is to be
//! done in the spool. Only one of them has a say at a time ([`as_starter`], [`as_owner`]). Root begins as itself, and takes the
//! owner's side when it knows whose spool it is ([`act_as_owner`]). Anybody else has the owner's from the program's
//! file (`borrow`), and begins as himself, too.

mod ids;
mod lent;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, geteuid};
#[cfg(feature = "cli")]
use nix::unistd::{getgid, getuid};

use self::ids::Ids;
use crate::sysexits::Failure;

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

/// Takes the side of the owner of a spool, if the program may be that and is somebody else, until [`as_starter`] or
/// [`stay_owner`]; whether it did.
///
/// # Errors
/// When it cannot be done, or the rights that the program was lent are not those of the owner of this spool: then nothing may be
/// done on it.
pub fn act_as_owner(spool: &Path) -> Result<bool, Failure> {
    let mut sides = sides();
    if let Some(sides) = &mut *sides {
        let found = sides.on(Side::Owner, || Ids::of_file(spool));
        if found != Some(sides.owner) {
            return Err(Failure::temporary(format!(
                "{} is not the spool of the user and group whose rights this program has been given: it must have its owner and group, or mode 755",
                spool.display()
            )));
        }
        sides.turn(Side::Owner);
        return Ok(true);
    }
    let Some(owner) = other_owner(spool) else {
        return Ok(false);
    };
    let owner = owner.take_groups()?;
    let mut both = Sides::new(Ids::ROOT, owner);
    both.try_turn(Side::Owner)
        .map_err(|error| owner.cannot(&error.to_string()))?;
    *sides = Some(both);
    Ok(true)
}

/// Does something with the rights of who has started this, if it acts as somebody else: what is opened in it was named by that user,
/// and is nothing of the spool's.
pub fn as_starter<T>(work: impl FnOnce() -> T) -> T {
    on(Side::Starter, work)
}

/// As [`as_starter`]; nothing, where who has started this is not to be had any more.
#[cfg(feature = "cli")]
pub(crate) fn as_starter_still<T>(work: impl FnOnce() -> T) -> Option<T> {
    let is_gone = is_lent() && sides().is_none();
    (!is_gone).then(|| as_starter(work))
}

/// Does something with the rights of the owner of the spool, if they are there to be had: what is opened in it was named by the
/// configuration.
pub fn as_owner<T>(work: impl FnOnce() -> T) -> T {
    on(Side::Owner, work)
}

/// Remains who it acts as, for good: before other programs are started.
///
/// # Errors
/// When that cannot be done.
pub fn stay_owner() -> Result<(), Failure> {
    settle(Side::Owner)?;
    if is_lent() {
        // By his ids he cannot stop it any more; nor is his terminal to do so while it has a lock.
        let signals = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
        let _ = signals.into_iter().collect::<SigSet>().thread_block();
    }
    Ok(())
}

/// Opens something with the rights of the owner of a spool, also before root has taken them.
pub(crate) fn as_owner_of<T>(spool: &Path, open: impl FnOnce() -> T) -> T {
    if sides().is_some() {
        return as_owner(open);
    }
    let Some(owner) = other_owner(spool) else {
        return open();
    };
    Sides::new(Ids::ROOT, owner).on(Side::Owner, open)
}

/// Whether the rights of the owner of the spool are, or were, the program's and not those of who has started it.
static LENT: AtomicBool = AtomicBool::new(false);

/// Whether who has started this has been lent the rights of the owner of the spool. What he can set (environment, limits, the place
/// of the program) then counts for nothing.
pub(crate) fn is_lent() -> bool {
    LENT.load(Ordering::Relaxed)
}

/// For a program that everybody may have the owner's rights for: goes on as who has started it, and [`as_owner`] where that is needed.
///
/// # Errors
/// When its file gives other rights than it should, or they cannot be put aside.
#[cfg(feature = "cli")]
pub(crate) fn borrow() -> Result<(), Failure> {
    let Some(owner) = lent::by_bits()? else {
        return Ok(());
    };
    let starter = Ids {
        user: getuid(),
        group: getgid(),
    };
    // Who has them in any case borrows nothing.
    if starter.user.is_root() || starter.user == owner.user {
        return starter.settle();
    }
    starter
        .switch()
        .map_err(|error| starter.cannot(&error.to_string()))?;
    *sides() = Some(Sides::new(starter, owner));
    LENT.store(true, Ordering::Relaxed);
    Ok(())
}

/// Goes on with the rights of who has started this and no others, for good, if it was lent any: what it is told to do now is
/// nothing that the owner of the spool would do for everybody.
///
/// # Errors
/// When that cannot be done.
#[cfg(feature = "cli")]
pub(crate) fn give_back() -> Result<(), Failure> {
    if !is_lent() {
        return Ok(());
    }
    settle(Side::Starter)?;
    LENT.store(false, Ordering::Relaxed);
    Ok(())
}

/// For all other programs: why they do nothing if they have been installed setuid or setgid.
pub(crate) fn refuse_setuid() -> Option<Failure> {
    lent::refusal()
}

/// The sides of this process, if it has both: the process's, and so not a value's.
static SIDES: Mutex<Option<Sides>> = Mutex::new(None);

fn sides() -> MutexGuard<'static, Option<Sides>> {
    SIDES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has started this, the owner of the spool, and which of them it is now.
#[derive(Debug, Clone, Copy)]
struct Sides {
    starter: Ids,
    owner: Ids,
    now: Side,
    /// The umask of the other side.
    umask: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Starter,
    Owner,
}

/// What the owner's umask is, whatever the starter's: what he makes has modes of its own.
const UMASK: u32 = 0o022;

impl Sides {
    /// They begin with the starter's.
    fn new(starter: Ids, owner: Ids) -> Self {
        Self {
            starter,
            owner,
            now: Side::Starter,
            umask: Mode::from_bits_truncate(UMASK),
        }
    }

    fn ids(&self, side: Side) -> Ids {
        match side {
            Side::Starter => self.starter,
            Side::Owner => self.owner,
        }
    }

    /// Turns to a side; the one that it comes from.
    fn turn(&mut self, to: Side) -> Side {
        // There is no way to go on with the wrong rights.
        self.try_turn(to).unwrap_or_else(|_| std::process::abort())
    }

    fn try_turn(&mut self, to: Side) -> nix::Result<Side> {
        let before = self.now;
        if before != to {
            self.ids(to).switch()?;
            self.umask = umask(self.umask);
            self.now = to;
        }
        Ok(before)
    }

    fn on<T>(&mut self, side: Side, work: impl FnOnce() -> T) -> T {
        let before = self.turn(side);
        // Also when the work panics.
        let back = Back {
            sides: self,
            before,
        };
        let done = work();
        drop(back);
        done
    }
}

/// Which side is turned to again.
struct Back<'a> {
    sides: &'a mut Sides,
    before: Side,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.sides.turn(self.before);
    }
}

/// As [`Sides::on`], for the sides of this process; what is done may turn, too.
fn on<T>(side: Side, work: impl FnOnce() -> T) -> T {
    struct Back(Side);
    impl Drop for Back {
        fn drop(&mut self) {
            if let Some(sides) = &mut *sides() {
                sides.turn(self.0);
            }
        }
    }
    let before = sides().as_mut().map(|sides| sides.turn(side));
    let Some(before) = before else {
        return work();
    };
    let back = Back(before);
    let done = work();
    drop(back);
    done
}

/// Becomes one side for good.
fn settle(side: Side) -> Result<(), Failure> {
    let mut sides = sides();
    let Some(both) = &mut *sides else {
        return Ok(());
    };
    // Root, which is the starter then, settles as whom it likes; anybody else has both in his ids.
    if both.starter.user.is_root() {
        both.turn(Side::Starter);
    }
    both.ids(side).settle()?;
    *sides = None;
    Ok(())
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
    Ids::of_file(spool).filter(|owner| !owner.user.is_root())
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

/// What is added to the error of somebody who may not do something in a folder: as whom it can be done.
pub(crate) fn shut_out(path: &Path, error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let seen = path
        .ancestors()
        .find_map(|one| Some((one, std::fs::metadata(one).ok()?)));
    let Some((folder, found)) = seen else {
        return String::new();
    };
    let (owner, we) = (Uid::from_raw(found.uid()), geteuid());
    if owner == we {
        return String::new();
    }
    let (folder, owner, we) = (folder.display(), name(owner), name(we));
    let group = Gid::from_raw(found.gid());
    if found.mode() & 0o020 == 0 || group.as_raw() == 0 {
        return format!("; this runs as user {we}, and {folder} is {owner}'s alone");
    }
    let group = Group::from_gid(group)
        .ok()
        .flatten()
        .map_or_else(|| group.to_string(), |group| group.name);
    format!(
        "; this runs as user {we}: run it as {owner} or as a member of group {group}, whose {folder} is"
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn who_may_not_is_told_who_may() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("a/b");
        let told = |kind| shut_out(&missing, &Error::from(kind));
        assert_eq!(told(ErrorKind::NotFound), "");
        assert_eq!(told(ErrorKind::PermissionDenied), "", "the folder is ours");
        if !geteuid().is_root() {
            return;
        }
        chown(folder.path(), Some(54321), Some(54322)).unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path(), mode).unwrap();
        };
        let shown = folder.path().display();
        for (mode, expected) in [
            (
                0o2770,
                format!(
                    "; this runs as user root: run it as 54321 or as a member of group 54322, whose {shown} is"
                ),
            ),
            (
                0o700,
                format!("; this runs as user root, and {shown} is 54321's alone"),
            ),
        ] {
            set(mode);
            assert_eq!(told(ErrorKind::PermissionDenied), expected);
        }
    }
}
