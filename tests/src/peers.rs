//! Debian's programs, unpacked under `target/peers/`: Taylor's uucp, Postfix and strace, with all they need.
//!
//! Nothing is installed. The packages are resolved against an *empty* list of installed ones, so that the result does not
//! depend on the machine, then downloaded and unpacked into one tree that a Postfix can be chrooted into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::programs;

/// The packages asked for by name; the rest follows from what they depend on.
const WANTED: &[&str] = &[
    "uucp",
    "strace",
    "postfix",
    "dash",
    "bash",
    "coreutils",
    "sed",
    "grep",
    "mawk",
    "findutils",
    "diffutils",
    "hostname",
    "util-linux",
    "mount",
    "libc-bin",
    "base-passwd",
    "base-files",
    "netbase",
];

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
    "exim4",
    "e2fsprogs",
    "libext2fs",
    "libss2",
    "logsave",
    "openssl",
    "ssl-cert",
    "cpio",
    "libpam-runtime",
    "sysvinit-utils",
    "gcc-12-base",
    "gcc-14-base",
    "dpkg",
];

/// Changes when the tree is made in another way: an older one is then made anew.
const LAYOUT: &str = "4";

/// The unpacked peers.
#[derive(Debug)]
pub struct Peers {
    root: PathBuf,
    taylor: PathBuf,
}

/// The peers, provided by the first call; or why they cannot be had here.
pub fn peers() -> Result<&'static Peers, &'static str> {
    static PEERS: OnceLock<Result<Peers, String>> = OnceLock::new();
    PEERS.get_or_init(provide).as_ref().map_err(String::as_str)
}

impl Peers {
    /// One of Taylor's programs.
    pub fn taylor(&self, name: &str) -> PathBuf {
        self.taylor.join(name)
    }

    /// A tree with Postfix and the tools of a small Debian, to be copied or overlaid and chrooted into.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `strace` with its libraries from the same tree, ready for its own options.
    pub fn strace(&self) -> Command {
        let mut command = Command::new(self.root.join("lib64/ld-linux-x86-64.so.2"));
        if !self.root.join("lib64/ld-linux-x86-64.so.2").exists() {
            command = Command::new(find_loader(&self.root));
        }
        command
            .arg("--library-path")
            .arg(library_path(&self.root))
            .arg(self.root.join("usr/bin/strace"));
        command
    }
}

fn find_loader(root: &Path) -> PathBuf {
    let entries = fs::read_dir(root.join("lib")).into_iter().flatten();
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("ld-linux"))
        })
        .expect("a dynamic loader")
}

fn library_path(root: &Path) -> PathBuf {
    let entries = fs::read_dir(root.join("usr/lib")).into_iter().flatten();
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("libc.so.6").exists())
        .unwrap_or_else(|| root.join("usr/lib"))
}

fn provide() -> Result<Peers, String> {
    if !crate::is_root() {
        return Err(
            "only root can run the real peers (they change user and root directory)".into(),
        );
    }
    if !Path::new("/etc/debian_version").exists() {
        return Err("the real peers come from Debian's packages, and this is not Debian".into());
    }
    for tool in ["apt-get", "dpkg-deb", "tar"] {
        if which(tool).is_none() {
            return Err(format!(
                "{tool} is missing, with which the real peers are fetched"
            ));
        }
    }
    let folder = programs::target_folder().join("peers");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Several test executables may come here at once: one works, the others wait.
    let lock = fs::File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let root = folder.join("root");
    let marker = folder.join("made");
    if fs::read_to_string(&marker).unwrap_or_default() != LAYOUT {
        make(&folder, &root)?;
        fs::write(&marker, LAYOUT).map_err(|error| error.to_string())?;
    }
    let taylor = programs::reachable(&folder.join("taylor"), "taylor");
    Ok(Peers { root, taylor })
}

