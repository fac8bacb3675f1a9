//! Whether a file that was opened may be sent to the peer.
//!
//! What is judged is the open file, by the name that the system has for it: whatever a path may have come to mean since it was
//! looked at, no link leads out of what is permitted.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getgrouplist};

use crate::config::PathRules;

/// Who must be able to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reader {
    /// Everybody, in every directory of what is permitted.
    Everybody,
    /// A user of this system, who has queued it.
    User(Uid),
    /// Who owns the spool, and the user in whose name the file is to be sent, if that is one of this system. Every member of the
    /// spool's group can change what is the owner's there, so a file must be open to more than its owner; and everybody can
    /// have the owner queue something, and put another file in the place of his own afterwards.
    Owner {
        owner: Uid,
        on_behalf_of: Option<Uid>,
    },
}

const READ: u32 = 0o4;
const SEARCH: u32 = 0o1;

/// Why an open file may not be sent; nothing if it may.
pub(super) fn refusal(
    file: &File,
    rules: &PathRules,
    pubdir: &Path,
    reader: &Reader,
) -> io::Result<Option<&'static str>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Some("not a file"));
    }
    let real = real_path(file)?;
    let Some(top) = rules.granting(&real, pubdir) else {
        return Ok(Some("it leads to a file that may not be sent"));
    };
    // What is above of what was permitted by name is the administrator's matter.
    let top = matches!(reader, Reader::Everybody).then_some(top);
    let may_read = |class: Class| {
        let mut above = real
            .ancestors()
            .take_while(|path| Some(*path) != top.as_deref());
        class.may(&metadata, READ, !class.owns_spool)
            && above
                .by_ref()
                .skip(1)
                .all(|directory| class.may_search(directory))
    };
    Ok(
        (!Class::all_of(reader).all(may_read)).then_some(match reader {
            Reader::Everybody => "not everybody may read it",
            _ => "who has queued it may not read it",
        }),
    )
}

