//! Files that nothing names: what kills leave behind, collected so late and so gently that nothing is lost.
//!
//! Data whose work file never appeared, or whose execute file is gone or never came, may be a harmless copy or somebody's
//! mail; nothing in it says which. So it is kept, in `.Preserve/SYSTEM/`, where a person can look at it and put it back. It
//! has to be seen without a name twice, eight days of observed time apart, by looks that are a day apart at least: file
//! times, which a wrong clock makes, decide nothing. Only locks, and notes about jobs that are gone, are removed.

mod notes;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::layout::DOT_FOLDER;
use super::mentions::{MAKING, each_word};
use super::receipt::Receipts;
use super::work::move_aside;
use super::{Execution, Spool, SpoolError, durable, executefile, lock, regular, workfile};
use crate::name::{SpoolKind, SpoolName, SystemName};
use notes::{Identity, Notes, Sighting};

/// Seconds of observed time between two looks: each costs the reading of all work and execute files.
const INTERVAL: u64 = 86_400;
/// Seconds of observed time that a file must have been without a name: longer than the week in which a sender comes back
/// to a file that it has half sent.
const PATIENCE: u64 = 8 * 86_400;
/// A lock file in the making holds a process number; nothing longer is one.
const LOCK_LENGTH: u64 = 64;
/// Our own reports that no record has released.
const PENDING: &str = "local-mail-pending";

/// A file that was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The system in whose folder it lay, if in one.
    pub system: Option<SystemName>,
    /// Where it lay.
    pub from: PathBuf,
    /// Where it is now; `None` for a lock in the making, which was removed.
    pub to: Option<PathBuf>,
}

impl Spool {
    /// Looks for files that nothing names, if a day has passed since the last look, and keeps those that have been without
    /// a name for eight days in `.Preserve/`. Somebody else's look is as good: then nothing is done.
    ///
    /// # Errors
    /// When the spool cannot be read or what was seen cannot be noted. What was collected before stays so.
    pub fn collect_unnamed(&self) -> Result<Vec<Collected>, SpoolError> {
        let guard = lock::lock_guard(&self.own_folder("guard").join("unnamed"))?;
        let Some(_guard) = guard.map(lock::LockedFile) else {
            return Ok(Vec::new());
        };
        let now = self.observed_now()?;
        let old = Notes::read(self)?;
        if old
            .looked
            .is_some_and(|last| now.since(last).as_secs() < INTERVAL)
        {
            return Ok(Vec::new());
        }
        let mut seen = self.unnamed(&old)?;
        for (key, sighting) in &mut seen {
            sighting.first = old.first_sighting(key, sighting.identity).unwrap_or(now);
        }
        let ripe: Vec<String> = seen
            .iter()
            .filter(|(_, sighting)| now.since(sighting.first).as_secs() >= PATIENCE)
            .map(|(key, _)| key.clone())
            .collect();
        let mut collected = Vec::new();
        if !ripe.is_empty() {
            let recorded = self.recorded(&ripe)?;
            for key in ripe.iter().filter(|key| !recorded.contains(last(key))) {
                if let Some(one) = self.collect(key)? {
                    seen.remove(key);
                    collected.push(one);
                }
            }
        }
        Notes {
            looked: Some(now),
            seen,
        }
        .write(self)?;
        Ok(collected)
    }

    /// Everything that nothing names now, by its place (see [`Notes`]). What was known of a system whose files cannot be read
    /// now stays known.
    fn unnamed(&self, old: &Notes) -> Result<BTreeMap<String, Sighting>, SpoolError> {
        let mut found = Vec::new();
        for system in self.systems()? {
            match self.unnamed_of(&system) {
                Ok(names) => found.extend(names),
                Err(error) => {
                    tracing::warn!(target: "uucp::abnormal", "{error}");
                    let prefix = format!("{system}/");
                    let known = old.seen.keys().filter(|key| key.starts_with(&prefix));
                    found.extend(known.cloned());
                }
            }
            self.drop_dead_locks(&system)?;
        }
        self.forget_retries()?;
        found.extend(in_the_making(&self.paths.root)?);
        let own = |name: &String| name.len() == MAKING.len() + super::names::UNIQUE_LENGTH;
        let locks = in_the_making(&self.paths.lockdir)?.into_iter().filter(own);
        found.extend(locks.map(|name| format!("{}/{name}", notes::LOCK_DIRECTORY)));
        let pending = durable::names(&self.own_folder(PENDING))?;
        found.extend(
            pending
                .iter()
                .map(|name| format!("{DOT_FOLDER}/{PENDING}/{name}")),
        );
        Ok(found
            .into_iter()
            .filter_map(|key| {
                let identity = Identity::of(&self.place(&key))?;
                Some((key, Sighting::of(identity)))
            })
            .collect())
    }

