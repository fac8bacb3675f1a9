//! Log and Stats, in Taylor's exact formats: what uulog, uustat and people's scripts read.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Zoned;

use super::{durable, fault, sharing};
use crate::config::Config;
use crate::limits::may_be_as_long;
use crate::name::SystemName;
use crate::owner::as_owner_of;

/// Where the lines of the log stand among debugging messages.
pub const LOG_TARGET: &str = "uucp::log";

/// How a line of the log is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Not marked.
    Info,
    /// `ERROR: `
    Error,
    /// `FATAL: `
    Fatal,
    /// `DEBUG: `
    Debug,
}

impl Severity {
    fn mark(self) -> &'static str {
        match self {
            Self::Info => "",
            Self::Error => "ERROR: ",
            Self::Fatal => "FATAL: ",
            Self::Debug => "DEBUG: ",
        }
    }
}

/// One line of Stats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// The user who asked.
    pub user: &'a [u8],
    /// The other system.
    pub system: &'a SystemName,
    /// Whether it was sent from here.
    pub sent: bool,
    /// Whether it failed on the way.
    pub failed: bool,
    /// How many bytes.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Over which port; `unknown` if none is known.
    pub port: Option<&'a str>,
}

/// The two files. Lines are appended whole, in one write each; trouble with them never stops the work and is told through
/// `tracing`.
#[derive(Debug)]
pub struct Journal {
    program: &'static str,
    log: Appender,
    stats: Appender,
}

impl Journal {
    /// The journal of this configuration; `program` is what each line of the log begins with.
    #[must_use]
    pub fn open(config: &Config, program: &'static str) -> Self {
        let mut journal = Self::open_at(program, &config.logfile, &config.statfile);
        for file in [&mut journal.log, &mut journal.stats] {
            file.spool = Some(config.spool.clone());
        }
        journal
    }

    /// As [`Journal::open`], with the paths given.
    #[must_use]
    pub fn open_at(program: &'static str, log: &Path, stats: &Path) -> Self {
        Self {
            program,
            log: Appender::new(log),
            stats: Appender::new(stats),
        }
    }

    /// Where the log is.
    #[must_use]
    pub fn log_path(&self) -> &PathBuf {
        &self.log.path
    }

    /// Whether the log can be written: who writes lines is never stopped, so nobody would know.
    ///
    /// # Errors
    /// One line that says why not.
    pub fn check(&mut self) -> Result<(), String> {
        let opened = self.log.current().map(drop);
        opened.map_err(|error| {
            let path = self.log.path.display();
            format!("{path}: the log cannot be written, nothing of this run will be in it: {error}")
        })
    }

    /// Writes one line of the log. System and user are `-` where there is none.
    pub fn log(
        &mut self,
        system: Option<&SystemName>,
        user: Option<&[u8]>,
        severity: Severity,
        text: &str,
    ) {
        let line = log_line(
            self.program,
            system,
            user,
            &crate::clock::now(),
            severity,
            text,
        );
        tracing::info!(target: LOG_TARGET, "{}", line.trim_end());
        self.log.append(&line);
    }

    /// Writes one line of Stats.
    pub fn transfer(&mut self, transfer: &Transfer<'_>) {
        self.stats
            .append(&stats_line(transfer, &crate::clock::now()));
    }
}

/// `PROGRAM SYSTEM USER (YYYY-MM-DD HH:MM:SS.cc PID) [MARK]text`
fn log_line(
    program: &str,
    system: Option<&SystemName>,
    user: Option<&[u8]>,
    now: &Zoned,
    severity: Severity,
    text: &str,
) -> String {
    format!(
        "{program} {} {} ({} {}) {}{}\n",
        system.map_or("-", SystemName::as_str),
        word(user.unwrap_or_default()),
        stamp(now),
        std::process::id(),
        severity.mark(),
        clean(text.as_bytes()),
    )
}

