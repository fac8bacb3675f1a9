//! Where the executables are: ours, built once, or Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::peers;

/// Whose programs a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This workspace's.
    Ours,
    /// Taylor's, as Debian ships them.
    Taylor,
}

impl Side {
    /// The executable `name` of this side.
    ///
    /// # Panics
    /// When the peers were not provided before: see [`crate::peers_or_skip`].
    pub fn program(self, name: &str) -> PathBuf {
        match self {
            Self::Ours => bin(name),
            Self::Taylor => peers::peers().expect("the peers").taylor(name),
        }
    }
}

/// The workspace's executable `name`; the first call builds them all.
///
/// `cargo test` builds the executables of a package only for tests of that same package, so the harness builds them itself,
/// in the profile and target folder that it was built in.
pub fn bin(name: &str) -> PathBuf {
    let folder = build();
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} was not built: does the workspace have such a program?",
        path.display()
    );
    path
}

/// The folder of the workspace's executables, built and enterable by every user.
pub fn build() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| reachable(&cargo_build(), "programs"))
}

/// The target folder that this executable was built in.
pub fn target_folder() -> PathBuf {
    profile_folder()
        .parent()
        .expect("a profile folder lies in a target folder")
        .to_owned()
}

fn profile_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("the path of this executable");
    let folder = exe.parent().expect("its folder");
    let folder = if folder.ends_with("deps") {
        folder.parent().expect("the profile's folder")
    } else {
        folder
    };
    folder.to_owned()
}

fn cargo_build() -> PathBuf {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What `cargo test` says of this package. To a build script that asks for it (ring's), a build with it is another build, and
    // whatever stands on that would be compiled anew, now and again by the next `cargo test`.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let output = command
        .current_dir(workspace())
        .args(["build", "--workspace", "--bins", "--quiet", "--profile"])
        .arg(profile)
        .arg("--target-dir")
        .arg(target_folder())
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "cargo build failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// `folder`, or a copy of the executables in it where the user uucp can reach them.
///
/// A clone under a home directory of mode 0700 is of no use to programs that run as uucp.
pub(crate) fn reachable(folder: &Path, name: &str) -> PathBuf {
    if !crate::is_root() || is_open(folder) {
        return folder.to_owned();
    }
    let prefix = format!("bangpath-{name}-");
    remove_copies_of_the_dead(&prefix);
    let copy = std::env::temp_dir().join(format!("{prefix}{}", std::process::id()));
    std::fs::create_dir(&copy).expect("a folder for the copies");
    crate::open_to_all(&copy);
    for entry in std::fs::read_dir(folder)
        .expect("the executables")
        .flatten()
    {
        let from = entry.path();
        let is_program = from.is_file() && from.extension().is_none();
        if is_program {
            let program = std::fs::read(&from).expect("a program");
            crate::write_program(&copy.join(entry.file_name()), program);
        }
    }
    copy
}

/// Copies that a process which has ended left behind; nothing can run at the end of every process, so the next one cleans.
fn remove_copies_of_the_dead(prefix: &str) {
    let entries = std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let owned_by_us = std::fs::symlink_metadata(entry.path())
            .is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0 && found.is_dir());
        if let Some(pid) = pid
            && owned_by_us
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_open(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    folder.ancestors().all(|step| {
        std::fs::metadata(step).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    })
}
