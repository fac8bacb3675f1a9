//! The files of a job: a directory of its own to run in, its standard input, and where its standard output goes.
//!
//! Nothing that the job names is trusted. A local file is opened first and judged by the name that the system gives the
//! open file, so that no link and no race leads out of what is permitted.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use tempfile::NamedTempFile;

use super::arguments::{local_path, run_name};
use crate::config::Settings;
use crate::name::{SpoolName, SystemName};
use crate::report::note::shown;
use crate::spool::{ExecuteFile, Execution, Spool, regular};

/// The folder in the spool that holds one directory for every command that runs.
const DIRECTORIES: &str = ".Execute";

/// Permission bits of a file that a command's output becomes, outside the spool.
const OUTPUT_MODE: u32 = 0o644;

/// Why a job is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It never can be.
    ForGood(String),
    /// It may be another time.
    Later(String),
}

impl Trouble {
    fn later(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Later(format!("cannot {what} {}: {error}", path.display()))
    }
}

/// A directory that one command runs in; removed with whatever the command left there.
#[derive(Debug)]
pub(super) struct RunDirectory(PathBuf);

impl RunDirectory {
    /// Makes the directory and puts the files into it that the job wants under names of their own.
    pub(super) fn make(
        spool: &Spool,
        execution: &Execution,
        file: &ExecuteFile,
    ) -> Result<Self, Trouble> {
        let parent = spool.root().join(DIRECTORIES);
        let path = parent.join(format!("{}.{}", execution.system, execution.name));
        make_empty(&parent, &path).map_err(|error| Trouble::later("make", &path, &error))?;
        let directory = Self(path);
        for wanted in &file.files {
            let Some(name) = &wanted.run_name else {
                continue;
            };
            let plain = run_name(name).ok_or_else(|| {
                Trouble::ForGood(format!("Not permitted to write to {}", shown(name)))
            })?;
            let from = spool.data_path(&execution.system, &wanted.name);
            let to = directory.0.join(plain);
            link_or_copy(&from, &to).map_err(|error| Trouble::later("make", &to, &error))?;
        }
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // The common case, a command that left nothing, is one system call.
        if std::fs::remove_dir(&self.0).is_err() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Removes directories of runs that were killed and whose jobs are gone; a job that is still there empties its own when it
/// runs again.
pub(super) fn sweep(spool: &Spool) {
    let Ok(entries) = std::fs::read_dir(spool.root().join(DIRECTORIES)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let job = name.to_str().and_then(job_of_directory);
        if let Some((system, name)) = job
            && matches!(spool.data_path(&system, &name).try_exists(), Ok(false))
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn job_of_directory(name: &str) -> Option<(SystemName, SpoolName)> {
    let (system, _) = name.split_once(".X.")?;
    let job = name.strip_prefix(system)?.strip_prefix('.')?;
    Some((system.parse().ok()?, job.parse().ok()?))
}

/// Makes a directory that nobody else can enter. What an execution that was killed left there goes first: we hold the
/// lock of the job, so nobody uses it.
fn make_empty(parent: &Path, path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    for _ in 0..3 {
        match builder.create(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match DirBuilder::new().mode(0o770).create(parent) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_dir_all(path)?;
            }
            Err(error) => return Err(error),
        }
    }
    builder.create(path)
}

/// Never onto what is there: it would be another file of the job, under its second name.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            io::copy(&mut regular::open_itself(from)?, &mut File::create_new(to)?).map(drop)
        }
        Err(error) => Err(error),
        // The command would follow it.
        Ok(()) if std::fs::symlink_metadata(to)?.is_file() => Ok(()),
        Ok(()) => Err(io::Error::other("it is not a regular file")),
    }
}