/// The name that the system has for an open file, all links resolved.
fn real_path(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A reader, and whatever else tells which bits of a mode count.
struct Class {
    user: Option<Uid>,
    groups: Vec<Gid>,
    owns_spool: bool,
}

impl Class {
    /// All who must be able to read it.
    fn all_of(reader: &Reader) -> impl Iterator<Item = Self> {
        let (first, second) = match *reader {
            Reader::Everybody => (Self::everybody(), None),
            Reader::User(user) => (Self::user(user), None),
            Reader::Owner {
                owner,
                on_behalf_of,
            } => {
                let first = Self {
                    owns_spool: true,
                    ..Self::user(owner)
                };
                let second = match on_behalf_of {
                    Some(user) if user == owner => None,
                    Some(user) => Some(Self::user(user)),
                    None => Some(Self::everybody()),
                };
                (first, second)
            }
        };
        std::iter::once(first).chain(second)
    }

    fn everybody() -> Self {
        Self {
            user: None,
            groups: Vec::new(),
            owns_spool: false,
        }
    }

    fn user(user: Uid) -> Self {
        Self {
            user: Some(user),
            groups: groups_of(user),
            owns_spool: false,
        }
    }

    /// Whether the mode permits it; to the owner as such only if `as_owner`.
    fn may(&self, found: &Metadata, bit: u32, as_owner: bool) -> bool {
        let Some(user) = self.user else {
            return found.mode() & bit != 0;
        };
        let (is_owner, is_member) = (
            found.uid() == user.as_raw(),
            self.groups.contains(&Gid::from_raw(found.gid())),
        );
        if user.is_root() {
            true
        } else if is_owner && as_owner {
            found.mode() & (bit << 6) != 0
        } else if is_member {
            found.mode() & (bit << 3) != 0
        } else {
            found.mode() & bit != 0
        }
    }

    fn may_search(&self, directory: &Path) -> bool {
        std::fs::metadata(directory).is_ok_and(|found| self.may(&found, SEARCH, true))
    }
}

/// A user whom nobody knows is in no group.
fn groups_of(user: Uid) -> Vec<Gid> {
    let known = User::from_uid(user).ok().flatten();
    let groups = known.and_then(|user| {
        let name = std::ffi::CString::new(user.name).ok()?;
        getgrouplist(&name, user.gid).ok()
    });
    groups.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn an_open_file_is_judged_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("pub/closed")).unwrap();
        set(folder.path(), 0o700);
        set(&at("pub"), 0o755);
        for name in ["pub/open", "pub/private", "pub/closed/file", "secret"] {
            fs::write(at(name), name).unwrap();
            set(&at(name), 0o644);
        }
        set(&at("pub/private"), 0o600);
        set(&at("pub/closed"), 0o700);
        set(&at("secret"), 0o644);
        symlink(at("secret"), at("pub/out")).unwrap();
        symlink("open", at("pub/in")).unwrap();
        symlink(at("pub"), at("other")).unwrap();
        let own = Uid::from_raw(fs::metadata(at("secret")).unwrap().uid());
        let nobody = Uid::from_raw(65_534);
        let user = Reader::User;
        let owner = |on_behalf_of| Reader::Owner {
            owner: own,
            on_behalf_of,
        };
        let judge = |name: &str, rules: &[&str], reader: &Reader| {
            let rules = rules.iter().map(|rule| at(rule));
            let file = File::open(at(name)).unwrap();
            refusal(&file, &PathRules::new(rules), &at("pub"), reader).unwrap()
        };
        let everybody = Reader::Everybody;
        for (name, rules, reader, said) in [
            ("pub/open", &["pub"][..], &everybody, None),
            ("other/open", &["other"], &everybody, None),
            ("pub/in", &["pub"], &everybody, None),
            ("pub/out", &["pub"], &everybody, Some("leads to")),
            ("pub/out", &["pub", "secret"], &everybody, None),
            ("pub", &["pub"], &everybody, Some("not a file")),
            ("pub/private", &["pub"], &everybody, Some("not everybody")),
            (
                "pub/closed/file",
                &["pub"],
                &everybody,
                Some("not everybody"),
            ),
            ("pub/closed/file", &["pub/closed"], &everybody, None),
            ("pub/closed/file", &["pub"], &user(own), None),
            ("pub/private", &["pub"], &user(own), None),
            ("pub/open", &["pub"], &owner(Some(own)), None),
            // Its directories are the test's alone.
            ("pub/open", &["pub"], &user(nobody), Some("who has queued")),
            (
                "pub/open",
                &["pub"],
                &owner(Some(nobody)),
                Some("who has queued"),
            ),
            ("pub/open", &["pub"], &owner(None), Some("who has queued")),
        ] {
            let got = judge(name, rules, reader);
            let is_so = match (got, said) {
                (Some(got), Some(said)) => got.contains(said),
                (None, None) => true,
                _ => false,
            };
            assert!(is_so, "{name} by {rules:?} for {reader:?}: {got:?}");
        }
        // Root reads everything, also what it alone may.
        let got = judge("pub/private", &["pub"], &owner(Some(own)));
        assert_eq!(got.is_some(), !own.is_root());
    }

    #[test]
    fn what_belongs_to_the_owner_of_the_spool_alone_is_not_for_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let user = Uid::from_raw(4711);
        let own = fs::metadata(&path).unwrap();
        let class = |owns_spool| Class {
            user: Some(user),
            groups: vec![Gid::from_raw(own.gid())],
            owns_spool,
        };
        for (mode, goes) in [(0o600, false), (0o640, true), (0o604, false), (0o644, true)] {
            set(&path, mode);
            let found = fs::metadata(&path).unwrap();
            let class = class(true);
            assert_eq!(class.may(&found, READ, !class.owns_spool), goes, "{mode:o}");
        }
        let class = class(false);
        set(&path, 0o040);
        assert!(class.may(&fs::metadata(&path).unwrap(), READ, true));
    }
}
