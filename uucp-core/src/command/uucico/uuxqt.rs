//! Starting `uuxqt` for the executions that came in.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Arguments;
use crate::config::Config;
use crate::engine::ChildCommand;
use crate::port::spawn;

/// Where `uuxqt` may be when it is not beside this program.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/uucp", "/usr/bin"];

/// How `uuxqt` is started.
#[derive(Debug, Clone)]
pub(super) struct Starter {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Starter {
    pub(super) fn new(config: &Config, arguments: &Arguments) -> Self {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(file) = &config.source {
            words.extend(["-I".into(), file.into()]);
        }
        words.extend(arguments.common.debug_words());
        Self {
            program: find(),
            arguments: words,
        }
    }

    /// Program and arguments, for whoever starts it.
    pub(super) fn command(&self) -> ChildCommand {
        ChildCommand {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
        }
    }

    /// Starts it; waits for its end if asked to. That it is missing is logged by nobody but told here: the executions stay
    /// where they are.
    pub(super) fn start(&self, wait: bool) {
        let mut command = Command::new(&self.program);
        // Whoever reads our output or holds our line must not wait for uuxqt.
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        tracing::debug!(target: "uucp::execute", ?command, "starting");
        match spawn(&mut command) {
            Ok(mut child) if wait => {
                let _ = child.wait();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(target: "uucp::execute", program = %self.program.display(), %error, "cannot start uuxqt");
            }
        }
    }
}

/// The sibling of this program, or the first in the usual places.
fn find() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join("uuxqt")));
    beside
        .into_iter()
        .chain(
            PLACES
                .iter()
                .map(|place| PathBuf::from(place).join("uuxqt")),
        )
        .find(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/usr/sbin/uuxqt"))
}
