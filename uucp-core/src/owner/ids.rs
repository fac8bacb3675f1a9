//! A user and a group, and how a process comes to have them.

use std::ffi::CString;
use std::path::Path;

use nix::unistd::{
    Gid, Uid, User, getresgid, getresuid, initgroups, setegid, seteuid, setgroups, setresgid,
    setresuid,
};

use crate::sysexits::{Failure, Status};

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) user: Uid,
    pub(super) group: Gid,
}

impl Ids {
    pub(super) const ROOT: Self = Self {
        user: Uid::from_raw(0),
        group: Gid::from_raw(0),
    };

    /// The owner of a file.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            user: Uid::from_raw(found.uid()),
            group: Gid::from_raw(found.gid()),
        })
    }

    /// The user's groups, and the first of them instead of the spool's. Only root can take them.
    pub(super) fn take_groups(self) -> Result<Self, Failure> {
        let failed = |error: nix::Error| self.cannot(&error.to_string());
        let Ok(Some(user)) = User::from_uid(self.user) else {
            // Nobody's name: the spool's group is all there is.
            setgroups(&[self.group]).map_err(failed)?;
            return Ok(self);
        };
        let name = CString::new(user.name).map_err(|_| failed(nix::Error::EINVAL))?;
        initgroups(&name, user.gid).map_err(failed)?;
        Ok(Self {
            group: user.gid,
            ..self
        })
    }

    /// The effective ids, for a while.
    pub(super) fn switch(self) -> nix::Result<()> {
        // Only root changes to any group: while it is root, or once it is again.
        if self.user.is_root() {
            seteuid(self.user)?;
            return setegid(self.group);
        }
        setegid(self.group)?;
        seteuid(self.user)
    }

    /// All ids, for good.
    pub(super) fn settle(self) -> Result<(), Failure> {
        let Self { user, group } = self;
        let failed = |error: nix::Error| self.cannot(&error.to_string());
        if user.is_root() {
            self.switch().map_err(failed)?;
        }
        setresgid(group, group, group)
            .and_then(|()| setresuid(user, user, user))
            .map_err(failed)?;
        let (users, groups) = (getresuid().map_err(failed)?, getresgid().map_err(failed)?);
        let is_done = [users.real, users.effective, users.saved] == [user; 3]
            && [groups.real, groups.effective, groups.saved] == [group; 3];
        if is_done {
            return Ok(());
        }
        Err(self.cannot("the ids are not what they were set to"))
    }

    pub(super) fn cannot(self, why: &str) -> Failure {
        let name = super::name(self.user);
        let text = format!("cannot become user {name}: {why}");
        Failure::new(Status::OsError, text)
    }
}
