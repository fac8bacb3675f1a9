//! The few operations that change the disk, each with its order of syncs. Everything else in the spool is made of these.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread::Builder;
use std::time::SystemTime;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::error::At;
use super::fault::{self, step};
use super::sharing::{give_to_group, give_to_owner, open_directory};
use super::{SpoolError, regular, rename};

/// Files of the spool: owner and group uucp, nobody else, whatever the umask.
pub(super) const FILE_MODE: u32 = 0o660;
/// Directories that we make: the group is inherited, so that every member of it can work on the spool.
pub(super) const DIRECTORY_MODE: u32 = 0o2770;

/// Bytes that a file in the making holds back, so that lines are not written one by one. Most mail fits; larger pieces are
/// written as they come.
pub(super) const WRITE_BUFFER: usize = 16 << 10;

/// Makes a directory and those above it, as far as they are missing.
pub(super) fn make_directory(path: &Path) -> Result<(), SpoolError> {
    make_directory_with(path, DIRECTORY_MODE)
}

/// As [`make_directory`], with the mode given.
pub(super) fn make_directory_with(path: &Path, mode: u32) -> Result<(), SpoolError> {
    if path.is_dir() {
        return Ok(());
    }
    step("mkdir", path).at("create", path)?;
    let created = match DirBuilder::new().mode(mode & 0o777).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or(e).at("create", path)?;
            make_directory_with(parent, mode)?;
            match DirBuilder::new().mode(mode & 0o777).create(path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                other => other,
            }
        }
        other => other,
    };
    created.at("create", path)?;
    let directory = open_directory(path).at("open", path)?;
    if let Some(parent) = path.parent() {
        give_to_group(&directory, parent);
    }
    directory
        .set_permissions(Permissions::from_mode(mode))
        .at("set the mode of", path)?;
    if let Some(parent) = path.parent() {
        give_to_owner(&directory, parent);
        sync_directory(parent)?;
    }
    Ok(())
}

/// Creates a file that must not exist, with the mode given whatever the umask says.
pub(super) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    step("create", path)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(parent) = path.parent() {
        give_to_owner(&file, parent);
    }
    Ok(file)
}

/// As [`create_new`]; the directory is made if it is missing.
pub(super) fn create_new_in(directory: &Path, name: &str) -> Result<File, SpoolError> {
    let path = directory.join(name);
    match create_new(&path, FILE_MODE) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make_directory(directory)?;
            create_new(&path, FILE_MODE)
        }
        other => other,
    }
    .at("create", &path)
}

/// Writes all bytes.
pub(super) fn write_all(file: &File, path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    fault::write_all(file, path, bytes).at("write", path)
}

/// Asks for the file's data to be written out, without waiting: several files that are synced after this share the journal's
/// commit. (`POSIX_FADV_DONTNEED` does that on Linux; elsewhere it does no harm.)
pub(super) fn start_writeback(file: &File) {
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

/// Waits until the file's data and size are on the disk.
pub(super) fn sync(file: &File, path: &Path) -> Result<(), SpoolError> {
    step("sync", path).at("sync", path)?;
    file.sync_all().at("sync", path)
}

/// As [`sync`], but for times and the like: what was written in place needs no more.
pub(super) fn sync_data(file: &File, path: &Path) -> Result<(), SpoolError> {
    step("sync", path).at("sync", path)?;
    file.sync_data().at("sync", path)
}

/// How many syncs are under way at once: beyond this a disk gains nothing more.
const SYNCS_AT_ONCE: usize = 4;

/// Up to this many are synced one after the other.
const FEW: usize = 4;

/// Waits until several files (or directories) are on the disk; one answer each, in order.
///
/// Many are synced side by side, because each sync waits for the disk to empty its cache, and the kernel lets syncs that are
/// under way at the same time share that. A few are not worth the threads: the first takes the others' data with it in the
/// journal's commit, and threads cost more than the rest.
pub(super) fn sync_all(files: &[(&File, &Path)]) -> Vec<Result<(), SpoolError>> {
    sync_side_by_side(files, |_| "sync")
}

fn sync_side_by_side(
    files: &[(&File, &Path)],
    what: impl Fn(usize) -> &'static str,
) -> Vec<Result<(), SpoolError>> {
    // Tests count steps by thread, so all of them are taken here.
    let numbered = files.iter().enumerate();
    let steps: Vec<io::Result<()>> = numbered
        .map(|(number, (_, path))| step(what(number), path))
        .collect();
    let share = files.len().div_ceil(SYNCS_AT_ONCE).max(FEW);
    let mut shares = files.chunks(share);
    let own = shares.next().unwrap_or_default();
    let synced = std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .map(|share| {
                let thread = Builder::new().spawn_scoped(scope, move || sync_share(share));
                (share, thread)
            })
            .collect();
        let mut synced = sync_share(own);
        for (share, thread) in others {
            let results = thread.ok().and_then(|thread| thread.join().ok());
            // There may be no thread to be had: then it takes longer.
            synced.extend(results.unwrap_or_else(|| sync_share(share)));
        }
        synced
    });
    steps
        .into_iter()
        .zip(synced)
        .zip(files)
        .map(|((step, synced), (_, path))| step.and(synced).at("sync", path))
        .collect()
}

fn sync_share(share: &[(&File, &Path)]) -> Vec<io::Result<()>> {
    share.iter().map(|(file, _)| file.sync_all()).collect()
}

