//! One node in a temporary directory: configuration, spool, commands that note how they were run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use uucp_core::config::Config;
use uucp_core::spool::Spool;

use super::runnable::write_program;

/// Longest time that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Node {
    root: tempfile::TempDir,
}

/// A mail that waits in the spool for the MTA.
pub(crate) struct Mail {
    pub(crate) sender: String,
    pub(crate) recipient: String,
    pub(crate) text: String,
}

impl Node {
    /// A node `beta` with a neighbour `alpha`, which may run `rmail`, `tool` and `gone`.
    pub(crate) fn new() -> Self {
        Self::with("", "")
    }

    /// The same with more lines in `sys` and in `mail.toml`.
    pub(crate) fn with(sys: &str, mail: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        // Commands and the files that they are given must be in reach of everybody, as they are on a real node.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let node = Self { root };
        for folder in ["etc", "spool", "log", "lock", "pub", "bin"] {
            fs::create_dir(node.path(folder)).unwrap();
        }
        fs::set_permissions(node.path("pub"), fs::Permissions::from_mode(0o1777)).unwrap();
        let at = |name: &str| node.path(name).display().to_string();
        let config = format!(
            "nodename beta\nspool {}\npubdir {}\nlockdir {}\nlogfile {}\nstatfile {}\ndebugfile {}\nsysfile {}\n",
            at("spool"),
            at("pub"),
            at("lock"),
            at("log/Log"),
            at("log/Stats"),
            at("log/Debug"),
            at("etc/sys"),
        );
        fs::write(node.path("etc/config"), config).unwrap();
        let sys = format!(
            "system alpha\ncommands rmail tool gone\ncommand-path {} /bin /usr/bin\n{sys}\nsystem gamma\ncommands rmail\ncommand-path {} /bin /usr/bin\n",
            at("bin"),
            at("bin"),
        );
        fs::write(node.path("etc/sys"), sys).unwrap();
        // An MTA that is not there: mail waits in the spool, where it is looked at.
        let mail = format!(
            "{mail}\n[delivery]\nmethod = \"sendmail\"\nsendmail = \"/nonexistent/sendmail\"\n"
        );
        fs::write(node.path("etc/mail.toml"), mail).unwrap();
        node.script("rmail", "cat >/dev/null");
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A command of this node: a shell script that first notes its arguments in `runs`.
    pub(crate) fn script(&self, name: &str, body: &str) {
        let path = self.path("bin").join(name);
        let note = format!("echo \"{name} $*\" >> \"$HOME/../runs\"");
        write_program(&path, format!("#!/bin/sh\n{note}\n{body}\n"));
    }

    /// What ran, one line a command.
    pub(crate) fn runs(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Puts an execute file into the spool.
    pub(crate) fn execute_file(&self, system: &str, name: &str, content: impl AsRef<[u8]>) {
        let folder = self.path("spool").join(system).join("X.");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }

    /// Puts a data file into the spool.
    pub(crate) fn data_file(&self, system: &str, name: &str, content: &str) {
        let folder = self.path("spool").join(system).join("D.");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }

    /// A job of `alpha` as its `uux` makes them: data, and an execute file with these further lines.
    pub(crate) fn job(&self, unique: &str, command: &str, lines: &str) {
        let data = format!("D.alpha{unique}");
        self.data_file("alpha", &data, "the input\n");
        let text = format!("U joe alpha\nF {data}\nI {data}\n{lines}C {command}\n");
        self.execute_file("alpha", &format!("X.alpha{unique}"), text);
    }

    pub(crate) fn uuxqt(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uuxqt"));
        command
            .arg("-I")
            .arg(self.path("etc/config"))
            .args(arguments)
            .env_remove("TZ")
            .stdin(Stdio::null());
        command
    }

    /// Runs uuxqt to its end; its status must be 0.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.uuxqt(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.uuxqt(arguments).spawn().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log/Log")).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path("spool").join(name).exists()
    }

    /// Every file below a folder of the spool, sorted, as paths within that folder.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let start = self.path("spool").join(folder);
        let mut found = Vec::new();
        collect(&start, &start, &mut found);
        found.sort();
        found
    }

    /// The mail that waits for the MTA.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let config = Config::load(Some(&self.path("etc/config"))).unwrap();
        let spool = Spool::open(&config).unwrap();
        let names = spool.local_mail_names().unwrap();
        let mut mails: Vec<Mail> = names
            .iter()
            .filter_map(|name| spool.take_local_mail(name).unwrap())
            .map(|mail| Mail {
                sender: text(&mail.sender),
                recipient: mail.recipients.iter().map(|r| text(r)).collect(),
                text: text(&mail.content),
            })
            .collect();
        mails.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        mails
    }

    /// Who is to be told, sorted.
    pub(crate) fn told(&self) -> Vec<String> {
        self.mails()
            .into_iter()
            .map(|mail| mail.recipient)
            .collect()
    }
}

fn collect(start: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(start, &path, found);
        } else {
            found.push(path.strip_prefix(start).unwrap().display().to_string());
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until something outside becomes true.
pub(crate) fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}