    /// Data of a system that no work and no execute file names, and what was being made in its folders.
    fn unnamed_of(&self, system: &SystemName) -> Result<Vec<String>, SpoolError> {
        let folder = self.system_folder(system);
        // Data first: what appears after this is not looked for, what gets its work file after this is found below.
        let mut data = HashSet::new();
        for part in ["D.", "D.X"] {
            durable::each_name(&folder.join(part), |name| {
                if is_of_kind(name, SpoolKind::Data) {
                    data.insert(format!("{part}/{name}"));
                }
                true
            })?;
        }
        if !data.is_empty() {
            strike_named(&folder.join("C."), workfile::WORK_FILE_LIMIT, &mut data)?;
            strike_named(
                &folder.join("X."),
                executefile::EXECUTE_FILE_LIMIT,
                &mut data,
            )?;
        }
        if !data.is_empty() {
            for each in Receipts::unfinished_moves(self, system)? {
                if let Ok(inner) = each.strip_prefix(&folder) {
                    data.remove(&*inner.to_string_lossy());
                }
            }
        }
        let mut found: Vec<String> = data
            .into_iter()
            .map(|inner| format!("{system}/{inner}"))
            .collect();
        for part in ["C.", "D.", "D.X", "X."] {
            let making = in_the_making(&folder.join(part))?;
            found.extend(making.iter().map(|name| format!("{system}/{part}/{name}")));
        }
        Ok(found)
    }

    /// Locks of executions that are gone: whoever can take one may remove it.
    fn drop_dead_locks(&self, system: &SystemName) -> Result<(), SpoolError> {
        let folder = self.execute_folder(system);
        let mut tails: HashSet<String> = durable::names(&folder)?
            .iter()
            .filter_map(|name| Some(name.strip_prefix("L.")?.to_owned()))
            .collect();
        let prefix = format!("{system}!X.");
        durable::each_name(&self.own_folder("running"), |name| {
            tails.extend(name.strip_prefix(&prefix).map(str::to_owned));
            true
        })?;
        for tail in tails {
            if let Ok(name) = SpoolName::parse(format!("X.{tail}").as_bytes()) {
                self.finish_dead_execution(&Execution {
                    grade: super::names::grade_of(&name, system),
                    system: system.clone(),
                    name,
                })?;
            }
        }
        Ok(())
    }

    /// What is remembered of executions that are gone: their names may come back.
    fn forget_retries(&self) -> Result<(), SpoolError> {
        let folder = self.own_folder("retry");
        for system in durable::names(&folder)? {
            let Ok(name) = system.parse::<SystemName>() else {
                continue;
            };
            for execution in durable::names(&folder.join(&system))? {
                if !self.execute_folder(&name).join(&execution).exists() {
                    durable::remove(&folder.join(&system).join(&execution))?;
                }
            }
        }
        Ok(())
    }

    /// The file names among these that a record of a submission or of a batch has: the record would take their absence for
    /// "sent".
    fn recorded(&self, keys: &[String]) -> Result<HashSet<String>, SpoolError> {
        let mut wanted: HashSet<String> = keys.iter().map(|key| last(key).to_owned()).collect();
        let all = wanted.clone();
        let records = self.own_folder("submissions");
        for week in durable::names(&records)? {
            strike_named(&records.join(week), u64::MAX, &mut wanted)?;
        }
        for batches in self.batch_records()? {
            strike_named(&batches, u64::MAX, &mut wanted)?;
        }
        Ok(all.difference(&wanted).cloned().collect())
    }

    /// Keeps or removes one file; `None` while somebody holds it.
    fn collect(&self, key: &str) -> Result<Option<Collected>, SpoolError> {
        let from = self.place(key);
        let parts: Vec<&str> = key.split('/').collect();
        let (system, keep) = match parts.as_slice() {
            [system, _, _] => (system.parse::<SystemName>().ok(), true),
            _ => (None, false),
        };
        let Ok(file) = regular::open(&from) else {
            return Ok(None);
        };
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let to = if keep {
            let preserve = self.taylor_folder(".Preserve");
            let folder = match &system {
                Some(system) => preserve.join(system.as_str()),
                None => preserve,
            };
            Some(move_aside(&from, &folder)?)
        } else {
            durable::remove(&from)?;
            None
        };
        Ok(Some(Collected { system, from, to }))
    }

    /// Where a file is that the notes tell by this key.
    fn place(&self, key: &str) -> PathBuf {
        match key.split_once('/') {
            Some((notes::LOCK_DIRECTORY, name)) => self.paths.lockdir.join(name),
            _ => self.paths.root.join(key),
        }
    }
}

/// The last part of a key: the file's name.
fn last(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

fn is_of_kind(name: &str, kind: SpoolKind) -> bool {
    SpoolName::parse(name.as_bytes()).is_ok_and(|name| name.kind() == kind)
}

/// Names of files in the making: in the folders of jobs any, elsewhere only such as can be locks.
fn in_the_making(folder: &Path) -> Result<Vec<String>, SpoolError> {
    let of_jobs = folder.file_name().is_some_and(|name| {
        ["C.", "D.", "D.X", "X."]
            .iter()
            .any(|part| name.as_encoded_bytes() == part.as_bytes())
    });
    let mut found = durable::names(folder)?;
    found.retain(|name| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        let short = || {
            let metadata = folder.join(name).symlink_metadata();
            metadata.is_ok_and(|m| m.is_file() && m.len() <= LOCK_LENGTH)
        };
        name.starts_with(MAKING) && plain && (of_jobs || short())
    });
    Ok(found)
}

/// Strikes out what a file of this folder names.
fn strike_named(folder: &Path, limit: u64, wanted: &mut HashSet<String>) -> Result<(), SpoolError> {
    each_word(folder, limit, |word| {
        wanted.remove(word);
        wanted.remove(&format!("D./{word}"));
        wanted.remove(&format!("D.X/{word}"));
        !wanted.is_empty()
    })
}

#[cfg(test)]
mod tests;
