//! `-x` and the `debug` commands: messages of the kinds asked for are appended to the Debug file.
//!
//! A call may add kinds of its own ([`add`]), so the filter can be changed while the program runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{Config, DebugKind, DebugSet};
use crate::engine::system_of_call;
use crate::owner::{as_owner_of, as_starter_still, is_lent};
use crate::port::stderr_is_the_line;
use crate::spool::{LOG_TARGET, open_log};

/// The filter of this program, once it has begun.
static SWITCH: OnceLock<Switch> = OnceLock::new();

/// What changes a filter.
struct Switch {
    /// The kinds of the program itself.
    own: DebugSet,
    filter: reload::Handle<Targets, Registry>,
}

impl Switch {
    fn add(&self, kinds: DebugSet) {
        // It fails when there is no subscriber any more: then nobody is to be told either.
        let _ = self.filter.reload(filter(self.own | kinds));
    }
}

/// Starts writing the Debug file, once there is something to write. Trouble with it never stops a program: it is told on
/// standard error.
pub(super) fn start(config: &Config) {
    let file = DebugFile {
        path: config.debugfile.clone(),
        spool: config.spool.clone(),
        silent: stderr_is_the_line(),
        state: Mutex::new(State::Unopened),
    };
    let (subscriber, switch) = subscriber(config.debug, file);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        let _ = SWITCH.set(switch);
    }
}

/// Writes these kinds too from now on, instead of those that were added before.
pub(super) fn add(kinds: DebugSet) {
    if let Some(switch) = SWITCH.get() {
        switch.add(kinds);
    }
}

fn subscriber<W>(own: DebugSet, writer: W) -> (impl Subscriber + Send + Sync, Switch)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (layer, filter) = reload::Layer::new(filter(own));
    let written = fmt::layer()
        .with_ansi(false)
        .with_timer(TimeAndSystem)
        .with_writer(writer);
    let subscriber = Registry::default().with(layer).with(written);
    (subscriber, Switch { own, filter })
}

/// What a line begins with: when, and in the call with which system; `-` outside of calls, as in the Log.
struct TimeAndSystem;

impl FormatTime for TimeAndSystem {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        SystemTime.format_time(w)?;
        match system_of_call() {
            Some(system) => write!(w, " {system}"),
            None => w.write_str(" -"),
        }
    }
}

fn filter(kinds: DebugSet) -> Targets {
    if kinds.is_empty() {
        return Targets::new();
    }
    // What is worth a warning is written whatever kinds were asked for.
    let targets = Targets::new().with_default(LevelFilter::WARN);
    let wanted = DebugKind::ALL
        .into_iter()
        .filter(|kind| kinds.contains(*kind));
    let targets = targets.with_targets(wanted.map(|kind| {
        let target = format!("uucp::{}", kind.word().replace('-', "_"));
        (target, LevelFilter::TRACE)
    }));
    // The lines of the Log stand between the messages, so that the order of things can be seen.
    targets.with_target(LOG_TARGET, LevelFilter::INFO)
}

/// The Debug file: opened by the first message.
struct DebugFile {
    path: PathBuf,
    /// Whose owner is to have what root makes.
    spool: PathBuf,
    /// Standard error is the line to the peer: nothing may be said there.
    silent: bool,
    state: Mutex<State>,
}

enum State {
    Unopened,
    Open(File),
    Failed,
}

impl DebugFile {
    fn open(&self) -> State {
        // Chat scripts and files of users pass through it.
        let open = || open_log(&self.path, 0o600);
        // Anybody can ask for messages: they go where he may write. Once that cannot be told any more, nobody waits for his
        // terminal either.
        let opened = if is_lent() {
            as_starter_still(open)
        } else {
            Some(as_owner_of(&self.spool, open))
        };
        match opened {
            None => State::Failed,
            Some(Ok((file, _))) => State::Open(file),
            Some(Err(error)) => {
                if !self.silent {
                    let path = self.path.display();
                    eprintln!("cannot write debugging messages to {path}: {error}");
                }
                State::Failed
            }
        }
    }
}

impl Write for &DebugFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Unopened) {
            *state = self.open();
        }
        match &mut *state {
            State::Open(file) => file.write(bytes),
            State::Unopened | State::Failed => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for DebugFile {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn kinds(text: &str) -> DebugSet {
        DebugSet::parse(text).unwrap()
    }

    fn speak() {
        tracing::debug!(target: "uucp::chat", "of chat");
        tracing::trace!(target: "uucp::uucp_proto", "of commands");
        tracing::trace!(target: "uucp::incoming", "of bytes");
        tracing::warn!(target: "uucp::config", "of a warning");
        tracing::info!(target: LOG_TARGET, "of the Log");
        tracing::info!(target: "other", "of a library");
    }

    #[test]
    fn kinds_are_added_for_a_call_and_taken_back() {
        for (own, added, before, during) in [
            ("none", "none", "", ""),
            ("none", "chat", "", "chat,a warning,the Log"),
            (
                "chat",
                "uucp-proto",
                "chat,a warning,the Log",
                "chat,commands,a warning,the Log",
            ),
            (
                "all",
                "chat",
                "chat,commands,bytes,a warning,the Log",
                "chat,commands,bytes,a warning,the Log",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("Debug");
            let file = DebugFile {
                path: path.clone(),
                spool: folder.path().to_owned(),
                silent: true,
                state: Mutex::new(State::Unopened),
            };
            let (subscriber, switch) = subscriber(kinds(own), file);
            let mut read = 0;
            let mut said = || {
                speak();
                let text = fs::read_to_string(&path).unwrap_or_default();
                let fresh = text[read..].to_owned();
                read = text.len();
                let of = |line: &str| line.split(": of ").nth(1).unwrap().to_owned();
                fresh.lines().map(of).collect::<Vec<_>>().join(",")
            };
            tracing::subscriber::with_default(subscriber, || {
                assert_eq!(said(), before, "{own}");
                switch.add(kinds(added));
                assert_eq!(said(), during, "{own} and {added}");
                switch.add(DebugSet::NONE);
                assert_eq!(said(), before, "{own}, again");
            });
            let mode = |path| fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
            match mode(&path) {
                Ok(mode) => assert_eq!(mode, 0o600),
                // Nothing was said, so there is no file.
                Err(_) => assert!(before.is_empty() && during.is_empty()),
            }
        }
    }
}