/// As [`sync_all`], for names: waits until the names in these directories are on the disk.
pub(super) fn sync_directories<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<(), SpoolError> {
    sync_with_directories(None, paths)
}

/// As [`sync_directories`], with a file in the same round.
pub(super) fn sync_with_directories<'a>(
    file: Option<(&'a File, &'a Path)>,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<(), SpoolError> {
    let open = open_all(paths)?;
    let directories = open.iter().map(|(file, path)| (file, *path));
    let files: Vec<_> = file.into_iter().chain(directories).collect();
    sync_side_by_side(&files, |_| "sync directory")
        .into_iter()
        .collect()
}

/// Waits until files, and the names in directories, are on the disk, all in one round.
pub(super) fn sync_round<'a>(
    files: &[(&'a File, &'a Path)],
    directories: impl IntoIterator<Item = &'a Path>,
) -> Result<(), SpoolError> {
    let open = open_all(directories)?;
    let directories = open.iter().map(|(file, path)| (file, *path));
    let all: Vec<_> = files.iter().copied().chain(directories).collect();
    let what = |number| {
        if number < files.len() {
            "sync"
        } else {
            "sync directory"
        }
    };
    sync_side_by_side(&all, what).into_iter().collect()
}

fn open_all<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<Vec<(File, &'a Path)>, SpoolError> {
    let open = |path| Ok((File::open(path).at("open", path)?, path));
    paths.into_iter().map(open).collect()
}

/// Waits until the names in a directory are on the disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), SpoolError> {
    step("sync directory", path).at("sync", path)?;
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .at("sync", path)
}

/// Moves a file to a name that nobody has. [`io::ErrorKind::AlreadyExists`] if somebody has.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    step("rename", to)?;
    rename::to_free_name(from, to)
}

/// As [`rename_new`]; the directory of the new name is made if it is missing.
pub(super) fn rename_new_making(from: &Path, to: &Path) -> Result<(), SpoolError> {
    match rename_new(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && from.exists() => {
            if let Some(directory) = to.parent() {
                make_directory(directory)?;
            }
            rename_new(from, to)
        }
        other => other,
    }
    .at("create", to)
}

/// Moves a file to a name, in the place of what has it.
pub(super) fn rename_over(from: &Path, to: &Path) -> Result<(), SpoolError> {
    step("rename", to).at("create", to)?;
    fs::rename(from, to).at("create", to)
}

/// Removes a file; that it is gone already is no error.
pub(super) fn remove(path: &Path) -> Result<(), SpoolError> {
    step("remove", path).at("remove", path)?;
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}

/// Gives `path` this content, whole or not at all; `new` is a name in the same file system that nobody else uses.
/// `synced` waits for the disk.
pub(super) fn replace(
    new: &Path,
    path: &Path,
    mode: u32,
    content: &[u8],
    synced: bool,
) -> Result<(), SpoolError> {
    replace_dated(new, path, mode, content, synced, None)
}

/// As [`replace`]; the file looks as if it had been written at a time.
pub(super) fn replace_dated(
    new: &Path,
    path: &Path,
    mode: u32,
    content: &[u8],
    synced: bool,
    written: Option<SystemTime>,
) -> Result<(), SpoolError> {
    let file = match create_new(new, mode) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = new.parent() {
                make_directory(directory)?;
            }
            create_new(new, mode)
        }
        other => other,
    }
    .at("create", new)?;
    let result = write_all(&file, new, content)
        .and_then(|()| {
            written.map_or(Ok(()), |time| {
                file.set_modified(time).at("set the time of", new)
            })
        })
        .and_then(|()| if synced { sync(&file, new) } else { Ok(()) })
        .and_then(|()| match rename_over(new, path) {
            Err(e) if e.is_not_found() => {
                if let Some(directory) = path.parent() {
                    make_directory(directory)?;
                }
                rename_over(new, path)
            }
            other => other,
        });
    if result.is_err() {
        let _ = remove(new);
    }
    result?;
    match path.parent() {
        Some(directory) if synced => sync_directory(directory),
        _ => Ok(()),
    }
}

/// Reads a small file whole; `None` if it is not there. More than `limit` bytes are no small file.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, SpoolError> {
    use std::io::Read;
    let file = match regular::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if regular::is_other_thing(&e) => {
            return Err(SpoolError::Corrupt {
                path: path.to_path_buf(),
                reason: regular::NO_FILE.to_owned(),
            });
        }
        other => other.at("open", path)?,
    };
    let mut content = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut content)
        .at("read", path)?;
    if content.len() as u64 > limit {
        return Err(SpoolError::Corrupt {
            path: path.to_path_buf(),
            reason: format!("longer than {limit} bytes"),
        });
    }
    Ok(Some(content))
}

/// The names in a directory; none if it is not there.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, SpoolError> {
    let mut names = Vec::new();
    each_name(directory, |name| {
        names.push(name.to_owned());
        true
    })?;
    Ok(names)
}

/// Calls `each` with every name in a directory that is text, until it gives false.
pub(super) fn each_name(
    directory: &Path,
    mut each: impl FnMut(&str) -> bool,
) -> Result<(), SpoolError> {
    let entries = match fs::read_dir(directory) {
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        other => other.at("read", directory)?,
    };
    for entry in entries {
        let name = entry.at("read", directory)?.file_name();
        if let Some(name) = name.to_str()
            && !each(name)
        {
            break;
        }
    }
    Ok(())
}
