//! Debian's packages: which ones a program needs, fetched and unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What maintainer scripts need and running programs do not; most of it is perl.
const UNWANTED: &[&str] = &[
    "perl",
    "perl-modules",
    "libperl",
    "libgdbm",
    "libnumber-",
    "libtext-",
    "libfile-",
    "libdb5.3-",
    "adduser",
    "debconf",
    "cron",
    "sensible-utils",
    "usrmerge",
    "init-system-helpers",
    "bsd-mailx",
    "e2fsprogs",
    "libext2fs",
    "libss2",
    "logsave",
    "openssl",
    "ssl-cert",
    "cpio",
    "libpam-runtime",
    "sysvinit-utils",
    "lsb-base",
    "gcc-12-base",
    "gcc-14-base",
    "dpkg",
    "make",
    "procps",
    "libproc2",
];

/// How long to wait for the mirror, or for the line to it, before the next try; together some minutes.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
];

/// `apt-get` with its state under `target/`, so that the machine's own stays as it is.
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Ready to fetch.
    pub(super) fn prepare(folder: &Path) -> Result<Self, String> {
        let folder = folder.join("apt");
        for part in ["lists/partial", "archives/partial", "debs"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
        }
        fs::write(folder.join("status"), "").map_err(|error| error.to_string())?;
        Ok(Self { folder })
    }

    fn has_lists(&self) -> bool {
        let lists = fs::read_dir(self.folder.join("lists"));
        lists
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    }

    /// Fetches `wanted` with all they need, except packages whose names begin as `without` say, and names them.
    ///
    /// What is resolved is resolved against an *empty* list of installed packages, so that the result does not depend on the
    /// machine.
    pub(super) fn fetch(&self, wanted: &[&str], without: &[&str]) -> Result<Vec<String>, String> {
        static GIVEN_UP: AtomicBool = AtomicBool::new(false);
        // Many tests ask one after the other: the mirror is waited for once.
        let pauses = if GIVEN_UP.load(Ordering::Relaxed) {
            &[][..]
        } else {
            &PAUSES
        };
        let fetched = patiently(pauses, |again| {
            // The lists may be older than what the mirror still has.
            if again || !self.has_lists() {
                must(self.command().arg("update"), "apt-get update")?;
            }
            self.fetch_listed(wanted, without)
        });
        GIVEN_UP.store(fetched.is_err(), Ordering::Relaxed);
        fetched
    }

    fn fetch_listed(&self, wanted: &[&str], without: &[&str]) -> Result<Vec<String>, String> {
        let packages = self.resolve(wanted, without)?;
        self.download(&packages)?;
        Ok(packages)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        let option =
            |name: &str, part: &str| format!("{name}={}", self.folder.join(part).display());
        command
            .args(["-q", "-o", &option("Dir::State::lists", "lists")])
            .args(["-o", &option("Dir::State::status", "status")])
            .args(["-o", &option("Dir::Cache::archives", "archives")])
            .args(["-o", &option("Dir::Cache::pkgcache", "pkgcache.bin")])
            .args(["-o", &option("Dir::Cache::srcpkgcache", "srcpkgcache.bin")])
            .args([
                "-o",
                "APT::Sandbox::User=root",
                "-o",
                "APT::Install-Recommends=0",
            ])
            .args(["-o", "Acquire::Retries=3", "-o", "Debug::NoLocking=1"])
            .current_dir(self.folder.join("debs"));
        command
    }

    fn resolve(&self, wanted: &[&str], without: &[&str]) -> Result<Vec<String>, String> {
        let output = must(
            self.command().args(["-s", "install"]).args(wanted),
            "apt-get -s install",
        )?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_unwanted = |name: &str| {
            let mut unwanted = UNWANTED.iter().chain(without);
            unwanted.any(|start| name.starts_with(start))
        };
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("Inst "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| !is_unwanted(name));
        Ok(names.map(str::to_owned).collect())
    }

    fn download(&self, packages: &[String]) -> Result<(), String> {
        let missing: Vec<&String> = packages
            .iter()
            .filter(|package| self.archive(package).is_err())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        must(
            self.command().arg("download").args(missing),
            "apt-get download",
        )
        .map(|_| ())
    }

    fn archive(&self, package: &str) -> Result<PathBuf, String> {
        let prefix = format!("{package}_");
        let entries = fs::read_dir(self.folder.join("debs")).map_err(|error| error.to_string())?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(&prefix))
            })
            .ok_or_else(|| format!("{package} was not downloaded"))
    }

    /// Unpacks a package that was fetched into the tree `root`.
    pub(super) fn unpack(&self, package: &str, root: &Path) -> Result<(), String> {
        let archive = self.archive(package)?;
        // dpkg -x would replace the links /lib -> usr/lib by folders.
        let mut source = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(&archive)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let pipe = source.stdout.take().ok_or("no pipe")?;
        let mut tar = Command::new("tar");
        tar.args(["-x", "--keep-directory-symlink", "-C"])
            .arg(root)
            .args(
                ["doc", "man", "locale", "info"]
                    .map(|part| format!("--exclude=./usr/share/{part}")),
            )
            .stdin(pipe);
        let unpacked = tar.status().map_err(|error| error.to_string())?;
        let read = source.wait().map_err(|error| error.to_string())?;
        if unpacked.success() && read.success() {
            Ok(())
        } else {
            // It may have been cut when it was stored: the next run fetches it again.
            let _ = fs::remove_file(&archive);
            Err(format!("{} cannot be unpacked", archive.display()))
        }
    }
}

/// Runs `command`; an error in its own words when it fails.
pub(super) fn must(command: &mut Command, what: &str) -> Result<Output, String> {
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{what} failed: {}", in_one_line(&said)))
}

/// Tries until it succeeds, after each of these pauses once more; `attempt` is told whether it is not the first time.
fn patiently<T>(
    pauses: &[Duration],
    mut attempt: impl FnMut(bool) -> Result<T, String>,
) -> Result<T, String> {
    let mut result = attempt(false);
    for pause in pauses {
        let Err(why) = &result else {
            break;
        };
        println!("{why}; once more in {pause:?}");
        std::thread::sleep(*pause);
        result = attempt(true);
    }
    result.map_err(|why| {
        format!(
            "Debian's packages cannot be had ({} tries): {why}",
            pauses.len() + 1
        )
    })
}

/// The first of what apt-get says, which may be a line for each package.
fn in_one_line(said: &str) -> String {
    const MOST: usize = 3;
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let shown = lines
        .iter()
        .take(MOST)
        .copied()
        .collect::<Vec<_>>()
        .join("; ");
    match lines.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown}; and {more} lines more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_tried_again_and_the_lists_are_fetched_anew() {
        let mut tries = Vec::new();
        let fetched = patiently(&[Duration::ZERO; 5], |again| {
            tries.push(again);
            (tries.len() == 4)
                .then_some("all")
                .ok_or_else(|| "502".to_owned())
        });
        assert_eq!(fetched, Ok("all"));
        assert_eq!(tries, [false, true, true, true]);
    }

    #[test]
    fn who_cannot_fetch_says_so_in_one_line() {
        let failed = || {
            let said = "E: one\n\nE: two\nE: three\nE: four\nE: five\n";
            must(
                Command::new("sh").args(["-c", &format!("echo '{said}' >&2; exit 100")]),
                "apt-get download",
            )
        };
        let told = patiently(&[Duration::ZERO; 2], |_| failed()).unwrap_err();
        assert_eq!(
            told,
            "Debian's packages cannot be had (3 tries): apt-get download failed: E: one; E: two; E: three; and 2 lines more"
        );
    }
}
