//! Committing received files: the steps from "it has arrived" to "it may be confirmed", and the recovery that finishes them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::destination::judged;
use super::queue::is_taken;
use super::receipt::{Key, Move, Receipt, Receipts};
use super::reception::{Reception, Target};
use super::{Inbox, SpoolError, durable};
use crate::name::SpoolName;

impl Inbox {
    /// Makes received files count, several in one round of syncs: data, execute files, receipts, then the names. One answer
    /// each, in order; `CY` only after `Ok`.
    pub fn commit(&mut self, mut receptions: Vec<Reception>) -> Vec<Result<(), SpoolError>> {
        let mut results = sync_received(&mut receptions);
        let mut group: Vec<(Reception, &mut Result<(), SpoolError>)> =
            receptions.into_iter().zip(results.iter_mut()).collect();
        // What came before is here, durably; it goes when this value goes.
        for (reception, _) in group.iter_mut().filter(|(r, _)| r.is_repetition()) {
            reception.forget();
        }
        group.retain(|(reception, result)| result.is_ok() && !reception.is_repetition());
        if let Err(error) = self.commit_group(&mut group) {
            let mut error = Some(error);
            for (reception, result) in &mut group {
                if result.is_ok() {
                    **result = Err(error.take().unwrap_or_else(|| SpoolError::Io {
                        action: "receive",
                        path: reception.path(),
                        source: io::Error::other("another file of the same round failed"),
                    }));
                }
            }
        }
        for (reception, result) in &mut group {
            let is_hopeless = matches!(result, Err(SpoolError::Unplaceable { .. }));
            if is_hopeless && reception.key.is_none() {
                // Nothing will ever continue it. While its receipt counts it would look like one that has its place.
                reception.forget();
            }
        }
        drop(group);
        results
    }

    fn commit_group(
        &mut self,
        group: &mut [(Reception, &mut Result<(), SpoolError>)],
    ) -> Result<(), SpoolError> {
        let now = self.spool.observed_now()?;
        let receipts: Vec<Receipt> = group.iter().filter_map(|(r, _)| receipt(r)).collect();
        let ordered = group
            .iter()
            .any(|(reception, _)| !is_its_own_receipt(reception));
        // From here on what is staged must stay: the receipt may be on the disk even if we are told that it is not.
        for (reception, _) in group.iter_mut() {
            reception.kept = reception.key.is_some();
        }
        if !receipts.is_empty() {
            let log = self.load()?;
            log.receive(&receipts, now)?;
            if ordered {
                log.sync()?;
            }
        }
        let mut folders = BTreeSet::new();
        for execute_files in [false, true] {
            for (reception, result) in group.iter_mut().filter(|(_, result)| result.is_ok()) {
                **result = place(reception, execute_files, &mut folders);
            }
        }
        let log = self.receipts.as_ref().and_then(Receipts::unsynced);
        durable::sync_with_directories(
            log.filter(|_| !ordered && !receipts.is_empty()),
            folders.iter().map(PathBuf::as_path),
        )?;
        for (reception, _) in group.iter().filter(|(_, result)| result.is_ok()) {
            if let Target::Outside(destination) = &reception.target
                && !folders.contains(destination.directory_path())
            {
                destination.sync()?;
            }
        }
        for (reception, _) in group.iter_mut().filter(|(_, result)| result.is_ok()) {
            if let Some(claim) = &mut reception.claim {
                claim.keep();
            }
        }
        self.note_results(group)
    }

    /// Notes what has its name. What could not get it is offered again: its receipt is void.
    fn note_results(
        &mut self,
        group: &mut [(Reception, &mut Result<(), SpoolError>)],
    ) -> Result<(), SpoolError> {
        let keys = |ok: bool| -> Vec<Key> {
            group
                .iter()
                .filter(|(_, result)| result.is_ok() == ok)
                .filter_map(|(reception, _)| reception.key)
                .collect()
        };
        let (done, failed) = (keys(true), keys(false));
        if done.is_empty() && failed.is_empty() {
            return Ok(());
        }
        let receipts = self.load()?;
        // A lost note costs nothing: whoever looks finds nothing left to rename.
        let _ = receipts.done(&done);
        if !failed.is_empty() && receipts.void(&failed).is_ok() {
            for (reception, _) in group.iter_mut().filter(|(_, result)| result.is_err()) {
                reception.key = None;
            }
        }
        Ok(())
    }
}

