//! `--convert`: HDB files into Taylor's, into a new directory or on standard output.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::hdb::{self, ConvertedFile};
use crate::sysexits::{Failure, Status};

/// Converts the files of `from`.
pub(super) fn run(from: &Path, to: Option<&Path>) -> Result<ExitCode, Failure> {
    let converted = hdb::convert(from, &uucico())
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

/// Where this program lies, there lies uucico.
fn uucico() -> PathBuf {
    let ours = std::env::current_exe().unwrap_or_default();
    let usual = || Path::new("/usr/lib/bangpath").to_owned();
    ours.parent()
        .map_or_else(usual, Path::to_owned)
        .join("uucico")
}

fn print(files: &[ConvertedFile]) {
    let mut stdout = io::stdout().lock();
    for file in files {
        // Who stops reading has seen enough.
        let _ = write!(stdout, "# --- {}\n{}", file.name, file.text);
    }
}

/// Writes files where none are, with modes that no umask changes: who queues reads all of them.
fn write(folder: &Path, files: &[ConvertedFile]) -> io::Result<()> {
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"))
    };
    let mode = |bits| Permissions::from_mode(bits);
    fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, mode(0o755)))
        .map_err(told(folder))?;
    for ConvertedFile {
        name,
        text,
        is_secret,
    } in files
    {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(told(&path))?;
        let bits = if *is_secret { 0o640 } else { 0o644 };
        file.set_permissions(mode(bits)).map_err(told(&path))?;
        file.write_all(text.as_bytes()).map_err(told(&path))?;
        file.sync_all().map_err(told(&path))?;
    }
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(told(folder))
}
