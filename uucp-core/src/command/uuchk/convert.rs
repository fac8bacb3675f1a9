//! `--convert`: HDB files into Taylor's, into a new directory or on standard output.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

use crate::config::hdb;
use crate::sysexits::{Failure, Status};

/// Converts the files of `from`.
pub(super) fn run(from: &Path, to: Option<&Path>) -> Result<ExitCode, Failure> {
    let converted = hdb::convert(from)
        .map_err(|error| Failure::new(Status::Configuration, error.to_string()))?;
    match to {
        Some(to) => write(to, &converted.files)
            .map_err(|error| Failure::new(Status::CannotCreate, error.to_string()))?,
        None => print(&converted.files),
    }
    let mut stderr = io::stderr().lock();
    for note in converted.notes {
        let _ = writeln!(stderr, "uuchk: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

fn print(files: &[(&str, String)]) {
    let mut stdout = io::stdout().lock();
    for (name, text) in files {
        // Who stops reading has seen enough.
        let _ = write!(stdout, "# --- {name}\n{text}");
    }
}

/// Writes files where none are; they may hold passwords.
fn write(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"))
    };
    fs::DirBuilder::new()
        .mode(0o750)
        .create(folder)
        .map_err(told(folder))?;
    for (name, text) in files {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(told(&path))?;
        file.write_all(text.as_bytes()).map_err(told(&path))?;
        file.sync_all().map_err(told(&path))?;
    }
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(told(folder))
}
