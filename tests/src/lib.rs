//! The harness of the scenarios with real peers, and of the demo.
//!
//! One module, one question: [`programs`] where an executable is, [`peers`] where Debian's are, [`process`] how one is run
//! without ever waiting for ever, [`node`] what a UUCP system is on disk, [`queue`] how jobs come into its spool, [`middle`] a
//! line that is cut, [`addresses`] one that many use, [`host`] a root directory with namespaces of its own, [`mail_host`] a
//! real MTA in one, [`bad_input`] what has cost mail somewhere, [`strace`] and [`durability`] what a program had made durable when it answered; [`alone`] one program
//! without any peer, and [`sink`] the server that it hands mail over to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::print_stdout,
    clippy::must_use_candidate,
    reason = "a harness: a broken precondition stops the test where it is, with its reason"
)]

pub mod addresses;
pub mod alone;
pub mod bad_input;
pub mod blackhole;
pub mod correspondent;
pub mod durability;
pub mod host;
pub mod letters;
pub mod long_line;
pub mod mail_host;
pub mod mailbag;
pub mod maildir;
pub mod middle;
pub mod nncp;
pub mod node;
pub mod payload;
pub mod peers;
pub mod ports;
pub mod process;
pub mod programs;
#[path = "../../uucp-core/src/pty.rs"]
mod pty;
pub mod queue;
pub mod receiving;
#[path = "../../uucp-core/src/runnable.rs"]
mod runnable;
pub mod scale;
pub mod serial;
pub mod sink;
#[path = "../../uucp-core/src/skip.rs"]
mod skipped;
pub mod small_disk;
pub mod smtp;
pub mod strace;
pub mod waiting;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The folder of one scenario: under it lies everything that it makes.
///
/// It goes when the scenario passes; when it panics, it stays and its name is printed.
#[derive(Debug)]
pub struct Site {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Site {
    /// An empty folder that every user may enter.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("bangpath-{name}-"))
            .tempdir()
            .expect("a folder for the scenario");
        open_to_all(folder.path());
        let path = folder.path().to_owned();
        Self {
            folder: Some(folder),
            path,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            println!("left for a look: {}", folder.keep().display());
        }
    }
}

/// Makes a folder that programs of any user can enter.
pub(crate) fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod 755");
}

/// Whether the tests run as root, and so can take the uid of uucp.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The real peers with some layers, or `None` after one line that says which test is skipped and why.
///
/// # Panics
/// In CI (`CI` set), where a skip is a failure.
#[must_use]
pub fn peers_with_or_skip(test: &str, layers: &[peers::Layer]) -> Option<&'static peers::Peers> {
    let peers = peers_or_skip(test)?;
    for layer in layers {
        if let Err(why) = peers.layer(*layer) {
            skip(test, &why);
            return None;
        }
    }
    Some(peers)
}

/// The real peers, or `None` after one line that says which test is skipped and why.
///
/// # Panics
/// In CI (`CI` set), where a skip is a failure.
#[must_use]
pub fn peers_or_skip(test: &str) -> Option<&'static peers::Peers> {
    match peers::peers() {
        Ok(peers) => Some(peers),
        Err(why) => {
            skip(test, why);
            None
        }
    }
}

/// Whether the test runs as root; if not, one line says that it is skipped.
///
/// # Panics
/// In CI (`CI` set), where a skip is a failure.
#[must_use]
pub fn is_root_or_skip(test: &str) -> bool {
    if !is_root() {
        skip(test, "only root can become somebody else");
    }
    is_root()
}

/// Writes a program that everybody may run, over an older one of that name.
///
/// # Panics
/// When it cannot be written.
pub fn write_program(path: &Path, content: impl AsRef<[u8]>) {
    runnable::write_program(path, content);
}

/// Says in a line which test is skipped and why.
///
/// # Panics
/// In CI (`CI` set), where a skip is a failure.
pub fn skip(test: &str, why: &str) {
    skipped::skip(test, why);
}