/// `USER SYSTEM (date time.cc) [failed after ]sent|received N bytes in S.mmm seconds (R bytes/sec) on port P`
fn stats_line(transfer: &Transfer<'_>, now: &Zoned) -> String {
    let milliseconds = transfer.elapsed.as_millis();
    // As long as a clock tick is the shortest time there is, for the rate.
    let rate = u128::from(transfer.bytes) * 1000 / milliseconds.max(1);
    format!(
        "{} {} ({}) {}{} {} bytes in {}.{:03} seconds ({rate} bytes/sec) on port {}\n",
        word(transfer.user),
        transfer.system,
        stamp(now),
        if transfer.failed { "failed after " } else { "" },
        if transfer.sent { "sent" } else { "received" },
        transfer.bytes,
        milliseconds / 1000,
        milliseconds % 1000,
        clean(transfer.port.unwrap_or("unknown").as_bytes()),
    )
}

/// `2026-11-20 11:50:07.42`, local time.
fn stamp(now: &Zoned) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:02}",
        now.year(),
        now.month(),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        now.millisecond() / 10,
    )
}

/// Longer than any user's name. A peer may say anything.
const WORD: usize = 64;

/// A word of a line: `-` where there is none, no blanks inside, and what is too long is cut.
fn word(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    match bytes.get(..WORD) {
        Some(begin) if bytes.len() > WORD => format!("{}...", word(begin)),
        _ => clean(bytes).replace(' ', "\\040"),
    }
}

/// What a peer or a message supplied cannot make lines of its own, nor move a terminal's cursor: control characters and
/// what is not UTF-8 are escaped.
fn clean(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || turns_text(c) {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(line, "\\{byte:03o}");
        }
    }
    line
}

/// Marks that one does not see, and that make a terminal show a line in another order than it has: those of direction and of
/// width nothing, and Unicode's own line ends.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A file that lines are appended to; held open, and opened anew when a log rotation has taken it away.
#[derive(Debug)]
struct Appender {
    path: PathBuf,
    /// Whose owner is to have what root makes.
    spool: Option<PathBuf>,
    file: Option<File>,
    complained: bool,
}

impl Appender {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            spool: None,
            file: None,
            complained: false,
        }
    }

    fn append(&mut self, line: &str) {
        let result = self.current().and_then(|file| {
            // A part of a line would become another's beginning.
            let found = file.metadata()?;
            if found.is_file() && !may_be_as_long(found.len() + line.len() as u64) {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            let written = fault::write_all(file, Path::new("journal"), line.as_bytes());
            if written.is_err() && found.is_file() {
                cut_back(file, found.len(), line);
            }
            written
        });
        if let Err(error) = result {
            self.file = None;
            if !self.complained {
                self.complained = true;
                tracing::warn!(target: "uucp::abnormal", "cannot write {}: {error}", self.path.display());
            }
        }
    }

    fn current(&mut self) -> std::io::Result<&File> {
        let same = self.file.as_ref().is_some_and(|file| {
            let identity = |m: std::fs::Metadata| (m.dev(), m.ino());
            let held = file.metadata().map(identity);
            let named = std::fs::metadata(&self.path).map(identity);
            matches!((held, named), (Ok(a), Ok(b)) if a == b)
        });
        if !same {
            let open = || open_for_append(&self.path, self.spool.as_deref());
            let opened = match &self.spool {
                Some(spool) => as_owner_of(spool, open),
                None => open(),
            };
            self.file = Some(opened?);
        }
        self.file
            .as_ref()
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// Takes away the part of a line that a full disk has had room for, unless it is another's line that stands there now.
fn cut_back(file: &File, before: u64, line: &str) {
    let part = before..before + line.len() as u64;
    if file.metadata().is_ok_and(|now| part.contains(&now.len())) {
        let _ = file.set_len(before);
    }
}

fn open_for_append(path: &Path, spool: Option<&Path>) -> std::io::Result<File> {
    let folder = path.parent().unwrap_or(path);
    let owner = spool.unwrap_or(folder);
    let (file, made) = match sharing::open_log(path, durable::FILE_MODE) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if !folder.is_dir() {
                durable::make_directory(folder).map_err(std::io::Error::other)?;
                sharing::give_to_owner(&sharing::open_directory(folder)?, owner);
            }
            sharing::open_log(path, durable::FILE_MODE)?
        }
        other => other?,
    };
    if made {
        sharing::share(&file, owner);
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
