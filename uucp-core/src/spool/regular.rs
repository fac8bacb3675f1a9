//! Opening what should be a file. Whoever shares the spool's group can put a pipe or a terminal in the place of one, and opening
//! or reading that could wait for ever.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Opens a file to be read.
///
/// # Errors
/// When it cannot be opened, or is anything else than a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(path, 0)
}

/// As [`open`], and nothing that somebody in the spool's group has put a link to there.
///
/// # Errors
/// As for [`open`]; also when it is a link.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    open_with(path, nix::libc::O_NOFOLLOW)
}

fn open_with(path: &Path, flags: i32) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY | flags)
        .open(path)?;
    check(&file)?;
    Ok(file)
}

/// What was opened without waiting, and is no file but a pipe that somebody reads, takes whole lines from here on, as a file does.
pub(super) fn written_whole(file: File) -> io::Result<File> {
    if !file.metadata()?.is_file() {
        let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    }
    Ok(file)
}

/// An error, unless this is a file.
pub(super) fn check(file: &File) -> io::Result<()> {
    let found = file.metadata()?.file_type();
    if found.is_file() {
        Ok(())
    } else if found.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other(OtherThing))
    }
}

/// Whether it failed because a pipe or a device has the name of a file.
pub(super) fn is_other_thing(error: &io::Error) -> bool {
    // A socket cannot even be opened.
    let inner = error.get_ref();
    error.raw_os_error() == Some(nix::libc::ENXIO)
        || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<OtherThing>)
}

#[derive(Debug, thiserror::Error)]
#[error("{}", NO_FILE)]
struct OtherThing;

/// What is told of it.
pub(super) const NO_FILE: &str = "a pipe, a socket or a device, where a file belongs";

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::super::tests::{TestSpool, queue_mail};
    use super::super::{Journal, Severity, SpoolError, durable};
    use super::*;
    use crate::name::{Grade, SystemName};

    fn put_pipe(path: &Path) {
        let _ = std::fs::remove_file(path);
        durable::make_directory(path.parent().unwrap()).unwrap();
        mkfifo(path, Mode::from_bits_truncate(0o660)).unwrap();
    }

    // Were one of these pipes waited for, its test would hang.

    #[test]
    fn only_a_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        open(&at("file")).unwrap();
        put_pipe(&at("pipe"));
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for other in [&at("pipe"), &at("socket"), Path::new("/dev/zero")] {
            assert!(is_other_thing(&open(other).unwrap_err()), "{other:?}");
            let read = durable::read_small(other, 10).unwrap_err();
            assert!(matches!(read, SpoolError::Corrupt { .. }), "{read}");
        }
        for other in ["missing", ""] {
            assert!(!is_other_thing(&open(&at(other)).unwrap_err()));
        }
    }

    #[test]
    fn a_pipe_among_the_jobs_is_set_aside_and_holds_nothing_up() {
        let test = TestSpool::new();
        let beta: SystemName = "beta".parse().unwrap();
        let job = queue_mail(&test.spool, Grade::DEFAULT, b"mail").unwrap();
        let name = crate::name::SpoolName::parse(b"C.NPIPEPIPE1").unwrap();
        put_pipe(&test.spool.data_path(&beta, &name));
        let read = test.spool.read_work(&beta, &name).unwrap_err();
        assert!(matches!(read, SpoolError::Corrupt { .. }), "{read}");
        test.spool.set_aside_work(&beta, &name).unwrap();
        test.spool.read_work(&beta, &job.work).unwrap();
    }

    #[test]
    fn pipes_in_the_place_of_our_own_files_hold_nothing_up() {
        let test = TestSpool::new();
        let spool = &test.spool;
        let beta: SystemName = "beta".parse().unwrap();
        put_pipe(&spool.own_folder("clock"));
        let now = spool.observed_now().unwrap();
        assert!(spool.observed_now().unwrap() >= now);
        put_pipe(&spool.root().join(".Status/beta"));
        assert!(spool.status(&beta).unwrap().is_none());
        put_pipe(&spool.own_folder("new").join("pipe"));
        put_pipe(&spool.own_folder("receipts").join("beta"));
        let lock = spool.lock_system(&beta).unwrap();
        let mut inbox = spool.inbox(&lock).unwrap();
        assert!(inbox.load().is_err());
    }

    #[test]
    fn a_pipe_for_a_log_is_written_to_where_somebody_reads_it_and_never_waited_for() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("Log");
        mkfifo(&log, Mode::S_IRWXU).unwrap();
        let mut journal = Journal::open_at("uucico", &log, &folder.path().join("Stats"));
        // Nobody reads: were it waited for, this test would hang.
        journal.log(None, None, Severity::Info, "lost");
        let mut reader = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&log)
            .unwrap();
        journal.log(None, None, Severity::Info, "read");
        let mut line = [0; 200];
        let length = reader.read(&mut line).unwrap();
        assert!(line[..length].ends_with(b") read\n"));
        let (written, _) = super::super::sharing::open_log(&log, 0o660).unwrap();
        let flags = OFlag::from_bits_retain(fcntl(&written, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK), "{flags:?}");
    }
}
