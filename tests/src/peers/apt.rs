//! Debian's packages: which ones a program needs, fetched and unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// `apt-get` with its state under `target/`, so that the machine's own stays as it is.
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Ready to fetch; the lists of packages are fetched when there are none yet.
    pub(super) fn prepare(folder: &Path) -> Result<Self, String> {
        let folder = folder.join("apt");
        for part in ["lists/partial", "archives/partial", "debs"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
        }
        fs::write(folder.join("status"), "").map_err(|error| error.to_string())?;
        let apt = Self { folder };
        let lists = fs::read_dir(apt.folder.join("lists")).map_err(|error| error.to_string())?;
        let has_lists = lists
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"));
        if !has_lists {
            apt.update()?;
        }
        Ok(apt)
    }

    fn update(&self) -> Result<(), String> {
        must(self.command().arg("update"), "apt-get update").map(|_| ())
    }

    /// Fetches `wanted` with all they need, except packages whose names begin as `without` say, and names them.
    ///
    /// What is resolved is resolved against an *empty* list of installed packages, so that the result does not depend on the
    /// machine.
    pub(super) fn fetch(&self, wanted: &[&str], without: &[&str]) -> Result<Vec<String>, String> {
        self.fetch_listed(wanted, without).or_else(|_| {
            // The lists may be older than what the mirror still has.
            self.update()?;
            self.fetch_listed(wanted, without)
        })
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
    Err(format!(
        "{what} failed: {}",
        said.trim().replace('\n', "; ")
    ))
}
