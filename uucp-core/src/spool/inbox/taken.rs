//! Names that are taken: by a file that waits, or by one that Taylor's uucico has received.

use std::path::Path;
use std::time::Duration;

use super::{Admission, Inbox, PARTIAL_KEPT, Stop};
use crate::clock::is_older;
use crate::name::{SpoolKind, SpoolName, SystemName, TempName};
use crate::spool::executefile::EXECUTE_FILE_LIMIT;
use crate::spool::reception::{Reception, Target};
use crate::spool::work::move_aside;
use crate::spool::{ExecuteFile, Incoming, Spool, SpoolError, durable};
use crate::wire::command::Refusal;

/// How long Taylor's receipt markers count.
const TAYLOR_MARKER_KEPT: Duration = Duration::from_hours(7 * 24);

impl Inbox {
    /// Never over a file of the spool. A data file that an execute file waits for is left alone and the peer told "later"; so
    /// is one that is young, since its execute file may be on the way. An old one that nobody refers to is kept in
    /// `.Preserve/` (Taylor's names come back when its spool is made anew).
    pub(super) fn check_name_is_free(&self, name: &SpoolName) -> Result<(), Stop> {
        let path = self.spool.data_path(&self.system, name);
        let Ok(found) = path.symlink_metadata() else {
            return Ok(());
        };
        if name.kind() == SpoolKind::Execute {
            return Ok(());
        }
        let old = found
            .modified()
            .is_ok_and(|time| is_older(time, PARTIAL_KEPT));
        if old && !self.spool.is_needed(&self.system, name)? {
            move_aside(&path, &self.spool.taylor_folder(".Preserve"))?;
            return Ok(());
        }
        Err(Stop::Answer(Admission::refuse(
            Refusal::CannotCreate,
            format!("{} is there already", path.display()),
        )))
    }

    fn is_needed(&self, name: &SpoolName) -> bool {
        let needed = self.spool.is_needed(&self.system, name);
        needed.unwrap_or(false)
    }

    /// Whether Taylor's uucico took this very file before ours came into its place.
    ///
    /// Its marker (`.Received/SYSTEM/TEMP`) has only a name, and believing it has lost mail where a sender's names came
    /// back. So it is believed for seven days, and only while the file itself still lies here, with the right size, and for
    /// an execution with the execute file that names it. Else the file is taken: at worst a double of the one file that was
    /// under way when the programs were exchanged.
    pub(super) fn taylor_has_received(
        &self,
        temp: &TempName,
        target: &Target,
        incoming: &Incoming<'_>,
    ) -> bool {
        let marker = self
            .spool
            .taylor_folder(".Received")
            .join(self.system.as_str())
            .join(temp.as_spool_name().as_str());
        let young = marker
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|t| t.elapsed().is_ok_and(|age| age < TAYLOR_MARKER_KEPT));
        if !young {
            return false;
        }
        let name = match target {
            Target::Spool(name) => name,
            Target::Execution(execution) => match execution.files.first() {
                Some(data) => &data.name,
                None => return false,
            },
            Target::Outside(_) => return false,
        };
        let length = self.spool.data_path(&self.system, name).metadata();
        let same_size = length.is_ok_and(|m| Some(m.len()) == incoming.size);
        same_size && (incoming.command.is_none() || self.is_needed(name))
    }
}

impl Spool {
    /// Whether an execute file that waits names this data file.
    fn is_needed(&self, system: &SystemName, name: &SpoolName) -> Result<bool, SpoolError> {
        let folder = self.execute_folder(system);
        for execute in durable::names(&folder)? {
            let file = parsed(&folder.join(execute));
            if file.is_some_and(|file| file.files.iter().any(|needed| needed.name == *name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Reception {
    /// Whether this is an execute file whose data lies here and is named by no other: without it, a job would be lost.
    pub(in crate::spool) fn completes_a_job(&self) -> Result<bool, SpoolError> {
        let (Target::Spool(name), staged) = (&self.target, self.staged_path()) else {
            return Ok(false);
        };
        if name.kind() != SpoolKind::Execute {
            return Ok(false);
        }
        let Some(file) = parsed(&staged) else {
            return Ok(false);
        };
        for data in &file.files {
            let lies_here = self.spool.data_path(&self.system, &data.name).exists();
            if lies_here && !self.spool.is_needed(&self.system, &data.name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What an execute file says, if it says anything.
fn parsed(path: &Path) -> Option<ExecuteFile> {
    let content = durable::read_small(path, EXECUTE_FILE_LIMIT).ok()??;
    ExecuteFile::parse(&content).ok()
}
