//! A full disk, and death, at each step of taking what waits.

use std::collections::BTreeMap;

use super::*;
use crate::spool::fault::{self, Trouble};

/// What is queued: as a record has it, by the names of the batch and of the file.
type Queued = BTreeMap<(PathBuf, PathBuf), Vec<u8>>;

/// Takes and queues what is there; gives what was told.
fn collect(site: &Site, queued: &mut Queued) -> Vec<CollectError> {
    let found = site.drop_box.look().unwrap();
    let mut told = Vec::new();
    let resumed = found.aside.iter().map(|path| site.drop_box.resume(path));
    let taken = found.waiting.iter().map(|one| site.drop_box.take(one));
    for taken in resumed.chain(taken) {
        match taken.and_then(|taken| taken.map_or(Ok(()), |batch| queue(batch, queued, &mut told)))
        {
            Ok(()) => {}
            Err(error) => told.push(error),
        }
    }
    told
}

fn queue(
    mut batch: Batch,
    queued: &mut Queued,
    told: &mut Vec<CollectError>,
) -> Result<(), CollectError> {
    told.extend(batch.take_left());
    for file in batch.files()? {
        let mut content = Vec::new();
        batch.open(&file)?.read_to_end(&mut content).unwrap();
        queued.insert((batch.name().into(), file), content);
    }
    batch.remove()
}

fn mail(number: usize) -> Vec<u8> {
    format!("MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\n{number}\n.\n").into_bytes()
}

/// What is left but for hitching posts that are empty: those go when they are old.
fn left(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let left = entries.filter(|entry| {
        let is_post = entry.file_name().to_str().unwrap().contains(".lock.");
        !is_post || entry.metadata().unwrap().len() > 0
    });
    left.map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn at_no_step_anything_is_lost_or_there_twice() {
    for trouble in [Trouble::DiskFull, Trouble::Death] {
        let mut told = 0;
        for steps in 0.. {
            let site = Site::new();
            for (number, name) in ["hub", "leaf/1", "leaf/2"].iter().enumerate() {
                site.put(name, &mail(number));
            }
            let mut queued = Queued::new();
            fault::arm(steps, trouble);
            let errors = collect(&site, &mut queued);
            let met = fault::disarm();
            assert!(met || errors.is_empty(), "{steps}: {errors:?}");
            for error in &errors {
                let folder = site.directory.path().to_str().unwrap();
                assert!(error.to_string().contains(folder), "{steps}: {error}");
            }
            told += usize::from(!errors.is_empty());
            let errors = collect(&site, &mut queued);
            assert!(errors.is_empty(), "{trouble:?} {steps}: {errors:?}");
            let mut all: Vec<_> = queued.into_values().collect();
            all.sort();
            assert_eq!(all, [mail(0), mail(1), mail(2)], "{trouble:?} {steps}");
            let left = [left(site.directory.path()), left(&site.path("leaf"))].concat();
            assert_eq!(left, ["leaf"], "{trouble:?} {steps}");
            if !met {
                break;
            }
        }
        assert!(told > 15, "{trouble:?}: {told}");
    }
}

/// One who knows no locks has written on after the file was read.
#[test]
fn a_file_that_has_grown_is_not_removed() {
    let site = Site::new();
    site.put("hub/1", &mail(1));
    site.put("hub/2", &mail(2));
    let batch = site.take().unwrap().unwrap();
    let length = mail(1).len() as u64;
    let mut read: Vec<_> = batch
        .files()
        .unwrap()
        .into_iter()
        .zip([length; 2])
        .collect();
    read[1].1 -= 1;
    batch.remove_files(&read).unwrap();
    assert_eq!(batch.files().unwrap(), [batch.path().join("2")]);
}
