//! The thread that talks to the other system, and what is done for it outside of its confinement.
//!
//! What is taken away from a thread stays away, and from everything that it starts; but only from that thread. So a call runs
//! in one of its own, and the main thread does meanwhile what it is asked for: starting `uuxqt`, and opening the files that
//! local users send from where they lie.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, scope};

use super::executions::Executions;
use super::readable::{Reader, refusal};
use crate::config::PathRules;
use crate::limits::Imposed;

/// As much as the main thread has.
const STACK: usize = 8 << 20;

#[derive(Debug)]
enum Request {
    /// An execution has come in.
    Execution(SyncSender<io::Result<()>>),
    /// A file is to be sent from where it lies.
    Open(Wanted, SyncSender<io::Result<Opened>>),
    /// The call is over.
    Over,
}

/// The way to the main thread; without one everything is done on the spot.
#[derive(Debug, Clone, Default)]
pub(super) struct Outside(Option<Sender<Request>>);

impl Outside {
    /// Whether this is the thread of a call, with somebody outside.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Counts an execution that has come in.
    ///
    /// # Errors
    /// When `uuxqt` was to be started and could not.
    pub(super) fn executed(&self) -> io::Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(sender) => ask(sender, Request::Execution),
        }
    }

    /// Opens a file of a local user.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(super) fn open(&self, wanted: Wanted) -> io::Result<Opened> {
        match &self.0 {
            None => wanted.open(),
            Some(sender) => ask(sender, |answer| Request::Open(wanted, answer)),
        }
    }
}

fn ask<T>(
    sender: &Sender<Request>,
    request: impl FnOnce(SyncSender<io::Result<T>>) -> Request,
) -> io::Result<T> {
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let (answer, answered) = sync_channel(1);
    sender.send(request(answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// A file of a user's that is to be sent from where it lies.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    /// Where it must be, by its real name.
    pub(super) rules: PathRules,
    pub(super) pubdir: PathBuf,
    pub(super) reader: Reader,
}

impl Wanted {
    fn open(&self) -> io::Result<Opened> {
        let file = open(&self.path, 0)?;
        let refused = refusal(&file, &self.rules, &self.pubdir, &self.reader)?;
        Ok(refused.map_or(Opened::File(file), Opened::Refused))
    }
}

/// What came of opening it.
#[derive(Debug)]
pub(super) enum Opened {
    File(File),
    /// It may not be sent, and why.
    Refused(&'static str),
}

/// Opens a data file of the spool, and nothing that somebody in the spool's group has put a link to there.
pub(super) fn open_data(path: &Path) -> io::Result<File> {
    open(path, nix::libc::O_NOFOLLOW)
}

/// Opens a file to be sent. What is no file, a fifo for one, must not hold the call up before it is refused.
pub(super) fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY | flags)
        .open(path)
}

/// Tells the main thread that the call is over, also when it ends in a panic.
struct Bell(Sender<Request>);

impl Drop for Bell {
    fn drop(&mut self) {
        let _ = self.0.send(Request::Over);
    }
}

/// Runs a call in a thread of its own, under limits on memory and processor time, and does meanwhile what it asks for.
///
/// # Errors
/// When no thread can be started.
pub(super) fn beside<T: Send>(
    mut executions: Executions,
    call: impl FnOnce(Outside) -> T + Send,
) -> io::Result<T> {
    let (sender, requests) = channel();
    let limits = Imposed::for_a_call();
    scope(|scope| {
        let bell = Bell(sender.clone());
        let talking = Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                let _bell = bell;
                call(Outside(Some(sender)))
            })?;
        serve(&requests, &mut executions, &limits);
        Ok(talking.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn serve(requests: &Receiver<Request>, executions: &mut Executions, limits: &Imposed) {
    // Whoever asked may have gone: then nobody misses the answer.
    while let Ok(request) = requests.recv() {
        match request {
            Request::Execution(answer) => {
                let _ = answer.send(limits.lifted(|| executions.count()));
            }
            Request::Open(wanted, answer) => {
                let _ = answer.send(wanted.open());
            }
            Request::Over => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_thread_serves_until_the_call_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let wanted = |name: &str| Wanted {
            path: folder.path().join(name),
            rules: PathRules::new([folder.path()]),
            pubdir: folder.path().to_owned(),
            reader: Reader::Everybody,
        };
        // The way stays with somebody who lives longer than the call.
        let mut kept = Outside::default();
        let text = beside(Executions::new(None), |outside| {
            kept = outside.clone();
            outside.executed().unwrap();
            assert!(outside.open(wanted("missing")).is_err());
            match outside.open(wanted("file")).unwrap() {
                Opened::File(file) => io::read_to_string(file).unwrap(),
                Opened::Refused(why) => panic!("{why}"),
            }
        });
        assert_eq!(text.unwrap(), "content");
        let gone = kept.open(wanted("file")).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }
}
