//! `-x` and the `debug` command: messages of the kinds asked for are appended to the Debug file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::config::{Config, DebugKind};

/// Starts writing the Debug file, where the configuration asks for any kind. Trouble with it never stops a program: it is
/// told on standard error.
pub(super) fn start(config: &Config) {
    if config.debug.is_empty() {
        return;
    }
    let kinds = DebugKind::ALL
        .into_iter()
        .filter(|kind| config.debug.contains(*kind));
    let directives = kinds.filter_map(|kind| {
        let directive: Result<Directive, _> = format!("uucp::{}=trace", kind.word()).parse();
        directive.ok()
    });
    // What is worth a warning is written whatever kinds were asked for.
    let filter = directives.fold(EnvFilter::new("warn"), EnvFilter::add_directive);
    // Chat scripts and files of users pass through it.
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&config.debugfile);
    match opened {
        Ok(file) => {
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(false)
                .with_writer(Mutex::new(file))
                .finish();
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
        Err(error) => {
            let path = config.debugfile.display();
            eprintln!("cannot write debugging messages to {path}: {error}");
        }
    }
}