/// Waits until the files are on the disk, all in one round; one answer each.
fn sync_received(receptions: &mut [Reception]) -> Vec<Result<(), SpoolError>> {
    let files: Vec<(usize, &File, PathBuf)> = receptions
        .iter()
        .enumerate()
        .flat_map(|(index, reception)| {
            let files = reception.files().into_iter();
            files.map(move |(file, path)| (index, file, path))
        })
        .collect();
    let borrowed: Vec<(&File, &Path)> = files.iter().map(|(_, f, p)| (*f, p.as_path())).collect();
    let mut results: Vec<Result<(), SpoolError>> = receptions.iter().map(is_complete).collect();
    for ((index, ..), synced) in files.iter().zip(durable::sync_all(&borrowed)) {
        if let (Some(result), Err(error)) = (results.get_mut(*index), synced) {
            *result = Err(error);
        }
    }
    for (reception, result) in receptions.iter_mut().zip(&results) {
        if result.is_err() {
            // Nobody knows what of it is on the disk: it is not to be continued.
            reception.forget();
        }
    }
    results
}

fn receipt(reception: &Reception) -> Option<Receipt> {
    Some(Receipt {
        key: reception.key?,
        content: reception.content,
        moves: reception.moves.clone(),
    })
}

/// An execution whose names come from a sender that never gives one twice is known by its execute file's name alone: then
/// receipt and names may reach the disk in either order, and share a round of syncs.
fn is_its_own_receipt(reception: &Reception) -> bool {
    reception.key.is_some()
        && !reception.returning
        && matches!(reception.target, Target::Execution(_))
}

fn is_complete(reception: &Reception) -> Result<(), SpoolError> {
    if reception.moves.is_empty() && !reception.is_repetition() {
        return Err(SpoolError::Peer {
            path: reception.staged_path(),
            reason: "not complete".to_owned(),
        });
    }
    Ok(())
}

/// Gives one file its name, if it is of the kind whose turn it is; tells which directories must be synced.
fn place(
    reception: &Reception,
    execute_files: bool,
    folders: &mut BTreeSet<PathBuf>,
) -> Result<(), SpoolError> {
    if let Target::Outside(destination) = &reception.target {
        return if execute_files {
            Ok(())
        } else {
            destination.place(&reception.staged_name)
        };
    }
    for each in &reception.moves {
        let is_execute = each.to.parent().is_some_and(|p| p.ends_with("X."));
        if is_execute == execute_files {
            durable::rename_new_making(&each.from, &each.to)?;
            folders.extend(each.to.parent().map(Path::to_path_buf));
        }
    }
    Ok(())
}

/// Does the renames that a crash has cut; what is not there any more is in its place. What cannot be moved now, out of the spool, is
/// left for another time, and given back with the reason: mail comes meanwhile.
pub(super) fn finish_unfinished(
    receipts: &mut Receipts,
) -> Result<Vec<(Key, SpoolError)>, SpoolError> {
    let spool = receipts.root().to_path_buf();
    let mut folders = BTreeSet::new();
    let (mut done, mut failed, mut stuck) = (Vec::new(), Vec::new(), Vec::new());
    for (key, moves) in receipts.unfinished() {
        let is_outside = |each: &Move| !each.to.starts_with(&spool);
        match finish_moves(&moves, &spool, &mut folders) {
            Ok(()) => done.push(key),
            Err(SpoolError::Unplaceable { .. }) => failed.push(key),
            Err(error) if is_taken(&error) => failed.push(key),
            Err(error) if moves.iter().all(is_outside) => stuck.push((key, error)),
            Err(error) => return Err(error),
        }
    }
    folders
        .iter()
        .try_for_each(|folder| durable::sync_directory(folder))?;
    receipts.done(&done)?;
    if !failed.is_empty() {
        receipts.void(&failed)?;
    }
    Ok(stuck)
}

/// Whether the directory of a file is not there, as when its file system is not mounted: then nobody can say that the file has its
/// place.
fn is_away(path: &Path) -> bool {
    path.parent().is_some_and(|folder| !folder.exists())
}

fn finish_moves(
    moves: &[Move],
    spool: &Path,
    folders: &mut BTreeSet<PathBuf>,
) -> Result<(), SpoolError> {
    for each in moves {
        let name = each.to.file_name().unwrap_or_default();
        let spool_file =
            each.to.starts_with(spool) && SpoolName::parse(name.as_encoded_bytes()).is_ok();
        if !each.from.exists() {
            if !spool_file && is_away(&each.to) {
                return Err(SpoolError::Unplaceable {
                    path: each.to.clone(),
                    source: io::ErrorKind::NotFound.into(),
                });
            }
            continue;
        }
        if spool_file {
            durable::rename_new_making(&each.from, &each.to)?;
        } else {
            durable::rename_over(&each.from, &each.to).map_err(judged)?;
        }
        folders.extend(each.to.parent().map(Path::to_path_buf));
    }
    Ok(())
}
