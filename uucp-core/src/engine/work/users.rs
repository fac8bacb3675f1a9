//! Files of users, which are sent from where they lie.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use super::WorkQueue;
use super::opening::{Unopened, later};
use crate::engine::outside::{Opened, Wanted};
use crate::engine::paths;
use crate::engine::readable::Reader;
use crate::name::JobId;
use crate::spool::ASKED_FOR;
use crate::wire::command::SendRequest;

impl WorkQueue {
    /// Opens a file outside the spool, if local users may send it and who has queued it may read it, or the peer may have it that
    /// has asked for it.
    pub(super) fn open_user_file(
        &self,
        send: &SendRequest,
        job: &JobId,
    ) -> Result<(PathBuf, File), Unopened> {
        let shown = || send.from.escape_ascii().to_string();
        let path = paths::absolute(&send.from, &self.limits.pubdir)
            .ok_or_else(|| Unopened::Later(Some(format!("{}: no such file", shown()))))?;
        let (limits, pubdir) = (&self.limits, &self.limits.pubdir);
        let asked_for = send.temp == ASKED_FOR && limits.asked.permits(&path, pubdir);
        let (rules, reader) = if asked_for {
            (&limits.asked, Reader::Everybody)
        } else if limits.rules.permits(&path, pubdir) {
            (&limits.rules, self.who_queued(send, job)?)
        } else {
            let reason = format!("{}: not permitted to send (local-send)", shown());
            return Err(if limits.ever.sends(&path, pubdir) {
                Unopened::Later(Some(reason))
            } else {
                Unopened::Never(reason)
            });
        };
        let opened = self.outside.open(Wanted {
            path: path.clone(),
            rules: rules.clone(),
            pubdir: pubdir.clone(),
            reader,
        });
        let never = |why: String| Unopened::Never(format!("{}: {why}", path.display()));
        match opened {
            Ok(Opened::File(file)) => Ok((path, file)),
            Ok(Opened::Refused(why)) => Err(never(why.to_owned())),
            Err(error) if is_final(&error) => Err(never(error.to_string())),
            Err(error) => Err(later(&path, &error)),
        }
    }

    fn who_queued(&self, send: &SendRequest, job: &JobId) -> Result<Reader, Unopened> {
        let owner = |path: &Path| {
            let found = std::fs::metadata(path).map_err(|error| later(path, &error))?;
            Ok(Uid::from_raw(found.uid()))
        };
        let work = self.spool.data_path(&self.system, &job.work);
        let user = owner(&work)?;
        if user != owner(self.spool.root())? {
            return Ok(Reader::User(user));
        }
        let on_behalf_of = user_named(&send.user).map_err(|error| later(&work, &error))?;
        Ok(Reader::Owner {
            owner: user,
            on_behalf_of,
        })
    }
}

/// A user of this system: by name, or by number, as who has no name is written into jobs.
fn user_named(name: &[u8]) -> std::io::Result<Option<Uid>> {
    let Ok(name) = std::str::from_utf8(name) else {
        return Ok(None);
    };
    if let Some(user) = User::from_name(name)? {
        return Ok(Some(user.uid));
    }
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    Ok(name.parse().ok().filter(|_| is_number).map(Uid::from_raw))
}

/// Whether a file of a user will not be there another time either. One that may not be read now may be after a chmod, or when
/// uucico runs as somebody else.
fn is_final(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}
