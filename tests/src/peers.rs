//! Debian's programs, unpacked under `target/peers/`: Taylor's uucp, the MTAs, NNCP and strace, with all they need.
//!
//! Nothing is installed. One tree, the base, has what every host needs; each MTA is a layer that lies over it when a host is
//! chrooted into both. A layer is fetched when the first test asks for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::programs;

mod apt;
mod base;

use apt::Apt;

/// Changes when the trees are made in another way: older ones are then made anew.
const LAYOUT: &str = "5";

/// The unpacked peers.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
    base: PathBuf,
    taylor: PathBuf,
}

/// What can lie over the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Postfix.
    Postfix,
    /// Exim, the daemon without TLS extras.
    Exim,
    /// Sendmail, with the files its configuration is made from.
    Sendmail,
    /// OpenSMTPD.
    OpenSmtpd,
    /// NNCP.
    Nncp,
    /// OpenSSH, both sides.
    Ssh,
    /// gzip, zstd, xz, bzip2 and compress.
    Packers,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Postfix => "postfix",
            Self::Exim => "exim",
            Self::Sendmail => "sendmail",
            Self::OpenSmtpd => "opensmtpd",
            Self::Nncp => "nncp",
            Self::Ssh => "ssh",
            Self::Packers => "packers",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postfix => &["postfix"],
            Self::Exim => &["exim4-daemon-light"],
            Self::Sendmail => &["sendmail-bin", "sendmail-cf"],
            Self::OpenSmtpd => &["opensmtpd"],
            Self::Nncp => &["nncp"],
            Self::Ssh => &["openssh-server", "openssh-client", "login"],
            Self::Packers => &["gzip", "zstd", "xz-utils", "bzip2", "ncompress"],
        }
    }
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

    /// The tree with the tools of a small Debian.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The tree of a layer; the first to ask for it fetches it.
    ///
    /// # Errors
    /// Says why it cannot be had here.
    pub fn layer(&self, layer: Layer) -> Result<PathBuf, String> {
        let root = self.folder.join(layer.name());
        let _lock = Lock::take(&self.folder)?;
        if !is_made(&self.folder, layer.name()) {
            let apt = Apt::prepare(&self.folder)?;
            let _ = fs::remove_dir_all(&root);
            let of_base = apt.fetch(base::WANTED, &["exim4", "postfix"])?;
            let wanted = [base::WANTED, layer.packages()].concat();
            let packages = apt.fetch(&wanted, &[])?;
            base::make_merged(&root)?;
            for package in packages.iter().filter(|name| !of_base.contains(name)) {
                apt.unpack(package, &root)?;
            }
            set_made(&self.folder, layer.name())?;
        }
        Ok(root)
    }

    /// `strace` with its libraries from the same tree, ready for its own options.
    pub fn strace(&self) -> Command {
        self.native(&self.base, "usr/bin/strace")
    }

    /// A program of a layer, run outside of any host with the libraries of its own tree and the base.
    pub fn native(&self, tree: &Path, program: &str) -> Command {
        let loader = self.base.join("lib64/ld-linux-x86-64.so.2");
        let loader = if loader.exists() {
            loader
        } else {
            find_loader(&self.base)
        };
        let libraries = [library_path(tree), library_path(&self.base)];
        let mut command = Command::new(loader);
        command
            .arg("--library-path")
            .arg(std::env::join_paths(libraries).expect("paths without colons"))
            .arg(tree.join(program));
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
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
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
    let root = folder.join("base");
    {
        let _lock = Lock::take(&folder)?;
        if !is_made(&folder, "base") {
            let _ = fs::remove_dir_all(&root);
            base::make(&Apt::prepare(&folder)?, &root)?;
            base::gather_taylor(&folder.join("taylor"), &root)?;
            set_made(&folder, "base")?;
        }
    }
    Ok(Peers {
        base: root,
        taylor: programs::reachable(&folder.join("taylor"), "taylor"),
        folder,
    })
}

/// Several test executables may come here at once: one works, the others wait.
struct Lock(#[expect(dead_code, reason = "held, not used")] fs::File);

impl Lock {
    fn take(folder: &Path) -> Result<Self, String> {
        let lock = fs::File::create(folder.join("lock")).map_err(|error| error.to_string())?;
        lock.lock().map_err(|error| error.to_string())?;
        Ok(Self(lock))
    }
}

fn is_made(folder: &Path, tree: &str) -> bool {
    fs::read_to_string(folder.join(format!("made-{tree}"))).unwrap_or_default() == LAYOUT
}

fn set_made(folder: &Path, tree: &str) -> Result<(), String> {
    fs::write(folder.join(format!("made-{tree}")), LAYOUT).map_err(|error| error.to_string())
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.exists())
}
