//! A configured system called leaf with a neighbour called hub, and ways to look into its outbox.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use uucp_core::config::Config;
use uucp_core::outbox::Outbox;
use uucp_core::spool::Spool;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_exim-bsmtp");

pub(crate) const HEADER: &str = "Received: from root by leaf.lab with local (Exim 4.96)\n\tid 1xULd9-000064-31; Fri, 20 Nov 2026\n";

/// One run's outcome. Standard output and standard error are one pipe, as under Exim.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
}

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) grade: char,
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) content: Vec<u8>,
}

pub(crate) struct Site {
    pub(crate) root: PathBuf,
    _folder: tempfile::TempDir,
}

/// One message as Exim's `use_bsmtp` writes it, with LF.
pub(crate) fn exim(sender: &str, recipients: &[&str], content: &str) -> Vec<u8> {
    let mut batch = format!("MAIL FROM:<{sender}>\n");
    for recipient in recipients {
        batch.push_str("RCPT TO:<");
        batch.push_str(recipient);
        batch.push_str(">\n");
    }
    batch.push_str("DATA\n");
    for line in content.split_inclusive('\n') {
        let dot = if line.starts_with('.') { "." } else { "" };
        batch.push_str(dot);
        batch.push_str(line);
    }
    batch.push_str(".\n");
    batch.into_bytes()
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for directory in ["etc", "spool", "pub", "lock"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        let r = root.display();
        let config = format!(
            "nodename leaf\nspool {r}/spool\npubdir {r}/pub\nlockdir {r}/lock\nlogfile {r}/Log\nstatfile {r}/Stats\n\
             debugfile {r}/Debug\nsysfile {r}/etc/sys\nportfile {r}/etc/port\n"
        );
        fs::write(root.join("etc/config"), config).unwrap();
        fs::write(root.join("etc/sys"), "time any\nsystem hub\nsystem other\n").unwrap();
        Self {
            root,
            _folder: folder,
        }
    }

    pub(crate) fn mail_toml(&self, text: &str) {
        fs::write(self.root.join("etc/mail.toml"), text).unwrap();
    }

    /// The arguments of the recommended transport, and then these.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let config = format!("--config={}/etc/config", self.root.display());
        let more = more.iter().map(ToString::to_string);
        std::iter::once(config).chain(more).collect()
    }

    /// Queues a batch for hub, with this id of Exim's.
    pub(crate) fn queue(&self, id: &str, batch: &[u8]) -> Outcome {
        self.run(&[&format!("--id={id}"), "hub"], batch)
    }

    pub(crate) fn run(&self, arguments: &[&str], batch: &[u8]) -> Outcome {
        self.run_in_shell("exec \"$@\" 2>&1", arguments, batch)
    }

    pub(crate) fn run_in_shell(&self, script: &str, arguments: &[&str], batch: &[u8]) -> Outcome {
        let mut child = self.command(script, arguments).spawn().unwrap();
        // It may be refused before it is read to its end.
        let _ = child.stdin.take().unwrap().write_all(batch);
        wait(child)
    }

    /// The program in the environment that Exim's pipe transport gives it.
    pub(crate) fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "sh", PROGRAM])
            .args(self.arguments(arguments))
            .env_clear()
            .env("PATH", "/bin:/usr/bin")
            .env("MESSAGE_ID", "1xULd9-000064-31")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// What waits for a system, in order.
    pub(crate) fn outbox(&self, system: &str) -> Vec<Queued> {
        let config = Config::load(Some(&self.root.join("etc/config"))).unwrap();
        let spool = Spool::open(&config).unwrap();
        let outbox = Outbox::new(&spool, &system.parse().unwrap());
        let names = outbox.list().unwrap();
        let entries = names.iter().map(|name| {
            let mut entry = outbox.open(name).unwrap().unwrap();
            let mut content = Vec::new();
            entry.content.read_to_end(&mut content).unwrap();
            let transaction = entry.head.transaction;
            let recipients = transaction.recipients.iter();
            Queued {
                grade: name.grade().to_string().chars().next().unwrap(),
                sender: transaction.sender.to_string(),
                recipients: recipients.map(|r| r.address.to_string()).collect(),
                content,
            }
        });
        entries.collect()
    }

    /// All recipients of all messages for hub, sorted.
    pub(crate) fn recipients(&self) -> Vec<String> {
        let queued = self.outbox("hub");
        let mut all: Vec<String> = queued.into_iter().flat_map(|q| q.recipients).collect();
        all.sort();
        all
    }

    /// The jobs for a system: command and data.
    pub(crate) fn jobs(&self, system: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.root.join("spool").join(system);
        let Ok(entries) = fs::read_dir(folder.join("C.")) else {
            return Vec::new();
        };
        let jobs = entries.map(|entry| {
            let line = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert_eq!(line.lines().count(), 1, "{line}");
            let data = fs::read(folder.join("D.").join(line.split(' ').nth(1).unwrap()));
            let command = line.trim_end().rsplit(' ').next().unwrap().to_owned();
            (command, data.unwrap())
        });
        jobs.collect()
    }

    /// The delivery reports that wait for the local MTA.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.files()
            .iter()
            .filter(|(name, _)| name.starts_with(".Bangpath/local-mail/"))
            .map(|(_, content)| String::from_utf8_lossy(content).into_owned())
            .inspect(|text| assert!(text.contains("multipart/report"), "{text}"))
            .collect()
    }

    /// Every file of the spool with its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let spool = self.root.join("spool");
        collect(&spool, &spool, &mut files);
        files
    }

    /// Nothing of a message is anywhere in the spool.
    pub(crate) fn assert_clean(&self) {
        for (name, content) in self.files() {
            let holds = content.windows(5).any(|w| w == b"hello");
            assert!(!holds, "{name} holds the message");
        }
    }
}

pub(crate) fn wait(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        status: output.status.code(),
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