fn make(folder: &Path, root: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(root);
    let apt = Apt::prepare(folder)?;
    let packages = apt.resolve()?;
    apt.download(&packages)?;
    for part in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(part)).map_err(|error| error.to_string())?;
        std::os::unix::fs::symlink(format!("usr/{part}"), root.join(part))
            .map_err(|error| error.to_string())?;
    }
    for package in &packages {
        unpack(&apt.archive(package)?, root)?;
    }
    users(root)?;
    must(
        Command::new("chroot").arg(root).arg("/usr/sbin/ldconfig"),
        "ldconfig",
    )?;
    gather_taylor(&folder.join("taylor"), root)
}

/// One folder with Taylor's programs, without their setuid bits: the tests run them as uucp, and trace them.
fn gather_taylor(folder: &Path, root: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let places = [
        ("usr/lib/uucp", ["uucico", "uuchk"].as_slice()),
        ("usr/sbin", &["uuxqt"]),
        ("usr/bin", &["uux", "uucp", "uustat", "uuname", "uulog"]),
    ];
    for (place, names) in places {
        for name in names {
            let to = folder.join(name);
            fs::copy(root.join(place).join(name), &to)
                .map_err(|error| format!("{place}/{name}: {error}"))?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The users and groups that maintainer scripts would have made, with numbers of our own.
fn users(root: &Path) -> Result<(), String> {
    let master = root.join("usr/share/base-passwd");
    let read = |name: &str| {
        fs::read_to_string(master.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let passwd = read("passwd.master")?
        + "alice:*:1001:1001:Alice:/home/alice:/bin/sh\nvmail:*:1002:1002::/var/mail:/bin/false\npostfix:*:101:101::/var/spool/postfix:/bin/false\n";
    let group =
        read("group.master")? + "alice:x:1001:\nvmail:x:1002:\npostfix:x:101:\npostdrop:x:102:\n";
    let write = |name: &str, text: &str| {
        fs::write(root.join("etc").join(name), text).map_err(|error| format!("{name}: {error}"))
    };
    write("passwd", &passwd)?;
    write("group", &group)?;
    write(
        "nsswitch.conf",
        "hosts: files\npasswd: files\ngroup: files\n",
    )?;
    write("hosts", "127.0.0.1 localhost\n")?;
    write("resolv.conf", "")?;
    for place in [
        "tmp",
        "run",
        "proc",
        "sys",
        "dev",
        "root",
        "var/mail",
        "var/log",
        "var/tmp",
        "opt/bangpath",
    ] {
        fs::create_dir_all(root.join(place)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn unpack(archive: &Path, root: &Path) -> Result<(), String> {
    // dpkg -x would replace the links /lib -> usr/lib by folders.
    let mut source = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let pipe = source.stdout.take().ok_or("no pipe")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--keep-directory-symlink", "-C"])
        .arg(root)
        .args(["doc", "man", "locale", "info"].map(|part| format!("--exclude=./usr/share/{part}")))
        .stdin(pipe);
    let unpacked = tar.status().map_err(|error| error.to_string())?;
    let read = source.wait().map_err(|error| error.to_string())?;
    if unpacked.success() && read.success() {
        Ok(())
    } else {
        Err(format!("{} cannot be unpacked", archive.display()))
    }
}

/// `apt-get` with its state under `target/`, so that the machine's own stays as it is.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn prepare(folder: &Path) -> Result<Self, String> {
        let folder = folder.join("apt");
        for part in ["lists/partial", "archives/partial", "debs"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
        }
        fs::write(folder.join("status"), "").map_err(|error| error.to_string())?;
        let apt = Self { folder };
        must(apt.command().arg("update"), "apt-get update")?;
        Ok(apt)
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

    fn resolve(&self) -> Result<Vec<String>, String> {
        let output = must(
            self.command().args(["-s", "install"]).args(WANTED),
            "apt-get -s install",
        )?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("Inst "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| !UNWANTED.iter().any(|unwanted| name.starts_with(unwanted)));
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
}

fn must(command: &mut Command, what: &str) -> Result<Output, String> {
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

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.exists())
}
