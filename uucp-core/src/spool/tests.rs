//! What the tests of the spool share: a spool in a folder of its own.

pub(super) mod deliveries;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Draft, Spool, SpoolPaths, StageKind, Staged};
use crate::name::{Grade, JobId, SpoolKind, SystemName};
use crate::wire::command::{ExecuteRequest, Request, RequestOptions, SendRequest};

/// A spool that goes when the value goes.
pub(crate) struct TestSpool {
    pub(crate) spool: Spool,
    folder: tempfile::TempDir,
}

impl TestSpool {
    pub(crate) fn new() -> Self {
        Self::named("alpha")
    }

    pub(crate) fn named(node: &str) -> Self {
        // In memory where there is such a place: the tests are about the order of syncs, not about the disk's time for them.
        let folder = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let spool = Spool::open_at(SpoolPaths {
            nodename: node.parse().unwrap(),
            root: folder.path().join("spool"),
            lockdir: folder.path().join("lock"),
        })
        .unwrap();
        Self { spool, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All files of the spool but those of our own folder, relative to it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.spool.root(), &mut found);
        let mut names: Vec<String> = found
            .iter()
            .map(|path| path.strip_prefix(self.spool.root()).unwrap())
            .map(|path| path.to_str().unwrap().to_owned())
            .filter(|path| !path.starts_with(super::layout::DOT_FOLDER))
            .collect();
        names.sort();
        names
    }

    /// Lets observed time pass, as the clock file counts it.
    pub(crate) fn let_pass(&self, time: std::time::Duration) {
        let now = self.spool.observed_now().unwrap().0;
        let path = self.spool.own_folder("clock");
        let count = std::fs::read_to_string(&path).unwrap();
        let (observed, clocks) = count.split_once(' ').unwrap();
        let later = observed.parse::<u64>().unwrap() + time.as_secs();
        std::fs::write(&path, format!("{later} {clocks}")).unwrap();
        assert!(self.spool.observed_now().unwrap().0 >= now + time.as_secs());
    }

    /// Files in the making.
    pub(crate) fn in_the_making(&self) -> usize {
        let mut found = Vec::new();
        walk(&self.spool.new_folder(), &mut found);
        found.len()
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

pub(crate) fn beta() -> SystemName {
    "beta".parse().unwrap()
}

pub(crate) fn grade(byte: u8) -> Grade {
    Grade::parse(byte).unwrap()
}

/// A staged message and the request that sends it.
pub(crate) fn mail(
    spool: &Spool,
    grade: Grade,
    content: &[u8],
) -> std::io::Result<(Request, Staged)> {
    let mut staged = spool
        .stage(&beta(), StageKind::Data)
        .map_err(std::io::Error::other)?;
    staged.write_all(content)?;
    let name = staged.name().as_bytes().to_vec();
    let request = Request::Execute(ExecuteRequest {
        file: SendRequest {
            from: name.clone(),
            to: spool.peer_name(SpoolKind::Data, grade).as_bytes().to_vec(),
            user: b"uucp".to_vec(),
            options: RequestOptions::new(b"C"),
            temp: name,
            mode: 0o666,
            notify: Vec::new(),
            size: None,
        },
        command: b"rmail joe@x.example".to_vec(),
    });
    Ok((request, staged))
}

/// A job that is to send this message.
pub(crate) fn draft(spool: &Spool, content: &[u8]) -> std::io::Result<Draft> {
    let (request, staged) = mail(spool, Grade::DEFAULT, content)?;
    Ok(Draft {
        system: beta(),
        grade: Grade::DEFAULT,
        requests: vec![request],
        staged: vec![staged],
    })
}

/// Queues one message.
pub(crate) fn queue_mail(spool: &Spool, grade: Grade, content: &[u8]) -> Result<JobId, String> {
    let (request, staged) = mail(spool, grade, content).map_err(|e| e.to_string())?;
    spool
        .queue(&beta(), grade, &[request], vec![staged])
        .map_err(|e| e.to_string())
}