/// Opens what the job names as its standard input; `None`: it names nothing.
pub(super) fn open_stdin(
    spool: &Spool,
    execution: &Execution,
    file: &ExecuteFile,
    settings: &Settings,
    public: &Path,
) -> Result<Option<File>, Trouble> {
    let Some(name) = &file.stdin else {
        return Ok(None);
    };
    if let Ok(data) = SpoolName::parse(name) {
        let path = spool.data_path(&execution.system, &data);
        return regular::open_itself(&path)
            .map(Some)
            .map_err(|error| Trouble::later("open", &path, &error));
    }
    let refused = || Trouble::ForGood(format!("Not permitted to read {}", shown(name)));
    let path = local_path(name, public).ok_or_else(refused)?;
    // Without waiting: the name of a pipe must not hold the job.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => refused(),
            _ => Trouble::later("open", &path, &error),
        })?;
    let real = real_path(&opened).ok_or_else(refused)?;
    if settings.remote_send.permits(&real, public) && everyone_may_read(&opened, &real) {
        Ok(Some(opened))
    } else {
        Err(refused())
    }
}

/// The name that the system has for an open file, all links resolved.
fn real_path(file: &File) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

/// The peer demands it of every file that it hands out: world-readable, all the way up.
fn everyone_may_read(file: &File, real: &Path) -> bool {
    let readable = file
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.mode() & 0o004 != 0);
    readable
        && real.ancestors().skip(1).all(|directory| {
            std::fs::metadata(directory).is_ok_and(|meta| meta.mode() & 0o001 != 0)
        })
}

/// Where a command's standard output goes.
#[derive(Debug)]
pub(super) enum Output {
    /// Nowhere.
    Discarded,
    /// Into a file of this system, which appears when the command has succeeded.
    Local {
        /// The file in the making, beside its place.
        made: NamedTempFile,
        /// Its place.
        target: PathBuf,
    },
    /// To another system, when the command has succeeded.
    Remote {
        /// What was written; has no name.
        made: File,
        /// The system.
        system: SystemName,
        /// What the file is to be called there.
        name: Vec<u8>,
    },
}

impl Output {
    /// Makes the file that the command's standard output is written to.
    pub(super) fn make(
        spool: &Spool,
        file: &ExecuteFile,
        settings: &Settings,
        public: &Path,
    ) -> Result<Self, Trouble> {
        let Some((name, system)) = &file.stdout else {
            return Ok(Self::Discarded);
        };
        match system {
            Some(system) if system != spool.nodename().as_bytes() => {
                let system = SystemName::parse(system)
                    .map_err(|error| Trouble::ForGood(format!("Bad output system: {error}")))?;
                let parent = spool.root().join(DIRECTORIES);
                let made = tempfile::tempfile_in(&parent)
                    .map_err(|error| Trouble::later("make a file in", &parent, &error))?;
                Ok(Self::Remote {
                    made,
                    system,
                    name: name.clone(),
                })
            }
            _ => Self::make_local(name, settings, public),
        }
    }

    fn make_local(name: &[u8], settings: &Settings, public: &Path) -> Result<Self, Trouble> {
        let refused = || Trouble::ForGood(format!("Not permitted to write to {}", shown(name)));
        if SpoolName::parse(name).is_ok() {
            return Err(refused());
        }
        let path = local_path(name, public).ok_or_else(refused)?;
        let (Some(parent), Some(last)) = (path.parent(), path.file_name()) else {
            return Err(refused());
        };
        // Everything below happens in this directory, whatever its name comes to mean meanwhile.
        let parent = parent.canonicalize().map_err(|_| refused())?;
        let target = parent.join(last);
        let writable =
            std::fs::metadata(&parent).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o002 != 0);
        if !writable || target.is_dir() || !settings.remote_receive.permits(&target, public) {
            return Err(refused());
        }
        let made = tempfile::Builder::new()
            .prefix(".uuxqt.")
            .permissions(std::fs::Permissions::from_mode(OUTPUT_MODE))
            .tempfile_in(&parent)
            .map_err(|error| Trouble::later("make a file in", &parent, &error))?;
        Ok(Self::Local { made, target })
    }

    /// The descriptor for the command; `None` for `/dev/null`.
    pub(super) fn for_command(&self) -> Result<Option<File>, Trouble> {
        let file = match self {
            Self::Discarded => return Ok(None),
            Self::Local { made, .. } => made.as_file(),
            Self::Remote { made, .. } => made,
        };
        file.try_clone()
            .map(Some)
            .map_err(|error| Trouble::Later(format!("cannot open the command's output: {error}")))
    }
}
